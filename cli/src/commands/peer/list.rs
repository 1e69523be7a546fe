//! `windlass peer list`

use crate::{context::Context, render::peer};
use windlass_node::api::ApiError;
use windlass_regtest::api::{NodePeer, OneNode};

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Whose
    node: String,
}

/// Runs it.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    let peers: Vec<NodePeer> = ctx.ask("peer/list", &OneNode { node: args.node }).await?;
    ctx.out.result(&peers, |_| peer::list(&peers))
}
