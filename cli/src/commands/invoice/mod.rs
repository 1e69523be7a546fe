//! `windlass invoice …`

pub mod cancel;
pub mod list;
pub mod settle;

use super::values;
use crate::{context::Context, render::hold};
use std::time::Duration;
use windlass_node::api::payments::HoldAnswer;
use windlass_node::api::{ApiError, wallet::InvoiceAnswer};
use windlass_regtest::api::{Hold, Invoice};
use windlass_types::Msat;

/// The arguments.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    /// Who is to be paid
    #[arg(required = true)]
    node: Option<String>,
    /// How much: 1000sat, 1500msat [default: what the payer likes]
    #[arg(value_parser = values::msat)]
    amount: Option<Msat>,
    /// What for
    #[arg(short = 'm', long, default_value = "", hide_default_value = true)]
    memo: String,
    /// Valid for so long [default: 1h]
    #[arg(long, value_parser = crate::duration::parse)]
    expiry: Option<Duration>,
    /// Keep the payment back until it is settled with the preimage of this hash
    #[arg(long, value_name = "HASH")]
    hold: Option<String>,
    /// The same with a new preimage, which is told once
    #[arg(long, conflicts_with = "hold")]
    hold_new: bool,
    /// Blocks from a payment to its timeout: it can be held for 42 blocks less [default: 144]
    #[arg(long, value_name = "BLOCKS")]
    cltv_delta: Option<u16>,
}

/// What can be done with hold invoices.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Hold invoices, newest first
    List(list::Args),
    /// Take the payment that a hold invoice keeps back
    Settle(settle::Args),
    /// Give back the payment that a hold invoice keeps back, and refuse others
    Cancel(cancel::Args),
}

/// Runs it.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    match args.command {
        Some(Command::List(args)) => return list::run(ctx, args).await,
        Some(Command::Settle(args)) => return settle::run(ctx, args).await,
        Some(Command::Cancel(args)) => return cancel::run(ctx, args).await,
        None => {}
    }
    let node = args.node.ok_or_else(|| ApiError::usage("who is to be paid? windlass invoice NODE"))?;
    let expiry_seconds = match args.expiry {
        None => None,
        Some(expiry) => Some(
            u32::try_from(expiry.as_secs())
                .ok()
                .filter(|seconds| *seconds > 0)
                .ok_or_else(|| ApiError::usage("--expiry is between 1s and 136 years"))?,
        ),
    };
    if args.hold.is_some() || args.hold_new {
        let body = Hold {
            node: node.clone(),
            payment_hash: args.hold,
            amount_msat: args.amount,
            memo: args.memo,
            expiry_seconds,
            final_cltv_delta: args.cltv_delta,
        };
        let answer: HoldAnswer = ctx.ask("invoice/hold", &body).await?;
        ctx.out.result(&answer, |_| hold::made(&answer))?;
        ctx.out.next(&[ctx.command(&format!("invoice list {node} --held"))]);
        return Ok(());
    }
    if args.cltv_delta.is_some() {
        return Err(ApiError::usage("--cltv-delta is for hold invoices: add --hold-new or --hold HASH"));
    }
    let body = Invoice { node, amount_msat: args.amount, memo: args.memo, expiry_seconds };
    let answer: InvoiceAnswer = ctx.ask("invoice", &body).await?;
    // Nothing but the invoice: `windlass pay alice $(windlass invoice bob 1000sat)`.
    ctx.out.result(&answer, |_| answer.invoice.clone())
}
