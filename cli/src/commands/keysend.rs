//! `windlass keysend`

use super::{limits::LimitArgs, values};
use crate::{context::Context, render::payment};
use windlass_node::api::{ApiError, wallet::PaymentInfo};
use windlass_regtest::api::Keysend;
use windlass_types::Msat;

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Who pays
    node: String,
    /// Who is paid: a node's name, or a public key
    to: String,
    /// How much: 1000sat, 1500msat
    #[arg(value_parser = values::msat)]
    amount: Msat,
    #[command(flatten)]
    limits: LimitArgs,
}

/// Runs it.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    let limits = args.limits.limits()?;
    let body = Keysend { node: args.node.clone(), to: args.to, amount_msat: args.amount, limits };
    let done: PaymentInfo = ctx.ask("keysend", &body).await?;
    ctx.out.result(&done, |_| payment::paid(&args.node, &done))
}
