//! The API of a wallet node: a table of verbs.

mod events;
mod extract;
pub(super) mod once;
mod payments;

use super::node::WalletNode;
use crate::api::assets::{AssetTransferRequest, IssueRequest, UnitsRequest};
use crate::api::policies::{SignRequest, SpendDraft, SpendRequest};
use crate::api::splice::SpliceRequest;
use crate::api::wallet::{
    AddressRequest, BatchRequest, CloseRequest, ConnectRequest, DepositRequest, InvoiceRequest, OpenRequest,
    PayRequest, PegOutRequest, PegQuoteRequest, ReceiptRequest, ReclaimRequest, SendRequest, SyncRequest,
    TransferRequest,
};
use crate::api::{ApiError, BODY_BYTES_MAX};
use crate::handshake::serve_one_version;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use extract::Body;
use once::Once;
use serde::Serialize;
use std::sync::Arc;

type Node = State<Arc<WalletNode>>;
type Answer<T> = Result<Json<T>, ApiError>;

fn json<T: Serialize>(answer: Result<T, ApiError>) -> Answer<T> {
    answer.map(Json)
}

/// All routes.
pub(super) fn router(node: Arc<WalletNode>, once: Arc<Once>) -> Router {
    Router::new()
        .route("/v1/info", get(|node: Node| async move { Json(node.info()) }))
        .route("/v1/sync", post(|node: Node, Body(b): Body<SyncRequest>| async move { json(node.sync(&b).await) }))
        .route("/v1/balance", get(|node: Node| async move { json(node.balance().await) }))
        .route("/v1/addresses", post(|node: Node, Body(b): Body<AddressRequest>| async move { json(node.address(&b)) }))
        .route("/v1/sends", post(|node: Node, Body(b): Body<SendRequest>| async move { json(node.send(b).await) }))
        .route(
            "/v1/transfers",
            post(|node: Node, Body(b): Body<TransferRequest>| async move { json(node.transfer(b).await) }),
        )
        .merge(assets())
        .merge(policies())
        .route("/v1/statement", get(|node: Node| async move { json(node.statement().await) }))
        .merge(lightning())
        .merge(payments::router())
        .merge(pegs())
        .merge(events::router())
        .fallback(extract::unknown)
        .method_not_allowed_fallback(extract::unknown)
        .layer(axum::middleware::from_fn_with_state(once, once::layer))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(axum::middleware::from_fn(serve_one_version))
        .with_state(node)
}

fn assets() -> Router<Arc<WalletNode>> {
    Router::new()
        .route(
            "/v1/assets",
            get(|node: Node| async move { json(node.assets().await) })
                .post(|node: Node, Body(b): Body<IssueRequest>| async move { json(node.issue(b).await) }),
        )
        .route(
            "/v1/assets/{id}/reissue",
            post(|node: Node, Path(id): Path<String>, Body(b): Body<UnitsRequest>| async move {
                json(node.reissue(&id, b).await)
            }),
        )
        .route(
            "/v1/assets/{id}/burn",
            post(|node: Node, Path(id): Path<String>, Body(b): Body<UnitsRequest>| async move {
                json(node.burn(&id, b).await)
            }),
        )
        .route(
            "/v1/assets/{id}/transfers",
            post(|node: Node, Path(id): Path<String>, Body(b): Body<AssetTransferRequest>| async move {
                json(node.transfer_asset(&id, b).await)
            }),
        )
}

fn policies() -> Router<Arc<WalletNode>> {
    Router::new()
        .route(
            "/v1/policies/drafts",
            post(|node: Node, Body(b): Body<SpendRequest>| async move { json(node.draft_spend(b).await) }),
        )
        .route(
            "/v1/policies/signatures",
            post(|node: Node, Body(b): Body<SignRequest>| async move { json(node.sign_draft(b).await) }),
        )
        .route(
            "/v1/policies/spends",
            post(|node: Node, Body(b): Body<SpendDraft>| async move { json(node.submit_draft(b).await) }),
        )
}

fn lightning() -> Router<Arc<WalletNode>> {
    Router::new()
        .route(
            "/v1/peers",
            get(|node: Node| async move { Json(node.peers()) })
                .post(|node: Node, Body(b): Body<ConnectRequest>| async move { json(node.connect(&b).await) }),
        )
        .route(
            "/v1/peers/persistent",
            post(|node: Node, Body(b): Body<ConnectRequest>| async move { json(node.keep_peer(&b).await) }),
        )
        .route(
            "/v1/peers/{id}/forget",
            post(|node: Node, Path(id): Path<String>| async move { json(node.forget_peer(&id)) }),
        )
        .route(
            "/v1/channels/batch",
            post(|node: Node, Body(b): Body<BatchRequest>| async move { json(node.open_channels(&b).await) }),
        )
        .route("/v1/backup", get(|node: Node| async move { json(node.backup()) }))
        .route(
            "/v1/channels",
            get(|node: Node| async move { Json(node.channels()) })
                .post(|node: Node, Body(b): Body<OpenRequest>| async move { json(node.open_channel(&b).await) }),
        )
        .route("/v1/channels/{id}", get(|node: Node, Path(id): Path<String>| async move { json(node.channel(&id)) }))
        .route(
            "/v1/channels/{id}/close",
            post(|node: Node, Path(id): Path<String>, Body(b): Body<CloseRequest>| async move {
                json(node.close_channel(&id, &b).await)
            }),
        )
        .route(
            "/v1/channels/{id}/splice",
            post(|node: Node, Path(id): Path<String>, Body(b): Body<SpliceRequest>| async move {
                json(node.splice_channel(&id, &b).await)
            }),
        )
        .route(
            "/v1/invoices",
            post(|node: Node, Body(b): Body<InvoiceRequest>| async move { json(node.invoice(b).await) }),
        )
        .route(
            "/v1/payments",
            get(|node: Node| async move { Json(node.payments()) })
                .post(|node: Node, Body(b): Body<PayRequest>| async move { json(node.pay(&b).await) }),
        )
}

fn pegs() -> Router<Arc<WalletNode>> {
    Router::new()
        .route(
            "/v1/deposits",
            get(|node: Node| async move { json(node.deposits().await) }).post(
                |node: Node, Body(_): Body<DepositRequest>| async move { json(node.new_deposit_address().await) },
            ),
        )
        .route(
            "/v1/deposits/{id}",
            get(|node: Node, Path(id): Path<String>| async move { json(node.deposit(&id).await) }),
        )
        .route(
            "/v1/deposits/{id}/reclaim",
            post(|node: Node, Path(id): Path<String>, Body(_): Body<ReclaimRequest>| async move {
                json(node.reclaim(&id).await)
            }),
        )
        .route(
            "/v1/peg-outs",
            get(|node: Node| async move { json(node.peg_outs().await) })
                .post(|node: Node, Body(b): Body<PegOutRequest>| async move { json(node.peg_out(b).await) }),
        )
        .route(
            "/v1/peg-quotes",
            post(|node: Node, Body(b): Body<PegQuoteRequest>| async move { json(node.peg_quote(&b).await) }),
        )
        .route(
            "/v1/receipts",
            post(|node: Node, Body(b): Body<ReceiptRequest>| async move { json(node.receipt(&b).await) }),
        )
        .route(
            "/v1/peg-outs/{id}",
            get(|node: Node, Path(id): Path<String>| async move { json(node.peg_out_by_id(&id).await) }),
        )
}
