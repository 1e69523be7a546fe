//! The peers' verbs of the API.

use super::errors;
use super::lightning::{of_open, peer};
use super::node::WalletNode;
use crate::api::ApiError;
use crate::api::wallet::{BatchRequest, ChannelInfo, ConnectRequest, ForgetAnswer, PeerInfo};
use windlass_channels as channels;

impl WalletNode {
    /// GET `/v1/peers`
    pub(super) fn peers(&self) -> Vec<PeerInfo> {
        let read = |peer: channels::Peer| PeerInfo {
            node_id: peer.node_id.to_string(),
            address: peer.address,
            connected: peer.connected,
            persistent: peer.persistent,
        };
        self.lightning.peers().into_iter().map(read).collect()
    }

    /// POST `/v1/peers/persistent`
    pub(super) async fn keep_peer(&self, request: &ConnectRequest) -> Result<PeerInfo, ApiError> {
        let peer = peer(request)?;
        let connected = self.lightning.keep_peer(&peer).await.map_err(errors::connect)?;
        let (node_id, address) = (peer.node_id.to_string(), Some(peer.address));
        Ok(PeerInfo { node_id, address, connected, persistent: true })
    }

    /// POST `/v1/peers/{id}/forget`
    pub(super) fn forget_peer(&self, id: &str) -> Result<ForgetAnswer, ApiError> {
        let node_id = id.trim().parse().map_err(|_| ApiError::usage(format!("{id:?} is no node's id")))?;
        Ok(ForgetAnswer { forgotten: self.lightning.forget_peer(node_id) })
    }

    /// POST `/v1/channels/batch`
    pub(super) async fn open_channels(&self, request: &BatchRequest) -> Result<Vec<ChannelInfo>, ApiError> {
        let mut requests = Vec::new();
        for open in &request.channels {
            requests.push(channels::OpenRequest {
                peer: peer(&open.peer)?,
                amount: open.amount,
                push: open.push_msat,
                announce: open.announce,
            });
        }
        let opened = self.lightning.open_channels(&requests).await;
        let opened = opened.map_err(|error| errors::open(&self.config.name, error))?;
        Ok(opened.iter().map(|channel| of_open(channel, self.lightning.record(channel.id).as_ref())).collect())
    }
}
