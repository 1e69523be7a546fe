//! LDK's parts, read from the store or made new, and brought to bitcoind's tip.

use super::blocks::{Listeners, Source};
use super::broadcast::{self, Relay};
use super::committer::Committer;
use super::monitors::Reader;
use super::stack::{
    AnyFilter, AnyLookup, Broadcaster, Bumper, ChainMonitor, ChannelManager, Coins, Fees, Gate, Gossip, Graph, Keys,
    Kv, Log, MessageRouter, Monitors, OnionMessenger, Patient, PeerManager, Router, Scorer, Sweeper,
};
use super::ticks::Ticks;
use super::tower::Tower;
use crate::book::{Book, Tracer};
use crate::{Config, Parts, StartError};
use bitcoin::BlockHash;
use bitcoin::io::{Cursor, ErrorKind};
use lightning::chain::channelmonitor::ChannelMonitor;
use lightning::chain::{BestBlock, Listen};
use lightning::events::bump_transaction::sync::WalletSync as LdkWallet;
use lightning::ln::channelmanager::{ChainParameters, ChannelManagerReadArgs};
use lightning::ln::msgs::DecodeError;
use lightning::ln::peer_handler::{IgnoringMessageHandler, MessageHandler};
use lightning::routing::scoring::{ProbabilisticScoringDecayParameters, ProbabilisticScoringFeeParameters};
use lightning::sign::{EntropySource, InMemorySigner, NodeSigner};
use lightning::util::persist::{
    CHANNEL_MANAGER_PERSISTENCE_KEY, KVStoreSync, NETWORK_GRAPH_PERSISTENCE_KEY, OUTPUT_SWEEPER_PERSISTENCE_KEY,
    SCORER_PERSISTENCE_KEY,
};
use lightning::util::ser::ReadableArgs;
use lightning_block_sync::UnboundedCache;
use lightning_block_sync::init::{synchronize_listeners, validate_best_block_header};
use lightning_block_sync::poll::ValidatedBlockHeader;
use std::sync::{Arc, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

type Monitor = ChannelMonitor<InMemorySigner>;
type MonitorListener = (Monitor, Arc<Broadcaster>, Arc<Fees>, Arc<Log>);

/// All parts, at the tip.
pub(crate) struct Loaded {
    pub(crate) chain_monitor: Arc<ChainMonitor>,
    pub(crate) channel_manager: Arc<ChannelManager>,
    pub(crate) committer: Arc<Committer>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) peer_manager: Arc<PeerManager>,
    pub(crate) onion: Arc<OnionMessenger>,
    pub(crate) graph: Arc<Graph>,
    pub(crate) scorer: Arc<RwLock<Scorer>>,
    pub(crate) sweeper: Arc<Sweeper>,
    pub(crate) tracer: Arc<Tracer>,
    pub(crate) bumper: Arc<Bumper>,
    pub(crate) keys: Arc<Keys>,
    pub(crate) kv: Arc<Kv>,
    pub(crate) broadcaster: Arc<Broadcaster>,
    pub(crate) relay: Relay,
    pub(crate) tip: ValidatedBlockHeader,
    pub(crate) headers: UnboundedCache,
}

/// The parts that the others are made from.
struct Base {
    kv: Arc<Kv>,
    log: Arc<Log>,
    keys: Arc<Keys>,
    broadcaster: Arc<Broadcaster>,
    fees: Arc<Fees>,
    graph: Arc<Graph>,
    scorer: Arc<RwLock<Scorer>>,
    chain_monitor: Arc<ChainMonitor>,
}

fn damaged(part: &'static str) -> impl Fn(DecodeError) -> StartError {
    move |error| StartError::Damaged { part, reason: format!("{error:?}") }
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// What lies under `key`, of the parts that have no namespace.
fn stored(kv: &Kv, key: &'static str) -> Result<Option<Vec<u8>>, StartError> {
    match kv.read("", "", key) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(StartError::Damaged { part: key, reason: error.to_string() }),
    }
}

