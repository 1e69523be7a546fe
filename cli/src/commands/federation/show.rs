//! `windlass federation show`

use crate::{context::Context, render::federation};
use windlass_node::api::ApiError;
use windlass_regtest::api::Federation;

/// It has no arguments.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs it.
pub async fn run(ctx: &Context, Args {}: Args) -> Result<(), ApiError> {
    let view: Federation = ctx.ask("federation/show", &serde_json::json!({})).await?;
    ctx.out.result(&view, |paint| federation::show(&view, paint))
}
