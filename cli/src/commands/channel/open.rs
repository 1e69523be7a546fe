//! `windlass channel open`

use crate::{commands::values, context::Context, render::channel};
use bitcoin::Amount;
use windlass_node::api::{ApiError, wallet::ChannelInfo};
use windlass_regtest::api::ChannelOpen;
use windlass_types::Msat;

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Who funds it
    from: String,
    /// The other side
    to: String,
    /// Its capacity: 0.1btc, 1000000sat
    #[arg(value_parser = values::sat)]
    amount: Amount,
    /// A gift to the other side, out of the capacity
    #[arg(long, value_name = "AMOUNT", value_parser = values::msat_or_zero)]
    push: Option<Msat>,
    /// Do not announce it: nobody routes over it
    #[arg(long)]
    private: bool,
}

/// Runs it.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    let body = ChannelOpen {
        from: args.from.clone(),
        to: args.to.clone(),
        amount: args.amount,
        push_msat: args.push.unwrap_or_default(),
        private: args.private,
    };
    let opened: ChannelInfo = ctx.ask("channel/open", &body).await?;
    ctx.out.result(&opened, |_| channel::one(&opened))?;
    let pay = format!("pay {} $({})", args.from, ctx.command(&format!("invoice {} 1000sat", args.to)));
    ctx.out.next(&[ctx.command(&pay)]);
    Ok(())
}
