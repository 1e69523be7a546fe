//! LDK's types with our parts in them.

use lightning::chain::Filter;
use lightning::chain::chainmonitor::ChainMonitor as LdkChainMonitor;
use lightning::events::bump_transaction::sync::{BumpTransactionEventHandlerSync, WalletSync};
use lightning::ln::channelmanager::ChannelManager as LdkChannelManager;
use lightning::ln::peer_handler::{IgnoringMessageHandler, PeerManager as LdkPeerManager};
use lightning::onion_message::messenger::{DefaultMessageRouter, OnionMessenger as LdkOnionMessenger};
use lightning::routing::gossip::{NetworkGraph, P2PGossipSync};
use lightning::routing::router::DefaultRouter;
use lightning::routing::scoring::{ProbabilisticScorer, ProbabilisticScoringFeeParameters};
use lightning::routing::utxo::UtxoLookup;
use lightning::sign::InMemorySigner;
use lightning::util::sweep::OutputSweeperSync;
use lightning_net_tokio::SocketDescriptor;
use std::sync::{Arc, RwLock};

pub(crate) use super::broadcast::Broadcaster;
pub(crate) use super::coins::Coins;
pub(crate) use super::fees::Fees;
pub(crate) use super::gate::Gate;
pub(crate) use super::gossip::Patient;
pub(crate) use super::keys::Keys;
pub(crate) use super::kv::Kv;
pub(crate) use super::log::Log;
pub(crate) use super::monitors::Monitors;

pub(crate) type AnyFilter = dyn Filter + Send + Sync;
pub(crate) type AnyLookup = dyn UtxoLookup + Send + Sync;

pub(crate) type ChainMonitor =
    LdkChainMonitor<InMemorySigner, Arc<AnyFilter>, Arc<Broadcaster>, Arc<Fees>, Arc<Log>, Arc<Monitors>, Arc<Keys>>;
pub(crate) type Graph = NetworkGraph<Arc<Log>>;
pub(crate) type Gossip = P2PGossipSync<Arc<Graph>, Arc<AnyLookup>, Arc<Log>>;
pub(crate) type Scorer = ProbabilisticScorer<Arc<Graph>, Arc<Log>>;
pub(crate) type Router =
    DefaultRouter<Arc<Graph>, Arc<Log>, Arc<Keys>, Arc<RwLock<Scorer>>, ProbabilisticScoringFeeParameters, Scorer>;
pub(crate) type MessageRouter = DefaultMessageRouter<Arc<Graph>, Arc<Log>, Arc<Keys>>;
pub(crate) type ChannelManager = LdkChannelManager<
    Arc<ChainMonitor>,
    Arc<Broadcaster>,
    Arc<Keys>,
    Arc<Keys>,
    Arc<Keys>,
    Arc<Fees>,
    Arc<Router>,
    Arc<MessageRouter>,
    Arc<Log>,
>;
pub(crate) type OnionMessenger = LdkOnionMessenger<
    Arc<Keys>,
    Arc<Keys>,
    Arc<Log>,
    Arc<ChannelManager>,
    Arc<MessageRouter>,
    Arc<ChannelManager>,
    Arc<ChannelManager>,
    IgnoringMessageHandler,
    IgnoringMessageHandler,
>;
pub(crate) type PeerManager = LdkPeerManager<
    SocketDescriptor,
    Arc<Gate>,
    Arc<Patient>,
    Arc<OnionMessenger>,
    Arc<Log>,
    IgnoringMessageHandler,
    Arc<Keys>,
    Arc<ChainMonitor>,
>;
pub(crate) type Sweeper =
    OutputSweeperSync<Arc<Broadcaster>, Arc<Keys>, Arc<Fees>, Arc<AnyFilter>, Arc<Kv>, Arc<Log>, Arc<Keys>>;
pub(crate) type Bumper =
    BumpTransactionEventHandlerSync<Arc<Broadcaster>, Arc<WalletSync<Arc<Coins>, Arc<Log>>>, Arc<Keys>, Arc<Log>>;
