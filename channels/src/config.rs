//! How a node is to be.

use crate::names::{NameResolver, NoNames};
use bitcoin::secp256k1::PublicKey;
use bitcoin::{Amount, Network};
use lightning::util::config::{MaxDustHTLCExposure, UserConfig};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use windlass_chain::{Bitcoind, FeeSource, Wallet};
use windlass_store::Store;
use windlass_types::Msat;

/// The most payments in flight per direction that BOLT 2 allows.
const MAX_HTLCS: u16 = 483;

/// Payments too small for an output go to the miner if the channel is closed by force meanwhile; this
/// bounds what may be at risk that way.
const DUST_EXPOSURE_MSAT: u64 = 50_000_000;

/// The least that is taken where nobody asked for an amount (keysend, an offer without one). Each such payment is kept
/// in the book for ever: whoever sends many pays for the room.
const UNASKED_MIN: Msat = Msat::new(1_000);

/// How many connections of others a node takes at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InboundLimits {
    /// In all. LDK takes at most 250 peers among them that we have no channel with.
    pub connections: usize,
    /// In their handshake. One more, and the oldest of the address that has most of them is closed.
    pub handshakes: usize,
    /// From one address; from one /64 with IPv6.
    pub from_one_address: usize,
}

impl Default for InboundLimits {
    fn default() -> Self {
        Self { connections: 512, handshakes: 64, from_one_address: 128 }
    }
}

/// A node's settings.
#[derive(Clone)]
pub struct Config {
    /// Its name in gossip: at most 32 bytes are used.
    pub alias: String,
    /// The root of all its keys but the wallet's.
    pub seed: [u8; 32],
    /// The Bitcoin network.
    pub network: Network,
    /// Where it listens for peers; port 0 takes a free one.
    pub listen: SocketAddr,
    /// How often it asks bitcoind for a new block, if nobody calls [`crate::Node::sync`].
    pub poll: Duration,
    /// Confirmations that it asks of a funding transaction that a peer made.
    pub minimum_depth: u32,
    /// Blocks that a peer's own balance is locked for after it closes by force: our time to object.
    pub to_self_delay: u16,
    /// What stays in the wallet for each channel, to lift the fee of a close by force.
    pub anchor_reserve: Amount,
    /// Completed payments that may pile up in LDK before it is made to forget them. They are in each
    /// commit's image of its state, about 200 bytes each, so many make every commit slower. While a peer is
    /// away, a hundred times as many may: the same clock decides when its channel is announced as out of use.
    pub completed_kept_max: u64,
    /// The most events that wait for an application which acknowledges them, 10,000 at the least. Beyond, the
    /// oldest are lost, which is logged and told to who reads on; see [`crate::Node::journal`].
    pub events_kept_max: usize,
    /// How long a connected peer may keep from saying how our channels stand, before it is connected to anew.
    pub mute_max: Duration,
    /// LDK's clock, by which peers are slow and payments old. A minute; tests let it run faster.
    #[doc(hidden)]
    pub tick: Duration,
    /// Where the channel backup is written, whenever a channel comes or goes; nowhere without it.
    pub backup: Option<PathBuf>,
    /// Peers whose channels are used at once, before their funding has any confirmation. A peer that
    /// funds and never confirms takes what was paid to us meanwhile: name only who is trusted.
    pub zero_conf_peers: BTreeSet<PublicKey>,
    /// A SOCKS5 proxy, usually Tor's at 127.0.0.1:9050: through it `.onion` addresses are reached.
    pub proxy: Option<SocketAddr>,
    /// The folder of signed justice transactions for an outside watchtower; none without it.
    pub tower: Option<PathBuf>,
    /// The least that is taken where nobody asked for an amount: a keysend, or a payment of an offer without one.
    pub unasked_min: Msat,
    /// Who resolves names that are to be paid (BIP 353).
    pub names: Arc<dyn NameResolver>,
    /// What it takes from peers that come by themselves.
    pub inbound: InboundLimits,
}

impl Config {
    /// Settings for `network`, with the usual bounds.
    pub fn new(alias: impl Into<String>, seed: [u8; 32], network: Network, listen: SocketAddr) -> Self {
        Self {
            alias: alias.into(),
            seed,
            network,
            listen,
            poll: Duration::from_secs(1),
            minimum_depth: 6,
            to_self_delay: 144,
            anchor_reserve: Amount::from_sat(25_000),
            completed_kept_max: 20,
            events_kept_max: 1_000_000,
            mute_max: Duration::from_secs(20),
            tick: Duration::from_secs(60),
            backup: None,
            zero_conf_peers: BTreeSet::new(),
            proxy: None,
            tower: None,
            unasked_min: UNASKED_MIN,
            names: Arc::new(NoNames),
            inbound: InboundLimits::default(),
        }
    }

    /// The alias as gossip carries it.
    pub(crate) fn alias_bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        let mut end = self.alias.len().min(32);
        while !self.alias.is_char_boundary(end) {
            end -= 1;
        }
        bytes[..end].copy_from_slice(&self.alias.as_bytes()[..end]);
        bytes
    }

    /// LDK's settings.
    pub(crate) fn user_config(&self) -> UserConfig {
        let mut config = UserConfig::default();
        let handshake = &mut config.channel_handshake_config;
        handshake.minimum_depth = self.minimum_depth;
        handshake.our_to_self_delay = self.to_self_delay;
        handshake.negotiate_anchors_zero_fee_htlc_tx = true;
        handshake.our_max_accepted_htlcs = MAX_HTLCS;
        handshake.max_inbound_htlc_value_in_flight_percent_of_channel = 100;
        let limits = &mut config.channel_handshake_limits;
        limits.max_funding_satoshis = Amount::MAX_MONEY.to_sat();
        // A peer may ask for an announced channel or not: both are fine.
        limits.force_announced_channel_preference = false;
        config.channel_config.max_dust_htlc_exposure = MaxDustHTLCExposure::FixedLimitMsat(DUST_EXPOSURE_MSAT);
        config.accept_forwards_to_priv_channels = true;
        // We look at each request: its push is the opening balance, and anchors need a reserve.
        config.manually_accept_inbound_channels = true;
        // A peer may add to a channel, or take out of its own part of it: we give nothing and pay nothing.
        config.reject_inbound_splices = false;
        config
    }
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("alias", &self.alias)
            .field("network", &self.network)
            .field("listen", &self.listen)
            .finish_non_exhaustive()
    }
}

/// What a node stands on.
#[derive(Debug, Clone)]
pub struct Parts {
    /// The chain.
    pub bitcoind: Bitcoind,
    /// The on-chain wallet. The node feeds it: nobody else has to.
    pub wallet: Arc<Wallet>,
    /// Where its state lies.
    pub store: Arc<Store>,
    /// Where fee rates come from.
    pub fees: Arc<dyn FeeSource>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(alias: &str) -> Config {
        Config::new(alias, [1; 32], Network::Regtest, ([127, 0, 0, 1], 0).into())
    }

    #[test]
    fn a_long_alias_is_cut_between_letters() {
        let bytes = config(&"ä".repeat(20)).alias_bytes();
        assert_eq!(std::str::from_utf8(&bytes).expect("whole letters"), "ä".repeat(16));
        let bytes = config(&format!("x{}", "ä".repeat(20))).alias_bytes();
        assert_eq!(bytes[31], 0);
    }

    #[test]
    fn a_seed_is_not_printed() {
        assert!(!format!("{:?}", config("alice")).contains("1, 1"));
    }
}
