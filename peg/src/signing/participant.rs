//! A signer's side of a session.
//!
//! It takes nothing that it signs from the coordinator: the transaction, the hashes and the tweaks
//! are the job's, which the member's own ledger gave; a coordinator only arranges commitments. At
//! most one session is open for each coordinator, so memory is bounded by the number of members.

use super::{
    Job, coordinator_of,
    intent::{IntentError, Intents},
    message::{Commitment, SessionId, SigningMessage},
    nonces::{self, Nonces},
    permit::{Permit, Veto},
};
use crate::share::KeyShare;
use bitcoin::{Txid, hashes::Hash as _};
use rand::{CryptoRng, RngCore};
use std::collections::BTreeMap;
use windlass_types::Digest;

/// Why a signer doesn't answer a coordinator.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// This member's ledger has no such batch in flight: it is behind, or the coordinator is.
    #[error("batch {0} is not in flight here")]
    OtherBatch(u64),
    /// The batch is in flight, with another transaction.
    #[error("batch {batch} is {ours} here, not {theirs}")]
    OtherTransaction {
        /// The batch.
        batch: u64,
        /// What our ledger says.
        ours: Txid,
        /// What the coordinator says.
        theirs: Txid,
    },
    /// Another member coordinates this attempt.
    #[error("attempt {attempt} of batch {batch} is coordinated by member {coordinator}")]
    NotCoordinator {
        /// The batch.
        batch: u64,
        /// The attempt.
        attempt: u64,
        /// Who may.
        coordinator: u16,
    },
    /// No nonces wait for that session: never opened, already used, or lost with a restart.
    #[error("the session is not open: its nonces are used up or were lost with a restart")]
    NotOpen,
    /// The package isn't one that this signer can sign.
    #[error("the package {0}")]
    BadPackage(&'static str),
    /// Signed otherwise before, or can't be recorded.
    #[error(transparent)]
    Intent(#[from] IntentError),
    /// The recount disagrees, or the chain forked.
    #[error(transparent)]
    Veto(#[from] Veto),
}

impl Refusal {
    /// Whether an honest coordinator never causes it.
    pub const fn is_fault(&self) -> bool {
        matches!(self, Self::OtherTransaction { .. } | Self::NotCoordinator { .. } | Self::BadPackage(_))
    }
}

#[derive(Debug)]
enum Open {
    Committed {
        session: SessionId,
        commitments: Vec<Commitment>,
        nonces: Nonces,
    },
    /// The nonces are gone. The same package is answered with the same bytes, nothing else is.
    Answered {
        session: SessionId,
        package: Digest,
        shares: Vec<[u8; 32]>,
    },
}

/// The sessions that other members (and this one) coordinate.
#[derive(Debug, Default)]
pub(super) struct Participant {
    open: BTreeMap<u16, Open>,
}

/// A coordinator's request for commitments.
pub(super) struct Proposal {
    pub(super) session: SessionId,
    pub(super) batch: u64,
    pub(super) attempt: u64,
    pub(super) txid: Txid,
}

/// A coordinator's choice of signers.
pub(super) struct Package {
    pub(super) session: SessionId,
    pub(super) signers: Vec<u16>,
    pub(super) commitments: Vec<Vec<Commitment>>,
}

impl Package {
    fn digest(&self) -> Digest {
        let Self { session, signers, commitments } = self;
        let (session, signers, commitments) = (*session, signers.clone(), commitments.clone());
        Digest::tagged(
            "Windlass/signing package",
            &[&SigningMessage::Package { session, signers, commitments }.encode()],
        )
    }
}

impl Participant {
    /// Forgets all sessions, and with them their nonces.
    pub(super) fn clear(&mut self) {
        self.open.clear();
    }

    pub(super) fn on_propose(
        &mut self,
        from: u16,
        proposal: &Proposal,
        job: Option<&Job>,
        share: &KeyShare,
        intents: &Intents,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Result<Vec<Commitment>, Refusal> {
        let Proposal { session, batch, attempt, txid } = *proposal;
        let coordinator = coordinator_of(batch, attempt, share.group.members);
        if coordinator != from {
            return Err(Refusal::NotCoordinator { batch, attempt, coordinator });
        }
        let job = job.filter(|job| job.batch == batch).ok_or(Refusal::OtherBatch(batch))?;
        let ours = job.txid();
        if ours != txid {
            return Err(Refusal::OtherTransaction { batch, ours, theirs: txid });
        }
        if let Some(signed) = intents.get(batch)?.filter(|signed| *signed != ours) {
            return Err(IntentError::Other { batch, signed, asked: ours }.into());
        }
        match self.open.get(&from) {
            // Our answer was lost: the same commitments again, not new ones.
            Some(Open::Committed { session: open, commitments, .. }) if *open == session => Ok(commitments.clone()),
            Some(Open::Answered { session: done, .. }) if *done == session => Err(Refusal::NotOpen),
            _ => {
                let (nonces, commitments) = Nonces::commit(share, job.inputs.len(), rng);
                self.open.insert(from, Open::Committed { session, commitments: commitments.clone(), nonces });
                Ok(commitments)
            }
        }
    }

    pub(super) fn on_package(
        &mut self,
        from: u16,
        package: &Package,
        job: Option<&Job>,
        share: &KeyShare,
        intents: &Intents,
        permit: &dyn Permit,
    ) -> Result<Vec<[u8; 32]>, Refusal> {
        let Package { session, signers, commitments } = package;
        let (session, digest) = (*session, package.digest());
        // Before all else: shares that were made already don't leave again either.
        if let Some(job) = job {
            permit.permits(job)?;
        }
        match self.open.get(&from) {
            Some(Open::Committed { session: open, commitments: ours, .. }) if *open == session => {
                check_package(signers, commitments, ours, share)?;
            }
            Some(Open::Answered { session: done, package, shares }) if *done == session && *package == digest => {
                return Ok(shares.clone());
            }
            _ => return Err(Refusal::NotOpen),
        }
        let job = job.ok_or(Refusal::NotOpen)?;
        let all: BTreeMap<u16, Vec<Commitment>> = signers.iter().copied().zip(commitments.iter().cloned()).collect();
        let packages =
            nonces::packages(job, &all).map_err(|_| Refusal::BadPackage("has a commitment that is no point"))?;
        intents.record(job.batch, job.txid())?;
        let Some(Open::Committed { nonces, .. }) = self.open.remove(&from) else { return Err(Refusal::NotOpen) };
        let shares =
            nonces.sign(share, job, &packages).map_err(|_| Refusal::BadPackage("is one that FROST refuses to sign"))?;
        self.open.insert(from, Open::Answered { session, package: digest, shares: shares.clone() });
        Ok(shares)
    }
}

fn check_package(
    signers: &[u16],
    commitments: &[Vec<Commitment>],
    ours: &[Commitment],
    share: &KeyShare,
) -> Result<(), Refusal> {
    let group = share.group();
    if !signers.is_sorted_by(|a, b| a < b) || signers.iter().any(|m| *m >= group.members()) {
        return Err(Refusal::BadPackage("names signers that are no members, or twice"));
    }
    if signers.len() < usize::from(group.threshold()) {
        return Err(Refusal::BadPackage("names fewer signers than sign"));
    }
    if commitments.len() != signers.len() {
        return Err(Refusal::BadPackage("lacks commitments"));
    }
    let mine = signers.iter().position(|m| *m == share.member()).and_then(|i| commitments.get(i));
    if mine.is_none_or(|mine| mine != ours) {
        return Err(Refusal::BadPackage("has other commitments of this signer than it made"));
    }
    if commitments.iter().any(|list| list.len() != ours.len()) {
        return Err(Refusal::BadPackage("has another number of inputs"));
    }
    Ok(())
}

/// The id in a message as a txid.
pub(super) fn txid(bytes: [u8; 32]) -> Txid {
    Txid::from_byte_array(bytes)
}
