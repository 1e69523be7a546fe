//! What the parts of a running member share, and the steps that they have in common. No engine.

use crate::beacon::Beacon;
use crate::chain_store::{ChainStore, ChainStoreError, Finalised};
use crate::committees::{Committees, Roster};
use crate::config::{MAX_BODY_BYTES, Timing};
use crate::level::Level;
use crate::mempool::{Mempool, PoolError};
use crate::ports::{BitcoinPort, FinalizedPort};
use crate::proofs::{ForkError, ForkProof, Proofs};
use crate::signatures::Signatures;
use crate::tree::{Branch, Tree};
use commonware_cryptography::ed25519::PublicKey;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tracing::{debug, error, warn};
use windlass_ledger::{
    Admission, Applied, ApplyError, BitcoinInputs, Block, BlockError, Checked, DecodeError, Genesis, Header,
    MAX_TRANSACTION_BYTES, NonceError, StateRead, Transaction, TxError, keys, query,
};
use windlass_types::{Amount, BtcHeight, ChainId, Digest, SideHeight};

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

/// Whom the network makes links to.
pub(crate) type Track = Arc<dyn Fn(u64, Vec<(PublicKey, u16)>) + Send + Sync>;

/// Tells the network, each time with the next number.
pub(crate) struct Peers {
    track: Track,
    sets: AtomicU64,
}

impl Peers {
    /// Set 0 is that which the member joined with.
    pub const fn new(track: Track) -> Self {
        Self { track, sets: AtomicU64::new(0) }
    }

    fn track(&self, members: Vec<(PublicKey, u16)>) {
        let number = self.sets.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        (self.track)(number, members);
    }
}

