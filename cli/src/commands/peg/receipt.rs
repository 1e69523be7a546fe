//! `windlass peg receipt`

use crate::{commands::prove::give, context::Context};
use std::path::PathBuf;
use windlass_light::ReceiptFile;
use windlass_node::api::ApiError;
use windlass_regtest::api::PegShow;

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The peg's id or a unique prefix of it
    id: String,
    /// Write it into this file instead of printing it
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Runs it.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    let receipt: ReceiptFile = ctx.ask("peg/receipt", &PegShow { id: args.id }).await?;
    give(ctx, args.out.as_deref(), &receipt)
}
