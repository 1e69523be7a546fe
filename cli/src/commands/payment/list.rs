//! `windlass payment list`

use crate::{context::Context, render::payment};
use windlass_node::api::{ApiError, wallet::PaymentInfo};
use windlass_regtest::api::OneNode;

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Whose
    node: String,
}

/// Runs it.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    let payments: Vec<PaymentInfo> = ctx.ask("payment/list", &OneNode { node: args.node }).await?;
    ctx.out.result(&payments, |_| payment::list(&payments))
}
