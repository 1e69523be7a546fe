//! What can be known of a transaction without any state: its id, its place in the body root, its size, and
//! that its witness holds, but for heights. Found out once, by as many threads as there are, before a block is executed.
//!
//! A [`Checked`] is evidence and not a cache: [`Checked::new`] alone makes one, after it has checked the
//! witness, and the rules compare it, byte for byte, with the transaction that it is to stand for. One that
//! is missing or stands for another transaction changes nothing: the rules check the witness themselves.

use crate::state::encode;
use crate::transaction::Transaction;
use crate::tx_error::TxError;
use bitcoin::hashes::{Hash as _, HashEngine as _, sha256t_hash_newtype};
use windlass_types::{BtcHeight, Digest};

// As in `windlass_types::tagged_hash`, with the tag's midstate computed at compile time.
sha256t_hash_newtype! {
    struct IdTag = hash_str("Windlass/transaction");
    struct IdHash(_);
    struct LeafTag = hash_str("Windlass/signed");
    struct LeafHash(_);
}

/// A transaction whose witness was checked, and holds; see the module's head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    transaction: Transaction,
    facts: Facts,
}

/// What a transaction's bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Facts {
    pub id: Digest,
    /// What the body root commits to.
    pub leaf: Digest,
    /// Length of the encoding.
    pub bytes: usize,
    /// Each account that a transfer pays can be spent from (L11): to look is to take a square root.
    pub recipients: bool,
    /// The Bitcoin height that its witness needs (L74).
    pub after: Option<BtcHeight>,
}

impl Facts {
    pub fn of(transaction: &Transaction) -> Self {
        let mut bytes = encode(&transaction.chain);
        transaction.encode_body_into(&mut bytes);
        let id = id_of(&bytes);
        transaction.encode_witness_into(&mut bytes);
        Self {
            id,
            leaf: leaf_of(&bytes),
            bytes: bytes.len(),
            recipients: transaction.body.recipients_are_payable(),
            after: transaction.witness.after(),
        }
    }
}

pub(crate) fn id_of(unsigned: &[u8]) -> Digest {
    let mut engine = IdHash::engine();
    engine.input(unsigned);
    Digest(IdHash::from_engine(engine).to_byte_array())
}

pub(crate) fn leaf_of(signed: &[u8]) -> Digest {
    let mut engine = LeafHash::engine();
    engine.input(signed);
    Digest(LeafHash::from_engine(engine).to_byte_array())
}

impl Checked {
    /// Checks what needs no state (L10, L70, L72, L73, but for the chain and for heights).
    ///
    /// # Errors
    /// The witness does not hold.
    pub fn new(transaction: Transaction) -> Result<Self, TxError> {
        let facts = Facts::of(&transaction);
        transaction.verify_witness_over(&facts.id)?;
        Ok(Self { transaction, facts })
    }

    /// The transaction.
    pub const fn transaction(&self) -> &Transaction {
        &self.transaction
    }

    /// [`Transaction::id`].
    pub const fn id(&self) -> Digest {
        self.facts.id
    }

    /// [`Transaction::leaf`].
    pub const fn leaf(&self) -> Digest {
        self.facts.leaf
    }

    /// Length of the transaction's encoding.
    pub const fn bytes(&self) -> usize {
        self.facts.bytes
    }

    /// What is known of `transaction`, if this stands for it.
    pub(crate) fn facts_of(&self, transaction: &Transaction) -> Option<Facts> {
        (self.transaction == *transaction).then_some(self.facts)
    }
}

#[cfg(test)]
#[path = "checked_tests.rs"]
mod tests;
