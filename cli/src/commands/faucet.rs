//! `windlass faucet`

use super::values;
use crate::{context::Context, render::money};
use bitcoin::Amount;
use windlass_node::api::ApiError;
use windlass_regtest::api::{Faucet, FaucetDone};

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A node's name or a Bitcoin address
    #[arg(value_name = "NODE|ADDRESS")]
    to: String,
    /// How much: 1btc, 50000sat
    #[arg(value_parser = values::sat)]
    amount: Amount,
}

/// Runs it.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    let body = Faucet { to: args.to.clone(), amount: args.amount };
    let done: FaucetDone = ctx.ask("faucet", &body).await?;
    ctx.out.result(&done, |_| {
        format!("{} to {} in Bitcoin block {}\n  by {}", money::btc(args.amount), args.to, done.height, done.txid)
    })
}
