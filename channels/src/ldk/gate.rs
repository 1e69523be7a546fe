//! What stands between LDK's messages and the peers: nothing leaves before its commit.
//!
//! [`Gate`] is the `ChannelManager` as the `PeerManager` sees it. Before messages leave, it brings
//! what is ready as far as it goes (forwards, payments to claim), so that one commit serves for all of
//! it, and commits.

use super::committer::Committer;
use super::stack::ChannelManager;
use super::ticks::Ticks;
use bitcoin::constants::ChainHash;
use bitcoin::secp256k1::PublicKey;
use lightning::ln::msgs::{self, BaseMessageHandler, ChannelMessageHandler, MessageSendEvent};
use lightning::ln::types::ChannelId;
use lightning::types::features::{InitFeatures, NodeFeatures};
use std::sync::{Arc, OnceLock};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// How often the gate looks whether one step made another possible.
const STEPS_MAX: usize = 4;

/// Handles the payments' events that wait; true if there was one.
pub(crate) type Settle = dyn Fn() -> bool + Send + Sync;

/// See the module's head.
pub(crate) struct Gate {
    channel_manager: Arc<ChannelManager>,
    committer: Arc<Committer>,
    settle: OnceLock<Box<Settle>>,
    ticks: Ticks,
    /// A channel has gone a step on, and may have room.
    freed: Notify,
}

impl Gate {
    pub(crate) fn new(channel_manager: Arc<ChannelManager>, committer: Arc<Committer>, ticks: Ticks) -> Self {
        Self { channel_manager, committer, settle: OnceLock::new(), ticks, freed: Notify::new() }
    }

    /// Sets who handles payments' events at the gate. The second call is without effect.
    pub(crate) fn set_settle(&self, settle: Box<Settle>) {
        let _ = self.settle.set(settle);
    }

    /// What lets LDK forget completed payments.
    pub(crate) const fn ticks(&self) -> &Ticks {
        &self.ticks
    }

    /// Ends when a channel may have more room than at the call.
    pub(crate) fn freed(&self) -> Notified<'_> {
        self.freed.notified()
    }

    /// Forwards and final receives without LDK's random delay of about 50 ms, which hides from
    /// observers who forwards what: here the user waits, and nobody looks.
    fn advance(&self) {
        for _ in 0..STEPS_MAX {
            let forwards = self.channel_manager.needs_pending_htlc_processing();
            if forwards {
                self.channel_manager.process_pending_htlc_forwards();
            }
            let settled = self.settle.get().is_some_and(|settle| settle());
            if !forwards && !settled {
                return;
            }
        }
    }
}

/// It tells what everyone may know and what is made anew at each start.
const fn is_gossip(event: &MessageSendEvent) -> bool {
    matches!(
        event,
        MessageSendEvent::BroadcastChannelAnnouncement { .. }
            | MessageSendEvent::BroadcastChannelUpdate { .. }
            | MessageSendEvent::BroadcastNodeAnnouncement { .. }
            | MessageSendEvent::SendChannelAnnouncement { .. }
            | MessageSendEvent::SendChannelUpdate { .. }
    )
}

impl BaseMessageHandler for Gate {
    fn get_and_clear_pending_msg_events(&self) -> Vec<MessageSendEvent> {
        self.advance();
        let events = self.channel_manager.get_and_clear_pending_msg_events();
        self.ticks.sent(&events);
        self.ticks.tick(&self.channel_manager);
        if events.iter().all(is_gossip) {
            return events;
        }
        match self.committer.commit() {
            Ok(()) => events,
            // The node is about to stop. The peers hear of it after the next start.
            Err(_) => Vec::new(),
        }
    }

    fn peer_disconnected(&self, peer: PublicKey) {
        self.ticks.disconnected(peer);
        self.channel_manager.peer_disconnected(peer);
    }

    fn provided_node_features(&self) -> NodeFeatures {
        self.channel_manager.provided_node_features()
    }

