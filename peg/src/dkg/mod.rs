//! Distributed key generation: n members make a key of which each holds a share and any t sign.
//!
//! There is no dealer: the polynomial is the sum of one polynomial from each member (FROST's
//! Pedersen DKG, `frost-secp256k1-tr`). This module is the protocol around it, a state machine
//! without I/O, clock or transport: bytes in, [`DkgEvent`]s out. Messages may be lost, doubled
//! and late; [`Dkg::tick`] repeats what others may lack.
//!
//! 1. `Hello`: each member names its terms (which must be equal) and a fresh nonce. The session is
//!    the hash of all of them.
//! 2. `Round1`: each member's public package, signed by its identity.
//! 3. `Echo`: each member shows all packages that it received. Two different packages with one
//!    author's signature are a proof that it lied; nobody goes on, and everyone can name it.
//! 4. `Round2`: only now the secret shares, one for each recipient.
//! 5. `Hello` with the progress `Saved`: the share is on disk. When all have said so with the same
//!    transcript, the key is complete and may hold coins.
//!
//! Restarts: a member that has nothing on disk begins with a new nonce, and everyone follows into
//! a new session with new secrets. A member that had saved comes back as `Resumed` and takes no
//! further part than to confirm; if another still needs something from it, that one (who can't have
//! confirmed) abandons the session. So a saved share is thrown away only after a member that never
//! confirmed has left its session for ever, and a completed one never. Since a member may lie about
//! that, "thrown away" is "put aside": it comes back if others turn out to have completed with it;
//! and a member that one other refuses its confirmation to goes by those who have completed, if
//! they are more than can be faulty.

mod message;
mod session;

pub use message::{Accusation, DkgMessage, MAX_PACKAGE_BYTES, Progress, SignedPackage};

use crate::{share::KeyShare, wire::Recipient};
use rand::{CryptoRng, RngCore};
use session::Session;
use std::collections::BTreeSet;
use windlass_types::Digest;

/// How many sessions one start of a member may see, so that a member that restarts for ever is
/// named instead of followed for ever.
const MAX_SESSIONS: usize = 1000;

/// Signs and verifies with the members' long-lived identities (ed25519 in a federation).
pub trait Identity {
    /// This member's signature over 32 bytes.
    fn sign(&self, digest: &[u8; 32]) -> [u8; 64];
    /// Whether the signature is that member's.
    fn verify(&self, member: u16, digest: &[u8; 32], signature: &[u8; 64]) -> bool;
}

/// What all members agree on before they generate a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// This member's index, from 0.
    pub me: u16,
    /// How many members there are.
    pub members: u16,
    /// How many sign.
    pub threshold: u16,
    /// The hash of everything that must be equal: names, identities, parameters.
    pub digest: Digest,
}

/// What the caller has to do.
#[derive(Debug)]
pub enum DkgEvent {
    /// Send these bytes.
    Send(Recipient, Vec<u8>),
    /// Write the share durably as pending, then call [`Dkg::saved`].
    Save(Box<KeyShare>),
    /// The pending share's session is dead: put it aside.
    Discard,
    /// Every member has saved its share: promote the pending share.
    Complete,
    /// Key generation stopped. [`Dkg::restart`] begins anew.
    Failed(DkgFailure),
}

/// Why key generation stopped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DkgFailure {
    /// A member signed two packages for one session. The proof is attached.
    #[error("member {member} equivocated: it signed two different packages for one session")]
    Equivocated {
        /// The culprit.
        member: u16,
        /// The two packages.
        proof: Box<[SignedPackage; 2]>,
    },
    /// A member sent what the protocol forbids, to this member.
    #[error("member {member} broke the protocol: {reason}")]
    Misbehaved {
        /// The culprit.
        member: u16,
        /// What it did.
        reason: String,
    },
    /// Another member stopped and named a culprit, without proof.
    #[error("member {by} stopped and accuses member {member}: {reason}")]
    Accused {
        /// The accuser.
        by: u16,
        /// The accused.
        member: u16,
        /// What it is said to have done.
        reason: String,
    },
    /// A member has saved a share of another key.
    #[error("member {member} holds a share of another key: one of the two has an old copy of its data directory")]
    OtherTranscript {
        /// The other.
        member: u16,
    },
    /// Another has a complete key, and this member has no share of it, unless it was put aside.
    #[error("member {member} has completed key generation {transcript}, which this member has no share of")]
    AlreadyComplete {
        /// The one that said so.
        member: u16,
        /// Of this key.
        transcript: Digest,
    },
    /// Members kept restarting.
    #[error("key generation began {MAX_SESSIONS} times; member {member} restarted last")]
    TooManySessions {
        /// The last that restarted.
        member: u16,
    },
}

