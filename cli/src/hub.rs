//! The hub's client: one verb, a stream of JSON lines back.

use crate::progress::Sink;
use futures::StreamExt as _;
use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;
use windlass_node::api::{ApiError, PREFIX};
use windlass_regtest::api::Line;

/// How long to wait for the hub to take a connection: it is on this machine.
const CONNECT: Duration = Duration::from_secs(3);
/// The longest line that is taken from a hub: a statement of a busy node is far below.
const LINE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A running network's hub.
#[derive(Debug, Clone)]
pub struct Hub {
    api: String,
    timeout: Duration,
    no_wait: bool,
    gone: ApiError,
    client: reqwest::Client,
}

impl Hub {
    /// The hub at `api`; `gone` is the error where nothing answers there.
    pub fn new(api: String, timeout: Duration, no_wait: bool, gone: ApiError) -> Self {
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .no_proxy()
            .build()
            .expect("a client without TLS needs nothing of the system");
        Self { api, timeout, no_wait, gone, client }
    }

    /// Where it is.
    pub fn api(&self) -> &str {
        &self.api
    }

    /// Asks one verb and waits for its end; progress goes to `sink` on the way.
    ///
    /// # Errors
    /// What the hub says, that it is not there, or that time is up.
    pub async fn call<B: Serialize, T: DeserializeOwned>(
        &self,
        verb: &str,
        body: &B,
        sink: &Sink,
    ) -> Result<T, ApiError> {
        let value = tokio::time::timeout(self.timeout, self.stream(verb, body, sink))
            .await
            .map_err(|_| self.timed_out(verb))??;
        serde_json::from_value(value)
            .map_err(|e| ApiError::failed(format!("the hub's answer to {verb} can't be read: {e}")))
    }

    async fn stream<B: Serialize>(&self, verb: &str, body: &B, sink: &Sink) -> Result<serde_json::Value, ApiError> {
        let query = if self.no_wait { "?no_wait=true" } else { "" };
        let request = self.client.post(format!("{}{PREFIX}/{verb}{query}", self.api)).json(body);
        let response = request.send().await.map_err(|e| self.broken(verb, &e))?;
        let status = response.status();
        if !status.is_success() {
            let body = response.bytes().await.map_err(|e| self.broken(verb, &e))?;
            return Err(serde_json::from_slice(&body).unwrap_or_else(|_| {
                let text = String::from_utf8_lossy(&body);
                ApiError::failed(format!("the hub answered {verb} with {status}: {}", text.trim()))
            }));
        }
        let mut chunks = response.bytes_stream();
        let mut buffer = Vec::new();
        while let Some(chunk) = chunks.next().await {
            buffer.extend_from_slice(&chunk.map_err(|e| self.broken(verb, &e))?);
            while let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = buffer.drain(..=end).collect();
                match read_line(&line)? {
                    Some(Line::Progress(progress)) => sink.progress(&progress),
                    Some(Line::Result(value)) => return Ok(value),
                    Some(Line::Error(error)) => return Err(error),
                    None => {}
                }
            }
            if buffer.len() > LINE_BYTES_MAX {
                return Err(ApiError::failed(format!("the hub's answer to {verb} has no end")));
            }
        }
        match read_line(&buffer)? {
            Some(Line::Result(value)) => Ok(value),
            Some(Line::Error(error)) => Err(error),
            Some(Line::Progress(_)) | None => {
                Err(ApiError::failed(format!("the hub broke off in the middle of {verb}"))
                    .hint("see why", "windlass logs hub"))
            }
        }
    }

    fn broken(&self, verb: &str, error: &reqwest::Error) -> ApiError {
        if error.is_connect() {
            return self.gone.clone();
        }
        let reason = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
        ApiError::not_running(format!("the hub broke off in the middle of {verb}: {reason}"))
            .hint("see why", "windlass logs hub")
            .hint("and go on", "windlass up")
    }

    fn timed_out(&self, verb: &str) -> ApiError {
        ApiError::timeout(format!("{verb} took longer than {}; it may still happen", crate::duration::show(self.timeout)))
            .hint("see where it stands", "windlass status")
            .hint("or give it longer", "--timeout 10m")
    }
}

fn read_line(line: &[u8]) -> Result<Option<Line>, ApiError> {
    let line = line.trim_ascii();
    if line.is_empty() {
        return Ok(None);
    }
    serde_json::from_slice(line).map(Some).map_err(|e| {
        let start = String::from_utf8_lossy(&line[..line.len().min(200)]).into_owned();
        ApiError::failed(format!("the hub's answer can't be read: {e}: {start}"))
    })
}
