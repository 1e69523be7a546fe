//! `channel open|list|close`.

use super::send::fund;
use crate::{
    api::{ChannelBatch, ChannelClose, ChannelList, ChannelOpen, NodeChannel, Progress},
    hub::{Call, Hub, Look, Pace},
};
use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU32, Ordering},
};
use windlass_node::{
    api::{
        ApiError, btc,
        wallet::{BatchRequest, ChannelInfo, ChannelState, CloseRequest, ConnectRequest, OpenRequest},
    },
    client::WalletClient,
};

use windlass_types::Msat;

/// A public channel is announced with so many confirmations (BOLT 7).
const ANNOUNCE_DEPTH: u32 = 6;
/// Blocks mined in one go while a timelock is known to run.
const TIMELOCK_CHUNK: u32 = 50;
/// After so many blocks with nothing in the mempool a close must be waiting for a timelock, and
/// blocks come so many at a time.
const QUIET_BLOCKS: u32 = 8;
const QUIET_CHUNK: u32 = 12;

/// Node ids of all running nodes, with their names.
pub async fn names(hub: &Hub) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for (name, wallet) in hub.running_wallets() {
        if let Ok(info) = wallet.info().await {
            names.insert(info.node_id, name);
        }
    }
    names
}

/// Opens; done once both ends can use it.
pub async fn open(call: Call, ask: ChannelOpen) -> Result<ChannelInfo, ApiError> {
    let hub = &call.hub;
    let (from, to) = (hub.wallet(&ask.from)?, hub.wallet(&ask.to)?);
    if ask.from == ask.to {
        return Err(ApiError::usage(format!("{} can't open a channel to itself", ask.from)));
    }
    hub.seen(0).await?;
    let peer = to.info().await?;
    let peer = ConnectRequest { node_id: peer.node_id, address: peer.lightning };
    let request = OpenRequest { peer, amount: ask.amount, push_msat: ask.push_msat, announce: !ask.private };
    let opened =
        from.open_channel(&request).await.map_err(|error| smaller(fund(error, &ask.from, ask.amount), &ask))?;
    let funding = opened.funding.map_or_else(|| "…".into(), |funding| funding.txid.to_string());
    call.step(1, 3, "funded", format!("{} in {funding}", btc(ask.amount)));
    if call.no_wait {
        return Ok(opened);
    }
    let depth = if ask.private { 1 } else { ANNOUNCE_DEPTH };
    let channel = Pace::default().until(hub, async || look_open(&call, &from, &to, &opened.id, depth).await).await?;
    call.step(3, 3, "usable", format!("{} can send {}", ask.from, channel.send_msat));
    Ok(channel)
}

/// Opens several channels with one transaction; done once both ends of each can use it.
pub async fn batch(call: Call, ask: ChannelBatch) -> Result<Vec<ChannelInfo>, ApiError> {
    let hub = &call.hub;
    let from = hub.wallet(&ask.from)?;
    hub.seen(0).await?;
    let (mut channels, mut ends, mut sum) = (Vec::new(), Vec::new(), bitcoin::Amount::ZERO);
    for part in &ask.channels {
        if part.to == ask.from {
            return Err(ApiError::usage(format!("{} can't open a channel to itself", ask.from)));
        }
        let to = hub.wallet(&part.to)?;
        let peer = to.info().await?;
        let peer = ConnectRequest { node_id: peer.node_id, address: peer.lightning };
        channels.push(OpenRequest { peer, amount: part.amount, push_msat: Msat::ZERO, announce: !ask.private });
        sum = sum.checked_add(part.amount).ok_or_else(|| ApiError::usage("more than all bitcoin there is"))?;
        ends.push(to);
    }
    let opened = from.open_channels(&BatchRequest { channels }).await;
    let opened = opened.map_err(|error| fund(error, &ask.from, sum))?;
    call.step(1, 3, "funded", format!("{} channels, {} in one transaction", opened.len(), btc(sum)));
    if call.no_wait {
        return Ok(opened);
    }
    let depth = if ask.private { 1 } else { ANNOUNCE_DEPTH };
    let mut usable = Vec::new();
    for (channel, to) in opened.iter().zip(&ends) {
        let look = async || look_open(&call, &from, to, &channel.id, depth).await;
        usable.push(Pace::default().until(hub, look).await?);
    }
    call.step(3, 3, "usable", format!("{} channels", usable.len()));
    Ok(usable)
}

async fn look_open(
    call: &Call,
    from: &WalletClient,
    to: &WalletClient,
    id: &str,
    depth: u32,
) -> Result<Look<ChannelInfo>, ApiError> {
    let channel = from.channel(id).await?;
    match channel.state {
        ChannelState::Closing | ChannelState::Closed => {
            Err(ApiError::failed("the channel was closed while it opened; see the peers' logs")
                .hint("see the logs", "windlass logs"))
        }
        ChannelState::Opening => {
            let (seen, depth) = (u64::from(channel.confirmations), u64::from(depth));
            call.report(Progress::new(2, 3, "confirming", "").with_bar(seen.min(depth), depth));
            let waits_for_blocks = is_broadcast(call, &channel).await?;
            Ok(if waits_for_blocks { Look::Mine(1) } else { Look::Wait("the funding transaction".into()) })
        }
        ChannelState::PeerAway => Ok(Look::Wait("the peer's connection".into())),
        ChannelState::Usable if channel.confirmations < depth => Ok(Look::Mine(depth - channel.confirmations)),
        ChannelState::Usable => {
            let other = to.channels().await?;
            let usable = other.iter().any(|c| c.funding == channel.funding && c.state == ChannelState::Usable);
            Ok(if usable { Look::Done(channel) } else { Look::Wait("the other end".into()) })
        }
    }
}

