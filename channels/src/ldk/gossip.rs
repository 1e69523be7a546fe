//! Gossip, with patience for updates that come before their channel.
//!
//! When a channel gets its sixth confirmation both ends announce it. The peer's `channel_update` may
//! reach us before we have put our own announcement together; LDK drops it then, and nobody beyond
//! us hears of that direction until the peer repeats it, blocks later. [`Patient`] keeps a few such
//! updates and tries them again when LDK next asks for messages. And for peers that have no such patience (other
//! nodes made of LDK), it tells the updates of a channel of ours once more, shortly after its announcement.

use super::stack::{Gossip, Graph};
use bitcoin::secp256k1::PublicKey;
use lightning::ln::msgs::{
    BaseMessageHandler, ChannelAnnouncement, ChannelUpdate, Init, LightningError, MessageSendEvent, NodeAnnouncement,
    QueryChannelRange, QueryShortChannelIds, ReplyChannelRange, ReplyShortChannelIdsEnd, RoutingMessageHandler,
};
use lightning::routing::gossip::NodeId;
use lightning::types::features::{InitFeatures, NodeFeatures};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Updates that are kept; beyond, the oldest goes.
const EARLY_MAX: usize = 64;

/// When a channel's updates are told once more: a peer that has sent its half of the announcement has put it
/// together by then.
const AGAIN_AFTER: Duration = Duration::from_secs(2);

/// LDK's gossip handler that keeps early updates.
pub(crate) struct Patient {
    inner: Arc<Gossip>,
    graph: Arc<Graph>,
    early: Mutex<VecDeque<ChannelUpdate>>,
    /// Channels of ours that were announced, and since when.
    announced: Mutex<VecDeque<(u64, Instant)>>,
}

impl Patient {
    pub(crate) const fn new(inner: Arc<Gossip>, graph: Arc<Graph>) -> Self {
        Self { inner, graph, early: Mutex::new(VecDeque::new()), announced: Mutex::new(VecDeque::new()) }
    }

    fn announced(&self) -> MutexGuard<'_, VecDeque<(u64, Instant)>> {
        self.announced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The updates that are due to be told once more.
    fn again(&self, now: Instant) -> Vec<MessageSendEvent> {
        let mut announced = self.announced();
        // In the order in which they came: the first that is too young ends it.
        let count = announced.partition_point(|(_, since)| now.duration_since(*since) >= AGAIN_AFTER);
        let due: Vec<u64> = announced.drain(..count).map(|(scid, _)| scid).collect();
        drop(announced);
        if due.is_empty() {
            return Vec::new();
        }
        let graph = self.graph.read_only();
        let channels = due.iter().filter_map(|scid| graph.channel(*scid));
        let updates = channels.flat_map(|channel| [&channel.one_to_two, &channel.two_to_one].into_iter().flatten());
        let messages = updates.filter_map(|update| update.last_update_message.clone());
        messages.map(|msg| MessageSendEvent::BroadcastChannelUpdate { msg }).collect()
    }

    fn early(&self) -> MutexGuard<'_, VecDeque<ChannelUpdate>> {
        self.early.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn knows(&self, scid: u64) -> bool {
        self.graph.read_only().channel(scid).is_some()
    }

    fn keep(&self, update: &ChannelUpdate) {
        let mut early = self.early();
        early.retain(|known| {
            known.contents.short_channel_id != update.contents.short_channel_id
                || known.contents.channel_flags & 1 != update.contents.channel_flags & 1
        });
        if early.len() >= EARLY_MAX {
            early.pop_front();
        }
        early.push_back(update.clone());
    }
}

impl BaseMessageHandler for Patient {
    fn get_and_clear_pending_msg_events(&self) -> Vec<MessageSendEvent> {
        let mut events = self.inner.get_and_clear_pending_msg_events();
        let mut early = self.early();
        if !early.is_empty() {
            let (ripe, unripe): (Vec<_>, Vec<_>) =
                early.drain(..).partition(|update| self.knows(update.contents.short_channel_id));
            early.extend(unripe);
            // LDK checks it, takes it in, and passes it on.
            events.extend(ripe.into_iter().map(|msg| MessageSendEvent::BroadcastChannelUpdate { msg }));
        }
        drop(early);
        events.extend(self.again(Instant::now()));
        events
    }

    fn peer_disconnected(&self, peer: PublicKey) {
        self.inner.peer_disconnected(peer);
    }

    fn provided_node_features(&self) -> NodeFeatures {
        self.inner.provided_node_features()
    }

    fn provided_init_features(&self, peer: PublicKey) -> InitFeatures {
        self.inner.provided_init_features(peer)
    }

    fn peer_connected(&self, peer: PublicKey, init: &Init, inbound: bool) -> Result<(), ()> {
        self.inner.peer_connected(peer, init, inbound)
    }
}

impl RoutingMessageHandler for Patient {
    fn handle_node_announcement(
        &self,
        peer: Option<PublicKey>,
        msg: &NodeAnnouncement,
    ) -> Result<bool, LightningError> {
        self.inner.handle_node_announcement(peer, msg)
    }

    fn handle_channel_announcement(
        &self,
        peer: Option<PublicKey>,
        msg: &ChannelAnnouncement,
    ) -> Result<bool, LightningError> {
        if peer.is_none() {
            let mut announced = self.announced();
            if announced.len() >= EARLY_MAX {
                announced.pop_front();
            }
            announced.push_back((msg.contents.short_channel_id, Instant::now()));
        }
        self.inner.handle_channel_announcement(peer, msg)
    }

    fn handle_channel_update(&self, peer: Option<PublicKey>, msg: &ChannelUpdate) -> Result<bool, LightningError> {
        let result = self.inner.handle_channel_update(peer, msg);
        if result.is_err() && peer.is_some() && !self.knows(msg.contents.short_channel_id) {
            self.keep(msg);
        }
        result
    }

    fn get_next_channel_announcement(
        &self,
        from: u64,
    ) -> Option<(ChannelAnnouncement, Option<ChannelUpdate>, Option<ChannelUpdate>)> {
        self.inner.get_next_channel_announcement(from)
    }

    fn get_next_node_announcement(&self, from: Option<&NodeId>) -> Option<NodeAnnouncement> {
        self.inner.get_next_node_announcement(from)
    }

    fn handle_reply_channel_range(&self, peer: PublicKey, msg: ReplyChannelRange) -> Result<(), LightningError> {
        self.inner.handle_reply_channel_range(peer, msg)
    }

    fn handle_reply_short_channel_ids_end(
        &self,
        peer: PublicKey,
        msg: ReplyShortChannelIdsEnd,
    ) -> Result<(), LightningError> {
        self.inner.handle_reply_short_channel_ids_end(peer, msg)
    }

    fn handle_query_channel_range(&self, peer: PublicKey, msg: QueryChannelRange) -> Result<(), LightningError> {
        self.inner.handle_query_channel_range(peer, msg)
    }

    fn handle_query_short_channel_ids(&self, peer: PublicKey, msg: QueryShortChannelIds) -> Result<(), LightningError> {
        self.inner.handle_query_short_channel_ids(peer, msg)
    }

    fn processing_queue_high(&self) -> bool {
        self.inner.processing_queue_high()
    }
}
