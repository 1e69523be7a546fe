//! Hand in a transaction, ask what became of it.

use super::answers::{Answer, Of as _, parse};
use super::{Backend, Running, Service, errors};
use crate::api::member::{
    BATCH_MAX, SubmitAnswer, SubmitBatchRequest, SubmitOutcome, SubmitRequest, TransactionStatus,
};
use crate::api::{ApiError, Code, WAIT_SECONDS_MAX};
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use windlass_ledger::Transaction;
use windlass_sidechain::{SubmitError, TxStatus};
use windlass_types::Digest;

/// A transaction that nobody here knows may be on its way from another member for so long.
const UNKNOWN_WAIT: Duration = Duration::from_secs(2);

/// Hands in a signed transaction. Its id is its idempotency key: the same bytes again have the same answer.
#[utoipa::path(
    post, path = "/transactions", operation_id = "submit", request_body = SubmitRequest,
    responses((status = 200, body = SubmitAnswer)),
)]
pub(super) async fn submit(
    State(service): State<Service>,
    body: Result<Bytes, BytesRejection>,
) -> Answer<SubmitAnswer> {
    let running = service.running()?;
    let body = body.map_err(|error| ApiError::usage(error.body_text()))?;
    let request: SubmitRequest =
        serde_json::from_slice(&body).map_err(|error| ApiError::usage(format!("the request: {error}")))?;
    let bytes = hex::decode(&request.hex).map_err(|error| ApiError::usage(format!("hex: {error}")))?;
    match &running.backend {
        Backend::Member { handle, .. } => match handle.submit_bytes(&bytes) {
            Ok(id) => Answer::of(SubmitAnswer { id }),
            // Who asks again because the answer was lost is not told that it failed.
            Err(SubmitError::Final(_)) => match Transaction::decode(&bytes) {
                Ok(transaction) => Answer::of(SubmitAnswer { id: transaction.id() }),
                Err(error) => Err(ApiError::usage(error)),
            },
            Err(error) => Err(errors::submit(&error)),
        },
        Backend::Follower { members, .. } => {
            let mut last = ApiError::not_running("this follower knows no member");
            for member in members {
                match member.submit(request.hex.clone()).await {
                    Ok(answer) => return Answer::of(answer),
                    Err(error) if error.code == Code::NotRunning => last = error,
                    Err(error) => return Err(error),
                }
            }
            Err(last)
        }
    }
}

/// Hands in up to 2,000 signed transactions; the outcomes are in the same order.
#[utoipa::path(
    post, path = "/transactions/batch", operation_id = "submitBatch", request_body = SubmitBatchRequest,
    responses((status = 200, body = Vec<SubmitOutcome>)),
)]
pub(super) async fn submit_batch(
    State(service): State<Service>,
    body: Result<Bytes, BytesRejection>,
) -> Answer<Vec<SubmitOutcome>> {
    let running = service.running()?;
    let body = body.map_err(|error| ApiError::usage(error.body_text()))?;
    let request: SubmitBatchRequest =
        serde_json::from_slice(&body).map_err(|error| ApiError::usage(format!("the request: {error}")))?;
    let found = request.hex.len();
    if found > BATCH_MAX {
        return Err(ApiError::usage(format!("{found} transactions; a batch has at most {BATCH_MAX}")));
    }
    match &running.backend {
        Backend::Member { handle, .. } => {
            let list: Vec<Vec<u8>> = request
                .hex
                .iter()
                .enumerate()
                .map(|(place, text)| {
                    hex::decode(text).map_err(|error| ApiError::usage(format!("hex, transaction {place}: {error}")))
                })
                .collect::<Result<_, _>>()?;
            let handle = handle.clone();
            // Signatures take all cores for a while.
            let outcomes = tokio::task::spawn_blocking(move || handle.submit_all_bytes(&list));
            let outcomes = outcomes.await.map_err(|error| ApiError::failed(format!("the batch: {error}")))?;
            Answer::of(outcomes.into_iter().map(outcome).collect())
        }
        Backend::Follower { members, .. } => {
            let mut last = ApiError::not_running("this follower knows no member");
            for member in members {
                match member.submit_batch(request.hex.clone()).await {
                    Ok(answer) => return Answer::of(answer),
                    Err(error) if error.code == Code::NotRunning => last = error,
                    Err(error) => return Err(error),
                }
            }
            Err(last)
        }
    }
}

fn outcome(outcome: Result<Digest, SubmitError>) -> SubmitOutcome {
    match outcome {
        Ok(id) => SubmitOutcome::Taken { id },
        Err(error) => SubmitOutcome::Refused { error: errors::submit(&error) },
    }
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Wait {
    /// Answer when it is final, or after so many seconds, at most 60; at once if it is not said.
    #[param(value_type = Option<u64>)]
    wait: Option<String>,
}

/// Where a transaction stands.
#[utoipa::path(
    get, path = "/transactions/{id}", operation_id = "transaction", params(("id" = String, Path, description = "The transaction's id"), Wait),
    responses((status = 200, body = TransactionStatus)),
)]
pub(super) async fn status(
    State(service): State<Service>,
    Path(id): Path<String>,
    Query(wait): Query<Wait>,
) -> Answer<TransactionStatus> {
    let running = service.running()?;
    let id: Digest = parse("a transaction id", &id)?;
    let seconds: u64 = wait.wait.map_or(Ok(0), |text| parse("wait", &text))?;
    let start = Instant::now();
    let deadline = start + Duration::from_secs(seconds.min(WAIT_SECONDS_MAX));
    let mut heights = running.backend.heights();
    loop {
        heights.mark_unchanged();
        let (status, may_come) = look(&running, &id)?;
        let until = match status {
            TransactionStatus::Final { .. } => return Answer::of(status),
            TransactionStatus::Pending => deadline,
            TransactionStatus::Unknown if may_come => deadline.min(start + UNKNOWN_WAIT),
            TransactionStatus::Unknown => return Answer::of(status),
        };
        if Instant::now() >= until || !matches!(timeout_at(until, heights.changed()).await, Ok(Ok(()))) {
            return Answer::of(look(&running, &id)?.0);
        }
    }
}

/// The status, and whether an unknown transaction may still turn up.
fn look(running: &Running, id: &Digest) -> Result<(TransactionStatus, bool), ApiError> {
    let known = match &running.backend {
        Backend::Member { handle, .. } => handle.tx_status(id).map_err(errors::store)?,
        Backend::Follower { .. } => match running.chain.location(id).map_err(errors::store)? {
            Some(place) => TxStatus::Final { height: place.height, index: place.index },
            None => TxStatus::Unknown,
        },
    };
    Ok(match known {
        TxStatus::Final { height, .. } => (TransactionStatus::Final { height }, false),
        TxStatus::Waiting => (TransactionStatus::Pending, true),
        TxStatus::Unknown => (TransactionStatus::Unknown, true),
        TxStatus::Dropped { .. } => (TransactionStatus::Unknown, false),
    })
}
