//! The lines between members: one encrypted connection to each, seven channels on it.
//!
//! Real members use `p2p::authenticated::lookup`; in the simulator the same channels come from
//! `p2p::simulated`, which is why everything above is generic over senders and receivers.

use crate::config::{MAX_MESSAGE_BYTES, MemberConfig};
use crate::core::Track;
use crate::engine::committee::{Committee, CommitteeError, private_key};
use commonware_cryptography::ChaCha20Poly1305;
use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::authenticated::lookup;
use commonware_p2p::{Address, AddressableManager as _};
use commonware_runtime::{Clock, Metrics, Network, Quota, Resolver, Spawner};
use commonware_stream::{cups, sake};
use commonware_utils::ordered::Map;
use commonware_utils::{NZU32, NZUsize};
use rand_core_10::CryptoRng;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;
use tracing::error;

/// The channels that agreement uses: numbers 0 to 4, and 6. Channel 5 is for [`Links`](crate::Links).
pub(crate) struct Lines<S, R> {
    pub votes: (S, R),
    pub certificates: (S, R),
    pub resolver: (S, R),
    pub blocks: (S, R),
    pub backfill: (S, R),
    pub gossip: (S, R),
}

/// All channels of a network that runs, and who knows the peers.
pub(crate) struct Opened<S, R, O> {
    pub lines: Lines<S, R>,
    pub links: (S, R),
    pub oracle: O,
    pub track: Track,
}

/// How many channels there are.
pub(crate) const CHANNELS: u64 = 7;

/// Messages a second that one peer may send on a channel, and at once. What can come at once is
/// held in memory: a burst for each peer and channel. Backfill has its own, because it bounds how
/// fast a member catches up.
pub(crate) const fn quota(channel: u64) -> Quota {
    match channel {
        0 | 1 => Quota::per_second(NZU32!(2_000)).allow_burst(NZU32!(256)),
        4 => Quota::per_second(NZU32!(8_000)).allow_burst(NZU32!(512)),
        _ => Quota::per_second(NZU32!(500)).allow_burst(NZU32!(128)),
    }
}

/// Why a member can't join the others.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The list of members is no committee.
    #[error("the list of members is unusable: {0}")]
    Committee(#[from] CommitteeError),
    /// There is no such place, or the seed's identity is another one's.
    #[error("place {place} is not that of the identity {identity}")]
    OtherPlace {
        /// The place.
        place: u16,
        /// The identity.
        identity: String,
    },
    /// The port is taken, or the address isn't this machine's.
    #[error("can't listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the operating system says.
        source: std::io::Error,
    },
}

/// The sender of a real line.
pub(crate) type LookupSender<E> = lookup::Sender<PublicKey, E>;
/// The receiver of a real line.
pub(crate) type LookupReceiver = lookup::Receiver<PublicKey>;
/// Who knows and blocks peers.
pub(crate) type LookupOracle = lookup::Oracle<PublicKey>;

/// Starts the real network.
pub(crate) fn open<E>(
    context: &E,
    config: &MemberConfig,
    (committee, me): (&Committee, &PublicKey),
) -> Result<Opened<LookupSender<E>, LookupReceiver, LookupOracle>, JoinError>
where
    E: Spawner + Clock + CryptoRng + Network + Resolver + Metrics,
{
    // The engine's listener panics where this can still answer.
    drop(
        std::net::TcpListener::bind(config.listen)
            .map_err(|source| JoinError::Listen { address: config.listen, source })?,
    );
    let (mut network, oracle) = lookup::Network::new(context.child("network"), lookup_config(config));
    let track = tracker(oracle.clone(), config, me);
    track(0, committee.keys().iter().cloned().zip(0..).collect());
    let mut channel = 0;
    let mut next = || {
        let line = network.register(channel, quota(channel));
        channel += 1;
        line
    };
    let (votes, certificates, resolver, blocks, backfill) = (next(), next(), next(), next(), next());
    let (links, gossip) = (next(), next());
    debug_assert_eq!(channel, CHANNELS);
    network.start();
    Ok(Opened { lines: Lines { votes, certificates, resolver, blocks, backfill, gossip }, links, oracle, track })
}

/// Tells the network whom to make links to: each in its place's address, and this member in its own.
fn tracker(oracle: LookupOracle, config: &MemberConfig, me: &PublicKey) -> Track {
    let addresses: Vec<SocketAddr> = config.members.iter().map(|peer| peer.address).collect();
    let (me, place) = (me.clone(), config.place);
    Arc::new(move |number, mut members| {
        if !members.iter().any(|(key, _)| *key == me) {
            members.push((me.clone(), place));
        }
        let address = |place: u16| addresses.get(usize::from(place)).copied().map(Address::from);
        let known = members.into_iter().filter_map(|(key, place)| Some((key, address(place)?)));
        match Map::try_from(known.collect::<Vec<_>>()) {
            Ok(peers) => drop(oracle.clone().track(number, peers)),
            Err(error) => error!(%error, "the links can't be made to these members"),
        }
    })
}

type Handshake = cups::Cups<sake::Sake<commonware_cryptography::ed25519::PrivateKey>, ChaCha20Poly1305>;

fn lookup_config(config: &MemberConfig) -> lookup::Config<Handshake> {
    let handshake = cups::Cups::new(
        sake::Sake {
            signer: private_key(config.seed.bytes()),
            synchrony_bound: Duration::from_secs(5),
            max_handshake_age: Duration::from_secs(10),
            version: sake::Version::V1,
        },
        cups::Version::V1,
    );
    let namespace = format!("windlass/p2p/{}", config.federation);
    // One of them has two keys while an epoch is to come, and this one may have one that is in none.
    let peers = NonZeroUsize::MIN.saturating_add(config.members.len() + 1);
    let local =
        lookup::Config::local(handshake, namespace.as_bytes(), config.listen, peers, MAX_MESSAGE_BYTES, NZUsize!(256));
    lookup::Config {
        tracked_peer_sets: NonZeroUsize::MIN,
        // A member that comes back is reached again within half a second.
        dial_frequency: Duration::from_millis(100),
        peer_connection_cooldown: Duration::from_millis(250),
        // All members of a local network share an address, and so its share of handshakes.
        allowed_handshake_rate_per_ip: Quota::per_second(NZU32!(256)),
        allowed_handshake_rate_per_subnet: Quota::per_second(NZU32!(512)),
        // A peer that was refused over a difference of versions may come back soon.
        block_duration: Duration::from_secs(60),
        ..local
    }
}
