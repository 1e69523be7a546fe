//! A running node.

mod background;
mod backup;
mod batch;
mod chain;
mod channels;
mod close;
mod events;
mod gossip;
mod hold;
mod inbound;
mod instructions;
mod invoice;
mod keysend;
mod offers;
mod open;
mod pay;
mod peers;
mod policy;
mod probe;
mod reconnect;
mod records;
mod room;
mod route;
mod splice;

pub use gossip::GossipError;
pub(crate) use gossip::apply as apply_snapshot;
pub(crate) use offers::{read_offer, read_refund};
pub use open::OpenRequest;
pub(crate) use pay::{memo, read_invoice};
pub use splice::SpliceOut;

use crate::book::Book;
use crate::ldk::committer::Committer;
use crate::ldk::load::{Loaded, load};
use crate::ldk::stack::{
    Broadcaster, Bumper, ChainMonitor, ChannelManager, Gate, Graph, Keys, Kv, OnionMessenger, PeerManager, Scorer,
    Sweeper,
};
use crate::{Config, Event, Info, JournalInfo, Parts, StartError};
use chain::Follow;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use windlass_types::{BlockRef, Msat};

/// A Lightning node; see the crate's head. All methods may be called from any task.
pub struct Node {
    config: Config,
    parts: Parts,
    address: SocketAddr,
    book: Arc<Book>,
    chain_monitor: Arc<ChainMonitor>,
    channel_manager: Arc<ChannelManager>,
    peer_manager: Arc<PeerManager>,
    onion: Arc<OnionMessenger>,
    graph: Arc<Graph>,
    scorer: Arc<RwLock<Scorer>>,
    sweeper: Arc<Sweeper>,
    bumper: Arc<Bumper>,
    keys: Arc<Keys>,
    kv: Arc<Kv>,
    committer: Arc<Committer>,
    gate: Arc<Gate>,
    /// Counted events that LDK's own loop has handled; see [`Book::let_go`].
    counted_in_loop: AtomicU64,
    inbound: inbound::Inbound,
    broadcaster: Arc<Broadcaster>,
    synced: watch::Sender<BlockRef>,
    poke: Notify,
    probes: Mutex<probe::Ends>,
    stopping: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    committing: Mutex<Option<std::thread::JoinHandle<()>>>,
    /// Payments that wait for room.
    queue: room::Queue,
    /// Channels that are to share one funding transaction.
    batches: Mutex<batch::Batches>,
    /// One splice at a time is handed to LDK.
    splice_turn: tokio::sync::Mutex<()>,
    /// One writer of the backup at a time.
    backup_turn: Mutex<()>,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("config", &self.config).field("address", &self.address).finish_non_exhaustive()
    }
}

impl Node {
    /// Starts a node, brings it to bitcoind's tip and connects it to the peers of its channels.
    /// Needs a multi-threaded tokio runtime.
    ///
    /// # Errors
    /// See [`StartError`].
    pub async fn start(config: Config, parts: Parts) -> Result<Arc<Self>, StartError> {
        let found = parts.bitcoind.network().await?;
        if found != config.network {
            return Err(StartError::WrongNetwork { found, expected: config.network });
        }
        let listen_error =
            |error: std::io::Error| StartError::Listen { address: config.listen, reason: error.to_string() };
        let listener = TcpListener::bind(config.listen).await.map_err(listen_error)?;
        let address = listener.local_addr().map_err(listen_error)?;
        let book = Arc::new(Book::open(&parts.store)?);
        book.bound_journal(config.events_kept_max);
        let mut wallet_sync = windlass_chain::WalletSync::new(Arc::clone(&parts.wallet), parts.bitcoind.clone());
        wallet_sync.step().await?;
        let loaded = load(&config, &parts, &book).await?;
        let listeners = loaded.listeners();
        let (node, loaded_rest) = Self::assemble(config, parts, address, book, loaded);
        node.start_committer();
        node.settle_the_past().await;
        node.open_gate();
        node.resume_splices();
        node.note_resolved(node.synced_to().height);
        node.refresh_backup();
        let (relay, stopping) = (loaded_rest.relay, Arc::clone(&node));
        node.spawn(async move {
            // What is left in its queue, LDK sends again after the next start.
            tokio::select! {
                () = relay.run(&stopping.kv) => {}
                () = stopping.stopped() => {}
            }
        });
        let follow = Follow { wallet: wallet_sync, listeners, tip: loaded_rest.tip, headers: loaded_rest.headers };
        node.spawn(Arc::clone(&node).follow(follow));
        node.spawn(Arc::clone(&node).process_background());
        node.spawn(Arc::clone(&node).listen(listener));
        node.spawn(Arc::clone(&node).keep_peers());
        node.spawn(Arc::clone(&node).announce());
        Ok(node)
    }

