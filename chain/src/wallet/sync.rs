//! Feeds the wallet with what its bitcoind sees.

use super::{Wallet, WalletError};
use crate::follow::HISTORY_BLOCKS;
use crate::{Bitcoind, BroadcastError, Event, FollowError, Follower, RpcError};
use bitcoin::Txid;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// How often the mempool is looked at.
const INTERVAL: Duration = Duration::from_millis(200);

/// Why the wallet can't be fed.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The chain can't be followed.
    #[error(transparent)]
    Follow(#[from] FollowError),
    /// The wallet can't take it in.
    #[error(transparent)]
    Wallet(#[from] WalletError),
}

impl From<RpcError> for SyncError {
    fn from(error: RpcError) -> Self {
        Self::Follow(error.into())
    }
}

/// Follows the chain and the mempool for one wallet.
#[derive(Debug)]
pub struct WalletSync {
    wallet: Arc<Wallet>,
    bitcoind: Bitcoind,
    follower: Follower,
    /// The mempool as it was last looked at.
    seen: BTreeSet<Txid>,
    sequence: Option<u64>,
}

impl WalletSync {
    /// Goes on where the wallet stands.
    pub fn new(wallet: Arc<Wallet>, bitcoind: Bitcoind) -> Self {
        let follower = Follower::resume(bitcoind.clone(), wallet.history(HISTORY_BLOCKS))
            .unwrap_or_else(|| Follower::new(bitcoind.clone(), wallet.tip()));
        Self { wallet, bitcoind, follower, seen: BTreeSet::new(), sequence: None }
    }

    /// Takes in all blocks up to the tip, then the mempool.
    ///
    /// # Errors
    /// See [`SyncError`]; after an unreachable bitcoind just call again.
    pub async fn step(&mut self) -> Result<(), SyncError> {
        let mut moved = false;
        while let Some(event) = self.follower.poll().await? {
            moved = true;
            match event {
                Event::Connect { block, at } => self.wallet.apply_block(&block, at)?,
                // The wallet drops it when its replacement comes; until then it counts.
                Event::Disconnect { at, .. } => tracing::info!(%at, "the wallet's tip was reorganised away"),
            }
        }
        self.mempool(moved).await
    }

    async fn mempool(&mut self, moved: bool) -> Result<(), SyncError> {
        let mempool = self.bitcoind.mempool().await?;
        if !moved && self.sequence == Some(mempool.sequence) {
            return Ok(());
        }
        let mut fresh = Vec::new();
        for txid in mempool.txids.iter().filter(|txid| !self.seen.contains(*txid)) {
            // It may have left meanwhile: then the next look sees that.
            fresh.extend(self.bitcoind.mempool_transaction(*txid).await?);
        }
        if !fresh.is_empty() {
            self.wallet.insert_unconfirmed(fresh)?;
        }
        let now: BTreeSet<Txid> = mempool.txids.into_iter().collect();
        if self.bitcoind.best_block_hash().await? == self.follower.at().hash() {
            self.look_after_missing(&now).await?;
            self.sequence = Some(mempool.sequence);
        }
        self.seen = now;
        Ok(())
    }

    /// Transactions that the wallet counts on and that are neither in a block nor in the mempool
    /// are offered again, and forgotten if they are refused.
    async fn look_after_missing(&self, mempool: &BTreeSet<Txid>) -> Result<(), SyncError> {
        let waiting = self.wallet.transactions().into_iter().filter(|tx| tx.confirmed.is_none());
        let mut gone = Vec::new();
        for tx in waiting.filter(|tx| !mempool.contains(&tx.txid)) {
            match self.bitcoind.broadcast(&tx.transaction).await {
                Ok(_) => {}
                Err(BroadcastError::Rejected { txid, reason }) => {
                    tracing::info!(%txid, reason, "the network has dropped a transaction");
                    gone.push(txid);
                }
                Err(BroadcastError::Rpc(error)) => return Err(error.into()),
            }
        }
        if gone.is_empty() { Ok(()) } else { Ok(self.wallet.evict(&gone)?) }
    }

    /// Steps for ever; waits while bitcoind is down.
    ///
    /// # Errors
    /// The chain is another one, or the wallet's store fails.
    pub async fn run(mut self) -> Result<(), SyncError> {
        let mut was_unreachable = false;
        loop {
            match self.step().await {
                Ok(()) => was_unreachable = false,
                Err(SyncError::Follow(FollowError::Rpc(error))) => {
                    if !std::mem::replace(&mut was_unreachable, true) {
                        tracing::warn!(%error, "the wallet waits for bitcoind");
                    }
                }
                Err(error) => return Err(error),
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }
}
