//! LDK's chores.

use super::Node;
use lightning_background_processor::{GossipSync, NO_LIQUIDITY_MANAGER, process_events_async_with_kv_store_sync};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How often the node's own announcement is repeated, and the graph is kept on the disk.
const ANNOUNCE_INTERVAL: Duration = Duration::from_secs(60);

impl Node {
    /// Handles the events that LDK kept from before the start, before anything new happens.
    pub(super) async fn settle_the_past(self: &Arc<Self>) {
        let handle = |event| self.handle(event);
        self.channel_manager.process_pending_events_async(handle).await;
        self.chain_monitor.process_pending_events_async(handle).await;
        self.book.replays_are_over();
        self.mark_unsent_payments();
    }

    /// LDK's own loop: events, timers, gossip, scorer, the sweeper.
    pub(super) async fn process_background(self: Arc<Self>) {
        let sleeper = |duration: Duration| {
            let mut stopping = self.stopping.subscribe();
            Box::pin(async move {
                tokio::select! {
                    () = tokio::time::sleep(duration) => false,
                    _ = stopping.wait_for(|stopping| *stopping) => true,
                }
            })
        };
        let gossip = GossipSync::p2p(Arc::clone(&self.gossip));
        let result = process_events_async_with_kv_store_sync(
            Arc::clone(&self.kv),
            |event| self.handle(event),
            Arc::clone(&self.chain_monitor),
            Arc::clone(&self.channel_manager),
            Some(Arc::clone(&self.onion)),
            gossip,
            Arc::clone(&self.peer_manager),
            NO_LIQUIDITY_MANAGER,
            Some(Arc::clone(&self.sweeper)),
            Arc::clone(&self.log),
            Some(Arc::clone(&self.scorer)),
            sleeper,
            false,
            || SystemTime::now().duration_since(UNIX_EPOCH).ok(),
        )
        .await;
        if let Err(error) = result {
            self.failure.send_replace(Some(error.to_string()));
        }
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
