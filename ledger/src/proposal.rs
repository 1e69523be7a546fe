//! The parameters in force, and how the members change them: proposals, signed by their identities.
//!
//! A proposal names the whole set, so that what comes into force is, dial by dial, what was signed, whatever
//! else happened in between. It takes effect at a height of its own, in the same block for everyone.

use crate::exec::Work;
use crate::identity::endorsed;
use crate::members::{Membership, check_replacement};
use crate::params::{DialChange, FIXED_DIALS, Params};
use crate::state::encode;
use crate::tx_error::TxError;
use crate::{Genesis, GenesisError, Receipt, wire};
use bitcoin::Amount;
use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};
use windlass_types::{BlockRef, BtcHeight, ChainId, Digest, SideHeight};

/// How many blocks ahead a change may be at most.
pub const MAX_CHANGE_AHEAD: u64 = 10_000_000;

/// What members want changed, and their signatures (L81).
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Proposal {
    /// One more than the last one's; the first is 1. So none is taken twice.
    pub number: u64,
    /// What it does.
    pub change: ParamsChange,
    /// By members, ascending, over [`Proposal::digest`].
    pub signatures: Vec<MemberSignature>,
}

/// What a proposal does.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum ParamsChange {
    /// From the block of this height on, the dials are these. Takes the place of a change that is pending.
    Set {
        /// The first block that the new dials are in force for.
        height: SideHeight,
        /// All dials.
        params: Params,
    } = 0,
    /// What is pending does not come: dials, and members if there is time left to drop them (L88).
    Cancel = 1,
    /// From the block of this height on, a member has another identity. Takes the place of such a change that is
    /// pending (L87).
    Replace {
        /// The first block that the new identity is in force for.
        height: SideHeight,
        /// The member's index.
        member: u16,
        /// Its new identity.
        identity: [u8; 32],
        /// By that identity, over [`enrolment`](crate::enrolment).
        consent: [u8; 64],
    } = 2,
}

/// A member's word under a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct MemberSignature {
    /// The member's index.
    pub member: u16,
    /// By its identity; see [`endorsed`].
    pub signature: [u8; 64],
}

/// The dials of the chain, as the state has them (L80).
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct ParamsRecord {
    /// Those in force.
    pub params: Params,
    /// The first block that they were in force for; 0 is "since the genesis".
    pub since: SideHeight,
    /// The number of the last proposal that was taken; 0 is "none yet".
    pub proposals: u64,
    /// By what deposits are judged, by the height of their Bitcoin block, ascending (L86). Never empty.
    pub deposits: Vec<DepositBounds>,
    /// What is to come.
    pub pending: Option<PendingChange>,
}

/// By what the deposits of some Bitcoin blocks are judged: as it was in force when the ledger consumed the block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct DepositBounds {
    /// The first of these blocks.
    pub from: BtcHeight,
    /// Smallest deposit that is minted.
    #[serde(with = "bitcoin::amount::serde::as_sat")]
    #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
    pub min: Amount,
    /// Largest deposit that is minted.
    #[serde(with = "bitcoin::amount::serde::as_sat")]
    #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
    pub max: Amount,
    /// The highest rate of Bitcoin's fee that they pay for.
    pub fee_rate_sat_per_kvb: u32,
}

/// A change that was proposed and is to come.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct PendingChange {
    /// The first block that it is in force for.
    pub height: SideHeight,
    /// The dials from then on.
    pub params: Params,
    /// The block that took the proposal.
    pub proposed: SideHeight,
    /// The members that signed, by index.
    pub members: Vec<u16>,
}

