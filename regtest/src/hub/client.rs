//! Asking the hub: one call a verb, progress as it comes.

use crate::{
    api::{HubFile, Line},
    progress::Report,
};
use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;
use windlass_node::{api::ApiError, handshake};

/// How long the connection may take: it is this machine.
const CONNECT: Duration = Duration::from_secs(3);
/// A line longer than this is no line of ours.
const LINE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Speaks to a hub.
#[derive(Debug, Clone)]
pub struct HubClient {
    api: String,
    client: reqwest::Client,
}

impl HubClient {
    /// Speaks to the hub at `api`, for example `http://127.0.0.1:21021`.
    pub fn new(api: impl Into<String>) -> Self {
        let api = api.into();
        let client = handshake::client(&api, CONNECT);
        Self { api, client }
    }

    /// Speaks to the hub whose file this is.
    pub fn of(file: &HubFile) -> Self {
        Self::new(&file.api)
    }

    /// Where it speaks to.
    pub fn api(&self) -> &str {
        &self.api
    }

    /// Does the hub answer?
    pub async fn answers(&self) -> bool {
        let request = self.client.get(format!("{}/v1/hub", self.api)).timeout(CONNECT);
        request.send().await.is_ok_and(|response| {
            response.status().is_success() && handshake::check(&self.api, response.headers()).is_ok()
        })
    }

    /// Calls a verb and waits for its end.
    ///
    /// # Errors
    /// What the verb answered, or that the hub does not.
    pub async fn call<T: DeserializeOwned>(
        &self,
        verb: &str,
        body: &impl Serialize,
        report: Report<'_>,
    ) -> Result<T, ApiError> {
        let broken = |error: reqwest::Error| {
            ApiError::not_running(format!("the hub at {} does not answer: {error}", self.api))
                .hint("start it", "windlass up")
        };
        let mut response =
            self.client.post(format!("{}/v1/{verb}", self.api)).json(body).send().await.map_err(broken)?;
        handshake::check(&self.api, response.headers())?;
        if !response.status().is_success() {
            let body = response.bytes().await.map_err(broken)?;
            return Err(serde_json::from_slice(&body)
                .unwrap_or_else(|_| ApiError::failed(String::from_utf8_lossy(&body).into_owned())));
        }
        let mut buffer = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            buffer.extend_from_slice(&chunk);
            while let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = buffer.drain(..=end).collect();
                if let Some(result) = read(&line, report)? {
                    return serde_json::from_value(result)
                        .map_err(|error| ApiError::failed(format!("the hub's answer can't be read: {error}")));
                }
            }
            if buffer.len() > LINE_BYTES_MAX {
                return Err(ApiError::failed("the hub's answer is too long"));
            }
        }
        Err(ApiError::not_running("the hub ended before it was done").hint("go on", "windlass up"))
    }
}

/// The result, if this line is it.
fn read(line: &[u8], report: Report<'_>) -> Result<Option<serde_json::Value>, ApiError> {
    match serde_json::from_slice(line) {
        Ok(Line::Progress(progress)) => {
            report(progress);
            Ok(None)
        }
        Ok(Line::Result(result)) => Ok(Some(result)),
        Ok(Line::Error(error)) => Err(error),
        Err(error) => Err(ApiError::failed(format!("the hub's answer can't be read: {error}"))),
    }
}
