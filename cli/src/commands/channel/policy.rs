//! `windlass channel policy`

use crate::commands::values;
use crate::{context::Context, render::channel};
use windlass_node::api::ApiError;
use windlass_node::api::payments::{PolicyInfo, PolicyRequest};
use windlass_regtest::api::ChannelPolicy;
use windlass_types::Msat;

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which end asks it
    node: String,
    /// The channel's id, a unique prefix of it, or as channel list shows it
    id: String,
    /// What each payment costs
    #[arg(long, value_parser = values::msat_or_zero)]
    base: Option<Msat>,
    /// On top, so many millionths of the amount
    #[arg(long)]
    ppm: Option<u32>,
    /// Blocks between the timeout that comes in and the one that goes out
    #[arg(long, value_name = "BLOCKS")]
    cltv_delta: Option<u16>,
}

/// Runs it.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    let change = PolicyRequest { base_msat: args.base, ppm: args.ppm, cltv_delta: args.cltv_delta };
    let body = ChannelPolicy { id: args.id, node: args.node.clone(), change };
    let policy: PolicyInfo = ctx.ask("channel/policy", &body).await?;
    ctx.out.result(&policy, |_| channel::policy(&args.node, &policy))
}
