//! Blocks in order, with `apply` and `undo`.

use crate::{Bitcoind, RpcError};
use bitcoin::Block;
use std::sync::Arc;
use std::time::Duration;
use windlass_types::BlockRef;

/// How often [`Follower::next`] asks for a new block. One small call on the same machine.
pub const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// One step along the best chain.
#[derive(Debug, Clone)]
pub enum Event {
    /// Apply this block: it follows on the one before.
    Connect {
        /// The block.
        block: Arc<Block>,
        /// Its place.
        at: BlockRef,
    },
    /// Undo this block, which was applied last: it is no longer in the best chain.
    Disconnect {
        /// Its place.
        at: BlockRef,
        /// Its parent, the last one that still counts.
        parent: BlockRef,
    },
}

/// Why the chain can't be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FollowError {
    /// A call failed.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// The bitcoind has never seen the block that we stand on: it is another chain, or its data
    /// were deleted.
    #[error("bitcoind does not know block {0}, which was followed before: is it another chain?")]
    UnknownBlock(BlockRef),
}

/// Walks the best chain of a bitcoind from a block that the caller has applied.
///
/// The caller persists its position together with what it derived from the block, and starts from
/// there again: each event may come again after a crash, none is left out.
#[derive(Debug)]
pub struct Follower {
    bitcoind: Bitcoind,
    at: BlockRef,
}

impl Follower {
    /// Starts behind the block `from`, which counts as applied.
    pub const fn new(bitcoind: Bitcoind, from: BlockRef) -> Self {
        Self { bitcoind, at: from }
    }

    /// The block that was applied last.
    pub const fn at(&self) -> BlockRef {
        self.at
    }

    /// The next step, or `None` at the tip. The position moves only with the event that it returns.
    ///
    /// # Errors
    /// See [`FollowError`]; after an unreachable bitcoind just call again.
    pub async fn poll(&mut self) -> Result<Option<Event>, FollowError> {
        loop {
            let Some(info) = self.bitcoind.header(self.at.hash()).await? else {
                return Err(FollowError::UnknownBlock(self.at));
            };
            if info.confirmations.is_none() {
                // The genesis block is in every chain, so there is one before.
                let parent_height = self.at.height.previous().ok_or(FollowError::UnknownBlock(self.at))?;
                let parent = BlockRef::new(parent_height, info.header.prev_blockhash);
                let at = std::mem::replace(&mut self.at, parent);
                return Ok(Some(Event::Disconnect { at, parent }));
            }
            let (Some(next), Some(height)) = (info.next, self.at.height.next()) else { return Ok(None) };
            let Some(block) = self.bitcoind.block(next).await? else {
                return Err(RpcError::Malformed { method: "getblock".into(), reason: format!("no block {next}") }.into());
            };
            // A reorganisation between the two calls would show here, or at the next call.
            if block.header.prev_blockhash == self.at.hash() && block.block_hash() == next {
                self.at = BlockRef::new(height, next);
                return Ok(Some(Event::Connect { block: Arc::new(block), at: self.at }));
            }
        }
    }

    /// The next step; waits for it, also while the bitcoind is down.
    ///
    /// # Errors
    /// As [`Self::poll`], but not for an unreachable bitcoind.
    pub async fn next(&mut self) -> Result<Event, FollowError> {
        let mut was_unreachable = false;
        loop {
            match self.poll().await {
                Ok(Some(event)) => return Ok(event),
                Ok(None) => was_unreachable = false,
                Err(FollowError::Rpc(error)) if error.is_unreachable() => {
                    if !std::mem::replace(&mut was_unreachable, true) {
                        tracing::warn!(%error, at = %self.at, "waiting for bitcoind");
                    }
                }
                Err(error) => return Err(error),
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
}
