//! What shows that a transaction's account stands behind it. The id does not cover it; a block's body root does.

use crate::policy::{Clause, Policy};
use crate::script::secp;
use crate::tx_error::TxError;
use bitcoin::XOnlyPublicKey;
use bitcoin::hashes::{Hash as _, sha256};
use bitcoin::secp256k1::{Keypair, Message, Secp256k1, schnorr};
use borsh::{BorshDeserialize, BorshSerialize};
use windlass_types::{AccountId, AccountKind, BtcHeight, Digest};

/// See the module's head.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Witness {
    /// Of a claim, which pays nothing.
    None = 0,
    /// BIP340 over the id, by the key of the account.
    Key([u8; 64]) = 1,
    /// Of a policy account.
    Policy(Box<PolicyWitness>) = 2,
}

/// A policy, and what satisfies it.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct PolicyWitness {
    /// The policy whose hash the account is.
    pub policy: Policy,
    /// For each of its leaves, from the left, what satisfies it.
    pub leaves: Vec<LeafWitness>,
}

/// What satisfies one leaf of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum LeafWitness {
    /// The leaf is not used.
    Unused = 0,
    /// BIP340 over the id, by the leaf's key.
    Signature([u8; 64]) = 1,
    /// The bytes with the leaf's hash.
    Preimage([u8; 32]) = 2,
    /// The leaf's height is reached: the ledger looks.
    Reached = 3,
}

/// Why a policy is not satisfied (L72, L73).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PolicyWitnessError {
    /// The policy is another account's.
    #[error("the policy is that of another account")]
    OtherPolicy,
    /// One entry for each leaf.
    #[error("{found} leaves are shown, the policy has {expected}")]
    Leaves {
        /// The policy's.
        expected: usize,
        /// The witness's.
        found: usize,
    },
    /// What is shown does not satisfy its leaf.
    #[error("leaf {0} (counted from 0) is not satisfied by what is shown for it")]
    Leaf(usize),
    /// Too little, or more than is needed.
    #[error("what is shown is not exactly what the policy asks for")]
    NotExact,
}

/// How far what is shown satisfies a clause.
#[derive(PartialEq, Eq)]
enum Shown {
    Nothing,
    Exactly,
}

/// L73: whether exactly what `clause` asks for is shown. `used` tells of each leaf from the left whether it is.
fn exactly(clause: &Clause, used: &mut impl Iterator<Item = bool>) -> Result<Shown, PolicyWitnessError> {
    let Clause::Threshold { k, clauses } = clause else {
        return Ok(if used.next() == Some(true) { Shown::Exactly } else { Shown::Nothing });
    };
    let mut satisfied = 0_usize;
    for clause in clauses {
        if exactly(clause, used)? == Shown::Exactly {
            satisfied = satisfied.saturating_add(1);
        }
    }
    match satisfied {
        0 => Ok(Shown::Nothing),
        found if found == usize::from(*k) => Ok(Shown::Exactly),
        _ => Err(PolicyWitnessError::NotExact),
    }
}

fn signed(key: &[u8; 32], signature: &[u8; 64], id: &Digest) -> bool {
    let (Ok(key), Ok(signature)) = (XOnlyPublicKey::from_slice(key), schnorr::Signature::from_slice(signature)) else {
        return false;
    };
    secp().verify_schnorr(&signature, &Message::from_digest(id.0), &key).is_ok()
}

pub(crate) fn sign(id: &Digest, keypair: &Keypair) -> [u8; 64] {
    // Without auxiliary randomness: the ledger has none, and BIP340 is safe without.
    Secp256k1::signing_only().sign_schnorr_no_aux_rand(&Message::from_digest(id.0), keypair).serialize()
}

impl LeafWitness {
    /// A leaf's signature of the transaction `id`.
    pub fn signature(id: &Digest, keypair: &Keypair) -> Self {
        Self::Signature(sign(id, keypair))
    }

    /// Whether it satisfies `leaf` in the transaction `id`, the height apart (L72).
    pub fn satisfies(&self, leaf: &Clause, id: &Digest) -> bool {
        match (self, leaf) {
            (Self::Unused, _) | (Self::Reached, Clause::After(_)) => true,
            (Self::Signature(signature), Clause::Key(key)) => signed(key, signature, id),
            (Self::Preimage(preimage), Clause::Sha256(hash)) => sha256::Hash::hash(preimage).as_byte_array() == hash,
            _ => false,
        }
    }
}

