//! `windlass anchors`: which headers of the sidechain Bitcoin holds, by the running network, or by anyone
//! against any bitcoind and any member or follower.

use crate::{commands::federation::reserves::Source, context::Context, render::proof};
use windlass_node::{api::ApiError, reserves};
use windlass_peg::anchors::AnchorsReport;

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: Source,
}

/// Runs it. An anchor that is not where it should be is printed, and is a failure.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    let report: AnchorsReport = match args.source.open()? {
        Some((member, bitcoind, chain)) => reserves::anchors(&member, &bitcoind, chain).await?,
        None => ctx.ask("anchors", &serde_json::json!({})).await?,
    };
    ctx.out.result(&report, |_| proof::anchors(&report))?;
    if report.ok {
        return Ok(());
    }
    Err(ApiError::failed(format!("Bitcoin does not hold what it should: {}", report.faults.join("; "))))
}