/// Why a proposal is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProposalError {
    /// Taken before, or not its turn.
    #[error("this is proposal {found}; the next one is {expected}")]
    Number {
        /// The next one's.
        expected: u64,
        /// The proposal's.
        found: u64,
    },
    /// Less than the delay away.
    #[error("the change would come at block {found}; with the delay of the rules it can come from block {earliest} on")]
    TooSoon {
        /// The first block that could have the change.
        earliest: SideHeight,
        /// The proposal's.
        found: SideHeight,
    },
    /// Too far away.
    #[error("the change would come at block {found}; it can come up to block {latest}")]
    TooFar {
        /// The last block that could have the change.
        latest: SideHeight,
        /// The proposal's.
        found: SideHeight,
    },
    /// A dial that stays as it is for the life of the chain.
    #[error("{} is {} for the life of the chain: coins were made with it, no proposal changes it", .0.name, .0.from)]
    Fixed(DialChange),
    /// A dial outside its range.
    #[error(transparent)]
    Params(#[from] GenesisError),
    /// The dials are those in force.
    #[error("nothing changes: these parameters are in force (to drop a pending change, cancel it)")]
    Unchanged,
    /// A replacement of nobody.
    #[error("there is no member {0}")]
    NoSuchMember(u16),
    /// An identity that is a member's, or was one's.
    #[error("the identity {0} is a member's, or was: a new one never had a place")]
    UsedIdentity(String),
    /// The new identity did not agree.
    #[error("the identity {0} did not sign that it takes this member's place on this chain")]
    Consent(String),
    /// Too late to drop or to change an epoch.
    #[error("epoch {epoch} begins at block {first}: that is too near to change")]
    Settled {
        /// The epoch.
        epoch: u64,
        /// Its first block.
        first: SideHeight,
    },
    /// There is nothing to cancel.
    #[error("there is no pending change to cancel")]
    NothingPending,
    /// Too few members signed.
    #[error("{found} members signed; it takes {needed}")]
    Signatures {
        /// How many.
        found: usize,
        /// How many it takes.
        needed: usize,
    },
    /// A signature out of order, twice, or of nobody.
    #[error("the signature of member {0} is out of order, there twice, or of no member")]
    Signer(u16),
    /// A signature that is not the member's.
    #[error("the signature of member {0} does not hold")]
    Signature(u16),
}

impl Proposal {
    /// What members sign: the chain, the number and the change (L81).
    pub fn digest(&self, chain: ChainId) -> Digest {
        let (number, change) = (encode(&self.number), encode(&self.change));
        Digest::tagged("Windlass/proposal", &[&chain.0.0, &number, &change])
    }

    /// Whether a block of height `height` could take it, if enough members signed: L81 to L84, but for the
    /// signatures. `record` and `membership` are of the state before the block.
    ///
    /// # Errors
    /// The rule that it breaks.
    pub fn check(
        &self,
        genesis: &Genesis,
        record: &ParamsRecord,
        membership: &Membership,
        height: SideHeight,
    ) -> Result<(), ProposalError> {
        // L81: each number once, one after the other.
        let (expected, found) = (record.proposals.saturating_add(1), self.number);
        if found != expected {
            return Err(ProposalError::Number { expected, found });
        }
        match &self.change {
            // L84: only what is pending can be dropped.
            ParamsChange::Cancel if record.pending.is_some() => Ok(()),
            ParamsChange::Cancel => match &membership.next {
                None => Err(ProposalError::NothingPending),
                // L88: not any more.
                Some(next) if next.is_settled(height) => {
                    Err(ProposalError::Settled { epoch: next.number, first: next.first })
                }
                Some(_) => Ok(()),
            },
            ParamsChange::Replace { height: at, member, identity, consent } => {
                check_replacement(genesis.chain_id(), membership, height, (*member, identity, consent))?;
                check_height(record, height, *at)
            }
            ParamsChange::Set { height: at, params } => {
                check_params(genesis, record, params)?;
                check_height(record, height, *at)
            }
        }
    }

    /// L81: enough members stand behind it, each once, and every signature holds.
    ///
    /// # Errors
    /// What is wrong with the signatures.
    pub fn verify_signatures(&self, genesis: &Genesis, membership: &Membership) -> Result<(), ProposalError> {
        let (found, needed) = (self.signatures.len(), genesis.proposal_threshold());
        if found < needed {
            return Err(ProposalError::Signatures { found, needed });
        }
        let digest = self.digest(genesis.chain_id());
        let mut last = None;
        for MemberSignature { member, signature } in &self.signatures {
            let identities = &membership.in_force.identities;
            let known = identities.get(usize::from(*member)).filter(|_| last < Some(*member));
            let known = known.ok_or(ProposalError::Signer(*member))?;
            if !endorsed(known, &digest.0, signature) {
                return Err(ProposalError::Signature(*member));
            }
            last = Some(*member);
        }
        Ok(())
    }
}

/// L83: what may change, and within which ranges.
fn check_params(genesis: &Genesis, record: &ParamsRecord, params: &Params) -> Result<(), ProposalError> {
    let changes = record.params.changes_to(params);
    if let Some(fixed) = changes.iter().find(|change| FIXED_DIALS.contains(&change.name)) {
        return Err(ProposalError::Fixed(*fixed));
    }
    if changes.is_empty() {
        return Err(ProposalError::Unchanged);
    }
    Ok(params.validate(genesis.members.len())?)
}

