//! The doors of the rule book: make a block, apply a block, admit a transaction.

use crate::exec::InvariantError;
use crate::inputs::{BitcoinInputs, InputsError};
use crate::script::ScriptError;
use crate::state::{ChangeSet, StateError, StateRead};
use crate::transaction::{Transaction, TxError};
use crate::{Block, Genesis, Header, Receipt};
use windlass_types::{ChainId, Digest, SideHeight};

/// What a block did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Its header.
    pub header: Header,
    /// What to lay over the parent's state.
    pub changes: ChangeSet,
    /// What happened, in order.
    pub receipts: Vec<Receipt>,
}

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
    let _ = genesis;
    todo!()
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
) -> Result<(Block, Applied, Vec<(Digest, TxError)>), ApplyError> {
    let _ = (genesis, view, parent, inputs, transactions);
    todo!()
}

/// Checks the block after `parent` against every rule and says what it changes. The caller has
/// checked that the inputs are what its own bitcoind says.
///
/// # Errors
/// The rule that the block breaks.
pub fn apply(genesis: &Genesis, view: &dyn StateRead, parent: &Header, block: &Block) -> Result<Applied, BlockError> {
    let _ = (genesis, view, parent, block);
    todo!()
}

/// Whether `transaction` could be in the block after the state's newest.
///
/// # Errors
/// The rule that it breaks; see [`TxError::is_transient`].
pub fn check(genesis: &Genesis, view: &dyn StateRead, transaction: &Transaction) -> Result<(), TxError> {
    let _ = (genesis, view, transaction);
    todo!()
}