#[derive(Debug, Clone, Copy, Default)]
struct Peer {
    nonce: Option<[u8; 32]>,
    progress: Option<Progress>,
    other_terms: Option<Digest>,
}

enum Stage {
    /// Waiting for everyone's nonce.
    Gathering,
    /// Packages, echoes and shares are on their way.
    Running(Box<Session>),
    /// The share exists; waiting until everyone has saved. A resumed member has no session.
    Saved { transcript: Digest, nonces: Vec<[u8; 32]>, session: Option<Box<Session>>, on_disk: bool },
    /// Done.
    Complete { transcript: Digest },
    /// Stopped.
    Failed,
}

/// One member's part in a key generation.
pub struct Dkg<I, R> {
    terms: Terms,
    identity: I,
    rng: R,
    nonce: [u8; 32],
    peers: Vec<Peer>,
    seen: BTreeSet<Digest>,
    stage: Stage,
}

impl<I: Identity, R: RngCore + CryptoRng> Dkg<I, R> {
    /// Begins, with nothing on disk.
    pub fn new(terms: Terms, identity: I, mut rng: R) -> (Self, Vec<DkgEvent>) {
        let mut nonce = [0; 32];
        rng.fill_bytes(&mut nonce);
        let dkg = Self::at(terms, identity, rng, nonce, Stage::Gathering);
        let hello = dkg.hello(Recipient::All);
        (dkg, vec![hello])
    }

    /// Goes on after a restart with a pending share on disk.
    pub fn resume(terms: Terms, identity: I, rng: R, pending: &KeyShare) -> (Self, Vec<DkgEvent>) {
        let nonce = pending.nonces.get(usize::from(terms.me)).copied().unwrap_or_default();
        let stage = Stage::Saved {
            transcript: pending.group.transcript,
            nonces: pending.nonces.clone(),
            session: None,
            on_disk: true,
        };
        let dkg = Self::at(terms, identity, rng, nonce, stage);
        let hello = dkg.hello(Recipient::All);
        (dkg, vec![hello])
    }

    /// A member that has completed: it only answers those that don't know yet.
    pub fn completed(terms: Terms, identity: I, rng: R, share: &KeyShare) -> Self {
        let nonce = share.nonces.get(usize::from(terms.me)).copied().unwrap_or_default();
        Self::at(terms, identity, rng, nonce, Stage::Complete { transcript: share.group.transcript })
    }

    fn at(terms: Terms, identity: I, rng: R, nonce: [u8; 32], stage: Stage) -> Self {
        let peers = vec![Peer::default(); usize::from(terms.members)];
        Self { terms, identity, rng, nonce, peers, seen: BTreeSet::new(), stage }
    }

    /// The caller has written the share of [`DkgEvent::Save`] durably.
    pub fn saved(&mut self) -> Vec<DkgEvent> {
        if let Stage::Saved { on_disk, .. } = &mut self.stage {
            *on_disk = true;
        }
        let mut out = vec![self.hello(Recipient::All)];
        self.complete_if_all_saved(&mut out);
        out
    }

    /// Goes on, after [`DkgFailure::AlreadyComplete`], with a share of that transcript that was put
    /// aside and is pending again.
    pub fn take_back(&mut self, pending: &KeyShare) -> Vec<DkgEvent> {
        self.nonce = pending.nonces.get(usize::from(self.terms.me)).copied().unwrap_or_default();
        self.stage = Stage::Saved {
            transcript: pending.group.transcript,
            nonces: pending.nonces.clone(),
            session: None,
            on_disk: true,
        };
        let mut out = vec![self.hello(Recipient::All)];
        self.complete_if_all_saved(&mut out);
        out
    }

    /// Begins anew after a failure, with fresh secrets.
    pub fn restart(&mut self) -> Vec<DkgEvent> {
        let mut out = Vec::new();
        if matches!(self.stage, Stage::Failed) {
            self.begin_anew(&mut out);
            self.start_if_gathered(self.terms.me, &mut out);
        }
        out
    }

    /// Repeats what others may lack. Call it a few times a second until all are complete.
    pub fn tick(&self) -> Vec<DkgEvent> {
        let mut out = Vec::new();
        let session = match &self.stage {
            Stage::Failed | Stage::Complete { .. } => return out,
            Stage::Gathering => None,
            Stage::Running(session) => Some(session),
            Stage::Saved { session, .. } => session.as_ref(),
        };
        out.push(self.hello(Recipient::All));
        if let Some(session) = session {
            session.repeat(&mut out);
        }
        out
    }

