//! Room for a payment in our channels: the money, and a place among the HTLCs.
//!
//! A channel carries at most 483 HTLCs a direction (BOLT 2), and a payer hears of a payment's end some
//! messages before its place is free. So who finds all places taken waits for his turn, instead of being
//! told that there is no way.

use super::Node;
use crate::{Obstacle, PayError, PayLimits};
use lightning::ln::channel_state::ChannelDetails;
use lightning::ln::channelmanager::RetryableSendFailure;
use lightning::routing::router::PaymentParameters;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::Instant;
use windlass_types::Msat;

/// How long a payment waits for money that is about to be there.
const MONEY_TIMEOUT: Duration = Duration::from_secs(3);

/// How long it looks away at the most: a channel that becomes usable tells nobody.
const LOOK: Duration = Duration::from_millis(20);

/// What LDK said to a payment.
pub(super) type Sent = Result<(), RetryableSendFailure>;

/// The queue of those who wait.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// The first alone looks.
    first: Mutex<()>,
    /// Between LDK's look at the places and its taking of one: two that see the last place free would
    /// both go for it, and one would fail for good.
    last_place: std::sync::Mutex<()>,
}

/// A payment that may have to wait.
struct Waiter<'a> {
    node: &'a Node,
    amount: Msat,
    begin: Instant,
    /// For how long it may wait for a place.
    patience: Duration,
    turn: Option<MutexGuard<'a, ()>>,
}

impl Waiter<'_> {
    /// Waits until something has changed since `freed` was made, or a little; false when it has waited
    /// for long enough.
    async fn wait(&mut self, freed: impl Future<Output = ()>) -> bool {
        let longest = if self.node.is_full(self.amount) { self.patience } else { MONEY_TIMEOUT };
        let end = self.begin + longest;
        if Instant::now() >= end {
            return false;
        }
        if self.turn.is_none() {
            self.turn = tokio::time::timeout_at(end, self.node.queue.first.lock()).await.ok();
            return self.turn.is_some();
        }
        let _ = tokio::time::timeout(LOOK, freed).await;
        true
    }
}

impl Node {
    /// Calls `send` once there is room for it; again, if LDK finds no way because all places are
    /// taken. `payee` is none where it is known only later.
    pub(super) async fn send_with_room(
        &self,
        payee: Option<&PaymentParameters>,
        amount: Msat,
        limits: &PayLimits,
        mut send: impl FnMut() -> Sent,
    ) -> Result<Sent, PayError> {
        let begin = Instant::now();
        let mut waiter = Waiter { node: self, amount, begin, patience: limits.retry_for, turn: None };
        let mut tried = None;
        loop {
            let freed = self.gate.freed();
            if self.can_send() >= amount {
                let taking = self.queue.last_place.lock().unwrap_or_else(PoisonError::into_inner);
                let sent = send();
                drop(taking);
                match sent {
                    Err(RetryableSendFailure::RouteNotFound) if self.is_full(amount) => {
                        tried = Some(Err(RetryableSendFailure::RouteNotFound));
                    }
                    sent => return Ok(sent),
                }
            } else if self.could_soon_send() < amount {
                break;
            }
            if !waiter.wait(freed).await {
                break;
            }
        }
        match tried {
            Some(sent) => Ok(sent),
            None => Err(self.no_room(payee, amount, limits)),
        }
    }

    /// Why there is no room.
    fn no_room(&self, payee: Option<&PaymentParameters>, need: Msat, limits: &PayLimits) -> PayError {
        match self.no_channel().or_else(|| self.full(need)) {
            Some(obstacle @ (Obstacle::Offline { .. } | Obstacle::Full { .. })) => {
                PayError::NoRoute { hash: None, obstacle }
            }
            _ => {
                let have = self.can_send();
                let largest = payee.and_then(|payee| self.largest_sendable(payee, have, limits));
                PayError::InsufficientBalance { have, need, largest, away: self.away() }
            }
        }
    }

    /// The obstacle, if there is no more to it than that our channels carry as many payments as they can.
    pub(super) fn full(&self, amount: Msat) -> Option<Obstacle> {
        self.is_full(amount).then(|| {
            let channels = self.channel_manager.list_usable_channels();
            Obstacle::Full { in_flight: channels.iter().map(|channel| channel.pending_outbound_htlcs.len()).sum() }
        })
    }

    /// A channel has the money, but can't take the payment until one on its way has ended.
    fn is_full(&self, amount: Msat) -> bool {
        self.channel_manager.list_usable_channels().iter().any(|channel| {
            let refuses = channel.next_outbound_htlc_limit_msat < amount.get()
                || channel.next_outbound_htlc_minimum_msat > amount.get();
            refuses && channel.outbound_capacity_msat >= amount.get() && !channel.pending_outbound_htlcs.is_empty()
        })
    }

    /// What all channels together can send now.
    pub(super) fn can_send(&self) -> Msat {
        let channels = self.channel_manager.list_usable_channels();
        Msat::new(channels.iter().map(|channel| channel.next_outbound_htlc_limit_msat).fold(0, u64::saturating_add))
    }

    /// What they could once the payments on their way are over, and the peers are back: a payment that was
    /// just received can be spent some messages later, and a channel works some moments after a restart.
    fn could_soon_send(&self) -> Msat {
        let room = |channel: &ChannelDetails| {
            let arriving = channel.pending_inbound_htlcs.iter().map(|htlc| htlc.amount_msat);
            arriving.fold(channel.outbound_capacity_msat, u64::saturating_add)
        };
        let channels = self.channel_manager.list_channels();
        let ready = channels.iter().filter(|channel| channel.is_channel_ready);
        Msat::new(ready.map(room).fold(0, u64::saturating_add))
    }
}
