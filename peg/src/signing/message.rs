//! What members say to each other while they sign.

use crate::wire::{self, DecodeError};
use borsh::{BorshDeserialize, BorshSerialize};

/// The most inputs of a transaction that is signed: the largest batch has 101.
pub const MAX_INPUTS: usize = 128;

/// A random name for one session, chosen by its coordinator.
pub type SessionId = [u8; 32];

/// A signer's commitment to its two nonces for one input (SEC 1 points).
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Commitment {
    /// To the hiding nonce.
    pub hiding: [u8; 33],
    /// To the binding nonce.
    pub binding: [u8; 33],
}

/// A message of signing.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum SigningMessage {
    /// The coordinator of this attempt asks for commitments.
    Propose {
        /// The session.
        session: SessionId,
        /// The batch of the ledger.
        batch: u64,
        /// The attempt that makes the sender its coordinator.
        attempt: u64,
        /// The transaction as the coordinator knows it: only ever compared.
        txid: [u8; 32],
    },
    /// A signer's commitments, one an input.
    Commit {
        /// The session.
        session: SessionId,
        /// In the order of the inputs.
        commitments: Vec<Commitment>,
    },
    /// The coordinator has chosen the signers and shows all commitments.
    Package {
        /// The session.
        session: SessionId,
        /// Ascending.
        signers: Vec<u16>,
        /// For each signer, one an input.
        commitments: Vec<Vec<Commitment>>,
    },
    /// A signer's signature shares, one an input.
    Shares {
        /// The session.
        session: SessionId,
        /// In the order of the inputs.
        shares: Vec<[u8; 32]>,
    },
    /// The batch is signed.
    Signed {
        /// The batch.
        batch: u64,
        /// Who signed, as the coordinator says: for people, proven by nothing.
        signers: Vec<u16>,
        /// BIP340 signatures, one an input.
        signatures: Vec<[u8; 64]>,
    },
}

impl SigningMessage {
    /// Decodes one message, strictly and within bounds.
    ///
    /// # Errors
    /// The bytes are too many, or not exactly one message.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let message: Self = wire::decode(bytes)?;
        let (inputs, signers) = match &message {
            Self::Propose { .. } => (0, 0),
            Self::Commit { commitments, .. } => (commitments.len(), 0),
            Self::Package { signers, commitments, .. } => {
                (commitments.iter().map(Vec::len).max().unwrap_or_default(), signers.len().max(commitments.len()))
            }
            Self::Shares { shares, .. } => (shares.len(), 0),
            Self::Signed { signers, signatures, .. } => (signatures.len(), signers.len()),
        };
        if inputs > MAX_INPUTS {
            return Err(DecodeError::Malformed(format!("{inputs} inputs; the bound is {MAX_INPUTS}")));
        }
        if signers > usize::from(wire::MAX_MEMBERS) {
            return Err(DecodeError::Malformed(format!("{signers} signers; the bound is {}", wire::MAX_MEMBERS)));
        }
        Ok(message)
    }

    /// The encoding.
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(self)
    }
}