/// L82: never sooner than the delay that is in force, so that everyone sees it come.
fn check_height(record: &ParamsRecord, now: SideHeight, found: SideHeight) -> Result<(), ProposalError> {
    let after = |blocks: u64| SideHeight::new(now.get().saturating_add(blocks));
    let (earliest, latest) = (after(record.params.change_delay_blocks.into()), after(MAX_CHANGE_AHEAD));
    if found < earliest {
        return Err(ProposalError::TooSoon { earliest, found });
    }
    if found > latest {
        return Err(ProposalError::TooFar { latest, found });
    }
    Ok(())
}

impl ParamsRecord {
    /// At the beginning: the genesis's.
    pub fn first(params: &Params) -> Self {
        let deposits = vec![DepositBounds::of(params, BtcHeight::new(0))];
        Self { params: params.clone(), since: SideHeight::new(0), proposals: 0, deposits, pending: None }
    }

    /// L85: brings into force, for the block of height `height`, what was pending for it. Whether it did.
    pub(crate) fn activate(&mut self, height: SideHeight, anchor: BlockRef) -> bool {
        let Some(pending) = self.pending.take_if(|pending| pending.height <= height) else { return false };
        let PendingChange { height: since, params, .. } = pending;
        // L86: deposits of Bitcoin blocks that the ledger has consumed keep their terms, as long as one could be
        // claimed.
        let oldest = anchor.height.checked_sub(params.reclaim_blocks).unwrap_or_default();
        let from = anchor.height.next().unwrap_or(anchor.height);
        self.deposits.retain(|bounds| bounds.from < from);
        while self.deposits.get(1).is_some_and(|second| second.from <= oldest) {
            self.deposits.remove(0);
        }
        self.deposits.push(DepositBounds::of(&params, from));
        (self.params, self.since) = (params, since);
        true
    }

    /// By what the deposits of Bitcoin block `height` are judged (L86).
    pub fn deposit_bounds(&self, height: BtcHeight) -> DepositBounds {
        let at = self.deposits.iter().rev().find(|bounds| bounds.from <= height).or(self.deposits.first());
        at.copied().unwrap_or_else(|| DepositBounds::of(&self.params, height))
    }

    /// The dials for the block of height `height`, which is not before the state's newest.
    pub fn at(&self, height: SideHeight) -> &Params {
        match &self.pending {
            Some(pending) if pending.height <= height => &pending.params,
            _ => &self.params,
        }
    }
}

impl DepositBounds {
    fn of(params: &Params, from: BtcHeight) -> Self {
        let Params { min_deposit: min, max_deposit: max, fee_rate_sat_per_kvb, .. } = *params;
        Self { from, min, max, fee_rate_sat_per_kvb }
    }
}

impl Work<'_> {
    /// L81 to L84, L87: takes a proposal. It costs nothing: who sent it does not matter, who signed does.
    pub(crate) fn propose(&mut self, id: Digest, proposal: &Proposal) -> Result<(), TxError> {
        let refused = |error: ProposalError| TxError::from(error);
        let membership = self.membership()?;
        proposal.check(self.genesis, &self.in_force, &membership, self.height).map_err(refused)?;
        proposal.verify_signatures(self.genesis, &membership).map_err(refused)?;
        let number = proposal.number;
        self.in_force.proposals = number;
        let height = match &proposal.change {
            ParamsChange::Set { height, params } => {
                let members = proposal.signatures.iter().map(|signature| signature.member).collect();
                let (height, params, proposed) = (*height, params.clone(), self.height);
                self.in_force.pending = Some(PendingChange { height, params, proposed, members });
                Some(height)
            }
            ParamsChange::Cancel => {
                self.in_force.pending = None;
                // L88: a settled epoch comes all the same.
                if membership.next.as_ref().is_some_and(|next| !next.is_settled(self.height)) {
                    self.drop_next_epoch(&membership);
                }
                None
            }
            ParamsChange::Replace { height, member, identity, .. } => {
                self.replace(&membership, proposal, (*member, *identity, *height));
                Some(*height)
            }
        };
        self.receipts.push(Receipt::Proposed { id, number, height });
        Ok(())
    }
}

#[cfg(test)]
#[path = "proposal_tests.rs"]
mod tests;
