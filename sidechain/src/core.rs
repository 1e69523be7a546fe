//! What the parts of a running member share, and the steps that they have in common. No engine.

use crate::beacon::Beacon;
use crate::chain_store::{ChainStore, ChainStoreError, Finalised};
use crate::config::{MAX_BODY_BYTES, Timing};
use crate::level::Level;
use crate::mempool::{Mempool, PoolError};
use crate::ports::{BitcoinPort, FinalizedPort};
use crate::tree::{Branch, Tree};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tracing::{debug, error, warn};
use windlass_ledger::{
    Applied, ApplyError, BitcoinInputs, Block, BlockError, DecodeError, Genesis, MAX_TRANSACTION_BYTES, NonceError,
    StateRead, Transaction, TxError, query,
};
use windlass_types::{Amount, BtcHeight, Digest, SideHeight};

/// Why a transaction was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// The bytes are no transaction.
    #[error("not a transaction: {0}")]
    Malformed(#[from] DecodeError),
    /// Too long.
    #[error("the transaction has {bytes} bytes; members take at most {MAX_TRANSACTION_BYTES}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// It is final already.
    #[error("the transaction is final already, in block {0}")]
    Final(SideHeight),
    /// The rules refuse it.
    #[error(transparent)]
    Refused(#[from] TxError),
    /// The pool refuses it.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// The member's store failed.
    #[error(transparent)]
    Store(#[from] ChainStoreError),
}

/// See the module's head.
pub(crate) struct Core {
    pub genesis: Arc<Genesis>,
    pub chain: Arc<ChainStore>,
    pub tree: Tree,
    pub pool: Mempool,
    pub bitcoin: Arc<dyn BitcoinPort>,
    pub finalized: Arc<dyn FinalizedPort>,
    pub timing: Timing,
    /// The newest final height.
    pub height: Level<SideHeight>,
    /// The same, for the rest of the process.
    pub heights: watch::Sender<SideHeight>,
    /// The newest height that any member is known to have made final.
    pub network_height: Level<SideHeight>,
    /// How far the other members say they are.
    pub beacon: Arc<Beacon>,
    /// The highest anchor that this member's bitcoind could back.
    pub anchor: Level<BtcHeight>,
    /// How often this anchor has hurried the chain; see [`Core::hurry_for_anchor`].
    pub anchor_tries: Mutex<(BtcHeight, u32)>,
    /// Transactions to be told to the other members.
    pub outbox: mpsc::UnboundedSender<Arc<Transaction>>,
    /// How many transactions this machine puts into a block within a proposer's time.
    pub budget: Budget,
    pub trouble: Mutex<Option<String>>,
    pub misbehaviour: Mutex<Vec<Misbehaviour>>,
}

/// A member signed what no honest member signs. The proof convinces whoever knows the members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misbehaviour {
    /// The member's index.
    pub member: u16,
    /// What it did.
    pub what: &'static str,
    /// The engine's round in which it did.
    pub view: u64,
    /// Both signed votes, in the engine's encoding.
    pub proof: Vec<u8>,
}

/// A proposer's measure: a block that takes too long to make comes too late, again and again.
pub(crate) struct Budget(AtomicUsize);

impl Budget {
    const FIRST: usize = 500;
    const LEAST: usize = 20;

    pub const fn new() -> Self {
        Self(AtomicUsize::new(Self::FIRST))
    }

    fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// A block of `count` transactions took `took` to make; it should not take longer than `goal`.
    pub fn note(&self, count: usize, took: Duration, goal: Duration) {
        let known = self.get();
        let fitting = goal.as_micros().saturating_mul(count as u128) / took.as_micros().max(1);
        let fitting = usize::try_from(fitting).unwrap_or(usize::MAX);
        // Down at once; up by half at most, and only on the evidence of a block that was full.
        let next = if took > goal {
            fitting
        } else if count >= known {
            fitting.min(known + known / 2)
        } else {
            known
        };
        self.0.store(next.clamp(Self::LEAST, MAX_BODY_BYTES), Ordering::Relaxed);
    }
}

/// How often one anchor hurries the chain: leaders whose bitcoind is a little behind get a second
/// turn, and an anchor that no leader can propose doesn't keep the chain running.
const MAX_ANCHOR_TRIES: u32 = 8;

/// Misbehaviour that is remembered; one proof says as much as a thousand.
const MAX_MISBEHAVIOUR: usize = 64;

impl Core {
    /// Notes why this member can't go on, for those who ask.
    pub fn note_trouble(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    /// Notes the first proof of each kind against each member.
    pub fn note_misbehaviour(&self, found: Misbehaviour) {
        let mut list = self.misbehaviour.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = list.iter().any(|known| known.member == found.member && known.what == found.what);
        if !is_known && list.len() < MAX_MISBEHAVIOUR {
            error!(member = found.member, what = found.what, view = found.view, "a member broke its promise");
            list.push(found);
        }
    }

    /// Whether the anchor that this member could back is a reason to go on at once.
    pub fn hurry_for_anchor(&self) -> bool {
        let known = self.anchor.get();
        let mut tries = self.anchor_tries.lock().unwrap_or_else(PoisonError::into_inner);
        if tries.0 != known {
            *tries = (known, 0);
        }
        tries.1 += 1;
        tries.1 <= MAX_ANCHOR_TRIES
    }

    /// Takes bytes from outside.
    pub fn submit_bytes(&self, bytes: &[u8], own: bool) -> Result<Digest, SubmitError> {
        if bytes.len() > MAX_TRANSACTION_BYTES {
            return Err(SubmitError::TooLong { bytes: bytes.len() });
        }
        self.submit(Transaction::decode(bytes)?, own)
    }

    /// Takes a transaction: checks it against the finalised state and the pool, and tells the
    /// other members if it is this member's own.
    pub fn submit(&self, transaction: Transaction, own: bool) -> Result<Digest, SubmitError> {
        let bytes = transaction.encode().len();
        if bytes > MAX_TRANSACTION_BYTES {
            return Err(SubmitError::TooLong { bytes });
        }
        let id = transaction.id();
        if !self.pool.contains(&id) {
            self.admit(&id, &transaction)?;
        }
        let shared = own.then(|| Arc::new(transaction.clone()));
        if self.pool.insert(id, transaction, bytes, own)?
            && let Some(transaction) = shared
        {
            // Fails only while the member stops.
            let _ = self.outbox.send(transaction);
        }
        Ok(id)
    }

    fn admit(&self, id: &Digest, transaction: &Transaction) -> Result<(), SubmitError> {
        let view = self.chain.view();
        match windlass_ledger::check(&self.genesis, &*view, transaction) {
            Ok(()) => Ok(self.afford(&*view, transaction)?),
            // The account's earlier transactions wait here too, and open the window.
            Err(TxError::NonceAhead { next, found }) => {
                let from = transaction.from().ok_or(TxError::NonceAhead { next, found })?;
                let nonces = query::account(&*view, &from).map_err(TxError::State)?.nonces;
                if self.pool.nonces(&from, nonces).take(found) == Err(NonceError::Ahead) {
                    return Err(TxError::NonceAhead { next, found }.into());
                }
                transaction.verify_signature()?;
                Ok(self.afford(&*view, transaction)?)
            }
            Err(error) => Err(match self.chain.location(id)? {
                Some(place) => SubmitError::Final(place.height),
                None => error.into(),
            }),
        }
    }

    /// Whether the account has what its transactions here and this one take together.
    fn afford(&self, view: &dyn StateRead, transaction: &Transaction) -> Result<(), TxError> {
        let Some((from, nonce)) = transaction.from().zip(transaction.nonce()) else { return Ok(()) };
        let others = self.pool.outflow_besides(&from, nonce);
        for (asset, units) in transaction.body.outflow().ok_or(TxError::Overflow)? {
            let need = units.saturating_add(others.get(&asset).copied().unwrap_or_default());
            let have = query::units(view, &from, &asset)?;
            if need <= have {
                continue;
            }
            return Err(match asset.is_btc() {
                true => TxError::Insufficient { have: Amount::from_sat(have), need: Amount::from_sat(need) },
                false => TxError::InsufficientAsset { asset, have, need },
            });
        }
        Ok(())
    }

    /// Makes a block on `parent` and keeps what it does.
    pub fn build(&self, parent: &Branch, inputs: BitcoinInputs) -> Result<Arc<Block>, ApplyError> {
        let most = usize::try_from(self.genesis.params.max_block_txs).unwrap_or(usize::MAX);
        let count = most.min(self.budget.get());
        let chosen = self.pool.select(count, MAX_BODY_BYTES, |id| parent.includes(id));
        let transactions: Vec<Transaction> = chosen.iter().map(|waiting| (*waiting.transaction).clone()).collect();
        let make = |inputs: BitcoinInputs| {
            windlass_ledger::build(&self.genesis, &*parent.view, &parent.header, inputs, transactions.clone())
        };
        let (block, applied, left_out) = match make(inputs.clone()) {
            Err(error) if !inputs.is_empty() => {
                warn!(%error, "the Bitcoin inputs of this member don't fit: proposing without them");
                make(BitcoinInputs::default())?
            }
            other => other?,
        };
        for (id, error) in &left_out {
            debug!(%id, %error, "left out of a block");
            self.pool.refused(id, error);
        }
        let block = Arc::new(block);
        self.tree.insert(block.clone(), Arc::new(applied));
        Ok(block)
    }

    /// Executes `block` on `parent` and keeps what it does.
    pub fn execute(&self, parent: &Branch, block: &Arc<Block>) -> Result<Arc<Applied>, BlockError> {
        let applied = windlass_ledger::apply(&self.genesis, &*parent.view, &parent.header, block)?;
        let applied = Arc::new(applied);
        self.tree.insert(block.clone(), applied.clone());
        Ok(applied)
    }

    /// Whether the chain after block `digest` has something to say at once: a transaction that it
    /// would take, or a newer anchor.
    pub fn has_news(&self, digest: &Digest) -> bool {
        let Some(branch) = self.tree.branch(digest) else { return false };
        while let Some(waiting) = self.pool.first_awake(|id| branch.includes(id)) {
            match windlass_ledger::check(&self.genesis, &*branch.view, &waiting.transaction) {
                Ok(()) => return true,
                Err(TxError::State(error)) => {
                    warn!(%error, "can't read the state");
                    return false;
                }
                Err(error) => self.pool.refused(&waiting.id, &error),
            }
        }
        false
    }

    /// Makes `blocks`, which follow the tip, final and durable. Blocks for an fsync.
    pub fn commit(&self, blocks: &[Finalised]) -> Result<(), ChainStoreError> {
        self.chain.commit(blocks)?;
        self.note_trouble(None);
        let tip = self.chain.tip_view();
        let height = tip.header.height;
        self.tree.advance(tip);
        for entry in blocks {
            self.pool.finalised(&entry.block);
        }
        self.network_height.update(|known| known.max(height));
        self.height.update(|_| height);
        self.beacon.note_own(height);
        self.heights.send_replace(height);
        Ok(())
    }
}
