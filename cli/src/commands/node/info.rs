//! `windlass node info`

use crate::{context::Context, render::channel};
use windlass_node::api::{ApiError, wallet::NodeInfo};
use windlass_regtest::api::OneNode;

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which
    node: String,
}

/// Runs it.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    let info: NodeInfo = ctx.ask("node/info", &OneNode { node: args.node }).await?;
    ctx.out.result(&info, |_| channel::node(&info))
}
