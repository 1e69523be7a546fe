//! `windlass peer remove`

use crate::context::Context;
use windlass_node::api::{ApiError, wallet::ForgetAnswer};
use windlass_regtest::api::OnePeer;

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Whose peer it is
    node: String,
    /// By name, or by its public key
    peer: String,
}

/// Runs it.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    let body = OnePeer { node: args.node.clone(), peer: args.peer.clone() };
    let answer: ForgetAnswer = ctx.ask("peer/remove", &body).await?;
    if !answer.forgotten {
        return Err(ApiError::not_found(format!("{} is no persistent peer of {}", args.peer, args.node))
            .hint("list them", ctx.command(&format!("peer list {}", args.node))));
    }
    ctx.out.result(&answer, |_| format!("{} is no longer a persistent peer of {}", args.peer, args.node))
}