    /// Takes in a message that the links authenticated as `from`'s.
    pub fn receive(&mut self, from: u16, bytes: &[u8]) -> Vec<DkgEvent> {
        let mut out = Vec::new();
        if from >= self.terms.members || from == self.terms.me {
            return out;
        }
        match DkgMessage::decode(bytes) {
            Err(error) => tracing::warn!(member = from, %error, "key generation: dropped a message"),
            Ok(DkgMessage::Hello { terms, nonce, progress }) => self.on_hello(from, terms, nonce, progress, &mut out),
            Ok(message) => self.on_session_message(from, message, &mut out),
        }
        out
    }

    /// Whom this member waits for: not heard of, other terms, or behind in the session.
    pub fn waiting_for(&self) -> Vec<u16> {
        let others = (0..self.terms.members).filter(|m| *m != self.terms.me);
        match &self.stage {
            Stage::Gathering => others.filter(|m| self.peer(*m).nonce.is_none()).collect(),
            Stage::Running(session) => session.waiting_for(self.terms.members),
            Stage::Saved { transcript, .. } => others.filter(|m| !self.has_saved(*m, transcript)).collect(),
            Stage::Complete { .. } | Stage::Failed => Vec::new(),
        }
    }

    /// The members whose terms differ from ours, as they last said.
    pub fn other_terms(&self) -> Vec<u16> {
        (0..self.terms.members).filter(|m| self.peer(*m).other_terms.is_some()).collect()
    }

    /// Whether every member is known to have its share.
    pub const fn is_complete(&self) -> bool {
        matches!(self.stage, Stage::Complete { .. })
    }

    fn peer(&self, member: u16) -> Peer {
        self.peers.get(usize::from(member)).copied().unwrap_or_default()
    }

    /// How many members may be faulty, as agreement has it: fewer than a third.
    fn faulty_max(&self) -> usize {
        usize::from(self.terms.members.saturating_sub(1)).checked_div(3).unwrap_or_default()
    }

    fn has_saved(&self, member: u16, transcript: &Digest) -> bool {
        matches!(self.peer(member).progress,
            Some(Progress::Saved(t) | Progress::Resumed(t) | Progress::Complete(t)) if t == *transcript)
    }

    fn hello(&self, to: Recipient) -> DkgEvent {
        let progress = match &self.stage {
            Stage::Saved { transcript, session: Some(_), on_disk: true, .. } => Progress::Saved(*transcript),
            Stage::Saved { transcript, session: None, .. } => Progress::Resumed(*transcript),
            Stage::Complete { transcript } => Progress::Complete(*transcript),
            _ => Progress::Working,
        };
        let message = DkgMessage::Hello { terms: self.terms.digest, nonce: self.nonce, progress };
        DkgEvent::Send(to, message.encode())
    }

    fn on_hello(&mut self, from: u16, terms: Digest, nonce: [u8; 32], progress: Progress, out: &mut Vec<DkgEvent>) {
        let Some(peer) = self.peers.get_mut(usize::from(from)) else { return };
        peer.other_terms = (terms != self.terms.digest).then_some(terms);
        if peer.other_terms.is_some() {
            tracing::warn!(member = from, "key generation: this member was set up with other terms");
            return;
        }
        let changed = peer.nonce != Some(nonce);
        *peer = Peer { nonce: Some(nonce), progress: Some(progress), other_terms: None };
        match &self.stage {
            Stage::Complete { .. } => {
                if !matches!(progress, Progress::Complete(_)) {
                    out.push(self.hello(Recipient::One(from)));
                }
            }
            Stage::Saved { transcript, nonces, .. } => {
                let left = nonces.get(usize::from(from)) != Some(&nonce);
                let transcript = *transcript;
                match progress {
                    Progress::Working if left => {
                        out.push(DkgEvent::Discard);
                        self.begin_anew(out);
                        self.start_if_gathered(from, out);
                    }
                    Progress::Working => {}
                    Progress::Saved(t) | Progress::Resumed(t) | Progress::Complete(t) if t != transcript => {
                        self.fail(DkgFailure::OtherTranscript { member: from }, None, out);
                    }
                    _ => self.complete_if_all_saved(out),
                }
            }
            Stage::Gathering | Stage::Running(_) => self.on_hello_while_working(from, changed, progress, out),
            Stage::Failed => {}
        }
    }

    fn on_hello_while_working(&mut self, from: u16, changed: bool, progress: Progress, out: &mut Vec<DkgEvent>) {
        if let Progress::Complete(transcript) = progress {
            return self.fail(DkgFailure::AlreadyComplete { member: from, transcript }, None, out);
        }
        if let Stage::Running(session) = &self.stage {
            if changed {
                self.stage = Stage::Gathering;
            } else if matches!(progress, Progress::Resumed(_)) && !session.has_all_of(from) {
                // It can't give us its share any more, and we never confirmed: the session is dead.
                self.begin_anew(out);
            }
        }
        self.start_if_gathered(from, out);
    }

