//! The coordinator's side of a session: collect commitments, choose signers, aggregate.
//!
//! A coordinator learns nothing secret and decides nothing: at worst it wastes its attempt.

use super::{
    Job,
    message::{Commitment, SessionId},
    nonces,
};
use crate::share::{GroupKey, identifier, index};
use bitcoin::hashes::Hash as _;
use frost_secp256k1_tr::{self as frost, SigningPackage, round2::SignatureShare};
use std::collections::{BTreeMap, BTreeSet};

/// One session that this member coordinates.
pub(super) struct Session {
    pub(super) id: SessionId,
    pub(super) since_ms: u64,
    commitments: BTreeMap<u16, Vec<Commitment>>,
    stage: Stage,
}

enum Stage {
    Collecting,
    Sharing {
        packages: Vec<SigningPackage>,
        chosen: BTreeMap<u16, Vec<Commitment>>,
        shares: BTreeMap<u16, Vec<[u8; 32]>>,
    },
}

/// What a session came to.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Not yet.
    Waiting,
    /// Enough commitments: send the package to the chosen.
    Chosen,
    /// Signatures, one an input; not verified yet.
    Signatures(Vec<[u8; 64]>),
    /// These members spoilt it.
    Cheated(BTreeSet<u16>),
}

impl Session {
    pub(super) const fn new(id: SessionId, now_ms: u64) -> Self {
        Self { id, since_ms: now_ms, commitments: BTreeMap::new(), stage: Stage::Collecting }
    }

    /// The chosen signers and their commitments, once chosen.
    pub(super) fn chosen(&self) -> Option<&BTreeMap<u16, Vec<Commitment>>> {
        match &self.stage {
            Stage::Collecting => None,
            Stage::Sharing { chosen, .. } => Some(chosen),
        }
    }

    /// Who has not answered in the present stage.
    pub(super) fn missing(&self, members: u16) -> Vec<u16> {
        match &self.stage {
            Stage::Collecting => (0..members).filter(|m| !self.commitments.contains_key(m)).collect(),
            Stage::Sharing { chosen, shares, .. } => {
                chosen.keys().copied().filter(|m| !shares.contains_key(m)).collect()
            }
        }
    }

    pub(super) fn on_commit(
        &mut self,
        from: u16,
        commitments: Vec<Commitment>,
        job: &Job,
        group: &GroupKey,
        left_out: &BTreeSet<u16>,
        now_ms: u64,
    ) -> Outcome {
        if !matches!(self.stage, Stage::Collecting) || left_out.contains(&from) {
            return Outcome::Waiting;
        }
        if commitments.len() != job.inputs.len() || commitments.iter().any(|c| nonces::decode(c).is_none()) {
            return Outcome::Cheated(BTreeSet::from([from]));
        }
        self.commitments.entry(from).or_insert(commitments);
        if self.commitments.len() < usize::from(group.threshold()) {
            return Outcome::Waiting;
        }
        let chosen = self.commitments.clone();
        match nonces::packages(job, &chosen) {
            Ok(packages) => {
                self.since_ms = now_ms;
                self.stage = Stage::Sharing { packages, chosen, shares: BTreeMap::new() };
                Outcome::Chosen
            }
            Err(member) => Outcome::Cheated(BTreeSet::from([member])),
        }
    }

    pub(super) fn on_shares(&mut self, from: u16, list: Vec<[u8; 32]>, job: &Job, group: &GroupKey) -> Outcome {
        let Stage::Sharing { packages, chosen, shares } = &mut self.stage else { return Outcome::Waiting };
        if !chosen.contains_key(&from) {
            return Outcome::Waiting;
        }
        if list.len() != job.inputs.len() {
            return Outcome::Cheated(BTreeSet::from([from]));
        }
        shares.entry(from).or_insert(list);
        if shares.len() < chosen.len() {
            return Outcome::Waiting;
        }
        aggregate(job, group, packages, shares)
    }
}

fn aggregate(
    job: &Job,
    group: &GroupKey,
    packages: &[SigningPackage],
    shares: &BTreeMap<u16, Vec<[u8; 32]>>,
) -> Outcome {
    let mut signatures = Vec::with_capacity(job.inputs.len());
    for (i, (input, package)) in job.inputs.iter().zip(packages).enumerate() {
        let mut of_input = BTreeMap::new();
        for (member, list) in shares {
            let share = list.get(i).and_then(|bytes| SignatureShare::deserialize(bytes).ok());
            match (identifier(*member), share) {
                (Some(id), Some(share)) => of_input.insert(id, share),
                _ => return Outcome::Cheated(BTreeSet::from([*member])),
            };
        }
        let root = input.root.to_byte_array();
        match frost::aggregate_with_tweak(package, &of_input, &group.public, Some(&root)) {
            Ok(signature) => match signature.serialize().ok().and_then(|b| <[u8; 64]>::try_from(b).ok()) {
                Some(bytes) => signatures.push(bytes),
                None => return Outcome::Cheated(BTreeSet::new()),
            },
            Err(error) => {
                let culprits = error.culprits();
                return Outcome::Cheated(culprits.iter().filter_map(|id| index(group.members(), id)).collect());
            }
        }
    }
    Outcome::Signatures(signatures)
}
