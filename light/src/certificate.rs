//! Whether a block is final, from the list of members alone.
//!
//! A certificate is a quorum's finalize votes for a block, or for a descendant of it together with
//! the headers in between (a block that became final through its child has no votes of its own).

use crate::committee::{self, Committee};
use borsh::{BorshDeserialize, BorshSerialize};
use windlass_ledger::{Block, Header};
use windlass_types::{ChainId, Digest, SideHeight};

/// Most headers between a block and the descendant that carries the votes.
pub const MAX_DESCENDANTS: usize = 4096;

/// Why a certificate doesn't prove a block final.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// The list of members is no committee.
    #[error("no committee: {0}")]
    Members(String),
    /// The block is of another chain.
    #[error("block {height} is of the chain {found}, not {expected}")]
    OtherChain {
        /// The block's height.
        height: SideHeight,
        /// The chain asked for.
        expected: ChainId,
        /// The block's chain.
        found: ChainId,
    },
    /// The block's body isn't what its header commits to.
    #[error("the body of block {0} is not what its header says")]
    Body(SideHeight),
    /// The certificate doesn't decode.
    #[error("the certificate of block {height} is malformed: {reason}")]
    Malformed {
        /// The block's height.
        height: SideHeight,
        /// What the decoder says.
        reason: String,
    },
    /// The votes are for another block.
    #[error("the certificate of block {height} is for the block {found}, not {expected}")]
    OtherBlock {
        /// The block's height.
        height: SideHeight,
        /// The block's digest.
        expected: Digest,
        /// What the votes are for.
        found: Digest,
    },
    /// Too few votes, or a signature is wrong.
    #[error("the certificate of block {0} is not signed by a quorum of the members")]
    Signatures(SideHeight),
}

/// See the module's head.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Certificate {
    /// The headers after the block, up to the one that was voted for.
    pub descendants: Vec<Header>,
    /// The engine's encoding of the finalize votes.
    pub votes: Vec<u8>,
}

impl Certificate {
    /// The canonical encoding.
    pub fn encode(&self) -> Vec<u8> {
        borsh::to_vec(self).expect("writing to a vector does not fail and no length reaches u32")
    }
}

/// Checks that `certificate` proves `block` final on the chain `chain` of the members with these
/// ed25519 identities. It says nothing about whether the block follows the rules: only
/// [`windlass_ledger::apply`] does.
///
/// # Errors
/// The first thing that is wrong.
pub fn verify_block(
    members: &[[u8; 32]],
    chain: ChainId,
    block: &Block,
    certificate: &[u8],
) -> Result<(), CertificateError> {
    let committee = Committee::new(members).map_err(|error| CertificateError::Members(error.to_string()))?;
    verify_with(&committee, chain, block, certificate)
}

/// The members whose votes a certificate carries, by their index, ascending. Says nothing about
/// whether it holds: ask [`verify_block`] first.
///
/// # Errors
/// The members are no committee, or the certificate doesn't decode.
pub fn signers(members: &[[u8; 32]], certificate: &[u8]) -> Result<Vec<u16>, CertificateError> {
    let committee = Committee::new(members).map_err(|error| CertificateError::Members(error.to_string()))?;
    let malformed = |reason: String| CertificateError::Malformed { height: SideHeight::default(), reason };
    let certificate = Certificate::try_from_slice(certificate).map_err(|error| malformed(error.to_string()))?;
    let votes = committee::decode_votes(&committee, &certificate.votes).map_err(malformed)?;
    Ok(committee::voters(&committee, &votes))
}

/// As [`verify_block`], of members that were read before.
///
/// # Errors
/// The first thing that is wrong.
pub fn verify_with(
    committee: &Committee,
    chain: ChainId,
    block: &Block,
    certificate: &[u8],
) -> Result<(), CertificateError> {
    let height = block.header.height;
    if block.body_root() != block.header.body_root {
        return Err(CertificateError::Body(height));
    }
    verify_header(committee, chain, &block.header, certificate).map(drop)
}

/// Checks that `certificate` proves the block of `header` final, and says who signed, by their index and ascending. Whoever has the body checks it against the
/// header's root: votes cover the header only.
///
/// # Errors
/// The first thing that is wrong.
pub fn verify_header(
    committee: &Committee,
    chain: ChainId,
    header: &Header,
    certificate: &[u8],
) -> Result<Vec<u16>, CertificateError> {
    let height = header.height;
    let malformed = |reason: String| CertificateError::Malformed { height, reason };
    if header.chain != chain {
        return Err(CertificateError::OtherChain { height, expected: chain, found: header.chain });
    }
    let certificate = Certificate::try_from_slice(certificate).map_err(|error| malformed(error.to_string()))?;
    if certificate.descendants.len() > MAX_DESCENDANTS {
        return Err(malformed(format!("{} headers", certificate.descendants.len())));
    }
    let mut at = header.digest();
    for descendant in &certificate.descendants {
        if descendant.parent != at || descendant.chain != chain {
            return Err(malformed(format!("header {} does not follow", descendant.height)));
        }
        at = descendant.digest();
    }
    let votes = committee::decode_votes(committee, &certificate.votes).map_err(malformed)?;
    let found = committee::voted_for(&votes);
    if found != at {
        return Err(CertificateError::OtherBlock { height, expected: at, found });
    }
    if !committee::votes_hold(committee, chain, &votes) {
        return Err(CertificateError::Signatures(height));
    }
    Ok(committee::voters(committee, &votes))
}
