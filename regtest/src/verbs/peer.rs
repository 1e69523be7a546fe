//! `peer list|add|remove`.

use super::channel::names;
use crate::{
    api::{NodePeer, OneNode, OnePeer},
    hub::{Call, Hub},
};
use windlass_node::api::{
    ApiError,
    wallet::{ConnectRequest, ForgetAnswer, PeerInfo},
};

/// A node's peers.
pub async fn list(call: Call, ask: OneNode) -> Result<Vec<NodePeer>, ApiError> {
    let peers = call.hub.wallet(&ask.node)?.peers().await?;
    let names = names(&call.hub).await;
    Ok(peers.into_iter().map(|peer| NodePeer { name: names.get(&peer.node_id).cloned(), peer }).collect())
}

/// Connects to a peer, and again whenever the connection is lost.
pub async fn add(call: Call, ask: OnePeer) -> Result<NodePeer, ApiError> {
    let wallet = call.hub.wallet(&ask.node)?;
    let request = match ask.peer.split_once('@') {
        Some((node_id, address)) => ConnectRequest { node_id: node_id.into(), address: address.into() },
        None => {
            let info = call.hub.wallet(&ask.peer)?.info().await?;
            ConnectRequest { node_id: info.node_id, address: info.lightning }
        }
    };
    let peer: PeerInfo = wallet.keep_peer(&request).await?;
    let name = names(&call.hub).await.get(&peer.node_id).cloned();
    Ok(NodePeer { name, peer })
}

/// No longer connects to a peer by itself.
pub async fn remove(call: Call, ask: OnePeer) -> Result<ForgetAnswer, ApiError> {
    let wallet = call.hub.wallet(&ask.node)?;
    let id = node_id(&call.hub, &ask.peer).await;
    wallet.forget_peer(&id).await
}

/// A peer by name, or by its key with or without an address behind.
async fn node_id(hub: &Hub, peer: &str) -> String {
    let names = names(hub).await;
    let by_name = names.iter().find(|(_, name)| *name == peer).map(|(id, _)| id.clone());
    by_name.unwrap_or_else(|| peer.split('@').next().unwrap_or(peer).to_owned())
}
