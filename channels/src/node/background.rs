//! LDK's chores.
//!
//! The rhythm is that of LDK's own background processor. It can't be used here: it serialises the
//! `ChannelManager` each time it wakes, and the scorer with each payment, while our commits decide when
//! that is worth it (and must be alone in clearing the manager's mark that it has changed).

use super::Node;
use lightning::events::{Event as LdkEvent, EventsProvider, PathFailure};
use lightning::routing::scoring::ScoreUpdate;
use lightning::util::persist::{KVStoreSync, NETWORK_GRAPH_PERSISTENCE_KEY, SCORER_PERSISTENCE_KEY};
use lightning::util::ser::Writeable;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::{Interval, MissedTickBehavior};

/// How often the node's own announcement is repeated.
const ANNOUNCE_INTERVAL: Duration = Duration::from_secs(60);

/// LDK's times, besides its clock ([`crate::Config::tick`]): onion messages expire, peers are pinged, claims are broadcast again
/// and outputs swept, the scorer forgets and is kept, the graph forgets and is kept.
const ONION_TICK: Duration = Duration::from_secs(10);
const PING: Duration = Duration::from_secs(10);
const REBROADCAST: Duration = Duration::from_secs(30);
const SCORER: Duration = Duration::from_secs(5 * 60);
const GRAPH: Duration = Duration::from_secs(60 * 60);

/// The loop rests after each turn. What can't wait is done at the gate; the loop would only be in its way,
/// for under load LDK wakes it at each message.
const REST: Duration = Duration::from_millis(5);

