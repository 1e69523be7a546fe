//! The journal of a node's Lightning events, for an application.

use super::extract::Body;
use super::{Answer, Node};
use crate::api::ApiError;
use crate::api::events::{AcknowledgeRequest, EventAnswer, EventsAnswer, GiveUpRequest, JournalInfo};
use crate::wallet::node::WalletNode;
use axum::extract::Query;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

/// Events in one answer, and seconds that one question may wait.
const LIMIT: usize = 1_000;
const WAIT_SECONDS_MAX: u64 = 60;

/// `?from=position&wait_seconds=n`
#[derive(Deserialize)]
struct From {
    #[serde(default)]
    from: u64,
    #[serde(default)]
    wait_seconds: u64,
}

pub(super) fn router() -> Router<Arc<WalletNode>> {
    Router::new()
        .route("/v1/events", get(events))
        .route("/v1/events/acknowledge", post(acknowledge))
        .route("/v1/events/journal", get(journal))
        .route("/v1/events/give-up", post(give_up))
}

async fn events(node: Node, Query(question): Query<From>) -> Answer<EventsAnswer> {
    let wait = Duration::from_secs(question.wait_seconds.min(WAIT_SECONDS_MAX));
    let found = node.lightning.wait_events(question.from, LIMIT, wait).await;
    // Only before the first of these: after it none can go missing in between.
    let lost = node.lightning.lost_events(question.from);
    let lost = found.first().map_or(lost, |(at, _)| lost.min(at.saturating_sub(question.from)));
    let next = found.last().map_or(question.from, |(at, _)| at.saturating_add(1));
    let events = found.into_iter().map(|(position, event)| EventAnswer { position, event }).collect();
    Ok(Json(EventsAnswer { events, next, lost }))
}

async fn acknowledge(node: Node, Body(request): Body<AcknowledgeRequest>) -> Answer<serde_json::Value> {
    if node.lightning.acknowledge(request.before).await {
        return Ok(Json(serde_json::json!({})));
    }
    Err(stops())
}

async fn journal(node: Node) -> Json<JournalInfo> {
    Json(node.lightning.journal())
}

async fn give_up(node: Node, Body(_): Body<GiveUpRequest>) -> Answer<JournalInfo> {
    if node.lightning.give_up_reader().await {
        return Ok(Json(node.lightning.journal()));
    }
    Err(stops())
}

fn stops() -> ApiError {
    ApiError::failed("the node stops: it can't write to its disk").hint("see why", "windlass logs")
}
