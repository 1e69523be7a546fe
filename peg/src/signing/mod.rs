//! Threshold signing of the batch in flight: FROST over the members' own links.
//!
//! A finalised block fixes the exact Bitcoin transaction ([`Job`]); every member has it from its
//! own ledger. [`Signer`] is a state machine without I/O or clock: bytes and the time in,
//! [`SignerEvent`]s out (it does write its intents, through the store, before a share leaves).
//!
//! `Propose` (coordinator) → `Commit` (all) → `Package` (to the first t) → `Shares` → `Signed` (to
//! all). One FROST session an input, all in one exchange.
//!
//! - The coordinator of an attempt is `(batch + attempt) mod n`. When an attempt brings nothing in
//!   [`Pace::attempt_ms`], each member goes on to the next by itself; a signer answers the rightful
//!   coordinator of any attempt, so members need not agree on the number.
//! - Within its attempt a coordinator starts again at once, in a fresh session with fresh nonces,
//!   without those that cheated or fell silent.
//! - Nonces: see [`nonces`]. Intents: see [`intent`].

mod coordinator;
pub mod intent;
mod job;
mod message;
mod nonces;
mod participant;
mod permit;

pub use intent::{IntentError, Intents};
pub use job::{Job, JobInput, SignatureError};
pub use message::{Commitment, MAX_INPUTS, SessionId, SigningMessage};
pub use participant::Refusal;
pub use permit::{Permit, Veto, ask};

use crate::{
    share::{GroupKey, KeyShare},
    wire::Recipient,
};
use bitcoin::{Transaction, Txid, hashes::Hash as _};
use coordinator::{Outcome, Session};
use participant::{Package, Participant, Proposal};
use rand::{CryptoRng, RngCore};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How long things may take. All members should have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// An attempt without a result ends after so many milliseconds.
    pub attempt_ms: u64,
    /// A chosen signer has so many milliseconds to send its shares.
    pub reply_ms: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { attempt_ms: 3_000, reply_ms: 1_000 }
    }
}

/// What the caller has to do, or should know.
#[derive(Debug)]
pub enum SignerEvent {
    /// Send these bytes.
    Send(Recipient, Vec<u8>),
    /// The batch is signed and verified: check it against the mempool and broadcast it.
    Signed {
        /// The batch.
        batch: u64,
        /// With all witnesses.
        transaction: Box<Transaction>,
    },
    /// A member did what an honest one never does, or failed to do what it began.
    Fault {
        /// The member.
        member: u16,
        /// What happened.
        reason: String,
    },
}

/// Where signing stands, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// No batch is in flight.
    Idle,
    /// A batch waits for signatures.
    Signing {
        /// The batch.
        batch: u64,
        /// Its transaction.
        txid: Txid,
        /// How often it was tried.
        attempt: u64,
        /// Who coordinates.
        coordinator: u16,
        /// Whom the coordinator waits for (known only if this member coordinates).
        missing: Vec<u16>,
        /// Who is left out because it cheated.
        left_out: Vec<u16>,
    },
    /// The batch is signed.
    Signed {
        /// The batch.
        batch: u64,
        /// Its transaction.
        txid: Txid,
        /// Who signed, as the coordinator says.
        signers: Vec<u16>,
    },
}

impl Done {
    fn message(&self, batch: u64) -> SigningMessage {
        SigningMessage::Signed { batch, signers: self.signers.clone(), signatures: self.signatures.clone() }
    }
}

/// Who coordinates the attempt.
pub fn coordinator_of(batch: u64, attempt: u64, members: u16) -> u16 {
    let members = u64::from(members.max(1));
    let sum = (batch.checked_rem(members).unwrap_or_default())
        .saturating_add(attempt.checked_rem(members).unwrap_or_default());
    u16::try_from(sum.checked_rem(members).unwrap_or_default()).unwrap_or_default()
}

/// A signed batch.
struct Done {
    transaction: Transaction,
    signers: Vec<u16>,
    signatures: Vec<[u8; 64]>,
}

/// One member's part in signing, as signer and, in its turn, as coordinator.
pub struct Signer<R> {
    share: KeyShare,
    intents: Intents,
    permit: Arc<dyn Permit>,
    rng: R,
    pace: Pace,
    job: Option<Job>,
    signed: Option<Done>,
    attempt: u64,
    attempt_since_ms: u64,
    participant: Participant,
    session: Option<Session>,
    /// For this batch.
    cheated: BTreeSet<u16>,
    /// In this attempt.
    silent: BTreeSet<u16>,
}

