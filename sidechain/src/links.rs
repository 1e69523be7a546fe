//! Messages between members outside the chain: key generation and threshold signing.
//!
//! [`Links`] work as soon as the network is up, before there is a genesis. They are authenticated
//! (the engine's connections) and in order while a connection lasts, and no more than that: what
//! is sent to a member that is away is lost, so whoever uses them repeats what was not answered.

use crate::beacon::Beacon;
use crate::committees::Roster;
use crate::config::MAX_LINK_BYTES;
use commonware_cryptography::ed25519::PublicKey;
use commonware_macros::select;
use commonware_p2p::{Receiver, Recipients, Sender};
use commonware_runtime::{Clock, Spawner};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{mpsc, watch};
use tracing::{debug, warn};
use windlass_types::SideHeight;

/// Messages that wait to be sent or read.
const QUEUE: usize = 1024;
/// How often members tell each other that they are there.
const PING: Duration = Duration::from_millis(500);
/// Silence after which a member counts as away.
const SILENCE: Duration = Duration::from_millis(2500);
/// How long a message waits for a peer's share of the line before it is dropped.
const RETRY: Duration = Duration::from_secs(2);

const KIND_PING: u8 = 0;
const KIND_DATA: u8 = 1;

/// Whom a message is for. Indices are places in the genesis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// All other members; not the sender itself.
    All,
    /// One other member.
    One(u16),
}

/// Why a message was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Too long.
    #[error("a message of {0} bytes; members send at most {MAX_LINK_BYTES}")]
    TooLong(usize),
    /// No such member, or the sender itself.
    #[error("there is no other member {0}")]
    NoSuchMember(u16),
    /// The queue is full: the network can't keep up.
    #[error("{QUEUE} messages wait to be sent already")]
    Full,
    /// The network has stopped.
    #[error("the network has stopped")]
    Stopped,
}

/// The sending half; clone it freely.
#[derive(Clone)]
pub struct LinkSender {
    outgoing: mpsc::Sender<(To, Vec<u8>)>,
    connected: watch::Receiver<Vec<u16>>,
    me: u16,
    members: u16,
}

/// Both halves; see the module's head.
pub struct Links {
    sender: LinkSender,
    incoming: mpsc::Receiver<(u16, Vec<u8>)>,
}

impl LinkSender {
    /// This member's index.
    pub const fn me(&self) -> u16 {
        self.me
    }

    /// How many members there are, this one included.
    pub const fn members(&self) -> u16 {
        self.members
    }

    /// Takes a message to be sent.
    ///
    /// # Errors
    /// See [`LinkError`].
    pub fn send(&self, to: To, message: Vec<u8>) -> Result<(), LinkError> {
        if message.len() > MAX_LINK_BYTES {
            return Err(LinkError::TooLong(message.len()));
        }
        match to {
            To::One(index) if index == self.me || index >= self.members => return Err(LinkError::NoSuchMember(index)),
            _ => {}
        }
        self.outgoing.try_send((to, message)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => LinkError::Full,
            mpsc::error::TrySendError::Closed(_) => LinkError::Stopped,
        })
    }

    /// The other members that were heard in the last seconds, ascending.
    pub fn connected(&self) -> Vec<u16> {
        self.connected.borrow().clone()
    }

    /// Returns once all other members are connected.
    ///
    /// # Errors
    /// The network has stopped.
    pub async fn all_connected(&self) -> Result<(), LinkError> {
        let others = usize::from(self.members.saturating_sub(1));
        let mut connected = self.connected.clone();
        connected.wait_for(|list| list.len() == others).await.map(drop).map_err(|_| LinkError::Stopped)
    }
}

impl Links {
    /// The next message and the index of the member that sent it; `None` once the network stopped.
    pub async fn recv(&mut self) -> Option<(u16, Vec<u8>)> {
        self.incoming.recv().await
    }

    /// See [`LinkSender::send`].
    ///
    /// # Errors
    /// See [`LinkError`].
    pub fn send(&self, to: To, message: Vec<u8>) -> Result<(), LinkError> {
        self.sender.send(to, message)
    }

    /// See [`LinkSender::connected`].
    pub fn connected(&self) -> Vec<u16> {
        self.sender.connected()
    }

