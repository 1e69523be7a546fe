//! Who the members are at each height: from the genesis, over one link for each epoch since.
//!
//! A link is the last header of an epoch, final by that epoch's members, and under it the entry that says who the
//! next one's are (L87). So trust is handed on by quorum after quorum, and no epoch can be skipped.
//!
//! Whoever holds a quorum of *former* keys can forge a history from their epoch on. A client that keeps the newest
//! epoch that it has seen is safe from that; one that begins with the genesis takes it that former keys are safe.

use crate::certificate::{CertificateError, verify_header, verify_with};
use crate::committee::{Committee, CommitteeError};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use windlass_ledger::{Block, EpochRecord, Genesis, Header, keys, smt};
use windlass_types::{ChainId, SideHeight};

/// Most links in a file: a change a day for a quarter of a century.
pub const MAX_LINKS: usize = 10_000;

/// The end of one epoch and who the next one's members are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, BorshSerialize, BorshDeserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochLink {
    /// The canonical encoding of the epoch's last header.
    #[serde(with = "hex::serde")]
    pub header: Vec<u8>,
    /// Its certificate.
    #[serde(with = "hex::serde")]
    pub certificate: Vec<u8>,
    /// The next epoch's entry in the state after that block.
    #[serde(with = "hex::serde")]
    pub epoch: Vec<u8>,
    /// The canonical encoding of the entry's [`smt::Proof`].
    #[serde(with = "hex::serde")]
    pub proof: Vec<u8>,
}

/// Why a link hands nothing on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Doesn't decode.
    #[error("the link to epoch {epoch}: its {what} is malformed: {reason}")]
    Malformed {
        /// The epoch.
        epoch: u64,
        /// What of it.
        what: &'static str,
        /// What the decoder says.
        reason: String,
    },
    /// Of another epoch than the next one.
    #[error("a link to epoch {found} where epoch {expected} is next")]
    Skips {
        /// The next epoch.
        expected: u64,
        /// The link's.
        found: u64,
    },
    /// Not the epoch's last header, or not of this epoch at all.
    #[error("the link to epoch {epoch} has header {header}; the epoch begins at block {first}")]
    Height {
        /// The epoch.
        epoch: u64,
        /// The header's height.
        header: SideHeight,
        /// The epoch's first block.
        first: SideHeight,
    },
    /// The header does not say it.
    #[error("header {header} is final, but does not say who the members of epoch {epoch} are")]
    Claim {
        /// The epoch.
        epoch: u64,
        /// The header's height.
        header: SideHeight,
    },
    /// The header is not final by the members before.
    #[error("the link to epoch {epoch}: {source}")]
    Certificate {
        /// The epoch.
        epoch: u64,
        /// What is wrong.
        source: CertificateError,
    },
    /// The members that it names are none.
    #[error("the members of epoch {epoch}: {source}")]
    Committee {
        /// The epoch.
        epoch: u64,
        /// What is wrong.
        source: CommitteeError,
    },
}

/// The members at each height, as far as is known; see the module's head.
#[derive(Debug, Clone)]
pub struct Epochs {
    chain: ChainId,
    /// By their first block, ascending; never empty.
    list: Vec<(SideHeight, Committee)>,
}

impl Epochs {
    /// The genesis's members, for all heights.
    ///
    /// # Errors
    /// They are no committee.
    pub fn of_genesis(genesis: &Genesis) -> Result<Self, CommitteeError> {
        let committee = Committee::new(&genesis.identities())?;
        Ok(Self { chain: genesis.chain_id(), list: vec![(SideHeight::default(), committee)] })
    }

    /// As a state that was executed has them: all of its epochs ([`windlass_ledger::query::epochs`]).
    ///
    /// # Errors
    /// One of them is no committee; an empty list is none.
    pub fn of_state(chain: ChainId, epochs: &[EpochRecord]) -> Result<Self, CommitteeError> {
        let committee = |epoch: &EpochRecord| {
            Committee::of_epoch(epoch.number, &epoch.identities).map(|committee| (epoch.first, committee))
        };
        let list = epochs.iter().map(committee).collect::<Result<Vec<_>, _>>()?;
        if list.is_empty() { Err(CommitteeError::Empty) } else { Ok(Self { chain, list }) }
    }

    /// Takes the link to the next epoch.
    ///
    /// # Errors
    /// It hands nothing on; then nothing has changed.
    pub fn cross(&mut self, link: &EpochLink) -> Result<(), LinkError> {
        let (since, committee) = self.newest();
        let epoch = committee.epoch().get().saturating_add(1);
        let malformed = |what, reason: std::io::Error| LinkError::Malformed { epoch, what, reason: reason.to_string() };
        let header: Header = borsh::from_slice(&link.header).map_err(|error| malformed("header", error))?;
        let record: EpochRecord = borsh::from_slice(&link.epoch).map_err(|error| malformed("entry", error))?;
        let proof: smt::Proof = borsh::from_slice(&link.proof).map_err(|error| malformed("proof", error))?;
        if record.number != epoch {
            return Err(LinkError::Skips { expected: epoch, found: record.number });
        }
        if header.height.next() != Some(record.first) || header.height < since {
            return Err(LinkError::Height { epoch, header: header.height, first: record.first });
        }
        verify_header(committee, self.chain, &header, &link.certificate)
            .map_err(|source| LinkError::Certificate { epoch, source })?;
        if !smt::verify(&header.state_root, &keys::epoch(epoch), Some(&link.epoch), &proof) {
            return Err(LinkError::Claim { epoch, header: header.height });
        }
        let next =
            Committee::of_epoch(epoch, &record.identities).map_err(|source| LinkError::Committee { epoch, source })?;
        self.list.push((record.first, next));
        Ok(())
    }

    /// The newest known epoch: its first block and its members.
    pub fn newest(&self) -> (SideHeight, &Committee) {
        let (first, committee) = self.list.last().expect("the genesis's epoch is never taken away");
        (*first, committee)
    }

    /// The members at `height`.
    pub fn at(&self, height: SideHeight) -> &Committee {
        let after = self.list.partition_point(|(first, _)| first.cmp(&height) != Ordering::Greater);
        let (_, committee) = self.list.get(after.saturating_sub(1)).unwrap_or(&self.list[0]);
        committee
    }

    /// All known epochs, by their first block and ascending.
    pub fn list(&self) -> &[(SideHeight, Committee)] {
        &self.list
    }

    /// The chain.
    pub const fn chain(&self) -> ChainId {
        self.chain
    }

    /// As [`verify_block`](crate::verify_block), by the members of the block's height.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify_block(&self, block: &Block, certificate: &[u8]) -> Result<(), CertificateError> {
        verify_with(self.at(block.header.height), self.chain, block, certificate)
    }

    /// As [`verify_header`], by the members of the header's height.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify_header(&self, header: &Header, certificate: &[u8]) -> Result<Vec<u16>, CertificateError> {
        verify_header(self.at(header.height), self.chain, header, certificate)
    }
}