    fn assemble(
        config: Config,
        parts: Parts,
        address: SocketAddr,
        book: Arc<Book>,
        loaded: Loaded,
    ) -> (Arc<Self>, Rest) {
        let best = loaded.channel_manager.current_best_block();
        let best = BlockRef::new(windlass_types::BtcHeight::new(best.height), best.block_hash);
        let node = Self {
            inbound: inbound::Inbound::new(config.inbound),
            config,
            parts,
            address,
            book,
            chain_monitor: loaded.chain_monitor,
            channel_manager: loaded.channel_manager,
            peer_manager: loaded.peer_manager,
            onion: loaded.onion,
            graph: loaded.graph,
            scorer: loaded.scorer,
            sweeper: loaded.sweeper,
            bumper: loaded.bumper,
            keys: loaded.keys,
            kv: loaded.kv,
            committer: loaded.committer,
            gate: loaded.gate,
            counted_in_loop: AtomicU64::new(0),
            broadcaster: loaded.broadcaster,
            synced: watch::Sender::new(best),
            poke: Notify::new(),
            probes: Mutex::default(),
            stopping: watch::Sender::new(false),
            tasks: Mutex::new(Vec::new()),
            committing: Mutex::new(None),
            queue: room::Queue::default(),
            batches: Mutex::default(),
            splice_turn: tokio::sync::Mutex::new(()),
            backup_turn: Mutex::new(()),
        };
        (Arc::new(node), Rest { relay: loaded.relay, tip: loaded.tip, headers: loaded.headers })
    }

