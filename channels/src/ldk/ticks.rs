//! Extra ticks of LDK's clock, so that completed payments don't pile up.
//!
//! LDK keeps each completed payment for seven ticks, so that an answer that comes late or twice is
//! recognised; at a tick a minute and hundreds of payments a second these are hundreds of thousands, and all of
//! them are in each image of the `ChannelManager`: a busy node would be slower each minute. Our book
//! knows what was paid (and is in the same commit), so LDK need not; but there is no other way to
//! let it forget than to tick.
//!
//! A tick also counts how long others take: a peer that owes an answer at two ticks in a row is disconnected,
//! a payment whose parts have not all arrived within three is failed, a closing that does not get on
//! within one is forced. So extra ticks come only when nothing of that is going on: every channel is
//! in normal operation, nobody is paying us, no BOLT 12 invoice is awaited, and since the last tick every
//! channel that was waiting has had its answer. Otherwise, the ticks of every minute remain. These come
//! here too: one on the heels of an extra tick would disconnect a peer that has done nothing wrong.

use super::stack::ChannelManager;
use bitcoin::secp256k1::PublicKey;
use lightning::ln::channel_state::{ChannelDetails, ChannelShutdownState};
use lightning::ln::channelmanager::RecentPaymentDetails;
use lightning::ln::msgs::MessageSendEvent;
use lightning::ln::types::ChannelId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Ticks after which LDK has forgotten what was complete before the first.
const TICKS: u32 = 8;

/// While a peer is away, so many times as many may pile up: after ten ticks LDK tells the network that its
/// channels are out of use, which is not for a peer that only restarts.
const AWAY_FACTOR: u64 = 100;

/// How long to wait after a tick was not allowed: asking is not for nothing.
const PAUSE: Duration = Duration::from_millis(250);

/// How long to wait once a channel begins to fall quiet for a splice: LDK counts that, too.
const SPLICE_PAUSE: Duration = Duration::from_secs(60);

#[derive(Default)]
struct State {
    /// Completed payments that no round of ticks has covered.
    completed: u64,
    /// Those that the present round covers.
    covered: u64,
    /// Ticks still to come in this round.
    left: u32,
    /// Channels that were waiting for their peer at the last tick or since, and have had no answer since
    /// that tick.
    owed: BTreeMap<ChannelId, PublicKey>,
    /// Channels whose peer has a commitment of ours to answer.
    asked: BTreeMap<ChannelId, PublicKey>,
    /// Channels that have had an answer since the last tick.
    answered: BTreeSet<ChannelId>,
    connected: BTreeSet<PublicKey>,
    /// How many ticks have begun and ended.
    edges: u64,
    not_before: Option<Instant>,
    last: Option<Instant>,
    /// The regular tick waits for an answer.
    regular_due: bool,
}

impl State {
    fn begin(&mut self) {
        self.edges += 1;
        self.answered.clear();
        self.regular_due = false;
    }

    /// `busy` are the channels with payments in them.
    fn end(&mut self, busy: impl Iterator<Item = (ChannelId, PublicKey)>) {
        self.edges += 1;
        let asked = self.asked.clone();
        self.owed.extend(busy.chain(asked));
        self.last = Some(Instant::now());
    }

    fn answered(&mut self, channel: ChannelId, before: Edges) {
        if self.edges != before.0 {
            // The answer may be older than the tick, and the tick may have counted what LDK sent upon it.
            return;
        }
        self.owed.remove(&channel);
        self.asked.remove(&channel);
        self.answered.insert(channel);
    }

    fn fall_quiet(&mut self) {
        self.not_before = Some(Instant::now() + SPLICE_PAUSE);
    }
}

/// When a message came: before and after which ticks.
#[derive(Clone, Copy)]
pub(crate) struct Edges(u64);

/// See the module's head.
pub(crate) struct Ticks {
    /// Completed payments that are allowed to pile up.
    kept_max: u64,
    /// The regular ticks' period.
    period: Duration,
    /// Held from the look whether a tick is allowed to its end.
    turn: Mutex<()>,
    state: Mutex<State>,
}