    /// A sending half.
    pub fn sender(&self) -> LinkSender {
        self.sender.clone()
    }

    /// Both halves apart.
    pub fn split(self) -> (LinkSender, mpsc::Receiver<(u16, Vec<u8>)>) {
        (self.sender, self.incoming)
    }
}

/// Who was heard of lately, and when the next ping is due. The clock may be set back or forth at any time: what is
/// later than it can be counts from now on.
struct Presence {
    heard: Vec<Option<SystemTime>>,
    ping_at: SystemTime,
}

impl Presence {
    fn new(members: usize, now: SystemTime) -> Self {
        Self { heard: vec![None; members], ping_at: now }
    }

    /// When the next ping is due: within [`PING`].
    fn ping_at(&mut self, now: SystemTime) -> SystemTime {
        self.ping_at = self.ping_at.min(now + PING);
        self.ping_at
    }

    /// Whether a ping is due; if so the next one is due after it.
    fn ping(&mut self, now: SystemTime) -> bool {
        let due = now >= self.ping_at(now);
        if due {
            self.ping_at = now + PING;
        }
        due
    }

    /// Member `from` was heard of; true if it was away.
    fn heard(&mut self, from: u16, now: SystemTime) -> bool {
        self.heard.get_mut(usize::from(from)).is_some_and(|heard| heard.replace(now).is_none())
    }

    /// Who was heard of within [`SILENCE`].
    fn present(&mut self, now: SystemTime) -> Vec<u16> {
        for heard in &mut self.heard {
            *heard = heard.map(|at| at.min(now)).filter(|at| now.duration_since(*at).is_ok_and(|age| age <= SILENCE));
        }
        (0..).zip(&self.heard).filter(|(_, heard)| heard.is_some()).map(|(index, _)| index).collect()
    }
}

struct Task<S> {
    roster: Arc<Roster>,
    me: u16,
    beacon: Arc<Beacon>,
    line: S,
    incoming: mpsc::Sender<(u16, Vec<u8>)>,
    connected: watch::Sender<Vec<u16>>,
    presence: Presence,
    waiting: VecDeque<(SystemTime, PublicKey, Vec<u8>)>,
}

/// Starts the task behind [`Links`] on one channel.
pub(crate) fn start<E, S, R>(context: E, roster: Arc<Roster>, me: u16, (line, receiver): (S, R)) -> (Links, Arc<Beacon>)
where
    E: Spawner + Clock,
    S: Sender<PublicKey = PublicKey>,
    R: Receiver<PublicKey = PublicKey>,
{
    let (outgoing, queue) = mpsc::channel(QUEUE);
    let (arrived, incoming) = mpsc::channel(QUEUE);
    let (connected, seen) = watch::channel(Vec::new());
    let members = u16::try_from(roster.len()).unwrap_or(u16::MAX);
    let presence = Presence::new(roster.len(), context.current());
    let beacon = Arc::new(Beacon::new(roster.len()));
    let known = beacon.clone();
    let task = Task { roster, me, beacon, line, incoming: arrived, connected, presence, waiting: VecDeque::new() };
    context.spawn(move |context| task.run(context, queue, receiver));
    (Links { sender: LinkSender { outgoing, connected: seen, me, members }, incoming }, known)
}

/// The next message to send; never, once all senders are gone: this member still hears the others.
async fn next<T>(queue: &mut mpsc::Receiver<T>) -> T {
    match queue.recv().await {
        Some(message) => message,
        None => std::future::pending().await,
    }
}

impl<S: Sender<PublicKey = PublicKey>> Task<S> {
    async fn run<E, R>(mut self, context: E, mut queue: mpsc::Receiver<(To, Vec<u8>)>, mut receiver: R)
    where
        E: Clock,
        R: Receiver<PublicKey = PublicKey>,
    {
        loop {
            let ping_at = self.presence.ping_at(context.current());
            let wake = if self.waiting.is_empty() { ping_at } else { context.current() + Duration::from_millis(20) };
            select! {
                message = receiver.recv() => {
                    let Ok((key, message)) = message else { return };
                    self.arrived(context.current(), &key, message.as_ref());
                },
                (to, message) = next(&mut queue) => self.send(context.current(), to, message),
                () = context.sleep_until(wake.min(ping_at)) => {
                    let now = context.current();
                    self.retry(now);
                    if self.presence.ping(now) {
                        let mut ping = vec![KIND_PING];
                        ping.extend_from_slice(&self.beacon.own().get().to_be_bytes());
                        let _ = self.line.send(Recipients::All, ping, true);
                        self.note_connected(now);
                    }
                },
            }
        }
    }