    /// Leaves whatever session there was: a new nonce, so that the same session never forms again.
    fn begin_anew(&mut self, out: &mut Vec<DkgEvent>) {
        self.rng.fill_bytes(&mut self.nonce);
        self.stage = Stage::Gathering;
        out.push(self.hello(Recipient::All));
    }

    fn start_if_gathered(&mut self, last: u16, out: &mut Vec<DkgEvent>) {
        if !matches!(self.stage, Stage::Gathering) {
            return;
        }
        let me = self.terms.me;
        let nonces: Option<Vec<[u8; 32]>> =
            (0..self.terms.members).map(|m| if m == me { Some(self.nonce) } else { self.peer(m).nonce }).collect();
        let Some(nonces) = nonces else { return };
        if self.seen.len() >= MAX_SESSIONS {
            return self.fail(DkgFailure::TooManySessions { member: last }, None, out);
        }
        let id = Session::id(&self.terms, &nonces);
        if !self.seen.insert(id) {
            // Two sets of secrets under one session would look like a lie of ours.
            return self.begin_anew(out);
        }
        let session = Session::begin(&self.terms, id, nonces, &self.identity, &mut self.rng);
        session.repeat(out);
        self.stage = Stage::Running(Box::new(session));
        self.advance(out);
    }

    fn on_session_message(&mut self, from: u16, message: DkgMessage, out: &mut Vec<DkgEvent>) {
        let Stage::Running(session) = &mut self.stage else { return };
        let result = match message {
            DkgMessage::Round1 { session: id, package } if id == session.id => {
                session.take_package(&self.identity, from, from, package)
            }
            DkgMessage::Echo { session: id, packages } if id == session.id => {
                session.take_echo(&self.identity, from, packages)
            }
            DkgMessage::Round2 { session: id, package } if id == session.id => {
                session.take_share(from, package);
                Ok(())
            }
            DkgMessage::Abort { session: id, member, accusation } if id == session.id => {
                Err(session.judge(&self.identity, from, member, accusation))
            }
            _ => return,
        };
        match result {
            Ok(()) => self.advance(out),
            Err(failure) => {
                let id = session.id;
                self.fail(failure, Some(id), out);
            }
        }
    }

    fn advance(&mut self, out: &mut Vec<DkgEvent>) {
        let Stage::Running(session) = &mut self.stage else { return };
        match session.advance(&self.terms, out) {
            Ok(None) => {}
            Ok(Some(share)) => {
                let transcript = share.group.transcript;
                let nonces = share.nonces.clone();
                let Stage::Running(session) = std::mem::replace(&mut self.stage, Stage::Gathering) else { return };
                self.stage = Stage::Saved { transcript, nonces, session: Some(session), on_disk: false };
                out.push(DkgEvent::Save(share));
            }
            Err(failure) => {
                let id = session.id;
                self.fail(failure, Some(id), out);
            }
        }
    }

    fn complete_if_all_saved(&mut self, out: &mut Vec<DkgEvent>) {
        let Stage::Saved { transcript, on_disk: true, .. } = &self.stage else { return };
        let transcript = *transcript;
        let complete = Some(Progress::Complete(transcript));
        let witnesses = (0..self.terms.members).filter(|m| self.peer(*m).progress == complete).count();
        if witnesses > self.faulty_max()
            || (0..self.terms.members).all(|m| m == self.terms.me || self.has_saved(m, &transcript))
        {
            self.stage = Stage::Complete { transcript };
            out.push(self.hello(Recipient::All));
            out.push(DkgEvent::Complete);
        }
    }

    fn fail(&mut self, failure: DkgFailure, session: Option<Digest>, out: &mut Vec<DkgEvent>) {
        let accusation = match &failure {
            DkgFailure::Equivocated { member, proof } => Some((*member, Accusation::Equivocation(proof.clone()))),
            DkgFailure::Misbehaved { member, reason } => Some((*member, Accusation::Word(reason.clone()))),
            _ => None,
        };
        if let (Some(session), Some((member, accusation))) = (session, accusation) {
            out.push(DkgEvent::Send(Recipient::All, DkgMessage::Abort { session, member, accusation }.encode()));
        }
        self.stage = Stage::Failed;
        out.push(DkgEvent::Failed(failure));
    }
}

#[cfg(test)]
#[path = "dkg_tests.rs"]
mod tests;
