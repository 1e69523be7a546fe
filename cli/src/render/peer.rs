//! Peers.

use super::{
    short,
    table::{Align, Table},
};
use windlass_regtest::api::NodePeer;

/// `windlass peer list`.
pub fn list(peers: &[NodePeer]) -> String {
    if peers.is_empty() {
        return "no peers".into();
    }
    let mut table = Table::new(&[
        ("Peer", Align::Left),
        ("Address", Align::Left),
        ("Connected", Align::Left),
        ("Persistent", Align::Left),
    ]);
    let yes = |is: bool| if is { "yes" } else { "no" };
    for entry in peers {
        let peer = &entry.peer;
        table.row([
            entry.name.as_deref().unwrap_or_else(|| short(&peer.node_id)),
            peer.address.as_deref().unwrap_or("-"),
            yes(peer.connected),
            yes(peer.persistent),
        ]);
    }
    table.text("")
}