/// See the module's head.
pub(crate) struct Core {
    pub genesis: Arc<Genesis>,
    pub chain_id: ChainId,
    pub signatures: Signatures,
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
    pub outbox: mpsc::UnboundedSender<Arc<Checked>>,
    /// How many transactions this machine puts into a block within a proposer's time.
    pub budget: Budget,
    pub trouble: Mutex<Option<String>>,
    pub proofs: Proofs,
    /// Who may vote, by epochs.
    pub committees: Arc<Committees>,
    /// Who is in which place now.
    pub roster: Arc<Roster>,
    /// Makes links to these members, and to no others.
    pub peers: Peers,
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

impl Misbehaviour {
    pub(crate) const TWO_BLOCKS: &'static str = "voted for two blocks in one round";
    pub(crate) const TWO_FINAL: &'static str = "made two blocks final in one round";
    pub(crate) const GAVE_UP: &'static str = "gave up a round that it made final";
    pub(crate) const WHATS: [&'static str; 3] = [Self::TWO_BLOCKS, Self::TWO_FINAL, Self::GAVE_UP];
}

/// Why a header that is said to be final was not looked into.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It proves nothing.
    #[error(transparent)]
    Fork(#[from] ForkError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] ChainStoreError),
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

fn decode(bytes: &[u8]) -> Result<Transaction, SubmitError> {
    if bytes.len() > MAX_TRANSACTION_BYTES {
        return Err(SubmitError::TooLong { bytes: bytes.len() });
    }
    Ok(Transaction::decode(bytes)?)
}

impl Core {
    /// Notes why this member can't go on, for those who ask.
    pub fn note_trouble(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    /// Hears that `header` is final, with its proof. Returns what proves a fork, if it shows one.
    pub fn note_final(&self, header: &Header, certificate: &[u8]) -> Result<Option<ForkProof>, NoteError> {
        if header.height > self.height.get() {
            return Ok(None);
        }
        let Some((block, own)) = self.chain.block(header.height)? else { return Ok(None) };
        if block.header == *header {
            return Ok(None);
        }
        let proof = ForkProof { first: (block.header, own), second: (*header, certificate.to_vec()) };
        let culprits = proof.verify(&self.committees.known().epochs)?;
        self.proofs.note_fork(&proof, &culprits);
        Ok(Some(proof))
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
        self.submit(decode(bytes)?, own)
    }

    /// As [`Self::submit_bytes`], for many; the outcomes are in the same order.
    pub fn submit_all_bytes(&self, list: &[Vec<u8>], own: bool) -> Vec<Result<Digest, SubmitError>> {
        let decoded: Vec<Result<Transaction, SubmitError>> = list.iter().map(|bytes| decode(bytes)).collect();
        let good: Vec<Transaction> = decoded.iter().flatten().cloned().collect();
        let mut taken = self.submit_all(good, own).into_iter();
        let of = |decoded: Result<Transaction, SubmitError>| match decoded {
            Ok(_) => taken.next().expect("each good one has its outcome"),
            Err(error) => Err(error),
        };
        decoded.into_iter().map(of).collect()
    }

    /// Takes a transaction: checks it against the finalised state and the pool, and tells the
    /// other members if it is this member's own.
    pub fn submit(&self, transaction: Transaction, own: bool) -> Result<Digest, SubmitError> {
        self.submit_all(vec![transaction], own).remove(0)
    }

    /// As [`Self::submit`], for many: their signatures are checked on all cores. The outcomes are in the same order.
    pub fn submit_all(&self, list: Vec<Transaction>, own: bool) -> Vec<Result<Digest, SubmitError>> {
        let chain = self.chain_id;
        let mut outcomes: Vec<Result<Digest, SubmitError>> = Vec::with_capacity(list.len());
        let mut unknown: Vec<Transaction> = Vec::new();
        let mut places: Vec<(usize, Digest)> = Vec::new();
        for transaction in list {
            let id = transaction.id();
            if transaction.chain != chain {
                outcomes.push(Err(TxError::ForeignChain { expected: chain, found: transaction.chain }.into()));
                continue;
            }
            if !self.pool.note(&id, own) {
                places.push((outcomes.len(), id));
                unknown.push(transaction);
            }
            outcomes.push(Ok(id));
        }
        let checked = self.signatures.check(unknown);
        let view = self.chain.view();
        let mut admission = Admission::new(&self.genesis, &*view);
        for ((place, id), checked) in places.into_iter().zip(checked) {
            let taken = match (checked, &mut admission) {
                (Err(error), _) => Err(self.refusal(&id, error)),
                (_, Err(error)) => Err(error.clone().into()),
                (Ok(checked), Ok(admission)) => self.take(checked, own, &*view, admission),
            };
            outcomes[place] = taken;
        }
        outcomes
    }

    /// Takes a transaction whose signature holds.
    fn take(
        &self,
        checked: Arc<Checked>,
        own: bool,
        view: &dyn StateRead,
        admission: &mut Admission<'_>,
    ) -> Result<Digest, SubmitError> {
        let (id, bytes) = (checked.id(), checked.bytes());
        if bytes > MAX_TRANSACTION_BYTES {
            return Err(SubmitError::TooLong { bytes });
        }
        self.admit(&checked, view, admission)?;
        if self.pool.insert(checked.clone(), own)? {
            self.signatures.remember(&checked);
            if own {
                // Fails only while the member stops.
                let _ = self.outbox.send(checked);
            }
        }
        Ok(id)
    }

    fn admit(&self, checked: &Checked, view: &dyn StateRead, admission: &mut Admission<'_>) -> Result<(), SubmitError> {
        let transaction = checked.transaction();
        match admission.check(checked) {
            Ok(()) => Ok(self.afford(view, transaction)?),
            // The account's earlier transactions wait here too, and open the window.
            Err(TxError::NonceAhead { next, found }) => {
                let from = transaction.from().ok_or(TxError::NonceAhead { next, found })?;
                let nonces = query::account(view, &from).map_err(TxError::State)?.nonces;
                if self.pool.nonces(&from, nonces).take(found) == Err(NonceError::Ahead) {
                    return Err(TxError::NonceAhead { next, found }.into());
                }
                Ok(self.afford(view, transaction)?)
            }
            Err(error) => Err(self.refusal(&checked.id(), error)),
        }
    }

    /// The rules refuse transaction `id`: because it is final already, or for another reason.
    fn refusal(&self, id: &Digest, error: TxError) -> SubmitError {
        match self.chain.location(id) {
            Ok(Some(place)) => SubmitError::Final(place.height),
            Ok(None) => error.into(),
            Err(error) => error.into(),
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
        let params = query::next_params(&*parent.view)?;
        let most = usize::try_from(params.max_block_txs).unwrap_or(usize::MAX);
        let count = most.min(self.budget.get());
        let chosen = self.pool.select(count, MAX_BODY_BYTES, |id| parent.includes(id));
        let make = |inputs: BitcoinInputs| {
            windlass_ledger::build_checked(&self.genesis, &*parent.view, &parent.header, inputs, &chosen)
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

    /// Executes `block` on `parent`. Its signatures are checked first, those that aren't known here.
    pub fn judge(&self, parent: &Branch, block: &Block) -> Result<Applied, BlockError> {
        let checked = self.signatures.of_block(block);
        windlass_ledger::apply_checked(&self.genesis, &*parent.view, &parent.header, block, &checked)
    }

    /// Executes `block` on `parent` and keeps what it does.
    pub fn execute(&self, parent: &Branch, block: &Arc<Block>) -> Result<Arc<Applied>, BlockError> {
        let applied = Arc::new(self.judge(parent, block)?);
        self.tree.insert(block.clone(), applied.clone());
        Ok(applied)
    }

    /// Whether the chain after block `digest` has something to say at once: a transaction that it
    /// would take, or a newer anchor.
    pub fn has_news(&self, digest: &Digest) -> bool {
        let Some(branch) = self.tree.branch(digest) else { return false };
        let mut admission = match Admission::new(&self.genesis, &*branch.view) {
            Ok(admission) => admission,
            Err(error) => {
                warn!(%error, "can't read the state");
                return false;
            }
        };
        while let Some(waiting) = self.pool.first_awake(|id| branch.includes(id)) {
            match admission.check(&waiting) {
                Ok(()) => return true,
                Err(TxError::State(error)) => {
                    warn!(%error, "can't read the state");
                    return false;
                }
                Err(error) => self.pool.refused(&waiting.id(), &error),
            }
        }
        false
    }

    /// Takes note of who the members are after the newest final block, if that is not as it was before.
    pub fn note_members(&self, before: SideHeight, changes: bool, view: &dyn StateRead) -> Result<(), ChainStoreError> {
        if changes {
            let records = query::epochs(view)?;
            if let Err(error) = self.committees.update(&records) {
                // L87 takes no identity that isn't a key: it has signed.
                error!(%error, "the members of an epoch are none");
                return Ok(());
            }
        }
        let after = query::tip(view)?.height;
        let known = self.committees.known();
        let epoch = |height: SideHeight| known.epoch_at(height.next().unwrap_or(height));
        if changes || epoch(before) != epoch(after) {
            self.peers.track(self.roster.update(&known, after.next().unwrap_or(after)));
        }
        Ok(())
    }

    /// Makes `blocks`, which follow the tip, final and durable. Blocks for an fsync.
    pub fn commit(&self, blocks: &[Finalised]) -> Result<(), ChainStoreError> {
        let before = self.chain.tip().height;
        self.chain.commit(blocks)?;
        self.note_trouble(None);
        let tip = self.chain.tip_view();
        let height = tip.header.height;
        let changes = blocks.iter().any(|entry| entry.applied.changes.with_prefix(keys::EPOCHS).next().is_some());
        self.note_members(before, changes, &*tip.view)?;
        self.tree.advance(tip);
        for entry in blocks {
            self.pool.finalised(&entry.block, &entry.applied.ids);
        }
        self.network_height.update(|known| known.max(height));
        self.height.update(|_| height);
        self.beacon.note_own(height);
        self.heights.send_replace(height);
        Ok(())
    }
}
