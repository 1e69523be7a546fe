//! A wallet node's process, from its folder to its end.

use super::config::{Ready, WalletConfig};
use super::http::once::Once;
use super::journal::Journal;
use super::members::Members;
use super::node::WalletNode;
use super::recovery;
use super::seed::Seed;
use super::watch::{Watch, WatchError};
use crate::api::ApiError;
use crate::files::BadFile;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Mutex, Notify, watch};
use tokio::task::JoinHandle;
use windlass_chain::{Bitcoind, ConnectError, RpcError, StaticFees, SyncError, Wallet, WalletError};
use windlass_channels::{self as channels, StartError};
use windlass_store::{OpenError, Store, StoreError};
use windlass_types::BlockRef;

/// How long to wait before bitcoind or the members are asked again at the start.
const RETRY: Duration = Duration::from_millis(200);

/// How long requests under way may take at the end.
const DRAIN: Duration = Duration::from_secs(2);

/// Why a node's process ended, other than by being told to.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A file of its folder.
    #[error(transparent)]
    File(#[from] BadFile),
    /// The operating system gave no threads or signals.
    #[error("the process can't run: {0}")]
    System(#[source] std::io::Error),
    /// Its store can't be opened: most often the node runs already.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Its store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The API's port is taken.
    #[error("can't listen on {address}: {reason}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the operating system says.
        reason: String,
    },
    /// bitcoind is on another network, or refuses us.
    #[error(transparent)]
    Bitcoind(#[from] ConnectError),
    /// The wallet's state can't be read.
    #[error("the wallet can't be opened: {0}")]
    Wallet(#[from] WalletError),
    /// The Lightning node did not start.
    #[error("the Lightning node can't start: {0}")]
    Lightning(#[from] StartError),
    /// Rapid gossip sync can't be as the settings want it.
    #[error("{0}")]
    Gossip(String),
    /// The channel backup can't be restored.
    #[error("the channel backup can't be restored: {0}")]
    Restore(channels::BackupError),
    /// The Lightning node can't go on.
    #[error("the Lightning node has stopped: {0}")]
    LightningFailed(String),
    /// The sidechain in the store is not the one in the configuration.
    #[error("the sidechain: {0}")]
    Sidechain(#[from] ApiError),
    /// The peg watcher can't go on.
    #[error("the peg watcher has stopped: {0}")]
    Watcher(String),
}

/// Runs the wallet node in the folder `dir` until SIGTERM or SIGINT. `kill -9` is fine too: the next
/// start goes on where it stood.
///
/// # Errors
/// See [`RunError`].
pub fn run(dir: &Path) -> Result<(), RunError> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().map_err(RunError::System)?;
    let result = runtime.block_on(run_async(dir));
    // Blocking calls that hang (a bitcoind that does not answer) must not hold up the end.
    runtime.shutdown_timeout(DRAIN);
    result
}

/// As [`run`], on the caller's (multi-threaded) runtime.
///
/// # Errors
/// See [`RunError`].
pub async fn run_async(dir: &Path) -> Result<(), RunError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(RunError::System)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(RunError::System)?;
    let told = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    run_until(dir, told).await
}

/// As [`run`], until `told` is done instead of a signal.
///
/// # Errors
/// See [`RunError`].
pub async fn run_until(dir: &Path, told: impl Future<Output = ()>) -> Result<(), RunError> {
    let mut told = std::pin::pin!(told);
    let _ = std::fs::remove_file(Ready::path(dir));
    let started = tokio::select! {
        started = start(dir) => started?,
        // Told to stop while it still waits for bitcoind: nothing runs yet.
        () = &mut told => return Ok(()),
    };
    let result = started.serve(dir, told).await;
    let _ = std::fs::remove_file(Ready::path(dir));
    result
}

/// A node that is up, but does not serve yet.
struct Started {
    node: Arc<WalletNode>,
    once: Arc<Once>,
    listener: TcpListener,
    stopping: watch::Sender<bool>,
    at: watch::Sender<Option<BlockRef>>,
}

async fn start(dir: &Path) -> Result<Started, RunError> {
    let config = WalletConfig::load(dir)?;
    let seed = Seed::load_or_make(dir)?;
    if config.network != windlass_types::ChainNetwork::Regtest {
        tell_words_once(dir);
    }
    let store = Store::open_log(dir.join("store"))?;
    let listen = |error: std::io::Error| RunError::Listen { address: config.api, reason: error.to_string() };
    let listener = TcpListener::bind(config.api).await.map_err(listen)?;
    let members = Members::new(&config.members, config.network, config.chain, Arc::clone(&store))?;
    let journal = Arc::new(Journal::open(Arc::clone(&store))?);
    let once = Arc::new(Once::open(Arc::clone(&store))?);
    let bitcoind = connect(&config).await?;
    let wallet = Wallet::open(&seed.bitcoin(), config.network.bitcoin(), Arc::clone(&store))?;
    let fee_rate = config.fee_rate();
    let lightning = start_lightning(dir, &config, &seed, &bitcoind, &wallet, &store).await?;
    let (at, watched) = watch::channel(None);
    let node = WalletNode {
        config,
        seed,
        bitcoind,
        wallet,
        lightning,
        members,
        journal,
        fee_rate,
        watched,
        poke: Arc::new(Notify::new()),
        side_turn: Mutex::new(()),
        handed_in: std::sync::Mutex::default(),
        reclaim_turn: Mutex::new(()),
        side_scan: Mutex::default(),
    };
    Ok(Started { node: Arc::new(node), once, listener, stopping: watch::Sender::new(false), at })
}

/// A node that is worth something shows its words when it is made, and only then. They go to the terminal
/// of whoever started it, never into a log.
fn tell_words_once(dir: &Path) {
    use std::io::{IsTerminal as _, Write as _};
    let mut stderr = std::io::stderr();
    if !stderr.is_terminal() {
        return;
    }
    if let Ok(words) = recovery::words(dir, false) {
        let _ = writeln!(
            stderr,
            "\nThese 24 words are the node's seed. Write them down: they are shown once.\n\n  {words}\n\n\
             Keep {} too, wherever it can't be lost together with this machine.\n",
            dir.join(recovery::BACKUP).display()
        );
    }
}

/// A bitcoind that answers; waits for it.
async fn connect(config: &WalletConfig) -> Result<Bitcoind, RunError> {
    let mut told = false;
    loop {
        match Bitcoind::connect(config.bitcoind.clone(), config.network.bitcoin()).await {
            Ok(bitcoind) => return Ok(bitcoind),
            Err(ConnectError::Rpc(error)) if error.is_unreachable() => {
                if !std::mem::replace(&mut told, true) {
                    tracing::warn!(%error, "waiting for bitcoind");
                }
                tokio::time::sleep(RETRY).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// True if it was bitcoind that did not answer.
fn is_bitcoind_away(error: &StartError) -> bool {
    let rpc: Option<&RpcError> = match error {
        StartError::Bitcoind(error) => Some(error),
        StartError::Wallet(SyncError::Follow(windlass_chain::FollowError::Rpc(error))) => Some(error),
        _ => None,
    };
    rpc.is_some_and(RpcError::is_unreachable)
}

async fn start_lightning(
    dir: &Path,
    config: &WalletConfig,
    seed: &Seed,
    bitcoind: &Bitcoind,
    wallet: &Arc<Wallet>,
    store: &Arc<Store>,
) -> Result<Arc<channels::Node>, RunError> {
    // Told before anything has begun.
    super::gossip::server(config).map_err(RunError::Gossip)?;
    let network = config.network.bitcoin();
    let settings = channels::Config {
        minimum_depth: config.minimum_depth,
        to_self_delay: config.to_self_delay,
        anchor_reserve: config.anchor_reserve,
        backup: Some(dir.join(recovery::BACKUP)),
        zero_conf_peers: config.zero_conf_peers.iter().copied().collect(),
        proxy: config.proxy,
        names: match config.dns {
            Some(resolver) => Arc::new(channels::Dns::new(resolver)),
            None => Arc::new(channels::NoNames),
        },
        tower: config.watchtower.as_ref().map(|folder| dir.join(folder)),
        ..channels::Config::new(config.name.clone(), seed.lightning(), network, config.lightning)
    };
    let to_restore = dir.join(recovery::TO_RESTORE);
    loop {
        let parts = channels::Parts {
            bitcoind: bitcoind.clone(),
            wallet: Arc::clone(wallet),
            store: Arc::clone(store),
            fees: Arc::new(StaticFees(config.fee_rate())),
        };
        restore(&to_restore, &settings, &parts).await?;
        match channels::Node::start(settings.clone(), parts).await {
            Ok(node) => return Ok(node),
            Err(error) if is_bitcoind_away(&error) => {
                tracing::warn!(%error, "bitcoind went away during the start; trying again");
                tokio::time::sleep(RETRY).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Restores the channel backup that lies in the folder for it, once.
async fn restore(path: &Path, settings: &channels::Config, parts: &channels::Parts) -> Result<(), RunError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(BadFile::new(path, error).into()),
    };
    match channels::Node::restore(settings, parts, &bytes).await {
        Ok(backup) => tracing::warn!(channels = backup.channels.len(), "restored: the peers will close them"),
        // Killed between the restoring and the removal below.
        Err(channels::BackupError::NotEmpty) => {}
        Err(error) => return Err(RunError::Restore(error)),
    }
    std::fs::remove_file(path).map_err(|error| BadFile::new(path, error).into())
}

impl Started {
    /// Serves until `told`, or until a part can't go on; then ends everything in order.
    async fn serve(self, dir: &Path, told: impl Future<Output = ()>) -> Result<(), RunError> {
        let Self { node, once, listener, stopping, at } = self;
        let address = listener.local_addr().map_err(RunError::System)?;
        let app = super::http::router(Arc::clone(&node), once);
        let mut stop_server = stopping.subscribe();
        let server = axum::serve(listener, app).with_graceful_shutdown(async move {
            let _ = stop_server.wait_for(|stop| *stop).await;
        });
        let server = tokio::spawn(async move { server.await });
        let mut watcher = tokio::spawn(watch_pegs(Arc::clone(&node), at, stopping.subscribe()));
        let coins = tokio::spawn(Arc::clone(&node).follow_coins(stopping.subscribe()));
        let outs = tokio::spawn(follow_peg_outs(Arc::clone(&node), stopping.subscribe()));
        let sent = tokio::spawn(Arc::clone(&node).follow_sent(stopping.subscribe()));
        let gossip = super::gossip::server(&node.config).map_err(RunError::Gossip)?.map(|server| {
            tokio::spawn(super::gossip::follow(server, Arc::clone(&node.lightning), stopping.subscribe()))
        });
        Ready { api: format!("http://{address}"), pid: std::process::id() }.save(dir)?;
        tracing::info!(name = node.config.name, api = %address, lightning = %node.lightning.address(), "ready");
        let result = tokio::select! {
            () = told => Ok(()),
            reason = node.lightning.failed() => Err(RunError::LightningFailed(reason)),
            ended = &mut watcher => Err(RunError::Watcher(match ended {
                Ok(Ok(())) => "it ended".to_owned(),
                Ok(Err(error)) => error.to_string(),
                Err(error) => error.to_string(),
            })),
        };
        tracing::info!("stopping");
        stopping.send_replace(true);
        for task in [end(coins), end(outs), end(sent), end_server(server)].into_iter().chain(gossip.map(end)) {
            let _ = tokio::time::timeout(DRAIN, task).await;
        }
        if !watcher.is_finished() {
            let _ = tokio::time::timeout(DRAIN, watcher).await;
        }
        node.lightning.stop().await;
        node.wallet.flush().map_err(RunError::from).and(result)
    }
}

type Ending = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

fn end(task: JoinHandle<()>) -> Ending {
    Box::pin(async move { drop(task.await) })
}

fn end_server(task: JoinHandle<std::io::Result<()>>) -> Ending {
    Box::pin(async move { drop(task.await) })
}

/// Waits for the sidechain to be known, then watches.
async fn watch_pegs(
    node: Arc<WalletNode>,
    at: watch::Sender<Option<BlockRef>>,
    mut stopping: watch::Receiver<bool>,
) -> Result<(), WatchError> {
    let mut told = false;
    let start = loop {
        match node.members.chain().await {
            Ok(chain) => break chain.genesis.start,
            Err(error) => {
                if !std::mem::replace(&mut told, true) {
                    tracing::info!(%error, "waiting for the federation");
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(RETRY) => {}
            _ = stopping.changed() => return Ok(()),
        }
    };
    let poke = Arc::clone(&node.poke);
    Watch::new(Arc::clone(&node.journal), node.bitcoind.clone(), start, at, poke)?.run(stopping).await
}

async fn follow_peg_outs(node: Arc<WalletNode>, mut stopping: watch::Receiver<bool>) {
    /// A peg-out takes some Bitcoin blocks.
    const INTERVAL: Duration = Duration::from_secs(2);
    while !*stopping.borrow() {
        if let Err(error) = node.refresh_peg_outs().await {
            tracing::debug!(%error, "peg-outs wait");
        }
        tokio::select! {
            () = tokio::time::sleep(INTERVAL) => {}
            _ = stopping.changed() => {}
        }
    }
}
