//! The members as agreement sees them: ed25519 keys in its own (sorted) order, and the signing scheme of
//! their votes.

use commonware_codec::{Decode as _, DecodeExt as _};
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::Finalization;
use commonware_consensus::types::{Epoch, Participant};
use commonware_consensus::{Epochable as _, Viewable as _};
use commonware_cryptography::certificate::Verifier as _;
use commonware_cryptography::ed25519::{PrivateKey, PublicKey};
use commonware_cryptography::sha256;
use commonware_parallel::Sequential;
use commonware_utils::ordered::Set;
use commonware_utils::sys_rng;
use windlass_types::{ChainId, Digest};

/// The first epoch of agreement: the genesis's members.
pub const EPOCH: Epoch = Epoch::zero();

/// Finalize votes of a quorum.
pub type Votes = Finalization<Scheme, sha256::Digest>;

/// Why a list of identities is no committee.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitteeError {
    /// No members.
    #[error("there are no members")]
    Empty,
    /// An identity is no ed25519 key.
    #[error("the identity of member {0} is no ed25519 key")]
    Key(usize),
    /// Two members have the same identity.
    #[error("two members have the same identity")]
    Twice,
}

/// The members of one epoch.
#[derive(Debug, Clone)]
pub struct Committee {
    epoch: Epoch,
    /// In the order of the genesis.
    keys: Vec<PublicKey>,
    sorted: Set<PublicKey>,
}

impl Committee {
    /// Of these ed25519 keys, in the order of the genesis, in the first epoch.
    ///
    /// # Errors
    /// There are none, one is no key, or one is there twice.
    pub fn new(identities: &[[u8; 32]]) -> Result<Self, CommitteeError> {
        Self::of_epoch(EPOCH.get(), identities)
    }

    /// As [`Self::new`], in any epoch: votes of another one are none of theirs.
    ///
    /// # Errors
    /// There are none, one is no key, or one is there twice.
    pub fn of_epoch(epoch: u64, identities: &[[u8; 32]]) -> Result<Self, CommitteeError> {
        if identities.is_empty() {
            return Err(CommitteeError::Empty);
        }
        let keys = identities
            .iter()
            .enumerate()
            .map(|(index, identity)| PublicKey::decode(identity.to_vec()).map_err(|_| CommitteeError::Key(index)))
            .collect::<Result<Vec<_>, _>>()?;
        let sorted = Set::try_from(keys.clone()).map_err(|_| CommitteeError::Twice)?;
        Ok(Self { epoch: Epoch::new(epoch), keys, sorted })
    }

    /// The epoch that their votes are of.
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// How many they are.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Never: a committee has members.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Their keys, in the order of the genesis.
    pub fn keys(&self) -> &[PublicKey] {
        &self.keys
    }

    /// The member's place in the genesis.
    pub fn index(&self, key: &PublicKey) -> Option<u16> {
        self.keys.iter().position(|member| member == key).and_then(|index| u16::try_from(index).ok())
    }

    /// The place in the genesis of the engine's participant.
    pub fn place(&self, participant: Participant) -> Option<u16> {
        self.sorted.get(usize::from(participant)).and_then(|key| self.index(key))
    }

    /// The scheme that checks votes.
    pub fn verifier(&self, chain: ChainId) -> Scheme {
        Scheme::verifier(&namespace(chain), self.sorted.clone())
    }

    /// The scheme that makes votes; `None` for a key that is no member's.
    pub fn signer(&self, chain: ChainId, key: PrivateKey) -> Option<Scheme> {
        Scheme::signer(&namespace(chain), self.sorted.clone(), key)
    }
}

/// Votes are bound to the chain, so a vote on one chain is none on another.
fn namespace(chain: ChainId) -> Vec<u8> {
    [b"windlass/consensus/".as_slice(), chain.0.as_bytes()].concat()
}

/// Reads finalize votes.
///
/// # Errors
/// What the decoder says.
pub fn decode_votes(committee: &Committee, bytes: &[u8]) -> Result<Votes, String> {
    let config = committee.verifier(ChainId(Digest::default())).certificate_codec_config();
    Votes::decode_cfg(bytes.to_vec(), &config).map_err(|error| error.to_string())
}

/// The block that they are for.
pub fn voted_for(votes: &Votes) -> Digest {
    Digest(votes.proposal.payload.0)
}

/// Who voted, by the places in the genesis, ascending.
pub(crate) fn voters(committee: &Committee, votes: &Votes) -> Vec<u16> {
    let mut voters: Vec<u16> = votes.certificate.signers.iter().filter_map(|signer| committee.place(signer)).collect();
    voters.sort_unstable();
    voters
}

/// Whether they are a quorum's, and signed.
pub fn votes_hold(committee: &Committee, chain: ChainId, votes: &Votes) -> bool {
    votes.epoch() == committee.epoch
        && !votes.view().is_zero()
        && votes.verify(&mut sys_rng(), &committee.verifier(chain), &Sequential)
}