impl<R: RngCore + CryptoRng> Signer<R> {
    /// A signer with nothing to do. `permit` is asked before anything is signed.
    pub fn new(share: KeyShare, intents: Intents, permit: Arc<dyn Permit>, rng: R, pace: Pace) -> Self {
        Self {
            share,
            intents,
            permit,
            rng,
            pace,
            job: None,
            signed: None,
            attempt: 0,
            attempt_since_ms: 0,
            participant: Participant::default(),
            session: None,
            cheated: BTreeSet::new(),
            silent: BTreeSet::new(),
        }
    }

    /// The group that it signs for.
    pub const fn group(&self) -> &GroupKey {
        self.share.group()
    }

    /// The batch that this member's own finalised ledger has in flight, or none.
    pub fn set_job(&mut self, job: Option<Job>, now_ms: u64) -> Vec<SignerEvent> {
        if self.job == job {
            return Vec::new();
        }
        self.job = job;
        self.signed = None;
        self.attempt = 0;
        self.attempt_since_ms = now_ms;
        self.participant.clear();
        self.session = None;
        self.cheated.clear();
        self.silent.clear();
        self.tick(now_ms)
    }

    /// Advances time. Call it a few times a second.
    pub fn tick(&mut self, now_ms: u64) -> Vec<SignerEvent> {
        let mut out = Vec::new();
        let Some(job) = &self.job else { return out };
        if self.signed.is_some() {
            return out;
        }
        if now_ms.saturating_sub(self.attempt_since_ms) >= self.pace.attempt_ms {
            self.attempt = self.attempt.saturating_add(1);
            self.attempt_since_ms = now_ms;
            self.session = None;
            self.silent.clear();
        }
        let members = self.share.group.members;
        if coordinator_of(job.batch, self.attempt, members) != self.share.me {
            self.session = None;
            return out;
        }
        match &self.session {
            None => self.begin_session(now_ms, &mut out),
            Some(session) if session.chosen().is_none() => self.repeat_proposal(&mut out),
            Some(session) if now_ms.saturating_sub(session.since_ms) >= self.pace.reply_ms => {
                for member in session.missing(members) {
                    out.push(SignerEvent::Fault { member, reason: "sent commitments, then no shares".into() });
                    self.silent.insert(member);
                }
                self.begin_session(now_ms, &mut out);
            }
            Some(_) => self.repeat_package(&mut out),
        }
        out
    }

    /// Takes in a message that the links authenticated as `from`'s.
    pub fn receive(&mut self, from: u16, bytes: &[u8], now_ms: u64) -> Vec<SignerEvent> {
        let mut out = Vec::new();
        if from >= self.share.group.members || from == self.share.me {
            return out;
        }
        match SigningMessage::decode(bytes) {
            Err(error) => out.push(SignerEvent::Fault { member: from, reason: error.to_string() }),
            Ok(message) => self.handle(from, message, now_ms, &mut out),
        }
        out
    }

    /// Where signing stands.
    pub fn status(&self) -> Status {
        let Some(job) = &self.job else { return Status::Idle };
        let (batch, txid) = (job.batch, job.txid());
        if let Some(done) = &self.signed {
            return Status::Signed { batch, txid, signers: done.signers.clone() };
        }
        let members = self.share.group.members;
        Status::Signing {
            batch,
            txid,
            attempt: self.attempt,
            coordinator: coordinator_of(batch, self.attempt, members),
            missing: self.session.as_ref().map(|s| s.missing(members)).unwrap_or_default(),
            left_out: self.cheated.iter().copied().collect(),
        }
    }

    /// Why this member signs nothing now, if it has something to sign and may not.
    pub fn veto(&self) -> Option<Veto> {
        self.job.as_ref().and_then(|job| self.permit.permits(job).err())
    }

    /// The signed transaction of the batch in flight, if this member has it.
    pub fn signed(&self) -> Option<&Transaction> {
        self.signed.as_ref().map(|done| &done.transaction)
    }

