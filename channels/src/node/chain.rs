//! Following the chain.

use super::Node;
use crate::WaitError;
use crate::ldk::blocks::{Listeners, Source};
use lightning_block_sync::poll::{ChainPoller, ValidatedBlockHeader};
use lightning_block_sync::{SpvClient, UnboundedCache};
use std::sync::Arc;
use std::time::Duration;
use windlass_chain::WalletSync;
use windlass_types::{BlockRef, BtcHeight};

/// How long [`Node::sync`] waits for the chain to be read.
const SYNC_TIMEOUT: Duration = Duration::from_secs(60);

/// What the following task owns.
pub(super) struct Follow {
    pub(super) wallet: WalletSync,
    pub(super) listeners: Listeners,
    pub(super) tip: ValidatedBlockHeader,
    pub(super) headers: UnboundedCache,
}

impl Node {
    /// Reads blocks as they come: the wallet first, then the channels.
    pub(super) async fn follow(self: Arc<Self>, follow: Follow) {
        let Follow { mut wallet, listeners, tip, mut headers } = follow;
        let poller = ChainPoller::new(Arc::new(Source(self.parts.bitcoind.clone())), self.config.network);
        let mut client = SpvClient::new(tip, poller, &mut headers, &listeners);
        let mut was_down = false;
        while !self.is_stopping() {
            let wallet_step = wallet.step().await.map_err(|error| error.to_string());
            let step = match wallet_step {
                Ok(()) => client.poll_best_tip().await.map_err(|error| error.into_inner().to_string()),
                Err(error) => Err(error),
            };
            match step {
                Ok((_, moved)) => {
                    was_down = false;
                    if moved {
                        // A block that came in between: who sees the channels' tip sees the wallet's, too.
                        if let Err(error) = wallet.step().await {
                            tracing::debug!(%error, "the wallet reads the block later");
                        }
                        self.new_tip();
                        self.sweep_restored().await;
                    }
                }
                Err(error) if !was_down => {
                    tracing::warn!(error, "the node waits for bitcoind");
                    was_down = true;
                }
                Err(_) => {}
            }
            tokio::select! {
                () = tokio::time::sleep(self.config.poll) => {}
                () = self.poke.notified() => {}
                () = self.stopped() => return,
            }
        }
    }

    fn new_tip(&self) {
        let best = self.channel_manager.current_best_block();
        let tip = BlockRef::new(BtcHeight::new(best.height), best.block_hash);
        self.fail_late_holds(tip.height);
        self.note_short_ids();
        self.peer_manager.process_events();
        self.sweep();
        self.announce_now();
        self.chain_monitor.archive_fully_resolved_channel_monitors();
        self.note_resolved(tip.height);
        self.synced.send_replace(tip);
        self.book.touch();
    }

    /// Sweeps what is free to be swept, at once.
    pub(super) fn sweep(&self) {
        if self.sweeper.regenerate_and_broadcast_spend_if_necessary().is_err() {
            tracing::warn!("what closed channels left can't be swept now; it is tried again");
        }
    }

    /// The block that channels and wallet have seen.
    pub fn synced_to(&self) -> BlockRef {
        *self.synced.borrow()
    }

    /// Changes when a block has been read by all.
    pub fn watch_synced(&self) -> tokio::sync::watch::Receiver<BlockRef> {
        self.synced.subscribe()
    }

    /// Reads the chain now, up to bitcoind's tip, and returns it.
    ///
    /// # Errors
    /// bitcoind does not answer, or the node has stopped.
    pub async fn sync(&self) -> Result<BlockRef, WaitError> {
        let tip = self.parts.bitcoind.tip().await?;
        self.sync_until(|synced| synced == tip || synced.height > tip.height).await
    }

    /// Reads the chain now and returns once the block at `height` was seen.
    ///
    /// # Errors
    /// It took too long, or the node has stopped.
    pub async fn sync_to(&self, height: BtcHeight) -> Result<BlockRef, WaitError> {
        self.sync_until(|synced| synced.height >= height).await
    }

    async fn sync_until(&self, enough: impl Fn(BlockRef) -> bool) -> Result<BlockRef, WaitError> {
        let mut synced = self.synced.subscribe();
        let deadline = tokio::time::Instant::now() + SYNC_TIMEOUT;
        loop {
            let at = *synced.borrow_and_update();
            if enough(at) {
                return Ok(at);
            }
            if self.is_stopping() {
                return Err(WaitError::Stopped("it was told to".into()));
            }
            self.poke.notify_one();
            tokio::select! {
                _ = synced.changed() => {}
                () = tokio::time::sleep(self.config.poll) => {}
                () = tokio::time::sleep_until(deadline) => return Err(WaitError::TimedOut("reading the chain")),
            }
        }
    }
}
