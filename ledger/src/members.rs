//! Who the members are, by epochs: one identity at a time is exchanged for another (L87 to L89).
//!
//! A member keeps its place, its name, its emergency key and its share of the treasury's key. What changes is the
//! ed25519 key of its links, its votes and its word under proposals.

use crate::exec::Work;
use crate::identity::endorsed;
use crate::proposal::{Proposal, ProposalError};
use crate::state::{StateError, encode};
use crate::{Genesis, Receipt, keys, query};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};
use windlass_types::{ChainId, Digest, SideHeight};

/// From so many blocks before it comes on, an epoch can't be dropped or put off any more (L88). At most the
/// shortest delay of a change ([`crate::MIN_CHANGE_DELAY_BLOCKS`]).
pub const SETTLED_BLOCKS: u64 = 10;

/// The newest epoch that the state knows of; it may be to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct NewestEpoch {
    /// Its number; the genesis's is 0.
    pub number: u64,
    /// Its first block.
    pub first: SideHeight,
}

/// The members of one epoch.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct EpochRecord {
    /// The epoch; the genesis's is 0.
    pub number: u64,
    /// Its first block.
    pub first: SideHeight,
    /// The members' identities, in the order of the genesis.
    #[serde(with = "identities_hex")]
    pub identities: Vec<[u8; 32]>,
    /// How it came about; the genesis's epoch has none.
    pub origin: Option<EpochOrigin>,
}

/// The proposal that an epoch came about by.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct EpochOrigin {
    /// The member whose identity was exchanged, by its index.
    pub member: u16,
    /// The block that took the proposal.
    pub proposed: SideHeight,
    /// The members that signed, by index.
    pub members: Vec<u16>,
}

/// The members as the state after some block has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// The epoch in force for the next block.
    pub in_force: EpochRecord,
    /// The epoch to come, if one was proposed.
    pub next: Option<EpochRecord>,
    /// Identities that were members' and are none's any more. They never come back.
    #[serde(with = "identities_hex")]
    pub former: Vec<[u8; 32]>,
}

mod identities_hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(list: &[[u8; 32]], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(list.iter().map(hex::encode))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<[u8; 32]>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        let read = |text: &String| {
            let mut bytes = [0; 32];
            hex::decode_to_slice(text, &mut bytes).map_err(D::Error::custom)?;
            Ok(bytes)
        };
        texts.iter().map(read).collect()
    }
}

/// What a new identity signs to say that it takes a member's place: nobody enrols a key that nobody holds (L87).
pub fn enrolment(chain: ChainId, member: u16, identity: &[u8; 32]) -> Digest {
    Digest::tagged("Windlass/enrolment", &[&chain.0.0, &encode(&member), identity])
}

impl EpochRecord {
    /// L87: the genesis's members are in force at first.
    pub fn first(genesis: &Genesis) -> Self {
        Self { number: 0, first: SideHeight::new(0), identities: genesis.identities(), origin: None }
    }

    /// L88: whether, in the block of height `now`, it is too near to be dropped or put off.
    pub fn is_settled(&self, now: SideHeight) -> bool {
        now.get().saturating_add(SETTLED_BLOCKS) >= self.first.get()
    }
}

/// L87: who may exchange whom for whom, in the block of height `now`. The height is another rule's (L82).
pub(crate) fn check_replacement(
    chain: ChainId,
    membership: &Membership,
    now: SideHeight,
    (member, identity, consent): (u16, &[u8; 32], &[u8; 64]),
) -> Result<(), ProposalError> {
    let known = &membership.in_force.identities;
    if usize::from(member) >= known.len() {
        return Err(ProposalError::NoSuchMember(member));
    }
    if known.contains(identity) || membership.former.contains(identity) {
        return Err(ProposalError::UsedIdentity(hex::encode(identity)));
    }
    if let Some(next) = membership.next.as_ref().filter(|next| next.is_settled(now)) {
        return Err(ProposalError::Settled { epoch: next.number, first: next.first });
    }
    if !endorsed(identity, &enrolment(chain, member, identity).0, consent) {
        return Err(ProposalError::Consent(hex::encode(identity)));
    }
    Ok(())
}

impl Work<'_> {
    /// The members for this block, and those to come.
    pub(crate) fn membership(&self) -> Result<Membership, StateError> {
        query::membership_at(self, self.height)
    }

    /// L87: from the height on the member has another identity. Takes the place of an epoch that was to come.
    pub(crate) fn replace(
        &mut self,
        membership: &Membership,
        proposal: &Proposal,
        (member, identity, first): (u16, [u8; 32], SideHeight),
    ) {
        let mut identities = membership.in_force.identities.clone();
        if let Some(place) = identities.get_mut(usize::from(member)) {
            *place = identity;
        }
        let members = proposal.signatures.iter().map(|signature| signature.member).collect();
        let origin = Some(EpochOrigin { member, proposed: self.height, members });
        let number = membership.in_force.number.saturating_add(1);
        self.put(keys::epoch(number), &EpochRecord { number, first, identities, origin });
        self.put(keys::NEWEST_EPOCH.to_vec(), &NewestEpoch { number, first });
    }

    /// L84: the epoch that was to come does not.
    pub(crate) fn drop_next_epoch(&mut self, membership: &Membership) {
        if let Some(next) = &membership.next {
            let EpochRecord { number, first, .. } = membership.in_force;
            self.delete(keys::epoch(next.number));
            self.put(keys::NEWEST_EPOCH.to_vec(), &NewestEpoch { number, first });
        }
    }

    /// Says that an epoch begins with this block.
    pub(crate) fn note_epoch(&mut self, newest: NewestEpoch) {
        if newest.number > 0 && newest.first == self.height {
            self.receipts.push(Receipt::EpochBegan { epoch: newest.number });
        }
    }
}

#[cfg(test)]
#[path = "members_tests.rs"]
mod tests;
