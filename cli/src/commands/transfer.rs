//! `windlass transfer`

use super::values;
use crate::{context::Context, render::money};
use bitcoin::Amount;
use windlass_node::api::{ApiError, wallet::TransferAnswer};
use windlass_regtest::api::Transfer;

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Who sends
    from: String,
    /// To a node's name or a sidechain address
    to: String,
    /// How much: 1btc, 50000sat
    #[arg(value_parser = values::sat)]
    amount: Amount,
    /// For the other one to read, at most 80 bytes
    #[arg(short, long, default_value = "", hide_default_value = true)]
    memo: String,
    /// At most so much for the sidechain's fee [default: what it asks]
    #[arg(long, value_parser = values::sat, value_name = "AMOUNT")]
    max_fee: Option<Amount>,
}

/// Runs it.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    let (from, to, max_fee) = (args.from.clone(), args.to.clone(), args.max_fee);
    let body = Transfer { from, to, amount: args.amount, memo: args.memo, max_fee };
    let done: TransferAnswer = ctx.ask("transfer", &body).await?;
    ctx.out.result(&done, |_| {
        format!(
            "{} sent {} to {}, final in side block {} (fee {})\n  by {}",
            args.from,
            money::btc(args.amount),
            args.to,
            done.height,
            money::btc(done.fee),
            done.id
        )
    })
}
