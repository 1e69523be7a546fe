//! `windlass offer …`

use super::values;
use crate::{context::Context, render::payment};
use std::time::Duration;
use windlass_node::api::{ApiError, payments::OfferInfo};
use windlass_regtest::api::{Offer, OneNode};
use windlass_types::Msat;

/// The subcommands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make an offer: it can be paid again and again
    Create(Create),
    /// A node's offers, newest first
    List(List),
}

/// To make one.
#[derive(Debug, clap::Args)]
pub struct Create {
    /// Who is to be paid
    node: String,
    /// How much: 1000sat, 1500msat [default: what the payer likes]
    #[arg(value_parser = values::msat)]
    amount: Option<Msat>,
    /// What for
    #[arg(short = 'm', long, default_value = "", hide_default_value = true)]
    memo: String,
    /// Good for so long [default: for ever]
    #[arg(long, value_parser = crate::duration::parse)]
    expiry: Option<Duration>,
}

/// To list them.
#[derive(Debug, clap::Args)]
pub struct List {
    /// Whose
    node: String,
}

/// Runs one.
pub async fn run(ctx: &Context, command: Command) -> Result<(), ApiError> {
    match command {
        Command::Create(args) => {
            let expiry_seconds = args.expiry.map(|expiry| expiry.as_secs());
            let body = Offer { node: args.node, amount_msat: args.amount, description: args.memo, expiry_seconds };
            let offer: OfferInfo = ctx.ask("offer", &body).await?;
            // Nothing but the offer: `windlass pay alice $(windlass offer create bob) 1000sat`.
            ctx.out.result(&offer, |_| offer.offer.clone())
        }
        Command::List(args) => {
            let offers: Vec<OfferInfo> = ctx.ask("offer/list", &OneNode { node: args.node }).await?;
            ctx.out.result(&offers, |_| payment::offers(&offers))
        }
    }
}