    fn handle(&mut self, from: u16, message: SigningMessage, now_ms: u64, out: &mut Vec<SignerEvent>) {
        match message {
            SigningMessage::Propose { session, batch, attempt, txid } => {
                let proposal = Proposal { session, batch, attempt, txid: participant::txid(txid) };
                self.on_propose(from, &proposal, out);
            }
            SigningMessage::Package { session, signers, commitments } => {
                match self.sign_package(from, &Package { session, signers, commitments }) {
                    Ok(shares) => send(out, Recipient::One(from), &SigningMessage::Shares { session, shares }),
                    Err(refusal) => refused(from, &refusal, out),
                }
            }
            SigningMessage::Commit { session, commitments } if self.is_open(&session) => {
                self.on_commit(from, commitments, now_ms, out);
            }
            SigningMessage::Shares { session, shares } if self.is_open(&session) => {
                self.on_shares(from, shares, now_ms, out);
            }
            SigningMessage::Commit { .. } | SigningMessage::Shares { .. } => {}
            SigningMessage::Signed { batch, signers, signatures } => {
                let Some(job) = self.job.as_ref().filter(|job| job.batch == batch) else { return };
                if self.signed.is_some() {
                    return;
                }
                match job.finish(&self.share.group, &signatures) {
                    Ok(transaction) => self.adopt(Done { transaction, signers, signatures }, out),
                    Err(error) => out.push(SignerEvent::Fault { member: from, reason: error.to_string() }),
                }
            }
        }
    }

    fn on_propose(&mut self, from: u16, proposal: &Proposal, out: &mut Vec<SignerEvent>) {
        if let (Some(done), Some(job)) = (&self.signed, &self.job)
            && job.batch == proposal.batch
        {
            return send(out, Recipient::One(from), &done.message(job.batch));
        }
        match self.commit_to(from, proposal) {
            Ok(commitments) => {
                let message = SigningMessage::Commit { session: proposal.session, commitments };
                send(out, Recipient::One(from), &message);
            }
            Err(refusal) => refused(from, &refusal, out),
        }
    }

    fn commit_to(&mut self, from: u16, proposal: &Proposal) -> Result<Vec<Commitment>, Refusal> {
        let job = self.job.as_ref();
        if let Some(job) = job {
            self.permit.permits(job)?;
        }
        self.participant.on_propose(from, proposal, job, &self.share, &self.intents, &mut self.rng)
    }

    fn sign_package(&mut self, from: u16, package: &Package) -> Result<Vec<[u8; 32]>, Refusal> {
        self.participant.on_package(from, package, self.job.as_ref(), &self.share, &self.intents, &*self.permit)
    }

    fn is_open(&self, session: &SessionId) -> bool {
        self.session.as_ref().is_some_and(|open| open.id == *session)
    }

    fn left_out(&self) -> BTreeSet<u16> {
        self.cheated.union(&self.silent).copied().collect()
    }

    fn begin_session(&mut self, now_ms: u64, out: &mut Vec<SignerEvent>) {
        let (members, threshold) = (self.share.group.members, self.share.group.threshold);
        let enough = |out: usize| usize::from(members).saturating_sub(out) >= usize::from(threshold);
        if !enough(self.left_out().len()) {
            // Too few are left: the silent may be back, and then the cheaters get another chance.
            self.silent.clear();
            if !enough(self.cheated.len()) {
                self.cheated.clear();
            }
        }
        let Some(job) = &self.job else { return };
        let (batch, txid) = (job.batch, job.txid());
        let mut id = [0; 32];
        self.rng.fill_bytes(&mut id);
        self.session = Some(Session::new(id, now_ms));
        self.repeat_proposal(out);
        let proposal = Proposal { session: id, batch, attempt: self.attempt, txid };
        let me = self.share.me;
        match self.commit_to(me, &proposal) {
            Ok(commitments) => self.on_commit(me, commitments, now_ms, out),
            Err(refusal) => {
                own_refusal(batch, &refusal);
                self.session = None;
            }
        }
    }

    fn repeat_proposal(&self, out: &mut Vec<SignerEvent>) {
        let (Some(job), Some(session)) = (&self.job, &self.session) else { return };
        let left_out = self.left_out();
        let message = SigningMessage::Propose {
            session: session.id,
            batch: job.batch,
            attempt: self.attempt,
            txid: job.txid().to_byte_array(),
        };
        for member in session.missing(self.share.group.members) {
            if member != self.share.me && !left_out.contains(&member) {
                send(out, Recipient::One(member), &message);
            }
        }
    }

    fn repeat_package(&self, out: &mut Vec<SignerEvent>) {
        let Some(session) = &self.session else { return };
        let Some(chosen) = session.chosen() else { return };
        let message = package_message(session.id, chosen);
        for member in session.missing(self.share.group.members) {
            if member != self.share.me {
                send(out, Recipient::One(member), &message);
            }
        }
    }