    fn start_committer(&self) {
        let (committer, peers) = (Arc::clone(&self.committer), Arc::clone(&self.peer_manager));
        let thread = std::thread::Builder::new().name("committer".into()).spawn(move || {
            committer.run();
            peers.disconnect_all_peers();
        });
        match thread {
            Ok(thread) => *self.committing.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread),
            Err(error) => self.committer.die(format!("no thread for the committer: {error}")),
        }
    }

    /// Handles payments' events at the gate, from now on.
    fn open_gate(self: &Arc<Self>) {
        let node = Arc::downgrade(self);
        self.gate.set_settle(Box::new(move || node.upgrade().is_some_and(|node| node.settle_at_gate())));
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(tokio::spawn(task));
    }

    /// Resolves once [`Self::stop`] was called.
    async fn stopped(&self) {
        // The sender lives as long as the node.
        let _ = self.stopping.subscribe().wait_for(|stopping| *stopping).await;
    }

    fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Ends the node: peers are disconnected, everything is on the disk, tasks have ended.
    /// A second call returns at once.
    pub async fn stop(&self) {
        if self.stopping.send_replace(true) {
            return;
        }
        self.peer_manager.disconnect_all_peers();
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            // A task that panicked has said so; the others still end cleanly.
            let _ = task.await;
        }
        // Who connected in the last moment.
        self.peer_manager.disconnect_all_peers();
        self.kv.stop();
        let committer = self.committing.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(committer) = committer {
            let _ = tokio::task::spawn_blocking(move || committer.join()).await;
        }
        if let Err(error) = self.parts.wallet.flush() {
            tracing::warn!(%error, "the wallet's position is not written; it will read some blocks again");
        }
    }

    /// Why the node can't go on, once it can't: its owner should stop it and say so.
    pub async fn failed(&self) -> String {
        let mut failure = self.committer.failure().subscribe();
        match failure.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or_default(),
            Err(_) => "the node is gone".into(),
        }
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its public key.
    pub fn node_id(&self) -> bitcoin::secp256k1::PublicKey {
        self.channel_manager.get_our_node_id()
    }

    /// The node at a glance.
    pub fn info(&self) -> Info {
        let channels = self.channel_manager.list_channels();
        let usable = channels.iter().filter(|channel| channel.is_usable);
        // Before the graph: LDK takes the graph's lock while it holds a peer's.
        let peers = count(self.peer_manager.list_peers().len());
        let graph = self.graph.read_only();
        let (known_nodes, known_channels) = (count(graph.nodes().len()), count(graph.channels().len()));
        drop(graph);
        Info {
            node_id: self.node_id(),
            alias: self.config.alias.clone(),
            uri: format!("{}@{}", self.node_id(), self.address),
            network: self.config.network,
            synced_to: self.synced_to(),
            peers,
            channels: count(channels.len()),
            usable_channels: count(usable.clone().count()),
            known_nodes,
            known_channels,
            can_send: Msat::new(usable.clone().map(|channel| channel.next_outbound_htlc_limit_msat).sum()),
            can_receive: Msat::new(usable.map(|channel| channel.inbound_capacity_msat).sum()),
        }
    }

    /// From now on nothing is stored and nothing waits for the disk, for good: to measure what storing costs.
    #[cfg(feature = "measure")]
    #[doc(hidden)]
    pub fn forget_everything(&self) {
        self.kv.forget();
    }

    /// How many payments LDK has in mind, completed ones among them; see [`Config::completed_kept_max`].
    pub fn remembered_payments(&self) -> usize {
        self.channel_manager.list_recent_payments().len()
    }

    /// What happened from the position `from` on, at most `limit` events, each with its position. Only
    /// what is on the disk is told, and it stays until [`Self::acknowledge`]: an application that keeps the
    /// position with what it does about an event loses none and sees none twice. For one that has never
    /// acknowledged any, the last 10,000 are kept; for one that has, [`Config::events_kept_max`].
    pub fn events(&self, from: u64, limit: usize) -> Vec<(u64, Event)> {
        self.book.events(from, limit)
    }

    /// As [`Self::events`], but waits until there is one; empty at `timeout`.
    pub async fn wait_events(&self, from: u64, limit: usize, timeout: std::time::Duration) -> Vec<(u64, Event)> {
        let look = || Some(self.events(from, limit)).filter(|events| !events.is_empty());
        self.wait_for(tokio::time::Instant::now() + timeout, look).await.unwrap_or_default()
    }

    /// Lets go of all events before the position `before`; false if that can't be made durable.
    pub async fn acknowledge(&self, before: u64) -> bool {
        self.book.acknowledge(before);
        self.kv.durable().await
    }

    /// How many events from the position `from` on are lost: never acknowledged, and no longer kept because too
    /// many waited. An application that finds some looks at [`Self::payments`] and [`Self::channels`] instead.
    pub fn lost_events(&self, from: u64) -> u64 {
        self.book.lost_events(from)
    }

    /// Where the journal of events is, and whether somebody reads it.
    pub fn journal(&self) -> JournalInfo {
        self.book.journal_info()
    }

    /// The application that acknowledged events is gone for good: only the last 10,000 are kept from now on, until
    /// one acknowledges again. False if that can't be made durable.
    pub async fn give_up_reader(&self) -> bool {
        self.book.give_up_reader();
        self.kv.durable().await
    }

    fn emit(&self, event: Event) {
        self.book.journal(event);
    }

    /// Waits until `look` finds something, looking again after each change; `None` at `deadline`.
    async fn wait_for<T>(&self, deadline: tokio::time::Instant, mut look: impl FnMut() -> Option<T>) -> Option<T> {
        let mut changes = self.book.changes();
        loop {
            if let Some(found) = look() {
                return Some(found);
            }
            match tokio::time::timeout_at(deadline, changes.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return None,
            }
        }
    }
}

impl Drop for Node {
    /// Without [`Node::stop`] it is as if the process had been killed: nothing more is written.
    fn drop(&mut self) {
        self.kv.abandon();
    }
}

/// What only the tasks need.
struct Rest {
    relay: crate::ldk::broadcast::Relay,
    tip: lightning_block_sync::poll::ValidatedBlockHeader,
    headers: lightning_block_sync::UnboundedCache,
}

fn count(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
