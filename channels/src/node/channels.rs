//! The list of channels.

use super::{Node, count};
use crate::book::{ANCHORS_SAT, Flow, Row};
use crate::{Channel, ChannelId, ChannelState, FindError, PendingSplice};
use bitcoin::{Amount, OutPoint};
use lightning::ln::channel_state::{ChannelDetails, ChannelShutdownState};
use windlass_types::{BtcHeight, Msat};

/// `block x transaction x output`, as people write it.
pub(super) fn short_id(scid: u64) -> String {
    format!("{}x{}x{}", scid >> 40, (scid >> 16) & 0xff_ffff, scid & 0xffff)
}

fn state(details: &ChannelDetails) -> ChannelState {
    let open = details.channel_shutdown_state.is_none_or(|state| state == ChannelShutdownState::NotShuttingDown);
    match (open, details.is_channel_ready, details.is_usable) {
        (false, ..) => ChannelState::Closing,
        (true, false, _) => ChannelState::Pending,
        (true, true, true) => ChannelState::Usable,
        (true, true, false) => ChannelState::Offline,
    }
}

impl Node {
    /// All channels that are not closed, the pending ones included.
    pub fn channels(&self) -> Vec<Channel> {
        let mut channels: Vec<Channel> =
            self.channel_manager.list_channels().iter().filter_map(|details| self.channel_of(details)).collect();
        channels.sort_by_key(|channel| channel.id);
        channels
    }

    /// The open channel with this id.
    pub fn channel(&self, id: ChannelId) -> Option<Channel> {
        self.channels().into_iter().find(|channel| channel.id == id)
    }

    /// The open channel whose id starts with `prefix`, or is shown so; see [`windlass_types::id_fits`].
    ///
    /// # Errors
    /// None has, or several have.
    pub fn find_channel(&self, prefix: &str) -> Result<Channel, FindError> {
        let wanted = prefix.to_lowercase();
        let mut found: Vec<Channel> = self
            .channels()
            .into_iter()
            .filter(|channel| windlass_types::id_fits(&channel.id.to_string(), &wanted))
            .collect();
        match (found.pop(), found.is_empty()) {
            (Some(channel), true) if !wanted.is_empty() => Ok(channel),
            (Some(last), _) => {
                found.push(last);
                let found = found.iter().map(|channel| channel.id).collect();
                Err(FindError::Ambiguous { prefix: prefix.into(), found })
            }
            (None, _) => Err(FindError::Unknown(prefix.into())),
        }
    }

    fn channel_of(&self, details: &ChannelDetails) -> Option<Channel> {
        let funding = details.funding_txo?;
        let id = ChannelId(details.channel_id.0);
        let capacity = Amount::from_sat(details.channel_value_satoshis);
        let outgoing: u64 = details.pending_outbound_htlcs.iter().map(|htlc| htlc.amount_msat).sum();
        let incoming: u64 = details.pending_inbound_htlcs.iter().map(|htlc| htlc.amount_msat).sum();
        let reserve = details.unspendable_punishment_reserve.unwrap_or(0);
        let funding = OutPoint::new(funding.txid, u32::from(funding.index));
        let (splice, in_channel) = self.splice_of(id, funding);
        let ours = match &splice {
            Some(_) => in_channel.saturating_sub(outgoing),
            None => Self::our_balance(details, in_channel, reserve),
        };
        let all = capacity.to_sat().saturating_mul(1000);
        Some(Channel {
            id,
            peer: details.counterparty.node_id,
            state: state(details),
            we_funded: details.is_outbound,
            announced: details.is_announced,
            in_gossip: self.is_in_gossip(details),
            capacity,
            ours: Msat::new(ours),
            theirs: Msat::new(all.saturating_sub(ours).saturating_sub(outgoing).saturating_sub(incoming)),
            in_flight: Msat::new(outgoing.saturating_add(incoming)),
            can_send: Msat::new(if details.is_usable { details.next_outbound_htlc_limit_msat } else { 0 }),
            can_receive: Msat::new(if details.is_usable { details.inbound_capacity_msat } else { 0 }),
            reserve: Amount::from_sat(reserve),
            funding: Some(funding),
            splice,
            short_id: details.short_channel_id.map(short_id),
            confirmations: details.confirmations.unwrap_or(0),
            confirmations_required: details.confirmations_required.unwrap_or(0),
        })
    }

    /// LDK says what we can send, which is the balance less the reserve and, for the funder, the
    /// anchors. Below those it says zero, and only our own account knows.
    fn our_balance(details: &ChannelDetails, by_account: u64, reserve_sat: u64) -> u64 {
        if details.outbound_capacity_msat > 0 {
            let anchors_sat = if details.is_outbound { ANCHORS_SAT } else { 0 };
            return details.outbound_capacity_msat + (reserve_sat + anchors_sat) * 1000;
        }
        by_account
    }

