//! `windlass node stop`

use crate::{context::Context, render::status};
use windlass_node::api::ApiError;
use windlass_regtest::api::{OneNode, ProcessStatus};

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which
    node: String,
}

/// Runs it.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    let process: ProcessStatus = ctx.ask("node/stop", &OneNode { node: args.node }).await?;
    ctx.out.result(&process, |paint| status::process(&process, paint))
}
