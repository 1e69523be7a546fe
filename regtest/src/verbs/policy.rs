//! `channel/policy`.

use crate::{api::ChannelPolicy, hub::Call};
use windlass_node::api::ApiError;
use windlass_node::api::payments::{PolicyInfo, PolicyRequest};

/// Shows a channel's policy, or changes what is given.
pub async fn policy(call: Call, ask: ChannelPolicy) -> Result<PolicyInfo, ApiError> {
    let wallet = call.hub.wallet(&ask.node)?;
    let id = ask.id.trim();
    let PolicyRequest { base_msat, ppm, cltv_delta } = ask.change;
    if base_msat.is_none() && ppm.is_none() && cltv_delta.is_none() {
        return wallet.policy(id).await;
    }
    wallet.set_policy(id, &ask.change).await
}