/// Is the funding transaction where a block can take it from, or in a block already?
async fn is_broadcast(call: &Call, channel: &ChannelInfo) -> Result<bool, ApiError> {
    let Some(funding) = channel.funding else { return Ok(false) };
    let coin = call.hub.bitcoind().utxo(funding).await.map_err(crate::hub::rpc)?;
    Ok(coin.is_some())
}

/// What the node says of too little money, with a smaller channel as the other way out.
fn smaller(error: ApiError, ask: &ChannelOpen) -> ApiError {
    if error.code != windlass_node::api::Code::InsufficientFunds {
        return error;
    }
    error.hint("see what there is", format!("windlass balance {}", ask.from))
}

/// Channels, each end by itself.
pub async fn list(call: Call, ask: ChannelList) -> Result<Vec<NodeChannel>, ApiError> {
    if let Some(name) = &ask.node {
        call.hub.wallet(name)?;
    }
    let all = all_channels(&call.hub).await?;
    Ok(all.into_iter().filter(|channel| ask.node.as_ref().is_none_or(|name| *name == channel.node)).collect())
}

async fn all_channels(hub: &Hub) -> Result<Vec<NodeChannel>, ApiError> {
    let names = names(hub).await;
    let mut all = Vec::new();
    for (node, wallet) in hub.running_wallets() {
        for channel in wallet.channels().await? {
            let peer_name = names.get(&channel.peer).cloned();
            all.push(NodeChannel { node: node.clone(), peer_name, channel });
        }
    }
    Ok(all)
}

/// Closes; done once all money of both ends is back on chain.
pub async fn close(call: Call, ask: ChannelClose) -> Result<ChannelInfo, ApiError> {
    let hub = &call.hub;
    if let Some(name) = &ask.node {
        hub.wallet(name)?;
    }
    let end = find(&all_channels(hub).await?, &ask)?;
    let wallet = hub.wallet(&end.node)?;
    hub.seen(0).await?;
    let closing = wallet.close_channel(&end.channel.id, &CloseRequest { force: ask.force }).await?;
    let txid = closing.closing_txid.map_or_else(|| "…".into(), |txid| txid.to_string());
    call.step(1, 3, if ask.force { "closed by force" } else { "closed together" }, txid);
    if call.no_wait {
        return Ok(closing);
    }
    let quiet = AtomicU32::new(0);
    let channel = Pace::default().until(hub, async || look_closed(&call, &end, &quiet).await).await?;
    call.step(3, 3, "settled", "every satoshi is back on chain");
    Ok(channel)
}

/// The channel that is meant: by id or prefix, as either end shows it.
fn find(all: &[NodeChannel], ask: &ChannelClose) -> Result<NodeChannel, ApiError> {
    let fits = |end: &&NodeChannel| {
        windlass_types::id_fits(&end.channel.id, &ask.id) && ask.node.as_ref().is_none_or(|name| *name == end.node)
    };
    let found: Vec<_> = all.iter().filter(fits).collect();
    let Some(first) = found.first() else {
        return Err(ApiError::not_found(format!("there is no channel {:?}", ask.id))
            .hint("see them all", "windlass channel list"));
    };
    if found.iter().any(|end| end.channel.funding != first.channel.funding) {
        return Err(ApiError::usage(format!("{:?} could be {} channels: give more of the id", ask.id, found.len()))
            .hint("see them all", "windlass channel list"));
    }
    // Its funder knows best, but either end will do; one that is closed already will not.
    let open = found.iter().find(|end| end.channel.state != ChannelState::Closed).ok_or_else(|| {
        ApiError::conflict(format!("channel {} is closed already", first.channel.id))
            .hint("see what came of it", format!("windlass statement {}", first.node))
    })?;
    Ok((*open).clone())
}

async fn look_closed(call: &Call, end: &NodeChannel, quiet: &AtomicU32) -> Result<Look<ChannelInfo>, ApiError> {
    let hub = &call.hub;
    let mut ends = Vec::new();
    for (node, wallet) in hub.running_wallets() {
        // The other end is known by the funding; this one also if it never had any.
        let here = wallet.channels().await?.into_iter();
        ends.extend(here.filter(|channel| match channel.funding {
            Some(funding) => Some(funding) == end.channel.funding,
            None => node == end.node && channel.id == end.channel.id,
        }));
    }
    let own = ends.iter().find(|channel| channel.id == end.channel.id).cloned();
    let own = own.ok_or_else(|| ApiError::failed(format!("{} does not show the channel any more", end.node)))?;
    if ends.iter().all(|channel| channel.state == ChannelState::Closed) {
        return Ok(Look::Done(own));
    }
    let tip = hub.miner().tip().await?.height;
    let locked = ends.iter().filter_map(|channel| channel.claimable_height).filter(|height| *height > tip).max();
    if let Some(height) = locked {
        let left = height.get() - tip.get();
        call.report(Progress::new(2, 3, "timelock", format!("until block {height}, {left} more")));
        return Ok(Look::Mine(left.min(TIMELOCK_CHUNK)));
    }
    call.report(Progress::new(2, 3, "confirming", format!("block {tip}")));
    if !hub.bitcoind().mempool().await.map_err(crate::hub::rpc)?.txids.is_empty() {
        quiet.store(0, Ordering::Relaxed);
        return Ok(Look::Mine(1));
    }
    if ends.iter().all(|channel| channel.closing_txid.is_none()) {
        return Ok(Look::Wait("the closing transaction".into()));
    }
    let blocks = if quiet.fetch_add(1, Ordering::Relaxed) < QUIET_BLOCKS { 1 } else { QUIET_CHUNK };
    Ok(Look::Mine(blocks))
}
