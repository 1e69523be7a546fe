//! Ways to a payee, before anything is sent: what a payment would cost, what is in its way, and how
//! much would get there.

use super::Node;
use crate::ldk::stack::{Log, Router};
use crate::{ChannelState, MAX_CLTV, Obstacle, PayLimits};
use bitcoin::secp256k1::PublicKey;
use lightning::ln::channel_state::ChannelDetails;
use lightning::routing::gossip::NodeId;
use lightning::routing::router::{InFlightHtlcs, Path, Payee, PaymentParameters, Route, RouteParameters, Router as _};
use lightning::routing::scoring::ProbabilisticScoringFeeParameters;
use std::sync::Arc;
use windlass_types::Msat;

/// Routes that are looked for at the most, to find the largest amount that gets through.
const LARGEST_STEPS: u32 = 24;

/// How exactly the largest amount is found: down to a satoshi.
const LARGEST_STEP: u64 = 1_000;

/// Blocks for which nobody would lock money: stands for no limit.
const NO_CLTV_LIMIT: u32 = 20 * MAX_CLTV;

/// Blocks that a path locks money for.
pub(super) fn path_cltv(path: &Path) -> u32 {
    let blinded = path.blinded_tail.as_ref().map_or(0, |tail| tail.excess_final_cltv_expiry_delta);
    path.hops.iter().fold(blinded, |sum, hop| sum.saturating_add(hop.cltv_expiry_delta))
}

/// Blocks that a route locks money for, at the most.
pub(super) fn route_cltv(route: &Route) -> u32 {
    route.paths.iter().map(path_cltv).max().unwrap_or(0)
}

impl Node {
    fn router(&self) -> Router {
        Router::new(
            Arc::clone(&self.graph),
            Arc::new(Log),
            Arc::clone(&self.keys),
            Arc::clone(&self.scorer),
            ProbabilisticScoringFeeParameters::default(),
        )
    }

    /// The way that LDK would take now.
    pub(super) fn find_route(&self, wanted: &RouteParameters) -> Option<Route> {
        let usable = self.channel_manager.list_usable_channels();
        let first_hops: Vec<&ChannelDetails> = usable.iter().collect();
        let in_flight = InFlightHtlcs::new();
        self.router().find_route(&self.node_id(), wanted, Some(&first_hops), in_flight).ok()
    }

    /// Why a payment can't be sent, in the order in which a user would look.
    pub(super) fn obstacle(&self, payee: &PaymentParameters, amount: Msat, limits: &PayLimits) -> Obstacle {
        if let Some(obstacle) = self.no_channel() {
            return obstacle;
        }
        if let Some(payee) = self.unknown_payee(payee) {
            return Obstacle::UnknownPayee { payee };
        }
        if let Some(obstacle) = self.full(amount) {
            return obstacle;
        }
        let any_cltv = PayLimits { max_cltv: Some(NO_CLTV_LIMIT), ..*limits };
        let route = |limits: &PayLimits, any_fee: bool| {
            let mut wanted = limits.route(payee.clone(), amount);
            if any_fee {
                wanted.max_total_routing_fee_msat = None;
            }
            self.find_route(&wanted)
        };
        let most_cltv = limits.max_cltv.unwrap_or(MAX_CLTV);
        let most = limits.fee_for(amount);
        if let Some(least) =
            route(limits, true).map(|route| Msat::new(route.get_total_fees())).filter(|fee| *fee > most)
        {
            return Obstacle::Fee { least, most };
        }
        if let Some(route) = route(&any_cltv, false).or_else(|| route(&any_cltv, true)) {
            return Obstacle::Cltv { least: route_cltv(&route), most: most_cltv };
        }
        match self.largest_sendable(payee, amount, limits) {
            Some(largest) => Obstacle::TooMuch { largest, away: self.away() },
            None => Obstacle::NoWay,
        }
    }

    /// No channel at all, or none whose peer is there.
    pub(super) fn no_channel(&self) -> Option<Obstacle> {
        let open: Vec<_> = self
            .channels()
            .into_iter()
            .filter(|channel| matches!(channel.state, ChannelState::Usable | ChannelState::Offline))
            .collect();
        if open.is_empty() {
            return Some(Obstacle::NoChannel);
        }
        if open.iter().any(|channel| channel.state == ChannelState::Usable) {
            return None;
        }
        let mut peers: Vec<PublicKey> = open.iter().map(|channel| channel.peer).collect();
        peers.sort_unstable();
        peers.dedup();
        Some(Obstacle::Offline { peers })
    }

    /// What channels whose peers are away could send, roughly: less the reserve.
    pub(super) fn away(&self) -> Msat {
        let channels = self.channel_manager.list_channels();
        let away = channels.iter().filter(|channel| channel.is_channel_ready && !channel.is_usable);
        Msat::new(away.map(|channel| channel.outbound_capacity_msat).fold(0, u64::saturating_add))
    }

    /// The payee, if nobody has told us how to reach it.
    fn unknown_payee(&self, parameters: &PaymentParameters) -> Option<PublicKey> {
        let Payee::Clear { node_id, route_hints, .. } = &parameters.payee else { return None };
        let is_peer = |channel: &ChannelDetails| channel.counterparty.node_id == *node_id;
        let is_known = !route_hints.is_empty()
            || self.channel_manager.list_channels().iter().any(is_peer)
            || self.graph.read_only().node(&NodeId::from_pubkey(node_id)).is_some();
        (!is_known).then_some(*node_id)
    }

    /// The largest amount, up to `most`, for which there is a way to `payee` now: reserves, fees and limits of
    /// payments are taken off.
    pub(super) fn largest_sendable(&self, payee: &PaymentParameters, most: Msat, limits: &PayLimits) -> Option<Msat> {
        let works =
            |amount: u64| amount > 0 && self.find_route(&limits.route(payee.clone(), Msat::new(amount))).is_some();
        let mut fails = self.can_send().min(most).get();
        if works(fails) {
            return Some(Msat::new(fails));
        }
        let mut largest = 0;
        for _ in 0..LARGEST_STEPS {
            if fails - largest <= LARGEST_STEP {
                break;
            }
            let middle = largest + (fails - largest) / 2;
            if works(middle) {
                largest = middle;
            } else {
                fails = middle;
            }
        }
        (largest > 0).then_some(Msat::new(largest))
    }
}
