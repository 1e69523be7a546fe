//! `windlass peg reclaim`

use crate::{context::Context, render::peg};
use windlass_node::api::ApiError;
use windlass_regtest::api::{Peg, PegShow};

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The peg's id or a unique prefix of it
    id: String,
}

/// Runs it.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    let peg: Peg = ctx.ask("peg/reclaim", &PegShow { id: args.id }).await?;
    ctx.out.result(&peg, |_| peg::show(&peg))
}
