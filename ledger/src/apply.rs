//! The doors of the rule book: make a block, apply a block, admit a transaction.

use crate::block::{MAX_HEADER_BYTES, MAX_TRANSACTION_BYTES};
use crate::checked::Checked;
use crate::exec::{InvariantError, Work, as_tx_error};
use crate::inputs::{BitcoinInputs, InputsError};
use crate::members::{EpochRecord, NewestEpoch};
use crate::proposal::ParamsRecord;
use crate::script::{self, ScriptError};
use crate::state::{ChangeSet, StateError, StateRead, encode};
use crate::transaction::Transaction;
use crate::tx_error::TxError;
use crate::{Block, Genesis, Header, MAX_BLOCK_BYTES, MemoryState, Receipt, Totals, keys, query, smt};
use bitcoin::key::TweakedPublicKey;
use bitcoin::{Amount, ScriptBuf};
use std::sync::Arc;
use windlass_types::{ChainId, Digest, SideHeight};

/// What a block did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Its header.
    pub header: Header,
    /// What to lay over the parent's state.
    pub changes: Arc<ChangeSet>,
    /// The ids of its transactions, in order.
    pub ids: Vec<Digest>,
    /// What happened, in order.
    pub receipts: Vec<Receipt>,
}

/// A block that was built, what it did, and which transactions were left out, by id and reason.
pub type Built = (Block, Applied, Vec<(Digest, TxError)>);

