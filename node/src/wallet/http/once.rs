//! A request with an `Idempotency-Key` is done once: whoever asks again with the same key has the same answer, also after
//! a restart. The key is on the disk before anything is done for it.

use crate::api::{ApiError, BODY_BYTES_MAX, Code};
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use bitcoin::hashes::{Hash as _, sha256};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use windlass_store::{Store, StoreError, Writes};

/// The header that names a request, 1 to 64 visible ASCII characters.
const KEY: &str = "idempotency-key";
/// An answer that was given before says so.
const REPLAYED: &str = "idempotency-replayed";
const KEY_BYTES_MAX: usize = 64;
/// So many keys are remembered; then the oldest that has its answer goes.
const KEYS_MAX: usize = 10_000;
pub(crate) const TABLE: &str = "requests-once";

/// What is on the disk of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    /// The order in which they came.
    number: u64,
    /// Hash of method, path and body: the same key for something else is a mistake.
    request: String,
    /// None until it is done.
    answer: Option<Said>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Said {
    status: u16,
    body: String,
}

/// The requests that are done once.
pub(crate) struct Once {
    store: Arc<Store>,
    state: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    known: BTreeMap<String, Known>,
    /// Those with an answer, and those that a restart broke off, by their number.
    order: BTreeMap<u64, String>,
    /// What this process is at.
    running: BTreeSet<String>,
    next: u64,
    /// A row could not be read.
    damaged: bool,
}

/// For `windlass-fuzz`: a row.
pub(crate) fn row() -> Vec<u8> {
    let answer = Some(Said { status: 200, body: "{}".into() });
    serde_json::to_vec(&Known { number: 7, request: "00".into(), answer }).unwrap_or_default()
}

/// What to do with a request.
enum Plan {
    Do,
    Say(Said),
}

impl Once {
    /// Reads what is known.
    ///
    /// # Errors
    /// The store can't be read.
    pub(crate) fn open(store: Arc<Store>) -> Result<Self, StoreError> {
        let mut memory = Memory::default();
        for (key, value) in store.scan(TABLE, b"")? {
            let (Ok(key), Ok(known)) = (String::from_utf8(key), serde_json::from_slice::<Known>(&value)) else {
                tracing::error!("a request's key is unreadable: it could be done again");
                memory.damaged = true;
                continue;
            };
            memory.next = memory.next.max(known.number.saturating_add(1));
            memory.order.insert(known.number, key.clone());
            memory.known.insert(key, known);
        }
        Ok(Self { store, state: Mutex::new(memory) })
    }

    /// For `windlass-fuzz`: could all rows be read?
    pub(crate) fn is_whole(&self) -> bool {
        !self.lock().damaged
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, key: &str, request: &str) -> Result<Plan, ApiError> {
        let mut memory = self.lock();
        if let Some(known) = memory.known.get(key) {
            if known.request != request {
                return Err(ApiError::conflict(format!("the key {key:?} was used for another request")));
            }
            return match &known.answer {
                Some(said) => Ok(Plan::Say(said.clone())),
                None if memory.running.contains(key) => {
                    Err(ApiError::conflict(format!("the request {key:?} is under way: ask again in a moment")))
                }
                None => Err(ApiError::conflict(format!(
                    "the node stopped while it was at the request {key:?}: it may have been done, or not"
                ))
                .hint("see what became of it", "windlass statement NODE")),
            };
        }
        let known = Known { number: memory.next, request: request.to_owned(), answer: None };
        let mut writes = Writes::new();
        writes.add_put(TABLE, key.as_bytes(), &serde_json::to_vec(&known).map_err(ApiError::failed)?);
        let oldest = memory.order.iter().find(|(_, key)| !memory.running.contains(*key));
        let oldest = oldest.filter(|_| memory.known.len() >= KEYS_MAX).map(|(number, key)| (*number, key.clone()));
        if let Some((_, key)) = &oldest {
            writes.add_delete(TABLE, key.as_bytes());
        }
        self.store.commit(writes).map_err(ApiError::failed)?;
        if let Some((number, key)) = oldest {
            memory.order.remove(&number);
            memory.known.remove(&key);
        }
        memory.next = memory.next.saturating_add(1);
        memory.order.insert(known.number, key.to_owned());
        memory.running.insert(key.to_owned());
        memory.known.insert(key.to_owned(), known);
        Ok(Plan::Do)
    }

    /// Keeps the answer; `None` forgets the request, for nothing was done.
    fn end(&self, key: &str, said: Option<Said>) -> Result<(), StoreError> {
        let mut memory = self.lock();
        memory.running.remove(key);
        let Some(known) = memory.known.get(key).cloned() else { return Ok(()) };
        let mut writes = Writes::new();
        let Some(said) = said else {
            writes.add_delete(TABLE, key.as_bytes());
            memory.known.remove(key);
            memory.order.remove(&known.number);
            return self.store.commit(writes);
        };
        let known = Known { answer: Some(said), ..known };
        writes.add_put(TABLE, key.as_bytes(), &serde_json::to_vec(&known).unwrap_or_default());
        self.store.commit(writes)?;
        memory.known.insert(key.to_owned(), known);
        Ok(())
    }
}

/// The layer: all POST requests go through it.
pub(super) async fn layer(State(once): State<Arc<Once>>, request: Request, next: Next) -> Response {
    let Some(key) = request.headers().get(KEY).filter(|_| request.method() == Method::POST).cloned() else {
        return next.run(request).await;
    };
    match through(once, &key, request, next).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    }
}

async fn through(once: Arc<Once>, key: &HeaderValue, request: Request, next: Next) -> Result<Response, ApiError> {
    let key = key.to_str().ok().filter(|key| (1..=KEY_BYTES_MAX).contains(&key.len()) && !key.contains(' '));
    let key = key.ok_or_else(|| ApiError::usage(format!("{KEY}: 1 to {KEY_BYTES_MAX} visible ASCII characters")))?;
    let key = key.to_owned();
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| {
        ApiError::usage(format!("the request's body can't be read; at most {BODY_BYTES_MAX} bytes are"))
    })?;
    let hash = sha256::Hash::hash(&[format!("{}\n", parts.uri.path()).as_bytes(), &body].concat()).to_string();
    if let Plan::Say(said) = once.begin(&key, &hash)? {
        return Ok(answer(said.status, said.body.into(), true));
    }
    // In a task of its own: a client that hangs up does not leave half of it undone, nor its answer unkept.
    let task = tokio::spawn(async move {
        let response = next.run(Request::from_parts(parts, Body::from(body))).await;
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap_or_default();
        let said = Said { status: status.as_u16(), body: String::from_utf8_lossy(&body).into_owned() };
        let kept = once.end(&key, (!nothing_was_done(status)).then_some(said));
        kept.map_err(ApiError::failed).map(|()| answer(status.as_u16(), body, false))
    });
    task.await.map_err(|error| ApiError::failed(format!("the request broke off: {error}")))?
}

/// Refused before anything was done for it: the same key may come again with the mistake mended.
fn nothing_was_done(status: StatusCode) -> bool {
    [Code::Usage, Code::NotFound, Code::Version].iter().any(|code| code.status() == status.as_u16())
}

fn answer(status: u16, body: Bytes, replayed: bool) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, [(header::CONTENT_TYPE, "application/json")], body).into_response();
    if replayed {
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

#[cfg(test)]
#[path = "once_tests.rs"]
mod tests;
