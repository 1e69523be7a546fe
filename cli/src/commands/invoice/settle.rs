//! `windlass invoice settle`

use crate::{context::Context, render::hold};
use windlass_node::api::ApiError;
use windlass_node::api::payments::HoldInfo;
use windlass_regtest::api::HoldSettle;

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Who holds the payment
    node: String,
    /// The invoice's payment hash, or a unique prefix of it
    hash: String,
    /// The preimage, in hex
    preimage: String,
}

/// Runs it.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    let body = HoldSettle { node: args.node, payment_hash: args.hash, preimage: args.preimage };
    let done: HoldInfo = ctx.ask("invoice/settle", &body).await?;
    ctx.out.result(&done, |_| hold::one(&done))
}
