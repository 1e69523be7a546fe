//! `windlass peg in`

use crate::{commands::values, context::Context, render::peg};
use bitcoin::Amount;
use windlass_node::api::{ApiError, wallet::PegInInfo};
use windlass_regtest::api::PegIn;

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Who
    node: String,
    /// How much bitcoin: 1btc, 50000sat
    #[arg(value_parser = values::sat)]
    amount: Amount,
}

/// Runs it.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    let done: PegInInfo = ctx.ask("peg/in", &PegIn { node: args.node.clone(), amount: args.amount }).await?;
    ctx.out.result(&done, |_| peg::pegged_in(&args.node, &done))?;
    ctx.out.next(&[ctx.command("federation reserves")]);
    Ok(())
}