/// Why no block can follow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// State could not be read.
    #[error(transparent)]
    State(#[from] StateError),
    /// The state is not the one after `parent`.
    #[error("the state is of block {state}, the parent is block {parent}")]
    ForeignState {
        /// The state's newest header.
        state: Digest,
        /// The parent.
        parent: Digest,
    },
    /// The state is another sidechain's.
    #[error("the state is of the sidechain {found}, not {expected}")]
    ForeignChain {
        /// The genesis's.
        expected: ChainId,
        /// The parent's.
        found: ChainId,
    },
    /// The Bitcoin inputs don't follow the parent's anchor.
    #[error(transparent)]
    Inputs(#[from] InputsError),
    /// A script can't be made.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// The books don't add up.
    #[error(transparent)]
    Invariant(#[from] InvariantError),
    /// No height follows.
    #[error("no height follows {0}")]
    Height(SideHeight),
}

/// Why a block is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// It can't be judged, or its inputs are bad.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// More transactions than a block may have.
    #[error("{found} transactions, at most {max} are allowed")]
    TooMany {
        /// How many there are.
        found: usize,
        /// How many may be.
        max: u32,
    },
    /// More bytes than a block may have.
    #[error("{found} bytes, at most {max} are allowed")]
    TooLarge {
        /// How many there are.
        found: usize,
        /// How many may be.
        max: usize,
    },
    /// A transaction that breaks a rule.
    #[error("transaction {index} ({id}): {error}")]
    Transaction {
        /// Its place.
        index: usize,
        /// Its id.
        id: Digest,
        /// The rule.
        #[source]
        error: TxError,
    },
    /// The header says something else than the block does.
    #[error("the header's {field} is {found}, the block makes it {expected}")]
    Header {
        /// The field.
        field: &'static str,
        /// What the block makes it.
        expected: String,
        /// What the header says.
        found: String,
    },
}

impl BlockError {
    /// Whether the block could not be judged, which says nothing against it.
    pub fn is_own_fault(&self) -> bool {
        matches!(
            self,
            Self::Apply(
                ApplyError::State(_)
                    | ApplyError::ForeignState { .. }
                    | ApplyError::ForeignChain { .. }
                    | ApplyError::Script(_)
                    | ApplyError::Invariant(_)
            ) | Self::Transaction { error: TxError::State(_), .. }
        )
    }
}

/// The state and the header of height 0.
pub fn genesis_state(genesis: &Genesis) -> (ChangeSet, Header) {
    let chain = genesis.chain_id();
    let mut changes = ChangeSet::default();
    changes.put(keys::CHAIN.to_vec(), encode(&chain));
    changes.put(keys::TOTALS.to_vec(), encode(&Totals::default()));
    // L80: the genesis's dials are in force at first.
    changes.put(keys::PARAMS.to_vec(), encode(&ParamsRecord::first(&genesis.params)));
    // L87: so are its members.
    let epoch = EpochRecord::first(genesis);
    changes.put(keys::NEWEST_EPOCH.to_vec(), encode(&NewestEpoch { number: epoch.number, first: epoch.first }));
    changes.put(keys::epoch(epoch.number), encode(&epoch));
    // L12: the federation's bare key is its own, too.
    if let Ok(key) = script::x_only(&genesis.treasury_key) {
        let bare = ScriptBuf::new_p2tr_tweaked(TweakedPublicKey::dangerous_assume_tweaked(key));
        let key_path_only = ScriptBuf::new_p2tr(script::secp(), key, None);
        for own in [bare, key_path_only] {
            changes.put(keys::own_script(&own), Vec::new());
        }
    }
    let state_root =
        smt::commit(&MemoryState::default(), &mut changes).expect("an empty state in memory is always readable");
    let header = Header {
        chain,
        height: SideHeight::new(0),
        parent: Digest::default(),
        anchor: genesis.start,
        supply: Amount::ZERO,
        owed: Amount::ZERO,
        state_root,
        body_root: Digest::default(),
    };
    changes.put(keys::TIP.to_vec(), encode(&header));
    (changes, header)
}

/// Makes the block after `parent`: takes the inputs and as many of the transactions, in the order
/// given, as are valid and fit. Returns the ones that were left out with the reason.
///
/// # Errors
/// No block can follow: the inputs don't fit, or the state could not be read.
pub fn build(
    genesis: &Genesis,
    view: &dyn StateRead,
    parent: &Header,
    inputs: BitcoinInputs,
    transactions: Vec<Transaction>,
) -> Result<Built, ApplyError> {
    build_of(genesis, view, parent, inputs, transactions.into_iter().map(|transaction| (transaction, None)))
}

/// As [`build`], of transactions whose signatures were checked before.
///
/// # Errors
/// As [`build`].
pub fn build_checked(
    genesis: &Genesis,
    view: &dyn StateRead,
    parent: &Header,
    inputs: BitcoinInputs,
    transactions: &[Arc<Checked>],
) -> Result<Built, ApplyError> {
    let candidates = transactions.iter().map(|checked| (checked.transaction().clone(), Some(&**checked)));
    build_of(genesis, view, parent, inputs, candidates)
}

fn build_of<'a>(
    genesis: &Genesis,
    view: &dyn StateRead,
    parent: &Header,
    inputs: BitcoinInputs,
    candidates: impl Iterator<Item = (Transaction, Option<&'a Checked>)>,
) -> Result<Built, ApplyError> {
    let mut work = Work::begin(genesis, view, parent)?;
    work.consume(&inputs)?;
    let (mut taken, mut left_out) = (Vec::new(), Vec::new());
    let max_count = usize::try_from(work.in_force.params.max_block_txs).unwrap_or(usize::MAX);
    let mut room = MAX_BLOCK_BYTES.saturating_sub(MAX_HEADER_BYTES).saturating_sub(encode(&inputs).len());
    for (transaction, checked) in candidates {
        let bytes = checked.map_or_else(|| encode(&transaction).len(), Checked::bytes);
        let outcome = if bytes > MAX_TRANSACTION_BYTES {
            Err(TxError::TooLarge { bytes, max: MAX_TRANSACTION_BYTES })
        } else if bytes > room || taken.len() >= max_count {
            Err(TxError::BlockFull)
        } else {
            work.transact(&transaction, checked)
        };
        match outcome {
            Ok(()) => {
                room = room.saturating_sub(bytes);
                taken.push(transaction);
            }
            Err(TxError::State(error)) => return Err(error.into()),
            Err(error) => left_out.push((transaction.id(), error)),
        }
    }
    let applied = work.finish(&inputs)?;
    Ok((Block { header: applied.header, inputs, transactions: taken }, applied, left_out))
}

/// Checks the block after `parent` against every rule and says what it changes. The caller has
/// checked that the inputs are what its own bitcoind says.
///
/// # Errors
/// The rule that the block breaks.
pub fn apply(genesis: &Genesis, view: &dyn StateRead, parent: &Header, block: &Block) -> Result<Applied, BlockError> {
    apply_checked(genesis, view, parent, block, &[])
}

/// As [`apply`], and with the same outcome whatever `checked` is: where the one at a transaction's place stands
/// for that very transaction, its signature is not checked again.
///
/// # Errors
/// As [`apply`].
pub fn apply_checked(
    genesis: &Genesis,
    view: &dyn StateRead,
    parent: &Header,
    block: &Block,
    checked: &[Option<Arc<Checked>>],
) -> Result<Applied, BlockError> {
    let mut work = Work::begin(genesis, view, parent)?;
    let (found, max) = (block.transactions.len(), work.in_force.params.max_block_txs);
    // L3: bounded in number and size.
    if u32::try_from(found).map_or(true, |found| found > max) {
        return Err(BlockError::TooMany { found, max });
    }
    let found = borsh::object_length(block).unwrap_or(usize::MAX);
    if found > MAX_BLOCK_BYTES {
        return Err(BlockError::TooLarge { found, max: MAX_BLOCK_BYTES });
    }
    work.consume(&block.inputs)?;
    for (index, transaction) in block.transactions.iter().enumerate() {
        let known = checked.get(index).and_then(Option::as_deref);
        work.transact(transaction, known).map_err(|error| BlockError::Transaction {
            index,
            id: transaction.id(),
            error,
        })?;
    }
    let applied = work.finish(&block.inputs)?;
    compare(&applied.header, &block.header)?;
    Ok(applied)
}

/// Whether `transaction` could be in the block after the state's newest.
///
/// # Errors
/// The rule that it breaks; see [`TxError::is_transient`].
pub fn check(genesis: &Genesis, view: &dyn StateRead, transaction: &Transaction) -> Result<(), TxError> {
    let bytes = encode(transaction).len();
    if bytes > MAX_TRANSACTION_BYTES {
        return Err(TxError::TooLarge { bytes, max: MAX_TRANSACTION_BYTES });
    }
    let tip = query::tip(view)?;
    Work::begin(genesis, view, &tip).map_err(as_tx_error)?.transact(transaction, None)
}

/// [`check`] for many transactions, each by itself against one state.
pub struct Admission<'a>(Work<'a>);