impl Ticks {
    pub(crate) fn new(kept_max: u64, period: Duration) -> Self {
        Self { kept_max, period, turn: Mutex::default(), state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A payment of ours is complete.
    pub(crate) fn completed(&self) {
        self.state().completed += 1;
    }

    /// These messages leave.
    pub(crate) fn sent(&self, events: &[MessageSendEvent]) {
        let mut state = self.state();
        for event in events {
            match event {
                MessageSendEvent::UpdateHTLCs { node_id, channel_id, .. } => {
                    state.asked.insert(*channel_id, *node_id);
                    if !state.answered.contains(channel_id) {
                        state.owed.insert(*channel_id, *node_id);
                    }
                }
                MessageSendEvent::SendStfu { .. } => state.fall_quiet(),
                _ => {}
            }
        }
    }

    /// To be asked before LDK is handed an answer.
    pub(crate) fn now(&self) -> Edges {
        Edges(self.state().edges)
    }

    /// LDK has taken the peer's answer on this channel, which came at `before`.
    pub(crate) fn answered(&self, channel: ChannelId, before: Edges) {
        self.state().answered(channel, before);
    }

    /// A channel is about to fall quiet.
    pub(crate) fn falls_quiet(&self) {
        self.state().fall_quiet();
    }

    pub(crate) fn connected(&self, peer: PublicKey) {
        self.state().connected.insert(peer);
    }

    pub(crate) fn disconnected(&self, peer: PublicKey) {
        let mut state = self.state();
        state.connected.remove(&peer);
        // What it owed, it will be asked anew.
        state.owed.retain(|_, of| *of != peer);
        state.asked.retain(|_, of| *of != peer);
    }

    /// The regular tick. It waits while a channel owes an answer since an extra one, but not for long: who
    /// owes one for half the period owes it for good reason to be disconnected.
    pub(crate) fn regular(&self, manager: &ChannelManager) {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let mut state = self.state();
            let fresh = state.last.is_some_and(|at| at.elapsed() < self.period / 2);
            if fresh && !state.owed.is_empty() {
                state.regular_due = true;
                return;
            }
        }
        self.tick_now(manager);
    }

    /// Ticks, if it is needed and allowed now.
    pub(crate) fn tick(&self, manager: &ChannelManager) {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let regular = {
            let mut state = self.state();
            if state.left == 0 && state.completed > self.kept_max {
                state.covered = std::mem::take(&mut state.completed);
                state.left = TICKS;
            }
            let wanted = state.regular_due || state.left > 0;
            if !wanted || !state.owed.is_empty() || state.not_before.is_some_and(|at| Instant::now() < at) {
                return;
            }
            state.regular_due
        };
        if !regular && !self.is_allowed(manager) {
            self.state().not_before = Some(Instant::now() + PAUSE);
            return;
        }
        self.tick_now(manager);
        let mut state = self.state();
        state.left = state.left.saturating_sub(1);
    }

    fn tick_now(&self, manager: &ChannelManager) {
        self.state().begin();
        manager.timer_tick_occurred();
        // Asked after the tick: who waited at the tick still waits, unless the answer has come.
        let channels = manager.list_channels();
        let busy = channels.iter().filter(|channel| channel.is_usable && is_busy(channel));
        self.state().end(busy.map(|channel| (channel.channel_id, channel.counterparty.node_id)));
    }

    fn is_allowed(&self, manager: &ChannelManager) -> bool {
        let channels = manager.list_channels();
        let awaits_invoice =
            |payment: &RecentPaymentDetails| matches!(payment, RecentPaymentDetails::AwaitingInvoice { .. });
        channels.iter().all(|channel| self.is_normal(channel))
            && !manager.list_recent_payments().iter().any(awaits_invoice)
    }

    fn is_normal(&self, channel: &ChannelDetails) -> bool {
        let state = self.state();
        let is_away = !state.connected.contains(&channel.counterparty.node_id);
        let pile = state.completed.saturating_add(state.covered);
        let is_too_much = pile > self.kept_max.saturating_mul(AWAY_FACTOR);
        drop(state);
        channel.is_channel_ready
            && (channel.is_usable || (is_away && is_too_much))
            && channel.channel_shutdown_state == Some(ChannelShutdownState::NotShuttingDown)
            && channel.pending_inbound_htlcs.is_empty()
    }
}

fn is_busy(channel: &ChannelDetails) -> bool {
    !channel.pending_outbound_htlcs.is_empty() || !channel.pending_inbound_htlcs.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::secp256k1::{Secp256k1, SecretKey};

    const CHANNEL: ChannelId = ChannelId([7; 32]);

    fn peer() -> PublicKey {
        SecretKey::from_slice(&[1; 32]).expect("a key").public_key(&Secp256k1::new())
    }

    /// LDK frees its lock before it is done with an answer: a tick slips in and counts the commitment that
    /// LDK sent upon that answer. The next tick would disconnect the peer.
    #[test]
    fn an_answer_that_a_tick_overtook_pays_nothing_back() {
        let mut state = State::default();
        let before = Edges(state.edges);
        state.begin();
        state.end([(CHANNEL, peer())].into_iter());
        state.answered(CHANNEL, before);
        assert!(state.owed.contains_key(&CHANNEL), "the commitment after it is still to be answered");

        let before = Edges(state.edges);
        state.answered(CHANNEL, before);
        assert!(state.owed.is_empty());
    }

    #[test]
    fn an_answer_within_a_tick_pays_nothing_back() {
        let mut state = State::default();
        state.asked.insert(CHANNEL, peer());
        let before = Edges(state.edges);
        state.begin();
        state.answered(CHANNEL, before);
        state.end(std::iter::empty());
        assert!(state.owed.contains_key(&CHANNEL));
    }
}
