//! Rapid gossip sync: the network graph from a server's snapshot, instead of from every peer.
//!
//! A snapshot carries no signatures: who makes it can leave channels out or invent some, so that payments
//! fail or take other ways; it can't take money. Our own channels don't come from it.

use super::Node;
use crate::ldk::log::Log;
use crate::ldk::stack::Graph;
use lightning_rapid_gossip_sync::{GraphSyncError, RapidGossipSync};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Why a snapshot was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GossipError {
    /// It is cut short, or none at all.
    #[error("it is no snapshot of rapid gossip sync, or cut short: {0}")]
    Malformed(String),
    /// It is of another network, too old, or does not follow on what is known.
    #[error("it can't be taken: {0}")]
    Refused(String),
}

impl Node {
    /// The time (Unix) of the last snapshot that was taken: the next one is to tell what changed since; 0
    /// before the first.
    pub fn gossip_snapshot_time(&self) -> u32 {
        self.graph.get_last_rapid_gossip_sync_timestamp().unwrap_or(0)
    }

    /// Takes a snapshot into the network graph; returns its time. Takes a second or so for the whole network.
    ///
    /// # Errors
    /// See [`GossipError`]. What it told before the error may have been taken.
    pub fn apply_gossip_snapshot(&self, snapshot: &[u8]) -> Result<u32, GossipError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let time = apply(&self.graph, snapshot, now)?;
        self.keep_graph();
        Ok(time)
    }
}

/// Takes a snapshot into `graph`, at the time `now` (Unix).
pub(crate) fn apply(graph: &Arc<Graph>, snapshot: &[u8], now: u64) -> Result<u32, GossipError> {
    let sync = RapidGossipSync::new(Arc::clone(graph), Arc::new(Log));
    sync.update_network_graph_no_std(snapshot, Some(now)).map_err(|error| match error {
        GraphSyncError::DecodeError(error) => GossipError::Malformed(format!("{error:?}")),
        GraphSyncError::LightningError(error) => GossipError::Refused(error.err),
    })
}
