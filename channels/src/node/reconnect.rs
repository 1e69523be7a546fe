//! Peers that are to be connected are looked for until they are.

use super::Node;
use bitcoin::secp256k1::PublicKey;
use lightning::ln::channel_state::{ChannelDetails, ChannelShutdownState};
use lightning::sign::EntropySource;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// How often the list of peers to look for is made anew.
const KEEP_INTERVAL: Duration = Duration::from_millis(250);

/// The shortest and the longest time between two looks for one peer.
const WAIT_LEAST: Duration = Duration::from_millis(250);
const WAIT_MOST: Duration = Duration::from_secs(30);

/// Between them, the wait is this part of the time that the peer has been away: what was away for a minute
/// is found within 8 s of its return.
const PART_OF_ABSENCE: u32 = 8;

/// A connection that lasts so long ends an absence. A shorter one does not: who takes each connection and
/// drops it is not to be called for ever at the shortest wait.
const STEADY: Duration = Duration::from_secs(10);

/// The wait until the next look for a peer that has been away for so long. `random` takes up to a quarter
/// off: nodes that lost a peer at the same moment should not all come back to it at the same moment.
fn wait(away: Duration, random: u8) -> Duration {
    (away / PART_OF_ABSENCE).clamp(WAIT_LEAST, WAIT_MOST) * (256 - u32::from(random) / 4) / 256
}

/// A peer's absence.
struct Absence {
    since: Instant,
    next: Instant,
    /// The last look, which may still be going on.
    look: Option<JoinHandle<()>>,
    /// Since when it is connected again.
    back: Option<Instant>,
}

impl Absence {
    const fn begin(now: Instant) -> Self {
        Self { since: now, next: now, look: None, back: None }
    }

    /// It is time for another look. `random` shifts the next.
    fn due(&mut self, now: Instant, random: u8) -> bool {
        let looking = self.look.as_ref().is_some_and(|look| !look.is_finished());
        if looking || now < self.next {
            return false;
        }
        self.next = now + wait(now - self.since, random);
        true
    }

    /// Notes whether the peer is connected; true if the absence is over.
    fn note(&mut self, connected: bool, now: Instant) -> bool {
        if !connected {
            self.back = None;
            return false;
        }
        now - *self.back.get_or_insert(now) >= STEADY
    }
}

/// Peers that are connected, but don't say how our channels stand (`channel_reestablish`, BOLT 2): nothing
/// can be paid until they do. It happens to a node that takes connections before it has read its channels.
#[derive(Default)]
struct Mute(BTreeMap<PublicKey, Instant>);

impl Mute {
    /// Notes who is mute now; those that have been for `longest`.
    fn note(&mut self, mute: &BTreeSet<PublicKey>, now: Instant, longest: Duration) -> Vec<PublicKey> {
        self.0.retain(|node_id, _| mute.contains(node_id));
        for node_id in mute {
            self.0.entry(*node_id).or_insert(now);
        }
        let over = |since: &Instant| now - *since >= longest;
        let late: Vec<PublicKey> =
            self.0.iter().filter(|(_, since)| over(since)).map(|(node_id, _)| *node_id).collect();
        self.0.retain(|node_id, _| !late.contains(node_id));
        late
    }
}

impl Node {
    /// Looks for the peers of our channels, and for persistent ones, while they are not connected; more rarely
    /// the longer they are away.
    pub(super) async fn keep_peers(self: Arc<Self>) {
        let mut absent: BTreeMap<PublicKey, Absence> = BTreeMap::new();
        let mut mute = Mute::default();
        while !self.is_stopping() {
            let connected: BTreeSet<PublicKey> =
                self.peer_manager.list_peers().iter().map(|peer| peer.counterparty_node_id).collect();
            let channels = self.channel_manager.list_channels();
            let wanted = self.wanted_peers(&channels);
            let now = Instant::now();
            absent
                .retain(|node_id, absence| wanted.contains(node_id) && !absence.note(connected.contains(node_id), now));
            for node_id in wanted.difference(&connected) {
                let absence = absent.entry(*node_id).or_insert_with(|| Absence::begin(now));
                if absence.due(now, self.keys.get_secure_random_bytes()[0]) {
                    absence.look = Some(tokio::spawn(Arc::clone(&self).look_for(*node_id)));
                }
            }
            for node_id in mute.note(&mute_peers(&channels, &connected), now, self.config.mute_max) {
                tracing::info!(%node_id, "it does not say how our channels stand: connecting anew");
                self.peer_manager.disconnect_by_node_id(node_id);
            }
            tokio::select! {
                () = tokio::time::sleep(KEEP_INTERVAL) => {}
                () = self.stopped() => return,
            }
        }
    }

    fn wanted_peers(&self, channels: &[ChannelDetails]) -> BTreeSet<PublicKey> {
        let mut wanted: BTreeSet<PublicKey> = channels.iter().map(|channel| channel.counterparty.node_id).collect();
        wanted.extend(self.peers_to_close());
        wanted.extend(self.book.read().kept.keys().copied());
        wanted
    }

