//! `windlass invoice`

use super::values;
use crate::context::Context;
use std::time::Duration;
use windlass_node::api::{ApiError, wallet::InvoiceAnswer};
use windlass_regtest::api::Invoice;
use windlass_types::Msat;

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Who is to be paid
    node: String,
    /// How much: 1000sat, 1500msat [default: what the payer likes]
    #[arg(value_parser = values::msat)]
    amount: Option<Msat>,
    /// What for
    #[arg(short = 'm', long, default_value = "", hide_default_value = true)]
    memo: String,
    /// Valid for so long [default: 1h]
    #[arg(long, value_parser = crate::duration::parse)]
    expiry: Option<Duration>,
}

/// Runs it.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    let expiry_seconds = match args.expiry {
        None => None,
        Some(expiry) => Some(
            u32::try_from(expiry.as_secs())
                .ok()
                .filter(|seconds| *seconds > 0)
                .ok_or_else(|| ApiError::usage("--expiry is between 1s and 136 years"))?,
        ),
    };
    let body = Invoice { node: args.node, amount_msat: args.amount, memo: args.memo, expiry_seconds };
    let answer: InvoiceAnswer = ctx.ask("invoice", &body).await?;
    // Nothing but the invoice: `windlass pay alice $(windlass invoice bob 1000sat)`.
    ctx.out.result(&answer, |_| answer.invoice.clone())
}
