//! Blocks in order, with `apply` and `undo`.

use crate::{Bitcoind, HeaderInfo, RpcError};
use bitcoin::Block;
use std::collections::VecDeque;
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

/// How many blocks a follower remembers, for a bitcoind that has forgotten them. A `kill -9` loses
/// what Core has not flushed; deeper than this nothing here is undone anyway.
pub(crate) const HISTORY_BLOCKS: usize = 144;

/// Walks the best chain of a bitcoind from a block that the caller has applied.
///
/// The caller persists its position together with what it derived from the block, and starts from
/// there again: each event may come again after a crash, none is left out.
#[derive(Debug)]
pub struct Follower {
    bitcoind: Bitcoind,
    /// Never empty; the last one is where we stand.
    history: VecDeque<BlockRef>,
}

impl Follower {
    /// Starts behind the block `from`, which counts as applied.
    pub fn new(bitcoind: Bitcoind, from: BlockRef) -> Self {
        Self { bitcoind, history: VecDeque::from([from]) }
    }

    /// Starts behind the last of the blocks `history` (each the parent of the next), or `None` if
    /// there is none.
    pub fn resume(bitcoind: Bitcoind, history: impl IntoIterator<Item = BlockRef>) -> Option<Self> {
        let history: VecDeque<BlockRef> = history.into_iter().collect();
        (!history.is_empty()).then_some(Self { bitcoind, history })
    }

    /// The block that was applied last.
    pub fn at(&self) -> BlockRef {
        self.history.back().copied().expect("a follower always stands on a block")
    }

    /// The last blocks, each the parent of the next: what [`Self::resume`] takes.
    pub fn history(&self) -> impl Iterator<Item = BlockRef> + '_ {
        self.history.iter().copied()
    }

    /// The next step, or `None` at the tip. The position moves only with the event that it returns.
    ///
    /// # Errors
    /// See [`FollowError`]; after an unreachable bitcoind just call again.
    pub async fn poll(&mut self) -> Result<Option<Event>, FollowError> {
        loop {
            let at = self.at();
            let info = self.bitcoind.header(at.hash()).await?;
            if info.is_none() && !self.shares_a_block().await? {
                return Err(FollowError::UnknownBlock(at));
            }
            let Some(info) = info.filter(|info| info.confirmations.is_some()) else {
                return self.step_back(at, info).map(Some);
            };
            let (Some(next), Some(height)) = (info.next, at.height.next()) else { return Ok(None) };
            let Some(block) = self.bitcoind.block(next).await? else {
                return Err(
                    RpcError::Malformed { method: "getblock".into(), reason: format!("no block {next}") }.into()
                );
            };
            // A reorganisation between the two calls would show here, or at the next call.
            if block.header.prev_blockhash == at.hash() && block.block_hash() == next {
                let at = BlockRef::new(height, next);
                self.history.push_back(at);
                while self.history.len() > HISTORY_BLOCKS {
                    self.history.pop_front();
                }
                return Ok(Some(Event::Connect { block: Arc::new(block), at }));
            }
        }
    }

    /// True if the bitcoind knows any of the blocks that we remember. One that knows none is another
    /// chain or reads its blocks anew, and nothing is undone for that.
    async fn shares_a_block(&self) -> Result<bool, RpcError> {
        for at in self.history.iter().rev() {
            if self.bitcoind.header(at.hash()).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn step_back(&mut self, at: BlockRef, info: Option<HeaderInfo>) -> Result<Event, FollowError> {
        let known = self.history.len().checked_sub(2).map(|index| self.history[index]);
        let told = || Some(BlockRef::new(at.height.previous()?, info?.header.prev_blockhash));
        let parent = known.or_else(told).ok_or(FollowError::UnknownBlock(at))?;
        self.history.pop_back();
        if self.history.is_empty() {
            self.history.push_back(parent);
        }
        Ok(Event::Disconnect { at, parent })
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
                        tracing::warn!(%error, at = %self.at(), "waiting for bitcoind");
                    }
                }
                Err(error) => return Err(error),
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }
}
