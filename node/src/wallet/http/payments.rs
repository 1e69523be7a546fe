//! Routes of [`crate::api::payments`].

use super::extract::Body;
use super::{Node, json};
use crate::api::payments::{
    CancelRequest, ClaimRequest, HoldRequest, KeysendRequest, OfferRequest, PolicyRequest, ProbeRequest, RefundRequest,
    SettleRequest,
};
use crate::wallet::node::WalletNode;
use axum::extract::Path;
use axum::routing::{get, post};
use axum::{Json, Router};
use std::sync::Arc;

pub(super) fn router() -> Router<Arc<WalletNode>> {
    holds().merge(others())
}

fn others() -> Router<Arc<WalletNode>> {
    Router::new()
        .route(
            "/v1/keysends",
            post(|node: Node, Body(b): Body<KeysendRequest>| async move { json(node.keysend(&b).await) }),
        )
        .route("/v1/probes", post(|node: Node, Body(b): Body<ProbeRequest>| async move { json(node.probe(&b).await) }))
        .route(
            "/v1/offers",
            get(|node: Node| async move { Json(node.offers()) })
                .post(|node: Node, Body(b): Body<OfferRequest>| async move { json(node.new_offer(&b).await) }),
        )
        .route(
            "/v1/refunds",
            post(|node: Node, Body(b): Body<RefundRequest>| async move { json(node.new_refund(&b).await) }),
        )
        .route(
            "/v1/refunds/claim",
            post(|node: Node, Body(b): Body<ClaimRequest>| async move { json(node.claim_refund(&b).await) }),
        )
        .route(
            "/v1/channels/{id}/policy",
            get(|node: Node, Path(id): Path<String>| async move { json(node.policy(&id)) }).post(
                |node: Node, Path(id): Path<String>, Body(b): Body<PolicyRequest>| async move {
                    json(node.set_policy(&id, &b).await)
                },
            ),
        )
        .route("/v1/forwards", get(|node: Node| async move { Json(node.forwards()) }))
}

fn holds() -> Router<Arc<WalletNode>> {
    Router::new()
        .route(
            "/v1/holds",
            get(|node: Node| async move { Json(node.holds()) })
                .post(|node: Node, Body(b): Body<HoldRequest>| async move { json(node.new_hold(b).await) }),
        )
        .route("/v1/holds/{hash}", get(|node: Node, Path(hash): Path<String>| async move { json(node.hold(&hash)) }))
        .route(
            "/v1/holds/{hash}/settle",
            post(|node: Node, Path(hash): Path<String>, Body(b): Body<SettleRequest>| async move {
                json(node.settle(&hash, &b).await)
            }),
        )
        .route(
            "/v1/holds/{hash}/cancel",
            post(|node: Node, Path(hash): Path<String>, Body(b): Body<CancelRequest>| async move {
                json(node.cancel(&hash, &b).await)
            }),
        )
}