fn every(period: Duration) -> Interval {
    let mut interval = tokio::time::interval_at(tokio::time::Instant::now() + period, period);
    // A machine that slept has one tick to make up for, not all.
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

fn since_epoch() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

impl Node {
    /// Handles the events that LDK kept from before the start, before anything new happens.
    pub(super) async fn settle_the_past(self: &Arc<Self>) {
        self.handle_waiting().await;
        self.book.replays_are_over();
        self.mark_unsent_payments();
        self.resume_holds();
    }

    /// Events, timers, gossip, scorer, the sweeper, until the node stops.
    pub(super) async fn process_background(self: Arc<Self>) {
        self.channel_manager.timer_tick_occurred();
        self.chain_monitor.rebroadcast_pending_claims();
        self.score(|scorer| scorer.time_passed(since_epoch()));
        let (mut tick, mut onion_tick, mut ping) = (every(self.config.tick), every(ONION_TICK), every(PING));
        let (mut rebroadcast, mut keep_scorer, mut keep_graph) = (every(REBROADCAST), every(SCORER), every(GRAPH));
        while !self.is_stopping() {
            self.handle_waiting().await;
            self.peer_manager.process_events();
            self.kv.soon();
            tokio::select! {
                () = self.channel_manager.get_event_or_persistence_needed_future() => {}
                () = self.chain_monitor.get_update_future() => {}
                () = self.onion.get_update_future() => {}
                _ = tick.tick() => self.gate.ticks().regular(&self.channel_manager),
                _ = onion_tick.tick() => {
                    lightning::ln::msgs::OnionMessageHandler::timer_tick_occurred(self.onion.as_ref());
                }
                _ = ping.tick() => self.peer_manager.timer_tick_occurred(),
                _ = rebroadcast.tick() => {
                    self.chain_monitor.rebroadcast_pending_claims();
                    self.rebroadcast_splices();
                    self.sweep();
                }
                _ = keep_scorer.tick() => {
                    self.score(|scorer| scorer.time_passed(since_epoch()));
                    self.keep_scorer();
                }
                _ = keep_graph.tick() => {
                    self.graph.remove_stale_channels_and_tracking_with_time(since_epoch().as_secs());
                    self.keep_graph();
                }
                () = self.stopped() => {}
            }
            tokio::select! {
                () = tokio::time::sleep(REST) => {}
                () = self.stopped() => {}
            }
        }
        self.keep_scorer();
        self.keep_graph();
    }

    /// Handles all events that wait.
    async fn handle_waiting(self: &Arc<Self>) {
        let handle = |event| async {
            let handled = self.handle(event);
            self.counted_in_loop.store(self.book.counted(), Ordering::Release);
            handled
        };
        self.channel_manager.process_pending_events_async(handle).await;
        // LDK has let go of all that was counted in this loop; at the gate others may be counted by now.
        self.book.let_go(self.counted_in_loop.load(Ordering::Acquire));
        let handle = |event| std::future::ready(self.handle(event));
        self.chain_monitor.process_pending_events_async(handle).await;
        self.onion.process_pending_events_async(handle).await;
    }

    /// At the gate: handles the payments' events that wait; others are left to the loop. True if
    /// there was one.
    pub(super) fn settle_at_gate(self: &Arc<Self>) -> bool {
        let counted = std::cell::Cell::new(None);
        let handle = |event: LdkEvent| {
            self.handle_at_gate(event)?;
            counted.set(Some(self.book.counted()));
            Ok(())
        };
        self.channel_manager.process_pending_events(&handle);
        if let Some(count) = counted.get() {
            self.book.let_go(count);
            self.kv.soon();
        }
        counted.get().is_some()
    }

    /// What an event says about the ways that payments take.
    pub(super) fn learn(&self, event: &LdkEvent) {
        if let LdkEvent::PaymentPathFailed { failure: PathFailure::OnPath { network_update: Some(update) }, .. } = event
        {
            self.graph.handle_network_update(update);
        }
        let now = since_epoch();
        match event {
            LdkEvent::PaymentPathFailed { path, short_channel_id: Some(scid), .. } => {
                self.score(|scorer| scorer.payment_path_failed(path, *scid, now));
            }
            // The payee refused it, so the way there is good.
            LdkEvent::PaymentPathFailed { path, payment_failed_permanently: true, .. }
            | LdkEvent::ProbeSuccessful { path, .. } => self.score(|scorer| scorer.probe_successful(path, now)),
            LdkEvent::PaymentPathSuccessful { path, .. } => {
                self.score(|scorer| scorer.payment_path_successful(path, now));
            }
            LdkEvent::ProbeFailed { path, short_channel_id: Some(scid), .. } => {
                self.score(|scorer| scorer.probe_failed(path, *scid, now));
            }
            _ => {}
        }
    }

    fn score(&self, change: impl FnOnce(&mut crate::ldk::stack::Scorer)) {
        change(&mut self.scorer.write().unwrap_or_else(PoisonError::into_inner));
    }

    fn keep_scorer(&self) {
        let bytes = self.scorer.read().unwrap_or_else(PoisonError::into_inner).encode();
        self.kv.write("", "", SCORER_PERSISTENCE_KEY, bytes).expect("staging can't fail");
    }

    pub(super) fn keep_graph(&self) {
        let bytes = self.graph.encode();
        self.kv.write("", "", NETWORK_GRAPH_PERSISTENCE_KEY, bytes).expect("staging can't fail");
    }

    /// Tells the network who we are, now and then.
    pub(super) async fn announce(self: Arc<Self>) {
        loop {
            self.announce_now();
            tokio::select! {
                () = tokio::time::sleep(ANNOUNCE_INTERVAL) => {}
                () = self.stopped() => return,
            }
        }
    }

    /// Broadcasts our announcement, if a channel of ours is public: without one, nodes ignore it.
    pub(super) fn announce_now(&self) {
        let public = |channel: &lightning::ln::channel_state::ChannelDetails| {
            channel.is_announced && channel.is_channel_ready && channel.confirmations.is_some_and(|depth| depth >= 6)
        };
        if self.channel_manager.list_channels().iter().any(public) {
            let alias = self.config.alias_bytes();
            self.peer_manager.broadcast_node_announcement([0x1f, 0x6f, 0x8b], alias, vec![self.address.into()]);
        }
    }
}