    async fn look_for(self: Arc<Self>, node_id: PublicKey) {
        match self.connect_to(node_id).await {
            Ok(()) => tracing::info!(%node_id, "connected again"),
            Err(error) => tracing::debug!(%error, "not connected"),
        }
    }
}

/// Peers that are connected and have not said how a channel of ours stands.
fn mute_peers(channels: &[ChannelDetails], connected: &BTreeSet<PublicKey>) -> BTreeSet<PublicKey> {
    let waits = |channel: &&ChannelDetails| {
        let open = channel.channel_shutdown_state == Some(ChannelShutdownState::NotShuttingDown);
        channel.is_channel_ready && !channel.is_usable && open
    };
    let waiting = channels.iter().filter(waits).map(|channel| channel.counterparty.node_id);
    waiting.filter(|node_id| connected.contains(node_id)).collect()
}

#[cfg(test)]
mod tests {
    use super::{Absence, STEADY, WAIT_LEAST, WAIT_MOST, wait};
    use std::time::Duration;
    use tokio::time::Instant;

    /// The moments of the looks in an absence of `length`, in a loop that comes by every millisecond.
    fn looks(length: Duration, random: impl Fn(usize) -> u8) -> Vec<Duration> {
        let begin = Instant::now();
        let mut absence = Absence::begin(begin);
        let mut looks = Vec::new();
        for passed in (0..length.as_millis() as u64).map(Duration::from_millis) {
            if absence.due(begin + passed, random(looks.len())) {
                looks.push(passed);
            }
        }
        looks
    }

    fn longest_gap(looks: &[Duration], from: u64, to: u64) -> Duration {
        let within = |pair: &&[Duration]| pair[1] >= Duration::from_secs(from) && pair[0] < Duration::from_secs(to);
        looks.windows(2).filter(within).map(|pair| pair[1] - pair[0]).max().expect("looks")
    }

    #[test]
    fn looks_are_dense_at_first_and_never_far_apart() {
        let looks = looks(Duration::from_secs(3600), |_| 0);
        assert_eq!(looks[..3], [Duration::ZERO, WAIT_LEAST, WAIT_LEAST * 2]);
        let second = Duration::from_secs(1);
        assert!(longest_gap(&looks, 0, 20) < second * 3, "{looks:?}");
        assert!(longest_gap(&looks, 0, 60) < second * 8, "{looks:?}");
        assert_eq!(longest_gap(&looks, 0, 3600), WAIT_MOST);
        let in_a_minute = looks.iter().filter(|at| **at < second * 60).count();
        assert!((30..45).contains(&in_a_minute), "{in_a_minute}");
        let in_an_hour = looks.len();
        assert!((150..180).contains(&in_an_hour), "{in_an_hour}");
    }

    #[test]
    fn no_wait_is_longer_than_an_eighth_of_the_absence_or_shorter_by_more_than_a_quarter() {
        for away in [0, 1, 2, 5, 60, 240, 3600, u64::MAX / 1_000].map(Duration::from_secs) {
            let whole = (away / 8).clamp(WAIT_LEAST, WAIT_MOST);
            assert_eq!(wait(away, 0), whole);
            let waits = (0..=u8::MAX).map(|random| wait(away, random));
            assert!(waits.clone().all(|wait| wait <= whole && wait >= whole * 3 / 4), "{away:?}");
            assert!(waits.collect::<std::collections::BTreeSet<_>>().len() >= 64, "{away:?}: hardly any jitter");
        }
    }

    #[test]
    fn nodes_that_lost_a_peer_together_do_not_come_back_together() {
        let of = |node: usize| looks(Duration::from_secs(60), |look| ((look * 101 + node * 57) % 256) as u8);
        let (one, other) = (of(1), of(2));
        let same = one[1..].iter().filter(|at| other.contains(at)).count();
        assert!(same * 4 < one.len(), "{same} of {}", one.len());
    }

    #[test]
    fn a_connection_that_does_not_last_is_no_end_of_an_absence() {
        let begin = Instant::now();
        let mut absence = Absence::begin(begin);
        let minute = begin + Duration::from_secs(60);
        assert!(!absence.note(false, begin) && absence.due(begin, 0));
        assert!(!absence.note(true, minute) && !absence.note(false, minute));
        assert!(absence.due(minute, 0));
        assert!(!absence.due(minute + Duration::from_secs(7), 0), "the waits begin anew");
        assert!(!absence.note(true, minute) && !absence.note(true, minute + STEADY / 2));
        assert!(absence.note(true, minute + STEADY));
    }

    #[tokio::test]
    async fn one_look_at_a_time() {
        let begin = Instant::now();
        let mut absence = Absence::begin(begin);
        assert!(absence.due(begin, 0));
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        absence.look = Some(tokio::spawn(async move { drop(ended.await) }));
        let later = begin + Duration::from_secs(60);
        assert!(!absence.due(later, 0));
        drop(end);
        if let Some(look) = &mut absence.look {
            look.await.expect("no panic");
        }
        assert!(absence.due(later, 0));
    }
}
