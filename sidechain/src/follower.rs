//! Follows a chain without being a member: checks each block's certificate and executes it.

use crate::chain_store::{ChainStore, ChainStoreError, Finalised};
use crate::engine::committee::CommitteeError;
use std::sync::Arc;
use windlass_ledger::{Block, BlockError, ChangeSet, Genesis, Header, Overlay, StateError, StateRead, keys, query};
use windlass_light::{CertificateError, Epochs};
use windlass_types::{Digest, SideHeight};

/// Why a block was not followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FollowError {
    /// An epoch's members are no committee.
    #[error(transparent)]
    Committee(#[from] CommitteeError),
    /// The state can't be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// Not the next block.
    #[error("block {found} does not follow block {tip} ({tip_digest})")]
    Gap {
        /// The newest block that was followed.
        tip: SideHeight,
        /// Its digest.
        tip_digest: Digest,
        /// The height of the block given.
        found: SideHeight,
    },
    /// The members did not make it final.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The members made final what the rules refuse.
    #[error("block {height} is final, but breaks the rules: {source}")]
    Rules {
        /// The block.
        height: SideHeight,
        /// The rule.
        source: BlockError,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] ChainStoreError),
}

/// A follower, without I/O: give it blocks and certificates in order, keep what it returns, and
/// tell it now and then that you have ([`Self::rebase`]).
pub struct Follower {
    genesis: Arc<Genesis>,
    epochs: Epochs,
    tip: Header,
    base: Arc<dyn StateRead>,
    ahead: Arc<ChangeSet>,
}

impl Follower {
    /// Follows the chain of `genesis` from the state `base` on: the one after any of its blocks,
    /// or after none ([`windlass_ledger::genesis_state`]).
    ///
    /// # Errors
    /// The genesis is unusable or the state can't be read.
    pub fn new(genesis: Arc<Genesis>, base: Arc<dyn StateRead>) -> Result<Self, FollowError> {
        let epochs = Epochs::of_state(genesis.chain_id(), &query::epochs(&*base)?)?;
        let tip = query::tip(&*base)?;
        Ok(Self { genesis, epochs, tip, base, ahead: Arc::default() })
    }

    /// The header of the newest block that was followed.
    pub const fn tip(&self) -> &Header {
        &self.tip
    }

    /// The state after it.
    pub fn view(&self) -> Arc<dyn StateRead> {
        if self.ahead.is_empty() {
            return self.base.clone();
        }
        Arc::new(Overlay::new(self.base.clone(), self.ahead.clone()))
    }

    /// Checks that the members made `block` final, and executes it. Whether its Bitcoin inputs are
    /// what Bitcoin says is another question: compare them with a bitcoind of your own.
    ///
    /// # Errors
    /// The first thing that is wrong; then nothing has changed.
    pub fn follow(&mut self, block: Arc<Block>, certificate: Vec<u8>) -> Result<Finalised, FollowError> {
        let header = &block.header;
        if Some(header.height) != self.tip.height.next() || header.parent != self.tip.digest() {
            let (tip, tip_digest) = (self.tip.height, self.tip.digest());
            return Err(FollowError::Gap { tip, tip_digest, found: header.height });
        }
        self.epochs.verify_block(&block, &certificate)?;
        let applied = windlass_ledger::apply(&self.genesis, &*self.view(), &self.tip, &block)
            .map_err(|source| FollowError::Rules { height: header.height, source })?;
        if applied.changes.with_prefix(keys::EPOCHS).next().is_some() {
            let after = Overlay::new(self.view(), applied.changes.clone());
            self.epochs = Epochs::of_state(self.epochs.chain(), &query::epochs(&after)?)?;
        }
        Arc::make_mut(&mut self.ahead).merge((*applied.changes).clone());
        self.tip = block.header;
        Ok(Finalised { block, certificate, applied: Arc::new(applied) })
    }

    /// All that was returned is kept: `base` is the state after the newest block followed. Until
    /// then the changes are in memory.
    pub fn rebase(&mut self, base: Arc<dyn StateRead>) {
        self.base = base;
        self.ahead = Arc::default();
    }
}

/// Follows `blocks` (each with its certificate, in order, from the one after the tip on) and
/// writes them to `chain` in one durable commit. Returns the new tip.
///
/// # Errors
/// The first thing that is wrong; then nothing was written.
pub fn follow_into(
    chain: &ChainStore,
    blocks: impl IntoIterator<Item = (Block, Vec<u8>)>,
) -> Result<Header, FollowError> {
    let mut follower = Follower::new(chain.genesis().clone(), chain.view())?;
    let mut entries = Vec::new();
    for (block, certificate) in blocks {
        entries.push(follower.follow(Arc::new(block), certificate)?);
    }
    if !entries.is_empty() {
        chain.commit(&entries)?;
    }
    Ok(chain.tip())
}
