//! `windlass balance`

use crate::{context::Context, render::status};
use windlass_node::api::ApiError;
use windlass_regtest::api::{Balances, NodeBalance};

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Whose [default: all]
    node: Option<String>,
}

/// Runs it.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    let one = args.node.is_some();
    let balances: Vec<NodeBalance> = ctx.ask("balance", &Balances { node: args.node }).await?;
    ctx.out.result(&balances, |_| match balances.as_slice() {
        [NodeBalance { name, balance: Some(balance) }] if one => status::wallet(name, balance),
        all => status::wallets(all),
    })
}
