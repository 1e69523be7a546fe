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
            // The order matters. Monitors first (taken by `next_round`), so that none of them is newer
            // than the manager. The book last: an event that the manager no longer has is in it. One
            // that the manager still has may be in it, too; then it is among the counted ones, and
            // only those leave that list which LDK had let go of before the manager was read.
            let drained = self.book.drained();
            let manager = self.channel_manager.encode();
            let mut writes = self.book.take(drained);
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
            self.forward();
        }
        self.kv.give_up();
    }

    /// Forwards and final receives without LDK's random delay of about 50 ms, which hides from
    /// observers who forwards what: here the user waits, and nobody looks.
    ///
    /// Payments are ready for it only after a monitor's update is complete, so after a round. Its own
    /// task could not wait for them: LDK's notifier wakes one waiter, and that is its own loop.
    fn forward(&self) {
        if self.channel_manager.needs_pending_htlc_processing() {
            self.channel_manager.process_pending_htlc_forwards();
            self.peer_manager.process_events();
        }
    }
}
