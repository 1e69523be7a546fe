//! Starting and stopping a whole network: the two things that no hub can be asked for.

use crate::{commands::values::Quorum, context::Context};
use windlass_node::api::ApiError;
use windlass_regtest::api::Started;

/// What a new network is to be made of.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Lightning nodes.
    pub nodes: usize,
    /// Members, and how many of them sign.
    pub quorum: Quorum,
    /// Any free ports instead of the usual ones.
    pub any_ports: bool,
    /// Blocks until a deposit that was not swept is the user's again.
    pub reclaim_blocks: Option<u32>,
}

impl Default for Wish {
    fn default() -> Self {
        Self { nodes: 3, quorum: Quorum { threshold: 3, members: 4 }, any_ports: false, reclaim_blocks: None }
    }
}

/// Starts the network or goes on where it stopped; returns once all is ready.
///
/// # Errors
/// It does not come up.
pub async fn up(_ctx: &Context, _wish: &Wish) -> Result<Started, ApiError> {
    Err(ApiError::failed("up is not wired yet"))
}

/// Stops it; says whether it ran.
///
/// # Errors
/// Something does not stop, or can't be deleted.
pub async fn down(_ctx: &Context, _wipe: bool) -> Result<bool, ApiError> {
    Err(ApiError::failed("down is not wired yet"))
}
