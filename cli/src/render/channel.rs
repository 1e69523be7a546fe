//! Channels and nodes.

use super::{
    money, short,
    table::{Align, Table},
};
use windlass_node::api::events::JournalInfo;
use windlass_node::api::payments::PolicyInfo;
use windlass_node::api::wallet::{ChannelInfo, ChannelState, NodeInfo};
use windlass_regtest::api::NodeChannel;
use windlass_types::short_by_both_ends;

/// A state in words.
pub fn state(state: ChannelState) -> &'static str {
    match state {
        ChannelState::Opening => "opening",
        ChannelState::Usable => "usable",
        ChannelState::PeerAway => "peer away",
        ChannelState::Closing => "closing",
        ChannelState::Closed => "closed",
    }
}

/// `windlass channel list`: a line for each end.
pub fn list(channels: &[NodeChannel]) -> String {
    if channels.is_empty() {
        return "no channels".into();
    }
    let mut table = Table::new(&[
        ("Channel", Align::Left),
        ("Node", Align::Left),
        ("Peer", Align::Left),
        ("State", Align::Left),
        ("Capacity, sat", Align::Right),
        ("Ours", Align::Right),
        ("Theirs", Align::Right),
    ]);
    for entry in channels {
        let channel = &entry.channel;
        table.row([
            short_by_both_ends(&channel.id).as_str(),
            &entry.node,
            entry.peer_name.as_deref().unwrap_or_else(|| short(&channel.peer)),
            state(channel.state),
            &money::sat(channel.capacity),
            &money::msat(channel.local_msat),
            &money::msat(channel.remote_msat),
        ]);
    }
    table.text("")
}

/// One channel, as opening and closing leave it.
pub fn one(channel: &ChannelInfo) -> String {
    let mut text = format!(
        "channel {}: {}, capacity {} sat, ours {}, theirs {}\n",
        short_by_both_ends(&channel.id),
        state(channel.state),
        money::sat(channel.capacity),
        money::msat(channel.local_msat),
        money::msat(channel.remote_msat)
    );
    if let Some(funding) = channel.funding {
        text.push_str(&format!("  funding  {funding}\n"));
    }
    if let Some(splice) = &channel.splice {
        let at = splice.height.map_or_else(|| "unconfirmed".into(), |height| format!("in block {height}"));
        let capacity = money::sat(splice.capacity);
        text.push_str(&format!("  splice   {} ({at}), then {capacity} sat\n", splice.txid));
    }
    if let Some(closing) = channel.closing_txid {
        text.push_str(&format!("  closing  {closing}\n"));
    }
    if let Some(height) = channel.claimable_height {
        text.push_str(&format!("  ours again from Bitcoin block {height}\n"));
    }
    text
}

/// `windlass channel policy`.
pub fn policy(node: &str, policy: &PolicyInfo) -> String {
    format!(
        "{node} asks on channel {}: {} sat for each payment, {} ppm on top, {} blocks\n",
        short_by_both_ends(&policy.channel),
        money::msat(policy.base_msat),
        windlass_types::grouped(u64::from(policy.ppm)),
        policy.cltv_delta
    )
}

/// `windlass node info`.
pub fn node(info: &NodeInfo) -> String {
    let mut table = Table::bare(&[Align::Left, Align::Left]);
    table.row(["name", &info.name]);
    table.row(["node id", &info.node_id]);
    table.row(["Lightning", &format!("{}@{}", info.node_id, info.lightning)]);
    table.row(["sidechain", &info.account]);
    table.row(["Bitcoin", &format!("block {}", info.synced.height)]);
    table.row(["peers", &info.peers.len().to_string()]);
    table.row(["channels", &format!("{}, {} usable", info.channels, info.channels_usable)]);
    if info.journal.has_reader && info.journal.waiting >= UNREAD {
        table.row(["events", &format!("{}: see `windlass node events {}`", unread(&info.journal), info.name)]);
    }
    table.row(["version", &info.version]);
    table.text("")
}

/// So many unread events are worth a word.
const UNREAD: u64 = 10_000;

fn unread(journal: &JournalInfo) -> String {
    let lost = (journal.lost > 0).then(|| format!(", {} lost", windlass_types::grouped(journal.lost)));
    windlass_types::grouped(journal.waiting) + " unread" + &lost.unwrap_or_default()
}

/// `windlass node events`.
pub fn journal(name: &str, journal: &JournalInfo) -> String {
    let grouped = windlass_types::grouped;
    let kept = format!("{} (at most {} are kept)", unread(journal), grouped(journal.most));
    let reader = if journal.has_reader {
        format!(
            "an application acknowledged all before {}\nif it is gone for good: windlass node events {name} --give-up",
            grouped(journal.acknowledged)
        )
    } else {
        "no application acknowledges events: the oldest go as new ones come".to_owned()
    };
    format!("{name}'s journal: {kept}, from {}, next {}\n{reader}", grouped(journal.oldest), grouped(journal.next))
}
