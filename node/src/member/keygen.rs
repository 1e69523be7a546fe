//! Runs key generation over the links until this member and every other has its share.

use super::links::{self, Inbox, Topic};
use rand::rngs::OsRng;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tracing::{error, info, warn};
use windlass_peg::dkg::{Dkg, DkgEvent, DkgFailure, Identity, Terms};
use windlass_peg::share::{KeyShare, ShareFile, ShareFileError, StoredShare};
use windlass_sidechain::{IdentitySeed, LinkSender, endorse, endorsed};

/// How often what others may lack is repeated.
const TICK: Duration = Duration::from_millis(250);
/// After a failure, begin anew after so long.
const BACK_OFF: Duration = Duration::from_secs(5);

/// The members' ed25519 identities.
pub(super) struct Identities {
    pub(super) seed: IdentitySeed,
    pub(super) members: Vec<[u8; 32]>,
}

impl Identity for Identities {
    fn sign(&self, digest: &[u8; 32]) -> [u8; 64] {
        endorse(&self.seed, digest)
    }

    fn verify(&self, member: u16, digest: &[u8; 32], signature: &[u8; 64]) -> bool {
        self.members.get(usize::from(member)).is_some_and(|identity| endorsed(identity, digest, signature))
    }
}

/// Why there is no share.
#[derive(Debug, thiserror::Error)]
pub enum KeyGenerationError {
    /// The share's file.
    #[error(transparent)]
    File(#[from] ShareFileError),
    /// The links closed.
    #[error("the links to the other members have closed")]
    Stopped,
    /// The share that was saved is gone.
    #[error("the share that key generation saved is gone")]
    Lost,
}

/// Says what key generation waits for, whenever that changes.
pub(super) type Tell = Arc<dyn Fn(String) + Send + Sync>;

/// This member's share: from its folder, or by generating it with the others. Afterwards a task
/// goes on answering members that don't know yet that all are done.
pub(super) async fn share(
    file: ShareFile,
    terms: Terms,
    identities: Identities,
    names: Vec<String>,
    links: LinkSender,
    mut inbox: Inbox,
    tell: Tell,
) -> Result<KeyShare, KeyGenerationError> {
    let (dkg, events) = match file.load()? {
        StoredShare::Complete(share) => {
            let dkg = Dkg::completed(terms, identities, OsRng, &share);
            tokio::spawn(answer(dkg, links, inbox));
            return Ok(share);
        }
        StoredShare::Pending(share) => {
            info!("key generation goes on with the share that was saved");
            Dkg::resume(terms, identities, OsRng, &share)
        }
        StoredShare::None => {
            info!("generating the federation's key");
            Dkg::new(terms, identities, OsRng)
        }
    };
    let mut run = Run { dkg, file, names, links, restart: None, told: String::new(), tell };
    run.handle(events)?;
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !run.dkg.is_complete() {
        let restart = run.restart;
        let mut ticked = false;
        let events = tokio::select! {
            message = inbox.recv() => match message {
                Some((from, bytes)) => run.dkg.receive(from, &bytes),
                None => return Err(KeyGenerationError::Stopped),
            },
            _ = tick.tick() => {
                ticked = true;
                run.dkg.tick()
            }
            () = sleep_until(restart.unwrap_or_else(Instant::now)), if restart.is_some() => {
                run.restart = None;
                run.dkg.restart()
            }
        };
        run.handle(events)?;
        if ticked {
            run.say();
        }
    }
    let StoredShare::Complete(share) = run.file.load()? else { return Err(KeyGenerationError::Lost) };
    info!(group = ?share.group(), "the federation's key is complete");
    tokio::spawn(answer(run.dkg, run.links, inbox));
    Ok(share)
}

struct Run {
    dkg: Dkg<Identities, OsRng>,
    file: ShareFile,
    names: Vec<String>,
    links: LinkSender,
    restart: Option<Instant>,
    told: String,
    tell: Tell,
}

impl Run {
    fn handle(&mut self, events: Vec<DkgEvent>) -> Result<(), KeyGenerationError> {
        for event in events {
            match event {
                DkgEvent::Send(to, bytes) => links::send(&self.links, Topic::KeyGeneration, to, &bytes),
                DkgEvent::Save(share) => {
                    self.file.save_pending(&share)?;
                    let more = self.dkg.saved();
                    self.handle(more)?;
                }
                DkgEvent::Discard => {
                    warn!("another member began key generation anew: the share that was saved is void");
                    self.file.discard_pending()?;
                }
                DkgEvent::Complete => self.file.promote()?,
                DkgEvent::Failed(DkgFailure::AlreadyComplete { transcript, member })
                    if self.file.take_back(transcript)? =>
                {
                    warn!(member, "others have completed with the share that was put aside: taking it back");
                    if let StoredShare::Pending(share) = self.file.load()? {
                        let more = self.dkg.take_back(&share);
                        self.handle(more)?;
                    }
                }
                DkgEvent::Failed(failure) => {
                    error!(%failure, "key generation failed; it begins anew in {} s", BACK_OFF.as_secs());
                    (self.tell)(format!("key generation failed: {failure}"));
                    self.restart = Some(Instant::now() + BACK_OFF);
                }
            }
        }
        Ok(())
    }

    fn say(&mut self) {
        if self.restart.is_some() {
            return;
        }
        let names = |list: Vec<u16>| {
            let name = |m: u16| self.names.get(usize::from(m)).cloned().unwrap_or_else(|| m.to_string());
            list.into_iter().map(name).collect::<Vec<_>>().join(", ")
        };
        let mut text = format!("generating the federation's key: waiting for {}", names(self.dkg.waiting_for()));
        let other = self.dkg.other_terms();
        if !other.is_empty() {
            text.push_str(&format!("; set up with another federation.json: {}", names(other)));
        }
        if text != self.told {
            (self.tell)(text.clone());
            self.told = text;
        }
    }
}

/// Answers members that are not done yet.
async fn answer(mut dkg: Dkg<Identities, OsRng>, links: LinkSender, mut inbox: Inbox) {
    while let Some((from, bytes)) = inbox.recv().await {
        for event in dkg.receive(from, &bytes) {
            if let DkgEvent::Send(to, bytes) = event {
                links::send(&links, Topic::KeyGeneration, to, &bytes);
            }
        }
    }
}