fn graph(kv: &Kv, config: &Config, log: &Arc<Log>) -> Result<Arc<Graph>, StartError> {
    Ok(Arc::new(match stored(kv, NETWORK_GRAPH_PERSISTENCE_KEY)? {
        Some(bytes) => Graph::read(&mut Cursor::new(&bytes), Arc::clone(log)).map_err(damaged("the network graph"))?,
        None => Graph::new(config.network, Arc::clone(log)),
    }))
}

fn scorer(kv: &Kv, graph: &Arc<Graph>, log: &Arc<Log>) -> Result<Arc<RwLock<Scorer>>, StartError> {
    let parameters = ProbabilisticScoringDecayParameters::default();
    let (graph, log) = (Arc::clone(graph), Arc::clone(log));
    Ok(Arc::new(RwLock::new(match stored(kv, SCORER_PERSISTENCE_KEY)? {
        Some(bytes) => {
            Scorer::read(&mut Cursor::new(&bytes), (parameters, graph, log)).map_err(damaged("the scorer"))?
        }
        None => Scorer::new(parameters, graph, log),
    })))
}

fn channel_manager(
    base: &Base,
    config: &Config,
    monitors: &[(BlockHash, Monitor)],
    tip: BestBlock,
) -> Result<(Option<BlockHash>, ChannelManager), StartError> {
    let router = Arc::new(Router::new(
        Arc::clone(&base.graph),
        Arc::clone(&base.log),
        Arc::clone(&base.keys),
        Arc::clone(&base.scorer),
        ProbabilisticScoringFeeParameters::default(),
    ));
    let message_router = Arc::new(MessageRouter::new(Arc::clone(&base.graph), Arc::clone(&base.keys)));
    let keys = || Arc::clone(&base.keys);
    let (fees, watch, broadcaster) =
        (Arc::clone(&base.fees), Arc::clone(&base.chain_monitor), Arc::clone(&base.broadcaster));
    let log = Arc::clone(&base.log);
    let Some(bytes) = stored(&base.kv, CHANNEL_MANAGER_PERSISTENCE_KEY)? else {
        if !monitors.is_empty() {
            let reason = format!("it is missing, but {} channels are there", monitors.len());
            return Err(StartError::Damaged { part: "the channel manager", reason });
        }
        let chain = ChainParameters { network: config.network, best_block: tip };
        let now = u32::try_from(seconds()).unwrap_or(u32::MAX);
        let manager = ChannelManager::new(
            fees,
            watch,
            broadcaster,
            router,
            message_router,
            log,
            keys(),
            keys(),
            keys(),
            config.user_config(),
            chain,
            now,
        );
        return Ok((None, manager));
    };
    let args = ChannelManagerReadArgs::new(
        keys(),
        keys(),
        keys(),
        fees,
        watch,
        broadcaster,
        router,
        message_router,
        log,
        config.user_config(),
        monitors.iter().map(|(_, monitor)| monitor).collect(),
    );
    let (seen, manager) =
        <(BlockHash, ChannelManager)>::read(&mut Cursor::new(&bytes), args).map_err(damaged("the channel manager"))?;
    Ok((Some(seen), manager))
}

fn sweeper(base: &Base, tip: BestBlock) -> Result<(BestBlock, Sweeper), StartError> {
    let (broadcaster, fees, keys) = (Arc::clone(&base.broadcaster), Arc::clone(&base.fees), Arc::clone(&base.keys));
    let (change, kv, log) = (Arc::clone(&base.keys), Arc::clone(&base.kv), Arc::clone(&base.log));
    let filter: Option<Arc<AnyFilter>> = None;
    match stored(&base.kv, OUTPUT_SWEEPER_PERSISTENCE_KEY)? {
        Some(bytes) => {
            let args = (broadcaster, fees, filter, keys, change, kv, log);
            <(BestBlock, Sweeper)>::read(&mut Cursor::new(&bytes), args).map_err(damaged("the sweeper"))
        }
        None => Ok((tip, Sweeper::new(tip, broadcaster, fees, filter, keys, change, kv, log))),
    }
}