    fn provided_init_features(&self, peer: PublicKey) -> InitFeatures {
        self.channel_manager.provided_init_features(peer)
    }

    fn peer_connected(&self, peer: PublicKey, init: &msgs::Init, inbound: bool) -> Result<(), ()> {
        self.ticks.connected(peer);
        self.channel_manager.peer_connected(peer, init, inbound)
    }
}

/// Methods that hand their message to the manager as it is.
macro_rules! hand_on {
    ($($name:ident($message:ty)),* $(,)?) => {
        $(fn $name(&self, peer: PublicKey, message: $message) {
            self.channel_manager.$name(peer, message);
        })*
    };
}

impl ChannelMessageHandler for Gate {
    hand_on! {
        handle_open_channel(&msgs::OpenChannel),
        handle_open_channel_v2(&msgs::OpenChannelV2),
        handle_accept_channel(&msgs::AcceptChannel),
        handle_accept_channel_v2(&msgs::AcceptChannelV2),
        handle_funding_created(&msgs::FundingCreated),
        handle_funding_signed(&msgs::FundingSigned),
        handle_channel_ready(&msgs::ChannelReady),
        handle_peer_storage(msgs::PeerStorage),
        handle_peer_storage_retrieval(msgs::PeerStorageRetrieval),
        handle_shutdown(&msgs::Shutdown),
        handle_closing_signed(&msgs::ClosingSigned),
        handle_splice_init(&msgs::SpliceInit),
        handle_splice_ack(&msgs::SpliceAck),
        handle_splice_locked(&msgs::SpliceLocked),
        handle_tx_add_input(&msgs::TxAddInput),
        handle_tx_add_output(&msgs::TxAddOutput),
        handle_tx_remove_input(&msgs::TxRemoveInput),
        handle_tx_remove_output(&msgs::TxRemoveOutput),
        handle_tx_complete(&msgs::TxComplete),
        handle_tx_signatures(&msgs::TxSignatures),
        handle_tx_init_rbf(&msgs::TxInitRbf),
        handle_tx_ack_rbf(&msgs::TxAckRbf),
        handle_tx_abort(&msgs::TxAbort),
        handle_update_add_htlc(&msgs::UpdateAddHTLC),
        handle_update_fulfill_htlc(msgs::UpdateFulfillHTLC),
        handle_update_fail_htlc(&msgs::UpdateFailHTLC),
        handle_update_fail_malformed_htlc(&msgs::UpdateFailMalformedHTLC),
        handle_commitment_signed(&msgs::CommitmentSigned),
        handle_update_fee(&msgs::UpdateFee),
        handle_announcement_signatures(&msgs::AnnouncementSignatures),
        handle_channel_reestablish(&msgs::ChannelReestablish),
        handle_channel_update(&msgs::ChannelUpdate),
        handle_error(&msgs::ErrorMessage),
    }

    fn handle_stfu(&self, peer: PublicKey, message: &msgs::Stfu) {
        self.ticks.falls_quiet();
        self.channel_manager.handle_stfu(peer, message);
    }

    fn handle_revoke_and_ack(&self, peer: PublicKey, message: &msgs::RevokeAndACK) {
        let before = self.ticks.now();
        self.channel_manager.handle_revoke_and_ack(peer, message);
        self.ticks.answered(message.channel_id, before);
        // A payment's place is free once the peer has given up the state that held it.
        self.freed.notify_waiters();
    }

    fn handle_commitment_signed_batch(&self, peer: PublicKey, channel: ChannelId, batch: Vec<msgs::CommitmentSigned>) {
        self.channel_manager.handle_commitment_signed_batch(peer, channel, batch);
    }

    fn get_chain_hashes(&self) -> Option<Vec<ChainHash>> {
        self.channel_manager.get_chain_hashes()
    }

    fn message_received(&self) {
        self.channel_manager.message_received();
    }
}
