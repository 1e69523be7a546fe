//! The hub's client with this command's patience: a deadline, and `--no-wait`.

use crate::progress::Sink;
use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;
use windlass_node::api::ApiError;
use windlass_regtest::hub::client::HubClient;

/// A running network's hub.
#[derive(Debug, Clone)]
pub struct Hub {
    client: HubClient,
    timeout: Duration,
    no_wait: bool,
}

impl Hub {
    /// Speaks through `client`.
    pub fn new(client: HubClient, timeout: Duration, no_wait: bool) -> Self {
        Self { client, timeout, no_wait }
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
        let path = if self.no_wait { format!("{verb}?no_wait=true") } else { verb.to_owned() };
        let report = |progress| sink.progress(&progress);
        match tokio::time::timeout(self.timeout, self.client.call(&path, body, &report)).await {
            Ok(answer) => answer,
            Err(_) => Err(self.timed_out(verb)),
        }
    }

    fn timed_out(&self, verb: &str) -> ApiError {
        let took = crate::duration::show(self.timeout);
        ApiError::timeout(format!("{verb} took longer than {took}; it goes on, and may still happen"))
            .hint("see where it stands", "windlass status")
            .hint("or wait longer", "windlass --timeout 10m …")
    }
}