impl PolicyWitness {
    /// What satisfies `policy` with as few bytes as there are: `available` says what there is for a leaf, if
    /// anything. `None`: not enough.
    pub fn satisfy(policy: Policy, available: impl Fn(&Clause) -> Option<LeafWitness>) -> Option<Self> {
        let found: Vec<Option<LeafWitness>> = policy.leaves().into_iter().map(available).collect();
        let mut place = 0;
        let (_, used) = cheapest(policy.root(), &found, &mut place)?;
        let shown = |(place, leaf): (usize, Option<LeafWitness>)| leaf.filter(|_| used.contains(&place));
        let leaves = found.into_iter().enumerate().map(|leaf| shown(leaf).unwrap_or(LeafWitness::Unused)).collect();
        Some(Self { policy, leaves })
    }

    /// L70, L72 and L73: all but the heights. Signatures last: they take longest.
    pub(crate) fn verify(&self, from: &AccountId, id: &Digest) -> Result<(), PolicyWitnessError> {
        if self.policy.account() != *from {
            return Err(PolicyWitnessError::OtherPolicy);
        }
        let leaves = self.policy.leaves();
        let (expected, found) = (leaves.len(), self.leaves.len());
        if expected != found {
            return Err(PolicyWitnessError::Leaves { expected, found });
        }
        let mut used = self.leaves.iter().map(|leaf| *leaf != LeafWitness::Unused);
        if exactly(self.policy.root(), &mut used)? == Shown::Nothing {
            return Err(PolicyWitnessError::NotExact);
        }
        let bad = leaves.iter().zip(&self.leaves).position(|(leaf, shown)| !shown.satisfies(leaf, id));
        bad.map_or(Ok(()), |place| Err(PolicyWitnessError::Leaf(place)))
    }

    /// The hashes whose preimages it shows, with them.
    pub(crate) fn preimages(&self) -> impl Iterator<Item = ([u8; 32], [u8; 32])> {
        self.policy.leaves().into_iter().zip(&self.leaves).filter_map(|pair| match pair {
            (Clause::Sha256(hash), LeafWitness::Preimage(preimage)) => Some((*hash, *preimage)),
            _ => None,
        })
    }

    /// The highest height that must be reached.
    fn after(&self) -> Option<BtcHeight> {
        let used = self.policy.leaves().into_iter().zip(&self.leaves);
        let heights = used.filter_map(|pair| match pair {
            (Clause::After(height), LeafWitness::Reached) => Some(*height),
            _ => None,
        });
        heights.max()
    }
}

/// The cheapest way to satisfy `clause` with what was `found`: its bytes, and which leaves it uses. `place` is the
/// clause's first leaf, and then the one after it.
fn cheapest(clause: &Clause, found: &[Option<LeafWitness>], place: &mut usize) -> Option<(usize, Vec<usize>)> {
    let Clause::Threshold { k, clauses } = clause else {
        let at = *place;
        *place = at.saturating_add(1);
        let bytes = match found.get(at)?.as_ref()? {
            LeafWitness::Unused => return None,
            LeafWitness::Signature(_) => 64,
            LeafWitness::Preimage(_) => 32,
            LeafWitness::Reached => 0,
        };
        return Some((bytes, vec![at]));
    };
    // All of them, so that `place` gets to the end.
    let mut ways: Vec<(usize, Vec<usize>)> =
        clauses.iter().filter_map(|clause| cheapest(clause, found, place)).collect();
    ways.sort_by_key(|(bytes, _)| *bytes);
    let ways = ways.get(..usize::from(*k))?;
    let bytes = ways.iter().fold(0_usize, |sum, (bytes, _)| sum.saturating_add(*bytes));
    Some((bytes, ways.iter().flat_map(|(_, used)| used.clone()).collect()))
}

impl Witness {
    /// The witness of a policy account, if it is one.
    pub const fn policy(&self) -> Option<&PolicyWitness> {
        match self {
            Self::Policy(witness) => Some(witness),
            _ => None,
        }
    }

    /// The Bitcoin height that must be reached (L74).
    pub fn after(&self) -> Option<BtcHeight> {
        self.policy().and_then(PolicyWitness::after)
    }

    /// L10, L70: the account that pays stands behind the transaction `id`.
    pub(crate) fn verify(&self, from: Option<AccountId>, id: &Digest) -> Result<(), TxError> {
        let Some(from) = from else {
            return if *self == Self::None { Ok(()) } else { Err(TxError::ClaimSigned) };
        };
        match (from.kind, self) {
            (AccountKind::Key, Self::Key(signature)) => {
                from.key().ok_or(TxError::NoKey(from))?;
                if signed(&from.bytes, signature, id) { Ok(()) } else { Err(TxError::Signature(from)) }
            }
            (AccountKind::Policy, Self::Policy(witness)) => Ok(witness.verify(&from, id)?),
            (AccountKind::System, _) => Err(TxError::NoKey(from)),
            _ => Err(TxError::WitnessKind(from)),
        }
    }
}

#[cfg(test)]
#[path = "witness_tests.rs"]
mod tests;
