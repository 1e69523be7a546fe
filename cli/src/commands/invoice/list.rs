//! `windlass invoice list`

use crate::{context::Context, render::hold};
use windlass_node::api::ApiError;
use windlass_node::api::payments::HoldInfo;
use windlass_regtest::api::HoldList;

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Whose
    node: String,
    /// Only those that are paid and wait
    #[arg(long)]
    held: bool,
}

/// Runs it.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    let body = HoldList { node: args.node, held: args.held };
    let holds: Vec<HoldInfo> = ctx.ask("invoice/list", &body).await?;
    ctx.out.result(&holds, |_| hold::list(&holds))
}
