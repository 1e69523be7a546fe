//! Connections to other nodes.

use super::Node;
use crate::book::Row;
use crate::{ConnectError, Peer, PeerAddress};
use bitcoin::secp256k1::PublicKey;
use lightning::ln::msgs::SocketAddress;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_socks::tcp::Socks5Stream;

/// How long a connection may take, its handshake included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Where two connections to one peer were begun at once, the peer closes one of them; so long the other may
/// still take for its handshake.
const OTHER_CONNECTION: Duration = Duration::from_secs(1);

/// How long accepting rests after a failure.
const ACCEPT_AGAIN: Duration = Duration::from_millis(250);

impl Node {
    /// Connects to a peer, or returns at once if it is connected. The address is remembered.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub async fn connect(&self, peer: &PeerAddress) -> Result<(), ConnectError> {
        if peer.node_id == self.node_id() {
            return Err(ConnectError::Ourselves(peer.node_id));
        }
        if self.peer_manager.peer_by_node_id(&peer.node_id).is_none() {
            self.dial(peer).await?;
        }
        if self.book.read().peers.get(&peer.node_id) != Some(&peer.address) {
            self.book.write(|pages| {
                pages.peers.insert(peer.node_id, peer.address.clone());
                [Row::Peer(peer.node_id)]
            });
            self.kv.request();
            self.refresh_backup();
        }
        Ok(())
    }

    /// Connects to a peer whose address is known from before or from gossip.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub async fn connect_to(&self, node_id: PublicKey) -> Result<(), ConnectError> {
        if self.peer_manager.peer_by_node_id(&node_id).is_some() {
            return Ok(());
        }
        let address = self.address_of(node_id).ok_or(ConnectError::UnknownAddress(node_id))?;
        self.connect(&PeerAddress { node_id, address }).await
    }

    /// Remembers a peer as persistent and connects to it. It is remembered also if it does not answer now.
    ///
    /// # Errors
    /// The address can never be connected to; see [`ConnectError`].
    pub async fn keep_peer(&self, peer: &PeerAddress) -> Result<bool, ConnectError> {
        if peer.node_id == self.node_id() {
            return Err(ConnectError::Ourselves(peer.node_id));
        }
        if is_onion(&peer.address) && self.config.proxy.is_none() {
            return Err(ConnectError::NoProxy(peer.address.clone()));
        }
        self.book.write(|pages| {
            pages.peers.insert(peer.node_id, peer.address.clone());
            pages.kept.insert(peer.node_id, true);
            [Row::Peer(peer.node_id), Row::Kept(peer.node_id)]
        });
        self.kv.request();
        self.refresh_backup();
        Ok(self.connect(peer).await.is_ok())
    }

    /// A peer is no longer persistent; without a channel it is disconnected and forgotten. False if it was
    /// not persistent.
    pub fn forget_peer(&self, node_id: PublicKey) -> bool {
        let has_channel =
            self.channel_manager.list_channels().iter().any(|channel| channel.counterparty.node_id == node_id);
        let mut known = false;
        self.book.write(|pages| {
            known = pages.kept.remove(&node_id).is_some();
            let mut rows = vec![Row::Kept(node_id)];
            if known && !has_channel {
                pages.peers.remove(&node_id);
                rows.push(Row::Peer(node_id));
            }
            rows
        });
        self.kv.request();
        if known && !has_channel {
            self.disconnect(node_id);
        }
        known
    }

    /// Ends the connection to a peer. If there is a channel, it is soon connected again.
    pub fn disconnect(&self, node_id: PublicKey) {
        self.peer_manager.disconnect_by_node_id(node_id);
    }

    /// All peers that are connected or whose address is known.
    pub fn peers(&self) -> Vec<Peer> {
        let mut peers: BTreeMap<PublicKey, Peer> = BTreeMap::new();
        for (node_id, address) in &self.book.read().peers {
            let address = Some(address.clone());
            peers.insert(*node_id, Peer { node_id: *node_id, address, connected: false, persistent: false });
        }
        for connected in self.peer_manager.list_peers() {
            let node_id = connected.counterparty_node_id;
            let address = connected.socket_address.map(|address| address.to_string());
            let unknown = Peer { node_id, address, connected: true, persistent: false };
            peers.entry(node_id).or_insert(unknown).connected = true;
        }
        for node_id in self.book.read().kept.keys() {
            if let Some(peer) = peers.get_mut(node_id) {
                peer.persistent = true;
            }
        }
        peers.into_values().collect()
    }

    fn address_of(&self, node_id: PublicKey) -> Option<String> {
        let known = self.book.read().peers.get(&node_id).cloned();
        known.or_else(|| {
            let graph = self.graph.read_only();
            let addresses = graph.get_addresses(&node_id)?;
            let texts = addresses.into_iter().map(|address| address.to_string());
            // Tor only where there is a way to it.
            let mut usable = texts.filter(|text| self.config.proxy.is_some() || !is_onion(text));
            usable.next()
        })
    }

    async fn dial(&self, peer: &PeerAddress) -> Result<(), ConnectError> {
        let mut deadline = Instant::now() + CONNECT_TIMEOUT;
        let unreachable =
            |reason: String| ConnectError::Unreachable { node_id: peer.node_id, address: peer.address.clone(), reason };
        let stream = tokio::time::timeout_at(deadline, self.open_stream(&peer.address))
            .await
            .map_err(|_| unreachable("no answer".into()))??
            .map_err(unreachable)?;
        let stream = ready(stream).map_err(|error| unreachable(error.to_string()))?;
        let closed = lightning_net_tokio::setup_outbound(Arc::clone(&self.peer_manager), peer.node_id, stream);
        let mut closed = Box::pin(closed);
        let (mut is_closed, mut given_up) = (false, "no handshake");
        loop {
            if self.peer_manager.peer_by_node_id(&peer.node_id).is_some() {
                return Ok(());
            }
            // LDK has no signal for a finished handshake.
            tokio::select! {
                () = &mut closed, if !is_closed => {
                    is_closed = true;
                    deadline = deadline.min(Instant::now() + OTHER_CONNECTION);
                    given_up = "it closed the connection: is it the node with this key?";
                }
                () = tokio::time::sleep(Duration::from_millis(5)) => {}
                () = tokio::time::sleep_until(deadline) => return Err(unreachable(given_up.into())),
            }
        }
    }

    /// A connection to `address`: by Tor's proxy, which resolves the name, where it is Tor's.
    async fn open_stream(&self, address: &str) -> Result<Result<TcpStream, String>, ConnectError> {
        if !is_onion(address) {
            return Ok(TcpStream::connect(address).await.map_err(|error| error.to_string()));
        }
        let proxy = self.config.proxy.ok_or_else(|| ConnectError::NoProxy(address.to_owned()))?;
        let stream = Socks5Stream::connect(proxy, address).await;
        Ok(stream.map(Socks5Stream::into_inner).map_err(|error| format!("by the proxy {proxy}: {error}")))
    }

    /// Connections that came in and are open, their handshakes done or not.
    pub fn inbound_connections(&self) -> usize {
        self.inbound.count()
    }

    /// The addresses of the peers whose handshake is over.
    fn after_handshake(&self) -> BTreeSet<SocketAddr> {
        let addresses = self.peer_manager.list_peers().into_iter().filter_map(|peer| peer.socket_address);
        let plain = |address| match address {
            SocketAddress::TcpIpV4 { addr, port } => Some(SocketAddr::from((addr, port))),
            SocketAddress::TcpIpV6 { addr, port } => Some(SocketAddr::from((addr, port))),
            _ => None,
        };
        addresses.filter_map(plain).collect()
    }

    /// Accepts peers until the node stops.
    pub(super) async fn listen(self: Arc<Self>, listener: TcpListener) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = self.stopped() => return,
            };
            let admitted = accepted.and_then(|(stream, from)| {
                let stream = ready(stream)?;
                Ok(self.inbound.admit(from, &stream, || self.after_handshake())?.map(|number| (stream, number)))
            });
            match admitted {
                Ok(Some((stream, number))) => {
                    let closed = lightning_net_tokio::setup_inbound(Arc::clone(&self.peer_manager), stream);
                    let node = Arc::clone(&self);
                    tokio::spawn(async move {
                        closed.await;
                        node.inbound.left(number);
                    });
                }
                // Closed as it is dropped.
                Ok(None) => tracing::debug!("no room for another peer"),
                Err(error) => {
                    // Out of file descriptors, say: trying again at once would only burn the processor.
                    tracing::warn!(%error, "a peer could not be accepted");
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    }
}

/// The address is a Tor service's.
fn is_onion(address: &str) -> bool {
    address.rsplit_once(':').is_some_and(|(host, _)| host.to_ascii_lowercase().ends_with(".onion"))
}

/// A payment is a few small messages one after the other: none of them may wait to be filled up.
fn ready(stream: TcpStream) -> std::io::Result<std::net::TcpStream> {
    stream.set_nodelay(true)?;
    stream.into_std()
}
