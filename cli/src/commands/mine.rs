//! `windlass mine`

use crate::context::Context;
use windlass_node::api::ApiError;
use windlass_regtest::api::{Mine, Mined};

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// So many blocks
    #[arg(value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=2_000))]
    blocks: u32,
}

/// Runs it.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    let mined: Mined = ctx.ask("mine", &Mine { blocks: args.blocks }).await?;
    ctx.out.result(&mined, |_| format!("mined {}, Bitcoin is at block {}", mined.blocks, mined.tip.height))
}
