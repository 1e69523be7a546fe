//! `windlass doctor`

use crate::{context::Context, render::doctor};
use windlass_node::api::ApiError;
use windlass_regtest::bitcoind::Resolver;

/// It has no arguments.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs it. Something needed that is missing is a failure.
pub async fn run(ctx: &Context, Args {}: Args) -> Result<(), ApiError> {
    let home = ctx.datadir()?;
    let report = tokio::task::spawn_blocking(move || windlass_regtest::doctor::examine(&Resolver::from_env(), &home))
        .await
        .map_err(|e| ApiError::failed(format!("the examination broke off: {e}")))?;
    ctx.out.result(&report, |paint| doctor::report(&report, paint))?;
    let missing: Vec<_> = report.findings.iter().filter(|finding| !finding.ok && finding.needed).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = missing.iter().map(|finding| finding.name.as_str()).collect();
    let mut error = ApiError::failed(format!("missing: {}", names.join(", ")));
    for finding in missing {
        if let Some(command) = &finding.command {
            error = error.hint(&finding.name, command);
        }
    }
    Err(error)
}
