//! `windlass peg list`

use crate::{context::Context, render::peg};
use windlass_node::api::ApiError;
use windlass_regtest::api::{PegList, Pegs};

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Whose [default: all]
    node: Option<String>,
}

/// Runs it.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    let pegs: Pegs = ctx.ask("peg/list", &PegList { node: args.node }).await?;
    ctx.out.result(&pegs, |_| peg::list(&pegs))
}
