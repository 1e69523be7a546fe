//! `windlass peg out`

use crate::{commands::values, context::Context, render::peg};
use bitcoin::Amount;
use windlass_node::api::{ApiError, wallet::PegOutRecord};
use windlass_regtest::api::PegOut;

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Who
    node: String,
    /// How much sidechain bitcoin: 1btc, 50000sat
    #[arg(value_parser = values::sat)]
    amount: Amount,
    /// To a node's name or a Bitcoin address [default: the own wallet]
    #[arg(long, value_name = "NODE|ADDRESS")]
    to: Option<String>,
    /// The most that the Bitcoin fee may be [default: a tenth of the amount]
    #[arg(long, value_name = "AMOUNT", value_parser = values::sat)]
    fee_max: Option<Amount>,
}

/// Runs it.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    let body = PegOut { node: args.node.clone(), amount: args.amount, to: args.to.clone(), fee_max: args.fee_max };
    let done: PegOutRecord = ctx.ask("peg/out", &body).await?;
    ctx.out.result(&done, |_| peg::pegged_out(&args.node, args.to.as_deref(), &done))?;
    ctx.out.next(&[ctx.command(&format!("statement {}", args.node))]);
    Ok(())
}
