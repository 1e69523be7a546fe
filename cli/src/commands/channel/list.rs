//! `windlass channel list`

use crate::{context::Context, render::channel};
use windlass_node::api::ApiError;
use windlass_regtest::api::{ChannelList, NodeChannel};

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Whose [default: all]
    node: Option<String>,
}

/// Runs it.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    let channels: Vec<NodeChannel> = ctx.ask("channel/list", &ChannelList { node: args.node }).await?;
    ctx.out.result(&channels, |_| channel::list(&channels))
}
