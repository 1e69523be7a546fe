//! The wallet node: its parts, and what concerns all of them.

use super::config::WalletConfig;
use super::journal::{Entry, Journal, Pages};
use super::members::Members;
use super::seed::Seed;
use crate::api::ApiError;
use crate::api::wallet::{Balance, NodeInfo, SyncRequest};
use bitcoin::{Amount, FeeRate};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, Notify, watch};
use tokio::time::Instant;
use windlass_chain::{Bitcoind, Wallet};
use windlass_channels as channels;
use windlass_types::{BlockRef, Digest, Msat};

/// The longest that a request may wait for a block.
const SYNC_SECONDS_MAX: u64 = 600;

/// How long to wait before looking again whether a block was seen.
const SYNC_STEP: Duration = Duration::from_millis(50);

/// A wallet node; its methods are the API's verbs.
pub(super) struct WalletNode {
    pub(super) config: WalletConfig,
    pub(super) seed: Seed,
    pub(super) bitcoind: Bitcoind,
    pub(super) wallet: Arc<Wallet>,
    pub(in crate::wallet) lightning: Arc<channels::Node>,
    pub(super) members: Members,
    pub(super) journal: Arc<Journal>,
    pub(super) fee_rate: FeeRate,
    /// The block that the peg watcher has seen; none while it has not begun.
    pub(super) watched: watch::Receiver<Option<BlockRef>>,
    /// Makes the peg watcher look at once.
    pub(super) poke: Arc<Notify>,
    /// Held from the nonce to the mempool.
    pub(super) side_turn: Mutex<()>,
    /// Sidechain transactions that a member has taken in this life of the process.
    pub(super) handed_in: std::sync::Mutex<BTreeSet<Digest>>,
    /// Held while a reclaim is made.
    pub(super) reclaim_turn: Mutex<()>,
    /// Blocks of the sidechain as far as they were read for statements.
    pub(super) side_scan: Mutex<super::statement::SideScan>,
}

impl WalletNode {
    /// Changes the journal.
    pub(super) fn keep(&self, change: impl FnOnce(&mut Pages) -> Vec<Entry>) -> Result<(), ApiError> {
        self.journal.write(change).map_err(ApiError::failed)
    }

    /// Our sidechain address.
    pub(super) fn account_address(&self) -> String {
        self.seed.account_id().address(self.config.network)
    }

    /// What must stay on chain, so that channels can be closed by force.
    pub(super) fn reserved(&self) -> Amount {
        let channels = u64::from(self.lightning.info().channels);
        self.config.anchor_reserve.checked_mul(channels).unwrap_or(Amount::MAX_MONEY)
    }

    /// The newest block that all parts have seen.
    fn synced(&self) -> BlockRef {
        let lightning = self.lightning.synced_to();
        // Before the sidechain is known there is nothing that the watcher could miss.
        let watched = self.watched.borrow().unwrap_or(lightning);
        if watched.height < lightning.height { watched } else { lightning }
    }

    /// GET `/v1/info`
    pub(super) fn info(&self) -> NodeInfo {
        let info = self.lightning.info();
        let connected = self.lightning.peers().into_iter().filter(|peer| peer.connected);
        NodeInfo {
            name: self.config.name.clone(),
            node_id: info.node_id.to_string(),
            lightning: self.lightning.address().to_string(),
            account: self.account_address(),
            synced: self.synced(),
            peers: connected.map(|peer| peer.node_id.to_string()).collect(),
            channels: usize::try_from(info.channels).unwrap_or(usize::MAX),
            channels_usable: usize::try_from(info.usable_channels).unwrap_or(usize::MAX),
            journal: self.lightning.journal(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// POST `/v1/sync`
    pub(super) async fn sync(&self, request: &SyncRequest) -> Result<NodeInfo, ApiError> {
        let deadline = Instant::now() + Duration::from_secs(request.timeout_seconds.min(SYNC_SECONDS_MAX));
        loop {
            let synced = self.synced();
            if synced == request.block || synced.height > request.block.height {
                return Ok(self.info());
            }
            self.poke.notify_one();
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let message = format!("{} is at block {synced}, not yet at {}", self.config.name, request.block);
                return Err(ApiError::timeout(message).hint("see what runs", "windlass status"));
            }
            // This reads the chain now instead of at the next poll.
            let _ = tokio::time::timeout(left, self.lightning.sync_to(request.block.height)).await;
            if self.synced().height < request.block.height || self.synced() != request.block {
                tokio::time::sleep(SYNC_STEP.min(left)).await;
            }
        }
    }

    /// GET `/v1/balance`
    pub(super) async fn balance(&self) -> Result<Balance, ApiError> {
        let on_chain = self.wallet.balance();
        let info = self.lightning.info();
        let ours = self.lightning.channels().iter().map(|channel| channel.ours.get()).sum();
        let sidechain = match self.account().await {
            Ok(account) => Some(account.balance),
            Err(error) => {
                tracing::debug!(%error, "the sidechain's balance is not known now");
                None
            }
        };
        let bitcoin = on_chain.spendable();
        Ok(Balance {
            bitcoin,
            bitcoin_pending: on_chain.pending_incoming + on_chain.immature,
            bitcoin_reserved: self.reserved().min(bitcoin),
            sidechain,
            lightning_msat: Msat::new(ours),
            lightning_send_msat: info.can_send,
            lightning_receive_msat: info.can_receive,
            lightning_closing: self.lightning.records().iter().map(|record| record.pending).sum(),
        })
    }
}