impl<'a> Admission<'a> {
    /// Begins with the state `view`.
    ///
    /// # Errors
    /// The state can't be read.
    pub fn new(genesis: &'a Genesis, view: &'a dyn StateRead) -> Result<Self, TxError> {
        let tip = query::tip(view)?;
        Ok(Self(Work::begin(genesis, view, &tip).map_err(as_tx_error)?))
    }

    /// Whether the transaction could be in the block after the state's newest.
    ///
    /// # Errors
    /// The rule that it breaks; see [`TxError::is_transient`].
    pub fn check(&mut self, checked: &Checked) -> Result<(), TxError> {
        let (bytes, max) = (checked.bytes(), MAX_TRANSACTION_BYTES);
        if bytes > max {
            return Err(TxError::TooLarge { bytes, max });
        }
        let outcome = self.0.transact(checked.transaction(), Some(checked));
        self.0.forget();
        outcome
    }
}

/// L2: every field of the header is what the block makes it.
fn compare(expected: &Header, found: &Header) -> Result<(), BlockError> {
    if expected == found {
        return Ok(());
    }
    let fields: [(&'static str, String, String); 8] = [
        ("chain", expected.chain.to_string(), found.chain.to_string()),
        ("height", expected.height.to_string(), found.height.to_string()),
        ("parent", expected.parent.to_string(), found.parent.to_string()),
        ("anchor", expected.anchor.to_string(), found.anchor.to_string()),
        ("supply", expected.supply.to_string(), found.supply.to_string()),
        ("owed", expected.owed.to_string(), found.owed.to_string()),
        ("body_root", expected.body_root.to_string(), found.body_root.to_string()),
        ("state_root", expected.state_root.to_string(), found.state_root.to_string()),
    ];
    match fields.into_iter().find(|(_, expected, found)| expected != found) {
        Some((field, expected, found)) => Err(BlockError::Header { field, expected, found }),
        None => Ok(()),
    }
}

#[cfg(test)]
#[path = "apply_tests.rs"]
mod tests;
