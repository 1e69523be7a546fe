//! The members by epochs, as final blocks have them: who may vote at which height, and who is in which place now.

use crate::engine::committee::{Committee, CommitteeError};
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_cryptography::ed25519::{PrivateKey, PublicKey};
use std::sync::{Arc, PoisonError, RwLock};
use windlass_ledger::EpochRecord;
use windlass_light::Epochs;
use windlass_types::{ChainId, SideHeight};

/// All epochs that final blocks know of, the one to come included.
pub(crate) struct Known {
    pub epochs: Epochs,
    /// One for each epoch; this member's own where it is in.
    schemes: Vec<Arc<Scheme>>,
}

impl Known {
    /// The epoch of `height`.
    pub fn epoch_at(&self, height: SideHeight) -> u64 {
        self.epochs.at(height).epoch().get()
    }

    /// The first block of an epoch, and its members.
    pub fn epoch(&self, number: u64) -> Option<(SideHeight, &Committee)> {
        let (first, committee) = self.epochs.list().get(usize::try_from(number).ok()?)?;
        Some((*first, committee))
    }

    pub fn scheme(&self, number: u64) -> Option<Arc<Scheme>> {
        self.schemes.get(usize::try_from(number).ok()?).cloned()
    }

    /// The first block of the epoch after this one, once it is known.
    pub fn next_first(&self, number: u64) -> Option<SideHeight> {
        self.epoch(number.saturating_add(1)).map(|(first, _)| first)
    }
}

/// See the module's head.
pub(crate) struct Committees {
    chain: ChainId,
    key: PrivateKey,
    known: RwLock<Arc<Known>>,
}

impl Committees {
    /// As a final state has them; `key` is this member's.
    pub fn new(chain: ChainId, key: PrivateKey, records: &[EpochRecord]) -> Result<Self, CommitteeError> {
        let known = RwLock::new(Arc::new(read(chain, &key, records)?));
        Ok(Self { chain, key, known })
    }

    pub fn known(&self) -> Arc<Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A later final state has these.
    pub fn update(&self, records: &[EpochRecord]) -> Result<(), CommitteeError> {
        let known = Arc::new(read(self.chain, &self.key, records)?);
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(())
    }
}

fn read(chain: ChainId, key: &PrivateKey, records: &[EpochRecord]) -> Result<Known, CommitteeError> {
    let epochs = Epochs::of_state(chain, records)?;
    let scheme =
        |committee: &Committee| committee.signer(chain, key.clone()).unwrap_or_else(|| committee.verifier(chain));
    let schemes = epochs.list().iter().map(|(_, committee)| Arc::new(scheme(committee))).collect();
    Ok(Known { epochs, schemes })
}

/// Whose key is in which place now: those of the epoch in force, and those of the one to come, so that there are
/// links to a new member before it votes. A key that is out is nobody's.
pub(crate) struct Roster {
    places: usize,
    keys: RwLock<Vec<(PublicKey, u16)>>,
}

impl Roster {
    pub fn new(committee: &Committee) -> Self {
        Self { places: committee.len(), keys: RwLock::new(placed(committee)) }
    }

    /// How many members there are.
    pub const fn len(&self) -> usize {
        self.places
    }

    /// The members at `height`, and those of the next epoch.
    pub fn update(&self, known: &Known, height: SideHeight) -> Vec<(PublicKey, u16)> {
        let mut keys = placed(known.epochs.at(height));
        for pair in placed(known.epochs.newest().1) {
            if !keys.contains(&pair) {
                keys.push(pair);
            }
        }
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys.clone();
        keys
    }

    pub fn place(&self, key: &PublicKey) -> Option<u16> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.iter().find(|(known, _)| known == key).map(|(_, place)| *place)
    }

    /// The keys in these places.
    pub fn keys(&self, wanted: impl Fn(u16) -> bool) -> Vec<PublicKey> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.iter().filter(|(_, place)| wanted(*place)).map(|(key, _)| key.clone()).collect()
    }
}

fn placed(committee: &Committee) -> Vec<(PublicKey, u16)> {
    committee.keys().iter().cloned().zip(0..).collect()
}
