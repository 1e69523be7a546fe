//! `windlass channel close`

use crate::{context::Context, render::channel};
use windlass_node::api::{ApiError, wallet::ChannelInfo};
use windlass_regtest::api::ChannelClose;

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The channel's id, a unique prefix of it, or as channel list shows it
    id: String,
    /// Which end closes, where both ends know the id
    #[arg(long)]
    node: Option<String>,
    /// Without the other side: at once, and the own money waits for a timelock
    #[arg(long)]
    force: bool,
}

/// Runs it.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    let body = ChannelClose { id: args.id, node: args.node.clone(), force: args.force };
    let closed: ChannelInfo = ctx.ask("channel/close", &body).await?;
    ctx.out.result(&closed, |_| channel::one(&closed))?;
    let who = args.node.as_deref().unwrap_or("NODE");
    ctx.out.next(&[ctx.command(&format!("statement {who}"))]);
    Ok(())
}
