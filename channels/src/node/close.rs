//! Closing a channel.

use super::Node;
use crate::{ChannelId, CloseError};
use lightning::ln::types::ChannelId as LdkChannelId;
use std::time::Duration;
use tokio::time::Instant;

/// How long a channel may be busy before a close is refused.
const BEGIN_TIMEOUT: Duration = Duration::from_secs(5);

/// How long to wait for bitcoind to take a transaction; if it is down, that comes later.
const BROADCAST_TIMEOUT: Duration = Duration::from_secs(5);

/// How soon a busy channel is asked again.
const AGAIN: Duration = Duration::from_millis(20);

impl Node {
    /// Closes a channel: together with the peer, or by force. Returns once it has begun; the money is
    /// back when [`crate::ChannelRecord::settled`].
    ///
    /// # Errors
    /// See [`CloseError`].
    pub async fn close_channel(&self, id: ChannelId, force: bool) -> Result<(), CloseError> {
        let deadline = Instant::now() + BEGIN_TIMEOUT;
        loop {
            match self.begin_close(id, force) {
                // LDK refuses while an update is on its way to the disk or to the peer.
                Err(CloseError::Refused { .. }) if Instant::now() < deadline => tokio::time::sleep(AGAIN).await,
                result => return result,
            }
        }
    }

    /// Returns when bitcoind has answered to all transactions that the node has made up to now; after
    /// some seconds if bitcoind is down. Transactions leave after a commit, so a moment later than what made them.
    pub async fn broadcasts(&self) {
        self.broadcaster.flushed(BROADCAST_TIMEOUT).await;
    }

    fn begin_close(&self, id: ChannelId, force: bool) -> Result<(), CloseError> {
        let id_of_ldk = LdkChannelId(id.0);
        let channels = self.channel_manager.list_channels();
        let details = channels.iter().find(|details| details.channel_id == id_of_ldk).ok_or(CloseError::Unknown(id))?;
        let peer = details.counterparty.node_id;
        // A closing transaction spends the output that the splice spends: one of them would be for nothing.
        if let Some(splice) = self.channel(id).and_then(|channel| channel.splice).filter(|_| !force) {
            return Err(CloseError::Splicing { channel: id, txid: splice.txid });
        }
        if !force && self.peer_manager.peer_by_node_id(&peer).is_none() {
            return Err(CloseError::Offline { peer });
        }
        let result = if force {
            let message = "closed by its user".to_owned();
            self.channel_manager.force_close_broadcasting_latest_txn(&id_of_ldk, &peer, message)
        } else {
            self.channel_manager.close_channel(&id_of_ldk, &peer)
        };
        self.peer_manager.process_events();
        result.map_err(|error| CloseError::Refused { channel: id, reason: format!("{error:?}") })
    }
}