    /// The splice that is not locked in yet, and our balance by our own account, without it. LDK says while
    /// a splice waits what can be sent with it and without it, whichever is less.
    fn splice_of(&self, id: ChannelId, funding: OutPoint) -> (Option<PendingSplice>, u64) {
        let pages = self.book.read();
        let Some(facts) = pages.facts.get(&id) else { return (None, 0) };
        let flow = pages.flows.get(&id).copied().unwrap_or(Flow::default());
        let locked = facts.splices.iter().position(|splice| splice.to == funding).map_or(0, |at| at + 1);
        let (before, after) = facts.splices.split_at(locked);
        let waiting = after.iter().find(|splice| !splice.dead).map(|splice| PendingSplice {
            txid: splice.to.txid,
            capacity: Amount::from_sat(splice.to_sat),
            height: splice.height,
        });
        (waiting, facts.balance_with(&flow, before.iter()))
    }

    fn is_in_gossip(&self, details: &ChannelDetails) -> bool {
        let Some(scid) = details.short_channel_id else { return false };
        let graph = self.graph.read_only();
        graph.channel(scid).is_some_and(|known| known.one_to_two.is_some() && known.two_to_one.is_some())
    }

    /// True if gossip has a channel between these two nodes, with the fees of both ends.
    pub fn knows_channel_between(
        &self,
        one: bitcoin::secp256k1::PublicKey,
        other: bitcoin::secp256k1::PublicKey,
    ) -> bool {
        let ends = [one.into(), other.into()];
        let graph = self.graph.read_only();
        graph.channels().unordered_iter().any(|(_, known)| {
            ends.contains(&known.node_one)
                && ends.contains(&known.node_two)
                && known.one_to_two.is_some()
                && known.two_to_one.is_some()
        })
    }

    /// Keeps the short ids of our channels: paths name channels by them, also closed ones.
    pub(super) fn note_short_ids(&self) {
        let listed = self.channel_manager.list_channels();
        let mut touched = Vec::new();
        self.book.write(|pages| {
            for details in &listed {
                let id = ChannelId(details.channel_id.0);
                let Some(facts) = pages.facts.get_mut(&id) else { continue };
                for scid in details.short_channel_id.into_iter().chain(details.outbound_scid_alias) {
                    if !facts.scids.contains(&scid) {
                        facts.scids.push(scid);
                        touched.push(Row::Facts(id));
                    }
                }
                // The tracer knows it from the block, unless that came before LDK's event. LDK keeps the
                // short id when a reorganisation takes the confirmations away.
                let confirmed =
                    details.short_channel_id.filter(|_| details.confirmations.is_some_and(|depth| depth > 0));
                let Some(height) = confirmed.and_then(|scid| u32::try_from(scid >> 40).ok()) else { continue };
                let first = details.funding_txo.map(|funding| funding.into_bitcoin_outpoint());
                let spliced = first != Some(facts.first_funding().0);
                let trace = pages.traces.entry(id).or_default();
                if trace.funded_at.is_none() && !spliced {
                    trace.funded_at = Some(BtcHeight::new(height));
                    touched.push(Row::Trace(id));
                }
            }
            std::mem::take(&mut touched)
        });
    }

    /// How many channels need a reserve in the wallet: open, pending if we fund them, or closed by force
    /// and not resolved yet. One that a peer funds needs none before its funding is in a block (or the
    /// peer is trusted without): anyone can propose as many as it likes.
    pub(super) fn channels_with_reserve(&self) -> u32 {
        let needs = |channel: &&ChannelDetails| {
            channel.is_outbound || channel.is_channel_ready || channel.confirmations.is_some_and(|depth| depth > 0)
        };
        let listed = self.channel_manager.list_channels();
        let mut ids: Vec<_> = listed.iter().filter(needs).map(|channel| channel.channel_id).collect();
        let unfunded: Vec<_> = listed.iter().filter(|one| !needs(one)).map(|channel| channel.channel_id).collect();
        for id in self.chain_monitor.list_monitors() {
            let unresolved =
                self.chain_monitor.get_monitor(id).is_ok_and(|monitor| !monitor.get_claimable_balances().is_empty());
            if unresolved && !ids.contains(&id) && !unfunded.contains(&id) {
                ids.push(id);
            }
        }
        count(ids.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_ids_read_as_people_write_them() {
        assert_eq!(short_id((102 << 40) | (1 << 16)), "102x1x0");
    }
}
