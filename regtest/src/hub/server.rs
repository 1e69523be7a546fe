//! The hub's API over HTTP: `POST /v1/<verb>`, answered by a stream of JSON lines.

use super::Hub;
use crate::{
    api::{Line, Progress},
    verbs,
};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, Path, Query, Request, State},
    http::{HeaderMap, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use serde_json::{Value, json};
use std::{convert::Infallible, sync::Arc};
use tokio::{net::TcpListener, sync::mpsc};
use windlass_node::{
    api::{ApiError, BODY_BYTES_MAX},
    handshake,
};

/// Lines on their way to one client. Progress that a slow client does not take is left out.
const LINES_MAX: usize = 256;

/// One call of a verb.
#[derive(Debug, Clone)]
pub struct Call {
    /// What all verbs share.
    pub hub: Arc<Hub>,
    /// Return as soon as the action is under way.
    pub no_wait: bool,
    lines: mpsc::Sender<Line>,
}

impl Call {
    /// Tells the caller where it stands.
    pub fn report(&self, progress: Progress) {
        // A caller that is gone, or slow, misses it; the verb goes on all the same.
        let _ = self.lines.try_send(Line::Progress(progress));
    }

    /// As [`Self::report`], in one go.
    pub fn step(&self, step: u32, of: u32, label: &str, detail: impl Into<String>) {
        self.report(Progress::new(step, of, label, detail));
    }
}

/// Serves until the hub is told to end and the last answers are out.
pub(super) async fn serve(listener: TcpListener, hub: Arc<Hub>) {
    let mut stop = hub.stop.subscribe();
    let router = Router::new()
        .route("/v1/hub", get(about))
        .route("/v1/{*verb}", post(answer))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn(refuse_pages))
        .layer(middleware::from_fn(handshake::serve_one_version))
        .with_state(hub);
    let end = async move {
        // An error means that the hub is gone, which is an end as well.
        let _ = stop.wait_for(|stop| *stop).await;
    };
    if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(end).await {
        tracing::error!(%error, "the API ended");
    }
}

/// Web pages that a user happens to visit must not command the hub: browsers say where they come
/// from, and names other than this machine's come from a rebound DNS entry.
async fn refuse_pages(request: Request, next: Next) -> Response {
    if is_page(request.headers()) {
        return ApiError::usage("the hub does not answer web pages of others").into_response();
    }
    next.run(request).await
}

fn is_page(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or("127.0.0.1");
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    headers.contains_key(header::ORIGIN) || !matches!(name, "127.0.0.1" | "localhost")
}

async fn about(State(hub): State<Arc<Hub>>) -> axum::Json<Value> {
    let verbs: Vec<_> = verbs::TABLE.iter().map(|(path, _)| format!("POST /v1/{path}")).collect();
    axum::Json(json!({"name": hub.layout().name(), "pid": std::process::id(), "verbs": verbs}))
}

/// What may stand after the `?`.
#[derive(Debug, serde::Deserialize)]
struct Options {
    #[serde(default)]
    no_wait: bool,
}

async fn answer(
    State(hub): State<Arc<Hub>>,
    Path(path): Path<String>,
    Query(options): Query<Options>,
    body: Bytes,
) -> Response {
    let Some((_, verb)) = verbs::TABLE.iter().find(|(known, _)| *known == path) else {
        return ApiError::not_found(format!("there is no verb {path:?}"))
            .hint("see them all", format!("curl {}/v1/hub", hub.api()))
            .into_response();
    };
    let body = if body.iter().all(u8::is_ascii_whitespace) { Bytes::from_static(b"{}") } else { body };
    let body: Value = match serde_json::from_slice(&body) {
        Ok(body) => body,
        Err(error) => return ApiError::usage(format!("the body is not JSON: {error}")).into_response(),
    };
    let (lines, queue) = mpsc::channel(LINES_MAX);
    let call = Call { hub, no_wait: options.no_wait, lines: lines.clone() };
    // In a task of its own: a caller that hangs up does not leave half of it undone.
    tokio::spawn(async move {
        let line = match verb(call, body).await {
            Ok(result) => Line::Result(result),
            Err(error) => {
                tracing::info!(verb = path, %error, "refused or failed");
                Line::Error(error)
            }
        };
        // Nobody may be listening any more.
        let _ = lines.send(line).await;
    });
    let stream = line_stream(queue);
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(stream)).into_response()
}

fn line_stream(queue: mpsc::Receiver<Line>) -> impl futures::Stream<Item = Result<String, Infallible>> {
    futures::stream::unfold(queue, |mut queue| async move {
        let line = queue.recv().await?;
        let text = serde_json::to_string(&line).unwrap_or_else(|error| {
            // Our own types always serialise; a client still gets a line that says what happened.
            format!("{{\"error\":{{\"code\":\"failed\",\"message\":{:?}}}}}", error.to_string())
        });
        Some((Ok(text + "\n"), queue))
    })
}
