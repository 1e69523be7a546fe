//! Policies: what must be shown to spend from an account of kind *policy*. A small tree of thresholds over
//! keys, SHA-256 hashes and Bitcoin heights; in it are hash locks, multisig and vaults.
//!
//! A [`Policy`] is always a good one (L71): [`Policy::new`] and the decoder check it. The account is the hash of
//! its encoding; how it is spent from is in [`witness`](crate::witness), how it is written in `text`.

use crate::state::encode;
use borsh::io::{Error, ErrorKind, Read, Result as IoResult, Write};
use borsh::{BorshDeserialize, BorshSerialize};
use windlass_types::{AccountId, AccountKind, BtcHeight, tagged_hash};

mod text;

pub use text::PolicyTextError;

/// Most leaves (keys, hashes and heights) of a policy.
pub const MAX_POLICY_LEAVES: usize = 16;
/// Most thresholds on the way from the top to a leaf.
pub const MAX_POLICY_DEPTH: usize = 4;
/// Above it Bitcoin reads a lock time as a time (BIP65).
const MAX_HEIGHT: u32 = 499_999_999;

/// One clause of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Clause {
    /// A BIP340 signature by this x-only key. Bytes that are no point of the curve can't sign.
    Key([u8; 32]),
    /// The 32 bytes whose SHA-256 this is: Lightning's payment hash.
    Sha256([u8; 32]),
    /// The sidechain is anchored at this Bitcoin height, or above.
    After(BtcHeight),
    /// So many of the clauses, exactly.
    Threshold {
        /// How many: 1 to their number.
        k: u8,
        /// Of which: at least two, none twice.
        clauses: Vec<Clause>,
    },
}

/// A policy; see the module's head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy(Clause);

/// What is wrong with a policy (L71).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Too many leaves.
    #[error("a policy has at most {MAX_POLICY_LEAVES} keys, hashes and heights")]
    Leaves,
    /// Nested too deep.
    #[error("a policy nests at most {MAX_POLICY_DEPTH} thresholds")]
    Depth,
    /// A threshold of one clause, or of none.
    #[error("a threshold has at least two clauses")]
    Few,
    /// It asks for none, or for more than there are.
    #[error("a threshold asks for {k} of {n}; it asks for at least 1 and at most all")]
    Threshold {
        /// What it asks for.
        k: u8,
        /// How many there are.
        n: usize,
    },
    /// The same clause twice below one threshold: it would count twice.
    #[error("a threshold has the same clause twice")]
    Twice,
    /// No height of a lock.
    #[error("{0} is no height to wait for: 1 to {MAX_HEIGHT}")]
    Height(u32),
    /// Whoever sees how it is spent could spend it otherwise.
    #[error("it can be spent without any signature: whoever sees the preimage could take it elsewhere")]
    NoKey,
}

impl Clause {
    /// The leaves, from the left.
    fn collect<'a>(&'a self, leaves: &mut Vec<&'a Self>) {
        match self {
            Self::Threshold { clauses, .. } => clauses.iter().for_each(|clause| clause.collect(leaves)),
            leaf => leaves.push(leaf),
        }
    }

    /// L71, below `depth` thresholds; `leaves` counts. Never deeper than the bound, whatever was built.
    fn check(&self, depth: usize, leaves: &mut usize) -> Result<(), PolicyError> {
        let Self::Threshold { k, clauses } = self else {
            *leaves = leaves.saturating_add(1);
            if *leaves > MAX_POLICY_LEAVES {
                return Err(PolicyError::Leaves);
            }
            return match self {
                Self::After(height) if !(1..=MAX_HEIGHT).contains(&height.get()) => {
                    Err(PolicyError::Height(height.get()))
                }
                _ => Ok(()),
            };
        };
        let (n, below) = (clauses.len(), depth.saturating_add(1));
        if below > MAX_POLICY_DEPTH {
            return Err(PolicyError::Depth);
        }
        if n < 2 {
            return Err(PolicyError::Few);
        }
        if *k == 0 || usize::from(*k) > n {
            return Err(PolicyError::Threshold { k: *k, n });
        }
        clauses.iter().try_for_each(|clause| clause.check(below, leaves))?;
        let twice =
            clauses.iter().enumerate().any(|(place, clause)| clauses.iter().take(place).any(|one| one == clause));
        if twice { Err(PolicyError::Twice) } else { Ok(()) }
    }

    /// Whether each way to satisfy it has a signature in it.
    fn needs_key(&self) -> bool {
        match self {
            Self::Key(_) => true,
            Self::Sha256(_) | Self::After(_) => false,
            Self::Threshold { k, clauses } => {
                clauses.iter().filter(|clause| !clause.needs_key()).count() < usize::from(*k)
            }
        }
    }
}

impl Policy {
    /// Checks a policy (L71).
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(root: Clause) -> Result<Self, PolicyError> {
        root.check(0, &mut 0)?;
        if root.needs_key() { Ok(Self(root)) } else { Err(PolicyError::NoKey) }
    }

