//! `windlass address`

use crate::context::Context;
use windlass_node::api::{ApiError, wallet::AddressAnswer};
use windlass_regtest::api::Address;

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Whose
    node: String,
    /// On the sidechain instead of Bitcoin
    #[arg(long)]
    side: bool,
}

/// Runs it.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    let answer: AddressAnswer = ctx.ask("address", &Address { node: args.node, side: args.side }).await?;
    ctx.out.result(&answer, |_| answer.address.clone())
}
