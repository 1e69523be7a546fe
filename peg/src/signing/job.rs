//! What is to be signed: one exact Bitcoin transaction, as this member's own ledger has it.

use crate::share::GroupKey;
use bitcoin::{
    TapNodeHash, Transaction, Txid, Witness,
    key::{Secp256k1, TapTweak as _},
    secp256k1::{Message, schnorr},
};
use windlass_ledger::{Batch, Genesis, ScriptError};

/// One input: what its signature signs, and the tweak of the key that it is spent with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobInput {
    /// The BIP341 key-path hash (SIGHASH_DEFAULT).
    pub sighash: [u8; 32],
    /// The Merkle root that the coin's output key commits to.
    pub root: TapNodeHash,
}

/// A batch to sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The ledger's number of the batch.
    pub batch: u64,
    /// Unsigned.
    pub transaction: Transaction,
    /// As many as the transaction's inputs, in their order.
    pub inputs: Vec<JobInput>,
}

/// Signatures that don't sign the job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Not one for each input.
    #[error("{found} signatures for {expected} inputs")]
    Count {
        /// How many there are.
        found: usize,
        /// How many inputs there are.
        expected: usize,
    },
    /// libsecp256k1 refuses it.
    #[error("the signature of input {0} is invalid")]
    Invalid(usize),
}

impl Job {
    /// The job that the ledger's batch is.
    ///
    /// # Errors
    /// A script of it can't be made (an unknown epoch).
    pub fn from_batch(genesis: &Genesis, batch: &Batch) -> Result<Self, ScriptError> {
        let mut inputs = Vec::with_capacity(batch.inputs.len());
        for (index, sighash) in batch.sighashes(genesis)?.into_iter().enumerate() {
            inputs.push(JobInput { sighash, root: batch.merkle_root(genesis, index)? });
        }
        Ok(Self { batch: batch.id, transaction: batch.transaction(genesis)?, inputs })
    }

    /// The transaction's id: signatures don't change it.
    pub fn txid(&self) -> Txid {
        self.transaction.compute_txid()
    }

    /// The signed transaction, each signature verified by libsecp256k1 (not by the library that
    /// made it) against the coin's own output key.
    ///
    /// # Errors
    /// A signature is missing or invalid.
    pub fn finish(&self, group: &GroupKey, signatures: &[[u8; 64]]) -> Result<Transaction, SignatureError> {
        let count = SignatureError::Count { found: signatures.len(), expected: self.inputs.len() };
        if signatures.len() != self.inputs.len() || self.transaction.input.len() != self.inputs.len() {
            return Err(count);
        }
        let secp = Secp256k1::verification_only();
        let mut transaction = self.transaction.clone();
        let inputs = self.inputs.iter().zip(signatures).zip(&mut transaction.input);
        for (index, ((input, signature), txin)) in inputs.enumerate() {
            let invalid = SignatureError::Invalid(index);
            let parsed = schnorr::Signature::from_slice(signature).map_err(|_| invalid.clone())?;
            let key = group.x_only().tap_tweak(&secp, Some(input.root)).0.to_x_only_public_key();
            secp.verify_schnorr(&parsed, &Message::from_digest(input.sighash), &key).map_err(|_| invalid)?;
            txin.witness = Witness::from_slice(&[signature]);
        }
        Ok(transaction)
    }
}
