//! `windlass peg address`

use crate::{context::Context, render::peg};
use windlass_node::api::{ApiError, wallet::PegInInfo};
use windlass_regtest::api::OneNode;

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Whose
    node: String,
}

/// Runs it.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    let info: PegInInfo = ctx.ask("peg/address", &OneNode { node: args.node }).await?;
    ctx.out.result(&info, |_| peg::address(&info))
}
