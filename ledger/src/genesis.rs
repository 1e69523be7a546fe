//! The genesis: who the members are, which Bitcoin key holds the coins, and the dials.

use crate::params::Params;
use crate::script;
use bitcoin::XOnlyPublicKey;
use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use windlass_types::{BlockRef, ChainId, ChainNetwork, Digest};

/// The version of the rules that this crate knows.
pub const VERSION: u16 = 4;

/// Everything that a sidechain starts from. Its hash is the chain's id.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct Genesis {
    /// The version of the rules: [`VERSION`].
    pub version: u16,
    /// The Bitcoin network that the sidechain is pegged to.
    pub network: ChainNetwork,
    /// The members, in their order: a member's index is its place here.
    pub members: Vec<GenesisMember>,
    /// How many members sign.
    pub threshold: u16,
    /// The federation's x-only FROST group key of epoch 0, not tweaked.
    #[serde(with = "hex::serde")]
    pub treasury_key: [u8; 32],
    /// The Bitcoin block after which anchors count: deposits up to and in it are not seen.
    pub start: BlockRef,
    /// The dials at first; those in force stand in the state (L80). What no proposal changes
    /// ([`crate::FIXED_DIALS`]) is read from here.
    pub params: Params,
}

/// A member of the federation.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct GenesisMember {
    /// A short name, for people.
    pub name: String,
    /// The ed25519 key of its links and votes.
    #[serde(with = "hex::serde")]
    pub identity: [u8; 32],
    /// The x-only key of its part in the emergency leaf.
    #[serde(with = "hex::serde")]
    pub emergency_key: [u8; 32],
}

/// What is wrong with a genesis (rule L1).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    /// Another version of the rules.
    #[error("the genesis is of version {found}, this software knows version {VERSION}")]
    Version {
        /// The genesis's version.
        found: u16,
    },
    /// No members, or more than the ledger allows.
    #[error("{0} members; a federation has 1 to {MAX_MEMBERS}")]
    Members(usize),
    /// A member whose name, identity or key is empty, malformed or another's.
    #[error("member {index}: {field} is {problem}")]
    Member {
        /// The member's index.
        index: usize,
        /// Which field.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The threshold is not a majority of the members.
    #[error("{threshold} of {members} sign; it takes more than half and at most all")]
    Threshold {
        /// The threshold.
        threshold: u16,
        /// How many members there are.
        members: usize,
    },
    /// The federation's key is not on the curve.
    #[error("the treasury key {0} is no x-only public key")]
    TreasuryKey(String),
    /// A dial outside its range.
    #[error("{name} is {value}; it must be {range}")]
    Param {
        /// The dial.
        name: &'static str,
        /// Its value.
        value: u64,
        /// What is allowed.
        range: String,
    },
}

/// Most members of a federation.
pub const MAX_MEMBERS: usize = 100;
/// Longest name of a member, in bytes.
pub const MAX_NAME_BYTES: usize = 32;

impl Genesis {
    /// The chain's id: the hash of the canonical encoding.
    pub fn chain_id(&self) -> ChainId {
        ChainId(Digest::tagged("Windlass/genesis", &[&crate::state::encode(self)]))
    }

    /// The members' identities at first, in their order. Those in force stand in the state (L87).
    pub fn identities(&self) -> Vec<[u8; 32]> {
        self.members.iter().map(|member| member.identity).collect()
    }

    /// How many members sign a proposal (L81): as many as make a block final, and as many as move the treasury. So
    /// nobody changes the terms of the coins who could not move the coins, nor the rules of blocks who could not
    /// make blocks.
    pub fn proposal_threshold(&self) -> usize {
        let members = self.members.len();
        let faulty = members.saturating_sub(1).checked_div(3).unwrap_or_default();
        members.saturating_sub(faulty).max(self.threshold.into())
    }

    /// Checks every field (rule L1). All other functions expect a genesis that passed.
    ///
    /// # Errors
    /// The first field that is out of range, with its value.
    pub fn validate(&self) -> Result<(), GenesisError> {
        if self.version != VERSION {
            return Err(GenesisError::Version { found: self.version });
        }
        if self.members.is_empty() || self.members.len() > MAX_MEMBERS {
            return Err(GenesisError::Members(self.members.len()));
        }
        self.validate_members()?;
        let members = self.members.len();
        let doubled = usize::from(self.threshold).saturating_mul(2);
        if doubled <= members || usize::from(self.threshold) > members {
            return Err(GenesisError::Threshold { threshold: self.threshold, members });
        }
        script::x_only(&self.treasury_key).map_err(|_| GenesisError::TreasuryKey(hex::encode(self.treasury_key)))?;
        self.params.validate(members)
    }

    fn validate_members(&self) -> Result<(), GenesisError> {
        let (mut names, mut identities, mut keys) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for (index, member) in self.members.iter().enumerate() {
            let wrong = |field, problem| Err(GenesisError::Member { index, field, problem });
            if member.name.is_empty() || member.name.len() > MAX_NAME_BYTES {
                return wrong("name", "empty or too long");
            }
            if !names.insert(&member.name) {
                return wrong("name", "another member's");
            }
            if !identities.insert(member.identity) {
                return wrong("identity", "another member's");
            }
            if XOnlyPublicKey::from_slice(&member.emergency_key).is_err() {
                return wrong("emergency_key", "no x-only public key");
            }
            if !keys.insert(member.emergency_key) {
                return wrong("emergency_key", "another member's");
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "genesis_tests.rs"]
mod tests;
