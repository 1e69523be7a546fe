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
//! channel that was waiting has had its answer. Otherwise, the ticks of every minute remain.

use super::stack::ChannelManager;
use bitcoin::secp256k1::PublicKey;
use lightning::ln::channel_state::{ChannelDetails, ChannelShutdownState};
use lightning::ln::channelmanager::RecentPaymentDetails;
use lightning::ln::types::ChannelId;
use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Ticks after which LDK has forgotten what was complete before the first.
const TICKS: u32 = 8;

/// How long to wait after a tick was not allowed: asking is not for nothing.
const PAUSE: Duration = Duration::from_millis(250);

#[derive(Default)]
struct State {
    /// Payments completed since the last round of ticks began.
    completed: u64,
    /// Ticks still to come in this round.
    left: u32,
    /// Channels that were waiting for their peer at the last tick, and are still.
    owed: BTreeSet<ChannelId>,
    connected: BTreeSet<PublicKey>,
    not_before: Option<Instant>,
}

/// See the module's head.
pub(crate) struct Ticks {
    /// Completed payments that are allowed to pile up.
    kept_max: u64,
    state: Mutex<State>,
}

impl Ticks {
    pub(crate) fn new(kept_max: u64) -> Self {
        Self { kept_max, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A payment of ours is complete.
    pub(crate) fn completed(&self) {
        self.state().completed += 1;
    }

    /// The peer has answered on this channel.
    pub(crate) fn answered(&self, channel: ChannelId) {
        self.state().owed.remove(&channel);
    }

    pub(crate) fn connected(&self, peer: PublicKey) {
        self.state().connected.insert(peer);
    }

    pub(crate) fn disconnected(&self, peer: PublicKey) {
        self.state().connected.remove(&peer);
    }

    /// Ticks, if it is needed and allowed now.
    pub(crate) fn tick(&self, manager: &ChannelManager) {
        {
            let mut state = self.state();
            if state.left == 0 && state.completed > self.kept_max {
                state.completed = 0;
                state.left = TICKS;
            }
            if state.left == 0 || !state.owed.is_empty() || state.not_before.is_some_and(|at| Instant::now() < at) {
                return;
            }
        }
        let channels = manager.list_channels();
        let awaits_invoice =
            |payment: &RecentPaymentDetails| matches!(payment, RecentPaymentDetails::AwaitingInvoice { .. });
        if !channels.iter().all(|channel| self.is_normal(channel))
            || manager.list_recent_payments().iter().any(awaits_invoice)
        {
            self.state().not_before = Some(Instant::now() + PAUSE);
            return;
        }
        manager.timer_tick_occurred();
        // Asked after the tick: who waited at the tick still waits, unless the answer has come.
        let waiting = manager.list_channels();
        let mut state = self.state();
        state.left -= 1;
        state.owed = waiting.iter().filter(|channel| is_busy(channel)).map(|channel| channel.channel_id).collect();
    }

    fn is_normal(&self, channel: &ChannelDetails) -> bool {
        let state = self.state();
        let is_quiet_or_usable = channel.is_usable || !state.connected.contains(&channel.counterparty.node_id);
        drop(state);
        channel.is_channel_ready
            && is_quiet_or_usable
            && channel.channel_shutdown_state == Some(ChannelShutdownState::NotShuttingDown)
            && channel.pending_inbound_htlcs.is_empty()
    }
}

fn is_busy(channel: &ChannelDetails) -> bool {
    !channel.pending_outbound_htlcs.is_empty() || !channel.pending_inbound_htlcs.is_empty()
}
