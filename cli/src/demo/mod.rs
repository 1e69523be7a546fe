//! The whole voyage.

use crate::context::Context;
use windlass_node::api::ApiError;

/// Runs it.
pub async fn run(_ctx: &Context, _keep: bool) -> Result<(), ApiError> {
    Err(ApiError::failed("not yet"))
}
