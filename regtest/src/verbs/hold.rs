//! `invoice/hold`, `invoice/list`, `invoice/settle` and `invoice/cancel`.

use crate::{
    api::{Hold, HoldCancel, HoldList, HoldSettle},
    hub::Call,
};
use windlass_node::api::ApiError;
use windlass_node::api::payments::{HoldAnswer, HoldInfo, HoldRequest, HoldState, SettleRequest};

/// Where no expiry is given.
const EXPIRY_SECONDS: u32 = 3600;

/// A fresh hold invoice.
pub async fn hold(call: Call, ask: Hold) -> Result<HoldAnswer, ApiError> {
    let request = HoldRequest {
        payment_hash: ask.payment_hash,
        amount_msat: ask.amount_msat,
        memo: ask.memo,
        expiry_seconds: ask.expiry_seconds.unwrap_or(EXPIRY_SECONDS),
        final_cltv_delta: ask.final_cltv_delta,
    };
    call.hub.wallet(&ask.node)?.new_hold(&request).await
}

/// A node's hold invoices.
pub async fn list(call: Call, ask: HoldList) -> Result<Vec<HoldInfo>, ApiError> {
    let mut holds = call.hub.wallet(&ask.node)?.holds().await?;
    holds.retain(|hold| !ask.held || matches!(hold.state, HoldState::Held | HoldState::Settling));
    Ok(holds)
}

/// Takes what is held.
pub async fn settle(call: Call, ask: HoldSettle) -> Result<HoldInfo, ApiError> {
    let request = SettleRequest { preimage: ask.preimage };
    call.hub.wallet(&ask.node)?.settle_hold(ask.payment_hash.trim(), &request).await
}

/// Gives back what is held.
pub async fn cancel(call: Call, ask: HoldCancel) -> Result<HoldInfo, ApiError> {
    call.hub.wallet(&ask.node)?.cancel_hold(ask.payment_hash.trim()).await
}