    /// A hash lock as Lightning's HTLC: `receiver` by the preimage of `hash`, or `sender` from Bitcoin height
    /// `timeout` on.
    ///
    /// # Errors
    /// `timeout` is no height to wait for.
    pub fn hash_lock(
        receiver: [u8; 32],
        hash: [u8; 32],
        sender: [u8; 32],
        timeout: BtcHeight,
    ) -> Result<Self, PolicyError> {
        let both = |one, other| Clause::Threshold { k: 2, clauses: vec![one, other] };
        let claim = both(Clause::Key(receiver), Clause::Sha256(hash));
        let refund = both(Clause::Key(sender), Clause::After(timeout));
        Self::new(Clause::Threshold { k: 1, clauses: vec![claim, refund] })
    }

    /// The tree.
    pub const fn root(&self) -> &Clause {
        &self.0
    }

    /// Its keys, hashes and heights, from the left. A witness has one entry for each.
    pub fn leaves(&self) -> Vec<&Clause> {
        let mut leaves = Vec::new();
        self.0.collect(&mut leaves);
        leaves
    }

    /// The hashes that it names, each once, from the left.
    pub fn hashes(&self) -> Vec<[u8; 32]> {
        let mut hashes = Vec::new();
        for leaf in self.leaves() {
            match leaf {
                Clause::Sha256(hash) if !hashes.contains(hash) => hashes.push(*hash),
                _ => {}
            }
        }
        hashes
    }

    /// The terms of a policy as [`Policy::hash_lock`] makes it; none if it has another shape.
    pub fn as_hash_lock(&self) -> Option<HashLock> {
        match self.leaves().as_slice() {
            [Clause::Key(receiver), Clause::Sha256(hash), Clause::Key(sender), Clause::After(timeout)] => {
                let terms = HashLock { receiver: *receiver, hash: *hash, sender: *sender, timeout: *timeout };
                let made = Self::hash_lock(terms.receiver, terms.hash, terms.sender, terms.timeout);
                made.is_ok_and(|lock| lock == *self).then_some(terms)
            }
            _ => None,
        }
    }

    /// L70: the account that it says how to spend from.
    pub fn account(&self) -> AccountId {
        AccountId { kind: AccountKind::Policy, bytes: tagged_hash("Windlass/policy", &[&encode(self)]) }
    }
}

/// What [`Policy::hash_lock`] makes a policy of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashLock {
    /// Who may take it with the preimage.
    pub receiver: [u8; 32],
    /// Of the preimage.
    pub hash: [u8; 32],
    /// Who may take it back at the timeout.
    pub sender: [u8; 32],
    /// From this anchored height on.
    pub timeout: BtcHeight,
}

const KEY: u8 = 0;
const SHA256: u8 = 1;
const AFTER: u8 = 2;
const THRESHOLD: u8 = 3;

impl BorshSerialize for Clause {
    fn serialize<W: Write>(&self, writer: &mut W) -> IoResult<()> {
        match self {
            Self::Key(key) => (KEY, key).serialize(writer),
            Self::Sha256(hash) => (SHA256, hash).serialize(writer),
            Self::After(height) => (AFTER, height).serialize(writer),
            Self::Threshold { k, clauses } => {
                let count = u8::try_from(clauses.len()).map_err(|_| invalid(PolicyError::Leaves))?;
                (THRESHOLD, *k, count).serialize(writer)?;
                clauses.iter().try_for_each(|clause| clause.serialize(writer))
            }
        }
    }
}

fn invalid(error: PolicyError) -> Error {
    Error::new(ErrorKind::InvalidData, error)
}

/// Reads a clause below `depth` thresholds: bounded in depth and in leaves before anything is kept.
fn read<R: Read>(reader: &mut R, depth: usize, leaves: &mut usize) -> IoResult<Clause> {
    let tag = u8::deserialize_reader(reader)?;
    if tag != THRESHOLD {
        *leaves = leaves.saturating_add(1);
        if *leaves > MAX_POLICY_LEAVES {
            return Err(invalid(PolicyError::Leaves));
        }
    }
    Ok(match tag {
        KEY => Clause::Key(<[u8; 32]>::deserialize_reader(reader)?),
        SHA256 => Clause::Sha256(<[u8; 32]>::deserialize_reader(reader)?),
        AFTER => Clause::After(BtcHeight::deserialize_reader(reader)?),
        THRESHOLD => {
            let below = depth.saturating_add(1);
            if below > MAX_POLICY_DEPTH {
                return Err(invalid(PolicyError::Depth));
            }
            let (k, count) = <(u8, u8)>::deserialize_reader(reader)?;
            let clauses = (0..count).map(|_| read(reader, below, leaves)).collect::<IoResult<Vec<_>>>()?;
            Clause::Threshold { k, clauses }
        }
        tag => return Err(Error::new(ErrorKind::InvalidData, format!("unknown clause {tag}"))),
    })
}

impl BorshSerialize for Policy {
    fn serialize<W: Write>(&self, writer: &mut W) -> IoResult<()> {
        self.0.serialize(writer)
    }
}

impl BorshDeserialize for Policy {
    fn deserialize_reader<R: Read>(reader: &mut R) -> IoResult<Self> {
        Self::new(read(reader, 0, &mut 0)?).map_err(invalid)
    }
}

#[cfg(test)]
#[path = "policy_tests.rs"]
pub(crate) mod tests;