    fn on_commit(&mut self, from: u16, commitments: Vec<Commitment>, now_ms: u64, out: &mut Vec<SignerEvent>) {
        let left_out = self.left_out();
        let (Some(session), Some(job)) = (&mut self.session, &self.job) else { return };
        let outcome = session.on_commit(from, commitments, job, &self.share.group, &left_out, now_ms);
        self.conclude(outcome, now_ms, out);
    }

    fn on_shares(&mut self, from: u16, shares: Vec<[u8; 32]>, now_ms: u64, out: &mut Vec<SignerEvent>) {
        let (Some(session), Some(job)) = (&mut self.session, &self.job) else { return };
        let outcome = session.on_shares(from, shares, job, &self.share.group);
        self.conclude(outcome, now_ms, out);
    }

    fn conclude(&mut self, outcome: Outcome, now_ms: u64, out: &mut Vec<SignerEvent>) {
        match outcome {
            Outcome::Waiting => {}
            Outcome::Chosen => {
                self.repeat_package(out);
                let Some(session) = &self.session else { return };
                let Some(chosen) = session.chosen().cloned() else { return };
                let (id, me) = (session.id, self.share.me);
                let batch = self.job.as_ref().map(|job| job.batch).unwrap_or_default();
                if !chosen.contains_key(&me) {
                    return;
                }
                let (signers, commitments) = chosen.into_iter().unzip();
                match self.sign_package(me, &Package { session: id, signers, commitments }) {
                    Ok(shares) => self.on_shares(me, shares, now_ms, out),
                    Err(refusal) => {
                        own_refusal(batch, &refusal);
                        self.session = None;
                    }
                }
            }
            Outcome::Signatures(signatures) => {
                let Some(job) = &self.job else { return };
                match job.finish(&self.share.group, &signatures) {
                    Ok(transaction) => {
                        let chosen = self.session.as_ref().and_then(Session::chosen);
                        let signers = chosen.map(|c| c.keys().copied().collect()).unwrap_or_default();
                        let done = Done { transaction, signers, signatures };
                        send(out, Recipient::All, &done.message(job.batch));
                        self.adopt(done, out);
                    }
                    Err(error) => {
                        // FROST accepted it, libsecp256k1 does not: nothing leaves.
                        tracing::error!(%error, "an aggregated signature is invalid");
                        self.session = None;
                    }
                }
            }
            Outcome::Cheated(members) => {
                for member in &members {
                    let reason = "sent commitments or shares that are invalid".into();
                    out.push(SignerEvent::Fault { member: *member, reason });
                }
                self.cheated.extend(members);
                self.begin_session(now_ms, out);
            }
        }
    }

    fn adopt(&mut self, done: Done, out: &mut Vec<SignerEvent>) {
        let Some(job) = &self.job else { return };
        out.push(SignerEvent::Signed { batch: job.batch, transaction: Box::new(done.transaction.clone()) });
        self.signed = Some(done);
        self.session = None;
        self.participant.clear();
    }
}

fn package_message(session: SessionId, chosen: &BTreeMap<u16, Vec<Commitment>>) -> SigningMessage {
    SigningMessage::Package {
        session,
        signers: chosen.keys().copied().collect(),
        commitments: chosen.values().cloned().collect(),
    }
}

fn send(out: &mut Vec<SignerEvent>, to: Recipient, message: &SigningMessage) {
    out.push(SignerEvent::Send(to, message.encode()));
}

fn refused(from: u16, refusal: &Refusal, out: &mut Vec<SignerEvent>) {
    if refusal.is_fault() {
        out.push(SignerEvent::Fault { member: from, reason: format!("as coordinator: {refusal}") });
    } else if matches!(refusal, Refusal::Veto(veto) if !veto.is_passing()) {
        tracing::error!(member = from, %refusal, "signing: refused");
    } else {
        tracing::debug!(member = from, %refusal, "signing: no answer");
    }
}

fn own_refusal(batch: u64, refusal: &Refusal) {
    if matches!(refusal, Refusal::Veto(veto) if veto.is_passing()) {
        tracing::debug!(batch, %refusal, "signing: not yet");
    } else {
        tracing::error!(batch, %refusal, "this member refuses to sign");
    }
}

#[cfg(test)]
#[path = "signing_tests.rs"]
mod tests;
