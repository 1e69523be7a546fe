//! `windlass payment forwards`

use crate::{context::Context, render::payment};
use windlass_node::api::{ApiError, payments::ForwardInfo};
use windlass_regtest::api::OneNode;

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Whose
    node: String,
}

/// Runs it.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    let forwards: Vec<ForwardInfo> = ctx.ask("payment/forwards", &OneNode { node: args.node }).await?;
    ctx.out.result(&forwards, |_| payment::forwards(&forwards))
}
