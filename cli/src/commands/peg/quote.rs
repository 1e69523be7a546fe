//! `windlass peg quote`

use crate::{commands::values, context::Context, render::peg};
use bitcoin::Amount;
use windlass_node::api::{
    ApiError,
    wallet::{PegQuote, PegWay},
};
use windlass_regtest::api::PegQuoteOf;

/// Which way.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Way {
    /// Onto the sidechain
    In,
    /// Back to Bitcoin
    Out,
}

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which way
    #[arg(value_enum)]
    way: Way,
    /// Who
    node: String,
    /// How much bitcoin: 1btc, 50000sat
    #[arg(value_parser = values::sat)]
    amount: Amount,
    /// Of a peg-out: to a node's name or a Bitcoin address [default: the own wallet]
    #[arg(long, value_name = "NODE|ADDRESS")]
    to: Option<String>,
}

/// Runs it.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    let (way, verb) = match args.way {
        Way::In => (PegWay::In, "in"),
        Way::Out => (PegWay::Out, "out"),
    };
    if way == PegWay::In && args.to.is_some() {
        return Err(ApiError::usage("--to is for a peg-out: a peg-in is credited to the node's own account"));
    }
    let body = PegQuoteOf { node: args.node.clone(), way, amount: args.amount, to: args.to };
    let quote: PegQuote = ctx.ask("peg/quote", &body).await?;
    ctx.out.result(&quote, |_| peg::quote(&quote))?;
    ctx.out.next(&[ctx.command(&format!("peg {verb} {} {}sat", args.node, args.amount.to_sat()))]);
    Ok(())
}
