//! The thread that makes things durable.
//!
//! Each round is one transaction of the store: the monitors' updates that were staged, the rows of
//! the book, and the `ChannelManager` as it is after both. While a round waits for the disk, the
//! next one gathers: so many payments share one fsync.

use super::kv::Kv;
use super::stack::{ChainMonitor, ChannelManager, PeerManager};
use crate::book::Book;
use lightning::util::ser::Writeable;
use std::sync::Arc;
use tokio::sync::watch;

/// What a round reads from and tells.
pub(crate) struct Committer {
    pub(crate) kv: Arc<Kv>,
    pub(crate) book: Arc<Book>,
    pub(crate) channel_manager: Arc<ChannelManager>,
    pub(crate) chain_monitor: Arc<ChainMonitor>,
    pub(crate) peer_manager: Arc<PeerManager>,
    /// Why the node can't go on; see [`crate::Node::failed`].
    pub(crate) failure: watch::Sender<Option<String>>,
}

impl Committer {
    /// Commits until the store fails or [`Kv::stop`] is called.
    pub(crate) fn run(self) {
        while let Some(round) = self.kv.next_round() {
            if round.events_are_drained {
                self.book.events_are_drained();
            }
            // The order matters. Monitors first (taken by `next_round`), so that none of them is
            // newer than the manager; the book next, so that an event whose handling released one
            // of these monitors is counted; the manager last.
            let mut writes = self.book.take();
            let manager = self.channel_manager.encode();
            self.kv.add(&mut writes, &round, &manager);
            if let Err(error) = self.kv.store().commit(writes) {
                tracing::error!(%error, "the node stops: what it does can't be made durable");
                self.peer_manager.disconnect_all_peers();
                self.failure.send_replace(Some(error.to_string()));
                break;
            }
            self.kv.round_done(&round);
            for (channel, update) in &round.updates {
                if let Err(error) = self.chain_monitor.channel_monitor_updated(*channel, *update) {
                    tracing::debug!(%channel, update, ?error, "no monitor to complete");
                }
            }
            if !round.updates.is_empty() {
                // What LDK held back for these updates leaves now.
                self.peer_manager.process_events();
            }
        }
        self.kv.give_up();
    }
}