fn peer_manager(
    base: &Base,
    channel_manager: &Arc<ChannelManager>,
    gate: &Arc<Gate>,
) -> (Arc<PeerManager>, Arc<OnionMessenger>) {
    let lookup: Option<Arc<AnyLookup>> = None;
    let gossip = Arc::new(Gossip::new(Arc::clone(&base.graph), lookup, Arc::clone(&base.log)));
    let message_router = Arc::new(MessageRouter::new(Arc::clone(&base.graph), Arc::clone(&base.keys)));
    let onion = Arc::new(OnionMessenger::new(
        Arc::clone(&base.keys),
        Arc::clone(&base.keys),
        Arc::clone(&base.log),
        Arc::clone(channel_manager),
        message_router,
        Arc::clone(channel_manager),
        Arc::clone(channel_manager),
        IgnoringMessageHandler {},
        IgnoringMessageHandler {},
    ));
    let handler = MessageHandler {
        chan_handler: Arc::clone(gate),
        route_handler: Arc::new(Patient::new(Arc::clone(&gossip), Arc::clone(&base.graph))),
        onion_message_handler: Arc::clone(&onion),
        custom_message_handler: IgnoringMessageHandler {},
        send_only_message_handler: Arc::clone(&base.chain_monitor),
    };
    let peers = PeerManager::new(
        handler,
        u32::try_from(seconds()).unwrap_or(u32::MAX),
        &base.keys.get_secure_random_bytes(),
        Arc::clone(&base.log),
        Arc::clone(&base.keys),
    );
    (Arc::new(peers), onion)
}

/// Reads or makes all parts and brings them to the tip. The wallet must be there already.
pub(crate) async fn load(config: &Config, parts: &Parts, book: &Arc<Book>) -> Result<Loaded, StartError> {
    let log = Arc::new(Log);
    let kv = Arc::new(Kv::new(Arc::clone(&parts.store)));
    let keys = Arc::new(Keys::new(&config.seed, Arc::clone(&parts.wallet)));
    let fees = Arc::new(Fees(Arc::clone(&parts.fees)));
    let (broadcaster, relay) = broadcast::pair(parts.bitcoind.clone(), Arc::clone(book));
    let broadcaster = Arc::new(broadcaster);
    let tower =
        config.tower.clone().map(|folder| Tower::new(folder, Arc::clone(&kv), Arc::clone(&keys), Arc::clone(&fees)));
    let persister = Arc::new(Monitors::new(Arc::clone(&kv), tower));
    let monitors = read_monitors(&kv, &log, &keys, &broadcaster, &fees, &persister)
        .map_err(|error| StartError::Damaged { part: "a channel monitor", reason: error.to_string() })?;
    let graph = graph(&kv, config, &log)?;
    let scorer = scorer(&kv, &graph, &log)?;
    let chain_monitor = Arc::new(ChainMonitor::new(
        None,
        Arc::clone(&broadcaster),
        Arc::clone(&log),
        Arc::clone(&fees),
        persister,
        Arc::clone(&keys),
        keys.get_peer_storage_key(),
    ));
    let base = Base { kv, log, keys, broadcaster, fees, graph, scorer, chain_monitor };
    assemble(config, parts, book, base, monitors, relay).await
}

fn read_monitors(
    kv: &Arc<Kv>,
    log: &Arc<Log>,
    keys: &Arc<Keys>,
    broadcaster: &Arc<Broadcaster>,
    fees: &Arc<Fees>,
    persister: &Monitors,
) -> Result<Vec<(BlockHash, Monitor)>, bitcoin::io::Error> {
    // It only reads: when a monitor is written as a whole, `Monitors` decides.
    let reader = Reader::new(
        Arc::clone(kv),
        Arc::clone(log),
        u64::MAX,
        Arc::clone(keys),
        Arc::clone(keys),
        Arc::clone(broadcaster),
        Arc::clone(fees),
    );
    let monitors = reader.read_all_channel_monitors_with_updates()?;
    for (_, monitor) in &monitors {
        persister.note_stored(monitor.persistence_key())?;
    }
    Ok(monitors)
}

