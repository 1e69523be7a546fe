//! Channels that change their size.

use super::{Peer, eventually, sat};
use bitcoin::Txid;
use windlass_channels::{Channel, ChannelId, ChannelState, SpliceError};

pub fn splice_in(peer: &Peer, id: ChannelId, amount: u64) -> Result<Txid, SpliceError> {
    peer.on(move |node| async move { node.splice_in(id, sat(amount), None).await })
}

/// Both ends have the capacity, and no splice waits.
pub fn locked_in(ends: [&Peer; 2], id: ChannelId, capacity: u64) -> [Channel; 2] {
    ends.map(|end| {
        eventually("the splice is locked in", || {
            let channel = end.node().channel(id)?;
            let done = channel.capacity == sat(capacity) && channel.splice.is_none();
            (done && channel.state == ChannelState::Usable).then_some(channel)
        })
    })
}
