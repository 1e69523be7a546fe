//! `windlass channel batch`

use crate::{commands::values, context::Context, render::channel};
use bitcoin::Amount;
use windlass_node::api::{ApiError, wallet::ChannelInfo};
use windlass_regtest::api::{BatchPart, ChannelBatch};

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Who funds them
    from: String,
    /// The other sides, each with its capacity: bob=0.1btc
    #[arg(required = true, num_args = 2.., value_name = "TO=AMOUNT", value_parser = part)]
    to: Vec<Part>,
    /// Do not announce them: nobody routes over them
    #[arg(long)]
    private: bool,
}

/// One channel.
#[derive(Debug, Clone)]
struct Part {
    to: String,
    amount: Amount,
}

fn part(text: &str) -> Result<Part, String> {
    let (to, amount) = text.split_once('=').ok_or_else(|| format!("{text:?}: write for example bob=0.1btc"))?;
    Ok(Part { to: to.to_owned(), amount: values::sat(amount)? })
}

/// Runs it.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    let channels = args.to.into_iter().map(|part| BatchPart { to: part.to, amount: part.amount }).collect();
    let body = ChannelBatch { from: args.from, channels, private: args.private };
    let opened: Vec<ChannelInfo> = ctx.ask("channel/batch", &body).await?;
    ctx.out.result(&opened, |_| opened.iter().map(channel::one).collect())
}
