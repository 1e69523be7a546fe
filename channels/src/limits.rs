//! What a payer allows a payment, and what a probe of one finds.

use crate::ChannelId;
use bitcoin::secp256k1::PublicKey;
use lightning::ln::channelmanager::Retry;
use lightning::routing::router::{PaymentParameters, RouteParameters, RouteParametersConfig};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use windlass_types::Msat;

/// For how long new ways are tried after one has failed, where nobody says otherwise.
pub const RETRY_FOR: Duration = Duration::from_secs(20);

/// Blocks for which money may be locked on the way, at the most, where nobody says otherwise: LDK's.
pub const MAX_CLTV: u32 = lightning::routing::router::DEFAULT_MAX_TOTAL_CLTV_EXPIRY_DELTA;

/// The most that the nodes on the way may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaxFee {
    /// So much.
    Msat(Msat),
    /// So many millionths of the amount.
    Ppm(u32),
}

impl MaxFee {
    /// For a payment of `amount`, rounded down.
    pub fn of(self, amount: Msat) -> Msat {
        match self {
            Self::Msat(most) => most,
            Self::Ppm(ppm) => {
                let fee = u128::from(amount.get()) * u128::from(ppm) / 1_000_000;
                Msat::new(u64::try_from(fee).unwrap_or(u64::MAX))
            }
        }
    }
}

/// What a payment may cost and take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PayLimits {
    /// The fee; none: a hundredth and 50 sat.
    pub max_fee: Option<MaxFee>,
    /// Blocks for which money may be locked on the way, the payee's own final delta included; none:
    /// [`MAX_CLTV`].
    pub max_cltv: Option<u32>,
    /// Parts that it may be split into; none: ten.
    pub max_parts: Option<u8>,
    /// For how long new ways are tried after one has failed.
    pub retry_for: Duration,
}

impl Default for PayLimits {
    fn default() -> Self {
        Self { max_fee: None, max_cltv: None, max_parts: None, retry_for: RETRY_FOR }
    }
}

impl PayLimits {
    /// The most that a payment of `amount` may cost.
    pub fn fee_for(&self, amount: Msat) -> Msat {
        let usual = Msat::new((amount.get() / 100).saturating_add(50_000));
        self.max_fee.map_or(usual, |most| most.of(amount))
    }

    /// In LDK's words.
    pub(crate) fn config(&self, amount: Msat) -> RouteParametersConfig {
        let usual = RouteParametersConfig::default();
        RouteParametersConfig {
            max_total_routing_fee_msat: Some(self.fee_for(amount).get()),
            max_total_cltv_expiry_delta: self.max_cltv.unwrap_or(usual.max_total_cltv_expiry_delta),
            max_path_count: self.max_parts.unwrap_or(usual.max_path_count).max(1),
            ..usual
        }
    }

    pub(crate) const fn retry(&self) -> Retry {
        Retry::Timeout(self.retry_for)
    }

    /// For a route to `payee`.
    pub(crate) fn route(&self, mut payee: PaymentParameters, amount: Msat) -> RouteParameters {
        let config = self.config(amount);
        payee.max_total_cltv_expiry_delta = config.max_total_cltv_expiry_delta;
        payee.max_path_count = config.max_path_count;
        let mut route = RouteParameters::from_payment_params_and_value(payee, amount.get());
        route.max_total_routing_fee_msat = config.max_total_routing_fee_msat;
        route
    }
}

/// What stands between a payer and a payee. Ordered from the payer outwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "obstacle")]
pub enum Obstacle {
    /// We have no channel.
    #[error("this node has no channel: open one")]
    NoChannel,
    /// All our channels' peers are away.
    #[error("no channel can send: {} not connected", in_words(.peers))]
    Offline {
        /// Them.
        peers: Vec<PublicKey>,
    },
    /// Gossip has nothing of the payee, and the invoice no hint.
    #[error(
        "gossip tells of no channel of {payee}, and no way to it was given: wait for gossip, or open a channel to it"
    )]
    UnknownPayee {
        /// The payee.
        payee: PublicKey,
    },
    /// Our channels carry as many payments as they can; each that ends makes room.
    #[error(
        "{in_flight} payments are on their way, and our channels can't carry more: try again when some have ended, or open another channel"
    )]
    Full {
        /// HTLCs that we offer now.
        in_flight: usize,
    },
    /// The way costs more than allowed.
    #[error("the cheapest way costs {least}, at most {most} is allowed: allow more")]
    Fee {
        /// What it costs.
        least: Msat,
        /// What it may.
        most: Msat,
    },
    /// The way locks money for longer than allowed.
    #[error("the shortest way locks the money for up to {least} blocks, at most {most} are allowed: allow more")]
    Cltv {
        /// What it takes.
        least: u32,
        /// What it may.
        most: u32,
    },
    /// A smaller amount would get there, as far as gossip tells: what the channels of others hold is their
    /// secret. A probe finds out.
    #[error("at most {largest} gets there now{}", away_words(.away))]
    TooMuch {
        /// So much, fees on top.
        largest: Msat,
        /// Channels whose peers are away could send so much more.
        away: Msat,
    },
    /// Nothing gets there.
    #[error("the channels that are known do not lead there, or have no room")]
    NoWay,
}

fn in_words(peers: &[PublicKey]) -> String {
    peers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

pub(crate) fn away_words(away: &Msat) -> String {
    if *away == Msat::ZERO { String::new() } else { format!("; {away} more is in channels whose peers are away") }
}

/// What a probe found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// The payee.
    pub payee: PublicKey,
    /// The amount that was asked for.
    pub amount: Msat,
    /// Would it get there now?
    pub reaches: bool,
    /// What the way would cost; of the last way that was tried, if none reached.
    pub fee: Option<Msat>,
    /// For how many blocks money would be locked, at the most.
    pub cltv: Option<u32>,
    /// Parts that it would be split into.
    pub parts: usize,
    /// Ways that were tried.
    pub attempts: u32,
    /// The channel, by its short id, at which the last way ended.
    pub failed_at: Option<String>,
    /// What is in the way.
    pub obstacle: Option<Obstacle>,
}

/// What was earned by passing payments of others on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forward {
    /// Where it came in.
    pub from: Option<ChannelId>,
    /// Where it went out.
    pub to: Option<ChannelId>,
    /// What went out.
    pub amount: Msat,
    /// What we earned.
    pub fee: Msat,
    /// It was claimed on the chain, after a close by force.
    pub on_chain: bool,
    /// When, in seconds since 1970.
    pub at: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_rounded_down_and_never_overflows() {
        assert_eq!(MaxFee::Ppm(5_000).of(Msat::new(1_000_199)), Msat::new(5_000));
        assert_eq!(MaxFee::Ppm(u32::MAX).of(Msat::new(u64::MAX)), Msat::new(u64::MAX));
        let limits = PayLimits { max_fee: Some(MaxFee::Msat(Msat::ZERO)), ..PayLimits::default() };
        assert_eq!(limits.fee_for(Msat::new(1_000_000)), Msat::ZERO);
        assert_eq!(PayLimits::default().fee_for(Msat::new(1_000_000)), Msat::new(60_000));
    }
}
