//! The configuration files of members and nodes, written anew at each start: ports may change.

use crate::{layout::Layout, run::Run};
use windlass_chain::BitcoindConfig;
use windlass_node::api::ApiError;

/// Writes each member's configuration.
pub fn write_members(_layout: &Layout, _run: &Run, _bitcoind: &BitcoindConfig) -> Result<(), ApiError> {
    if _run.members.is_empty() { Ok(()) } else { Err(ApiError::failed("not wired")) }
}

/// Writes each wallet node's configuration.
pub fn write_nodes(_layout: &Layout, _run: &Run, _bitcoind: &BitcoindConfig) -> Result<(), ApiError> {
    if _run.members.is_empty() { Ok(()) } else { Err(ApiError::failed("not wired")) }
}
