//! `windlass probe`

use super::{limits::LimitArgs, values};
use crate::{context::Context, render::payment};
use windlass_node::api::{ApiError, payments::ProbeInfo};
use windlass_regtest::api::Probe;
use windlass_types::Msat;

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Who would pay
    node: String,
    /// Who would be paid: a BOLT11 invoice, a node's name, or a public key
    to: String,
    /// For what leaves the amount to the payer
    #[arg(value_parser = values::msat)]
    amount: Option<Msat>,
    #[command(flatten)]
    limits: LimitArgs,
}

/// Runs it.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    let body = Probe { node: args.node, to: args.to, amount_msat: args.amount, limits: args.limits.limits()? };
    let probe: ProbeInfo = ctx.ask("probe", &body).await?;
    ctx.out.result(&probe, |_| payment::probe(&probe))
}
