//! Routes of [`crate::api::payments`].

use super::extract::Body;
use super::{Node, json};
use crate::api::payments::{CancelRequest, HoldRequest, SettleRequest};
use crate::wallet::node::WalletNode;
use axum::extract::Path;
use axum::routing::{get, post};
use axum::{Json, Router};
use std::sync::Arc;

pub(super) fn router() -> Router<Arc<WalletNode>> {
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
