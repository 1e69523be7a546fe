//! `windlass peer add`

use crate::{context::Context, render::peer};
use windlass_node::api::ApiError;
use windlass_regtest::api::{NodePeer, OnePeer};

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Whose peer it becomes
    node: String,
    /// A node of this network by name, or any other by <public key>@<host>:<port>
    peer: String,
}

/// Runs it.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    let body = OnePeer { node: args.node, peer: args.peer };
    let added: NodePeer = ctx.ask("peer/add", &body).await?;
    ctx.out.result(&added, |_| peer::list(std::slice::from_ref(&added)))
}
