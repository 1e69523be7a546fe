//! `windlass invoice cancel`

use crate::{context::Context, render::hold};
use windlass_node::api::ApiError;
use windlass_node::api::payments::HoldInfo;
use windlass_regtest::api::HoldCancel;

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Who holds the payment
    node: String,
    /// The invoice's payment hash, or a unique prefix of it
    hash: String,
}

/// Runs it.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    let body = HoldCancel { node: args.node, payment_hash: args.hash };
    let done: HoldInfo = ctx.ask("invoice/cancel", &body).await?;
    ctx.out.result(&done, |_| hold::one(&done))
}