async fn assemble(
    config: &Config,
    parts: &Parts,
    book: &Arc<Book>,
    base: Base,
    monitors: Vec<(BlockHash, Monitor)>,
    relay: Relay,
) -> Result<Loaded, StartError> {
    let source = Source(parts.bitcoind.clone());
    let best = validate_best_block_header(&source).await.map_err(chain_error)?;
    let best = best.to_best_block();
    let (manager_seen, manager) = channel_manager(&base, config, &monitors, best)?;
    let (sweeper_seen, sweeper) = sweeper(&base, best)?;
    let tracer = Tracer { book: Arc::clone(book), wallet: Arc::clone(&parts.wallet) };
    let tracer_seen = tracer.tip().map_or(best.block_hash, |tip| tip.hash());
    let monitors: Vec<(BlockHash, MonitorListener)> = monitors
        .into_iter()
        .map(|(seen, monitor)| {
            let parts = (Arc::clone(&base.broadcaster), Arc::clone(&base.fees), Arc::clone(&base.log));
            (seen, (monitor, parts.0, parts.1, parts.2))
        })
        .collect();
    let mut listeners: Vec<(BlockHash, &(dyn Listen + Send + Sync))> =
        vec![(sweeper_seen.block_hash, &sweeper), (tracer_seen, &tracer)];
    listeners.extend(manager_seen.map(|seen| (seen, &manager as &(dyn Listen + Send + Sync))));
    listeners.extend(monitors.iter().map(|(seen, monitor)| (*seen, monitor as &(dyn Listen + Send + Sync))));
    let mut headers = UnboundedCache::new();
    let tip = synchronize_listeners(&source, config.network, &mut headers, listeners).await.map_err(chain_error)?;
    for (_, (monitor, ..)) in monitors {
        let id = monitor.channel_id();
        base.chain_monitor
            .load_existing_monitor(id, monitor)
            .map_err(|()| StartError::Damaged { part: "a channel monitor", reason: format!("{id} is there twice") })?;
    }
    let channel_manager = Arc::new(manager);
    let committer = Committer::new(Arc::clone(&base.kv), Arc::clone(book), Arc::clone(&channel_manager));
    let committer = Arc::new(committer);
    let gate = Arc::new(Gate::new(
        Arc::clone(&channel_manager),
        Arc::clone(&committer),
        Ticks::new(config.completed_kept_max, config.tick),
    ));
    let (peer_manager, onion) = peer_manager(&base, &channel_manager, &gate);
    let notes = Arc::clone(book);
    let coins = Arc::new(Coins { wallet: Arc::clone(&parts.wallet), notes });
    let bumper = Bumper::new(
        Arc::clone(&base.broadcaster),
        Arc::new(LdkWallet::new(coins, Arc::clone(&base.log))),
        Arc::clone(&base.keys),
        Arc::clone(&base.log),
    );
    Ok(Loaded {
        chain_monitor: base.chain_monitor,
        channel_manager,
        committer,
        gate,
        peer_manager,
        onion,
        graph: base.graph,
        scorer: base.scorer,
        sweeper: Arc::new(sweeper),
        tracer: Arc::new(tracer),
        bumper: Arc::new(bumper),
        keys: base.keys,
        kv: base.kv,
        broadcaster: base.broadcaster,
        relay,
        tip,
        headers,
    })
}

fn chain_error(error: lightning_block_sync::BlockSourceError) -> StartError {
    StartError::Chain(error.into_inner().to_string())
}

impl Loaded {
    /// All that reads blocks from now on.
    pub(crate) fn listeners(&self) -> Listeners {
        Listeners {
            chain_monitor: Arc::clone(&self.chain_monitor),
            channel_manager: Arc::clone(&self.channel_manager),
            sweeper: Arc::clone(&self.sweeper),
            tracer: Arc::clone(&self.tracer),
        }
    }
}
