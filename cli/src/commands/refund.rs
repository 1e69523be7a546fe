//! `windlass refund …`

use super::{limits::LimitArgs, values};
use crate::{context::Context, render::payment};
use std::time::Duration;
use windlass_node::api::{ApiError, payments::RefundInfo, wallet::PaymentInfo};
use windlass_regtest::api::{Refund, RefundClaim};
use windlass_types::Msat;

/// The subcommands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Offer to pay: who has the text may claim the money once
    Create(Create),
    /// Claim the money of a refund
    Claim(Claim),
}

/// To make one.
#[derive(Debug, clap::Args)]
pub struct Create {
    /// Who will pay
    node: String,
    /// How much: 1000sat, 1500msat
    #[arg(value_parser = values::msat)]
    amount: Msat,
    /// What for
    #[arg(short = 'm', long, default_value = "", hide_default_value = true)]
    memo: String,
    /// Good for so long [default: 1d]
    #[arg(long, value_parser = crate::duration::parse)]
    expiry: Option<Duration>,
    #[command(flatten)]
    limits: LimitArgs,
}

/// To claim one.
#[derive(Debug, clap::Args)]
pub struct Claim {
    /// Who is to be paid
    node: String,
    /// The refund's text
    refund: String,
}

/// Runs one.
pub async fn run(ctx: &Context, command: Command) -> Result<(), ApiError> {
    match command {
        Command::Create(args) => {
            let limits = args.limits.limits()?;
            let expiry_seconds = args.expiry.map(|expiry| expiry.as_secs());
            let body =
                Refund { node: args.node, amount_msat: args.amount, description: args.memo, expiry_seconds, limits };
            let refund: RefundInfo = ctx.ask("refund", &body).await?;
            ctx.out.result(&refund, |_| refund.refund.clone())
        }
        Command::Claim(args) => {
            let body = RefundClaim { node: args.node.clone(), refund: args.refund };
            let paid: PaymentInfo = ctx.ask("refund/claim", &body).await?;
            ctx.out.result(&paid, |_| payment::received(&args.node, &paid))
        }
    }
}
