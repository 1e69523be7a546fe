//! A running member, as the rest of its process sees it.

use crate::chain_store::{ChainStore, ChainStoreError};
use crate::core::{Core, Misbehaviour, NoteError, SubmitError};
use crate::proofs::ForkProof;
use std::sync::{Arc, PoisonError};
use tokio::sync::watch;
use windlass_ledger::{Block, Genesis, Header, StateError, StateRead, Transaction, query};
use windlass_types::{AccountId, BtcHeight, Digest, SideHeight};

/// What became of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TxStatus {
    /// This member has not heard of it.
    Unknown,
    /// It waits for a block.
    Waiting,
    /// It is final.
    Final {
        /// The block.
        height: SideHeight,
        /// Its place among the block's transactions.
        index: u32,
    },
    /// It waited here and was dropped: no block will take it.
    Dropped {
        /// The rule that refuses it.
        reason: String,
    },
}

/// A running member. Cheap to clone; it works as long as the member runs.
#[derive(Clone)]
pub struct Handle {
    core: Arc<Core>,
}

impl Handle {
    pub(crate) const fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    #[cfg(test)]
    pub(crate) fn core(&self) -> &Core {
        &self.core
    }

    /// Takes a transaction for the next blocks and tells the other members of it.
    ///
    /// # Errors
    /// See [`SubmitError`].
    pub fn submit(&self, transaction: Transaction) -> Result<Digest, SubmitError> {
        self.core.submit(transaction, true)
    }

    /// As [`Self::submit`], from the canonical encoding.
    ///
    /// # Errors
    /// Also: too long, or no canonical encoding.
    pub fn submit_bytes(&self, bytes: &[u8]) -> Result<Digest, SubmitError> {
        self.core.submit_bytes(bytes, true)
    }

    /// As [`Self::submit_bytes`], for many at once; the outcomes are in the same order. Their signatures are
    /// checked on all cores while the caller waits: in async code, call it where blocking is allowed.
    pub fn submit_all_bytes(&self, list: &[Vec<u8>]) -> Vec<Result<Digest, SubmitError>> {
        self.core.submit_all_bytes(list, true)
    }

    /// The lowest nonce that `account` has not used, those that wait here counted as used.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn next_nonce(&self, account: &AccountId) -> Result<u64, StateError> {
        let nonces = query::account(&*self.view(), account)?.nonces;
        Ok(self.core.pool.nonces(account, nonces).next())
    }

    /// What became of transaction `id`.
    ///
    /// # Errors
    /// The store failed.
    pub fn tx_status(&self, id: &Digest) -> Result<TxStatus, ChainStoreError> {
        // The pool first: a transaction leaves it only after its block is written.
        if self.core.pool.contains(id) {
            return Ok(TxStatus::Waiting);
        }
        if let Some(place) = self.core.chain.location(id)? {
            return Ok(TxStatus::Final { height: place.height, index: place.index });
        }
        Ok(self.core.pool.dropped(id).map_or(TxStatus::Unknown, |reason| TxStatus::Dropped { reason }))
    }

    /// Returns once transaction `id` doesn't wait any more, with what became of it. It may wait
    /// for ever: set your own deadline.
    ///
    /// # Errors
    /// The store failed.
    pub async fn settled(&self, id: &Digest) -> Result<TxStatus, ChainStoreError> {
        let mut height = self.subscribe();
        loop {
            height.mark_unchanged();
            let status = self.tx_status(id)?;
            if status != TxStatus::Waiting || height.changed().await.is_err() {
                return Ok(status);
            }
        }
    }

    /// The state after the newest final block. It doesn't move: ask again for a newer one.
    pub fn view(&self) -> Arc<dyn StateRead> {
        self.core.chain.view()
    }

    /// The header of the newest final block.
    pub fn tip(&self) -> Header {
        self.core.chain.tip()
    }

    /// The block at `height` and its certificate (see [`verify_block`](crate::verify_block)).
    /// `None` above the tip and for the genesis.
    ///
    /// # Errors
    /// The store failed.
    pub fn block(&self, height: SideHeight) -> Result<Option<(Block, Vec<u8>)>, ChainStoreError> {
        self.core.chain.block(height)
    }

    /// The newest final height, and each later one (or the last of several).
    pub fn subscribe(&self) -> watch::Receiver<SideHeight> {
        self.core.heights.subscribe()
    }

    /// The newest height that this member knows to be final anywhere: above [`Self::tip`] while it
    /// catches up.
    pub fn network_height(&self) -> SideHeight {
        self.core.network_height.get()
    }

    /// Tells the chain how high an anchor this member's bitcoind could back now, so that the next
    /// block comes at once and not at the next heartbeat. Call it whenever Bitcoin's tip moves.
    pub fn note_anchor(&self, anchor: BtcHeight) {
        self.core.anchor.update(|_| anchor);
    }

    /// How many transactions wait here.
    pub fn waiting(&self) -> usize {
        self.core.pool.len()
    }

    /// Why this member stands still, if it does: its disk is full, or its rules refuse what a
    /// quorum made final.
    pub fn trouble(&self) -> Option<String> {
        self.core.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What members were caught signing that no honest member signs. The proofs are in the member's directory.
    pub fn misbehaviour(&self) -> Vec<Misbehaviour> {
        self.core.proofs.misbehaviour()
    }

    /// Says that two blocks were made final at one height, and where the proof is. From then on what is final
    /// means nothing: sign nothing for this chain.
    pub fn fork(&self) -> Option<String> {
        self.core.proofs.fork()
    }

    /// Hears from anyone that `header` is final. If another block is final at its height here, and both
    /// certificates hold, that is a fork: it becomes a proof file, and [`Self::fork`] says so.
    ///
    /// # Errors
    /// It contradicts this member's chain, but its certificate does not hold; or the store failed.
    pub fn note_final(&self, header: &Header, certificate: &[u8]) -> Result<Option<ForkProof>, NoteError> {
        self.core.note_final(header, certificate)
    }

    /// The chain's genesis.
    pub fn genesis(&self) -> &Arc<Genesis> {
        self.core.chain.genesis()
    }

    /// The finalised chain: blocks, receipts, places of transactions.
    pub fn chain(&self) -> &Arc<ChainStore> {
        &self.core.chain
    }
}
