//! LND's REST door: JSON over HTTP, with a macaroon.

use anyhow::{Context as _, Result, bail};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;

/// Long enough for what LND does at once; a payment's end has its own deadline.
const TIMEOUT: Duration = Duration::from_secs(60);

/// The door.
#[derive(Debug, Clone)]
pub struct Rest {
    port: u16,
    macaroon: PathBuf,
    client: reqwest::Client,
    runtime: Arc<Runtime>,
}

impl Rest {
    /// A door that LND will open on `port`, with the key that it will write to `macaroon`.
    pub fn new(port: u16, macaroon: PathBuf) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        Ok(Self { port, macaroon, client: reqwest::Client::new(), runtime: Arc::new(runtime) })
    }

    pub const fn port(&self) -> u16 {
        self.port
    }

    fn request(&self, method: Method, path: &str) -> Result<RequestBuilder> {
        let macaroon = std::fs::read(&self.macaroon).context("LND's macaroon")?;
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        Ok(self.client.request(method, url).header("Grpc-Metadata-macaroon", hex::encode(macaroon)))
    }

    async fn send(request: RequestBuilder) -> Result<Response> {
        let response = request.send().await?;
        let status = response.status();
        if !status.is_success() {
            bail!("LND says {status}: {}", response.text().await.unwrap_or_default());
        }
        Ok(response)
    }

    fn ask(&self, request: RequestBuilder) -> Result<Value> {
        self.runtime.block_on(async {
            let text = Self::send(request.timeout(TIMEOUT)).await?.text().await?;
            serde_json::from_str(&text).with_context(|| format!("LND's answer {text:?}"))
        })
    }

    /// Asks again once if there is no answer in time: a question does no harm twice.
    pub fn get(&self, path: &str) -> Result<Value> {
        let ask = || self.ask(self.request(Method::GET, path)?).with_context(|| path.to_owned());
        let timed_out = |error: &anyhow::Error| {
            error.chain().any(|cause| cause.downcast_ref::<reqwest::Error>().is_some_and(reqwest::Error::is_timeout))
        };
        match ask() {
            Err(error) if timed_out(&error) => ask(),
            other => other,
        }
    }

    pub fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.ask(self.request(Method::POST, path)?.body(body.to_string())).with_context(|| path.to_owned())
    }

    /// Calls what answers with a stream of JSON lines and gives the first for which `wanted` holds.
    pub fn stream(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        timeout: Duration,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let mut request = self.request(method, path)?;
        if let Some(body) = body {
            request = request.body(body.to_string());
        }
        let read = async {
            let mut response = Self::send(request).await?;
            let mut buffer = Vec::new();
            while let Some(chunk) = response.chunk().await? {
                buffer.extend_from_slice(&chunk);
                while let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = buffer.drain(..=end).collect();
                    let value: Value = serde_json::from_slice(&line)?;
                    if let Some(error) = value.get("error") {
                        bail!("LND says {error}");
                    }
                    if wanted(&value["result"]) {
                        return Ok(value["result"].clone());
                    }
                }
            }
            bail!("LND's stream ended without what was waited for")
        };
        // The timer belongs to the runtime, so it is made inside it.
        self.runtime
            .block_on(async { tokio::time::timeout(timeout, read).await })
            .with_context(|| format!("{path}: not in {} s", timeout.as_secs()))?
            .with_context(|| path.to_owned())
    }
}
