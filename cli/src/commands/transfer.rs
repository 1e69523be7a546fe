//! `windlass transfer`

use super::values;
use crate::{context::Context, render::money};
use bitcoin::Amount;
use serde::Serialize;
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
    /// To another one too, in the same transaction, as often as needed: carol=0.5btc
    #[arg(long = "and", value_name = "TO=AMOUNT", value_parser = values::payment)]
    more: Vec<(String, Amount)>,
    /// For the other one to read, at most 80 bytes
    #[arg(short, long, default_value = "", hide_default_value = true)]
    memo: String,
    /// At most so much for the sidechain's fee [default: what it asks]
    #[arg(long, value_parser = values::sat, value_name = "AMOUNT")]
    max_fee: Option<Amount>,
}

/// What was sent.
#[derive(Debug, Serialize)]
struct Sent {
    /// To all together, without the fee.
    #[serde(rename = "total_sat", with = "bitcoin::amount::serde::as_sat")]
    total: Amount,
    #[serde(flatten)]
    done: TransferAnswer,
}

/// Runs it.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    let all = args.more.iter().try_fold(args.amount, |sum, (_, amount)| sum.checked_add(*amount));
    let total = all.filter(|sum| *sum <= Amount::MAX_MONEY);
    let total = total.ok_or_else(|| ApiError::usage("the amounts add up to more than all bitcoin"))?;
    let (from, to, max_fee) = (args.from.clone(), args.to.clone(), args.max_fee);
    let more: Vec<(String, u64)> = args.more.iter().map(|(to, amount)| (to.clone(), amount.to_sat())).collect();
    let body = Transfer { from, to, amount: args.amount, more, memo: args.memo, max_fee };
    let done: TransferAnswer = ctx.ask("transfer", &body).await?;
    let sent = Sent { total, done };
    ctx.out.result(&sent, |_| {
        let done = &sent.done;
        let mut text = format!("{} sent {} to {}", args.from, money::btc(args.amount), args.to);
        for (to, amount) in &args.more {
            text += &format!(", {} to {to}", money::btc(*amount));
        }
        if !args.more.is_empty() {
            text += &format!(": {} in all", money::btc(total));
        }
        format!("{text}, final in side block {} (fee {})\n  by {}", done.height, money::btc(done.fee), done.id)
    })
}
