//! `windlass send`

use super::values;
use crate::{context::Context, render::money};
use bitcoin::Amount;
use windlass_node::api::ApiError;
use windlass_regtest::api::{Send, Sent};

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Who sends
    node: String,
    /// To a node's name or a Bitcoin address
    to: String,
    /// How much: 1btc, 50000sat
    #[arg(value_parser = values::sat)]
    amount: Amount,
}

/// Runs it.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    let body = Send { node: args.node.clone(), to: args.to.clone(), amount: args.amount };
    let sent: Sent = ctx.ask("send", &body).await?;
    ctx.out.result(&sent, |_| {
        let place =
            sent.height.map_or_else(|| ", not in a block yet".into(), |height| format!(" in Bitcoin block {height}"));
        format!(
            "{} sent {} to {}{place} (fee {})\n  by {}",
            args.node,
            money::btc(args.amount),
            args.to,
            money::btc(sent.fee),
            sent.txid
        )
    })
}
