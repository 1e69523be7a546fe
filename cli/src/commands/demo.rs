//! `windlass demo`

use crate::{context::Context, demo};
use windlass_node::api::ApiError;

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Leave the network running at the end, to look around
    #[arg(long)]
    keep: bool,
}

/// Runs it.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    demo::run(ctx, args.keep).await
}