    fn arrived(&mut self, now: SystemTime, key: &PublicKey, message: &[u8]) {
        // A member's former key is nobody's.
        let Some(from) = self.roster.place(key).filter(|from| *from != self.me) else { return };
        if self.presence.heard(from, now) {
            self.note_connected(now);
        }
        match message.split_first() {
            Some((&KIND_DATA, data)) if data.len() <= MAX_LINK_BYTES => {
                if self.incoming.try_send((from, data.to_vec())).is_err() {
                    warn!(from, "a message of another member was dropped: nobody reads them");
                }
            }
            Some((&KIND_PING, height)) if height.len() == 8 => {
                let height = height.iter().fold(0, |height, byte| height << 8 | u64::from(*byte));
                self.beacon.note_peer(from, SideHeight::new(height));
            }
            _ => debug!(from, "a malformed message of another member was ignored"),
        }
    }

    fn send(&mut self, now: SystemTime, to: To, message: Vec<u8>) {
        let mut frame = Vec::with_capacity(message.len() + 1);
        frame.push(KIND_DATA);
        frame.extend_from_slice(&message);
        let peers: Vec<PublicKey> = match to {
            To::One(index) => self.roster.keys(|place| place == index),
            To::All => self.roster.keys(|place| place != self.me),
        };
        for peer in peers {
            self.waiting.push_back((now + RETRY, peer, frame.clone()));
        }
        self.retry(now);
    }

    /// Sends what waits, in order for each peer, as far as each peer's share of the line goes.
    fn retry(&mut self, now: SystemTime) {
        let mut busy: Vec<PublicKey> = Vec::new();
        for (deadline, peer, frame) in std::mem::take(&mut self.waiting) {
            let free = !busy.contains(&peer);
            if free && !self.line.send(Recipients::One(peer.clone()), frame.clone(), true).is_empty() {
                continue;
            }
            busy.push(peer.clone());
            // No message waits longer than at first, wherever the clock has jumped to.
            let deadline = deadline.min(now + RETRY);
            if deadline > now && self.waiting.len() < QUEUE {
                self.waiting.push_back((deadline, peer, frame));
            }
        }
    }

    fn note_connected(&mut self, now: SystemTime) {
        let present = self.presence.present(now);
        self.connected.send_if_modified(|list| {
            let changed = *list != present;
            *list = present;
            changed
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

    fn noon() -> SystemTime {
        SystemTime::UNIX_EPOCH + 50 * YEAR
    }

    /// A clock that is set back a year: pings go on, and who falls silent is noticed as soon as ever.
    #[test]
    fn case_37_a_clock_that_is_set_back_a_year_stops_nothing() {
        let mut presence = Presence::new(2, noon());
        assert!(presence.ping(noon()) && !presence.ping(noon()));
        assert!(presence.heard(1, noon()));
        let back = noon() - YEAR;
        assert!(presence.ping_at(back) <= back + PING, "the next ping is not a year away");
        assert_eq!(presence.present(back), [1]);
        assert!(presence.ping(back + PING));
        assert_eq!(presence.present(back + SILENCE), [1]);
        assert!(presence.present(back + SILENCE + Duration::from_millis(1)).is_empty());
    }

    /// A year forth: whoever speaks is there again at once.
    #[test]
    fn case_37_a_clock_that_is_set_forth_a_year_stops_nothing() {
        let mut presence = Presence::new(2, noon());
        assert!(presence.heard(0, noon()) && presence.heard(1, noon()));
        let forth = noon() + YEAR;
        assert!(presence.ping(forth));
        assert!(presence.present(forth).is_empty(), "nobody was heard of since");
        assert!(presence.heard(1, forth));
        assert_eq!(presence.present(forth), [1]);
    }
}
