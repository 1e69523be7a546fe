//! A private regtest chain on a real bitcoind, and nodes on it, each with a runtime of its own so
//! that it can die without a word.

#![allow(dead_code, reason = "each test uses its part")]

pub mod books;
pub mod splices;
pub mod stranger;

use bitcoin::{Address, Amount, Network};
use lightning::sign::KeysManager;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use windlass_chain::regtest::Miner;
use windlass_chain::{Auth, Bitcoind, BitcoindConfig, StaticFees, Wallet};
use windlass_channels::{Channel, ChannelState, Config, NameResolver, Node, OpenRequest, Parts, PeerAddress};
use windlass_store::fault::FaultDisk;
use windlass_store::{Disk, Store};
use windlass_types::Msat;

/// Long enough for a loaded machine, short enough to be told.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Few, so that tests see LDK forget.
pub const COMPLETED_KEPT_MAX: u64 = 20;

/// Nobody's key: where blocks' rewards go that nobody needs.
const NOBODY: &str = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";

pub fn sat(amount: u64) -> Amount {
    Amount::from_sat(amount)
}

pub fn msat(amount: u64) -> Msat {
    Msat::new(amount)
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr()).expect("a free port").port()
}

/// A bitcoind that ends with the test.
pub struct Chain {
    process: Child,
    pub bitcoind: Bitcoind,
    pub miner: Miner,
    pub runtime: Runtime,
    dir: TempDir,
    port: u16,
}

impl Drop for Chain {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn_bitcoind(dir: &Path, port: u16, more: &[&str]) -> Child {
    let exe = std::env::var_os("BITCOIND_EXE").expect("set BITCOIND_EXE to a bitcoind of version 28 or later");
    Command::new(exe)
        .arg("-regtest")
        .arg(format!("-datadir={}", dir.display()))
        .arg(format!("-rpcport={port}"))
        .args(["-server", "-listen=0", "-printtoconsole=0", "-deprecatedrpc=fullrbf", "-deprecatedrpc=bip125"])
        .args(more)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("bitcoind starts")
}

impl Chain {
    pub fn start() -> Self {
        let filter = tracing_subscriber::EnvFilter::from_default_env();
        let _ = tracing_subscriber::fmt().with_env_filter(filter).with_thread_names(true).with_test_writer().try_init();
        let runtime = Runtime::new().expect("a runtime");
        let dir = tempfile::tempdir().expect("a temporary directory");
        let port = free_port();
        let process = spawn_bitcoind(dir.path(), port, &[]);
        let config = BitcoindConfig {
            url: format!("http://127.0.0.1:{port}"),
            auth: Auth::Cookie(dir.path().join("regtest/.cookie")),
        };
        let bitcoind = Bitcoind::new(config);
        let miner = Miner::new(bitcoind.clone());
        let chain = Self { process, bitcoind, miner, runtime, dir, port };
        chain.wait_ready();
        chain
    }

    fn wait_ready(&self) {
        eventually("bitcoind is ready", || self.runtime.block_on(self.bitcoind.tip()).ok());
    }

    /// Stops bitcoind and starts it again on the same data.
    pub fn restart(&mut self) {
        self.restart_with(&[]);
    }

    /// As [`Self::restart`], with more arguments.
    pub fn restart_with(&mut self, more: &[&str]) {
        let _: Result<serde_json::Value, _> = self.runtime.block_on(self.bitcoind.call("stop", vec![]));
        self.process.wait().expect("bitcoind ends");
        self.process = spawn_bitcoind(self.dir.path(), self.port, more);
        self.wait_ready();
    }

    pub fn mine_to(&self, count: u32, address: &Address) {
        self.runtime.block_on(self.miner.mine(count, address)).expect("blocks");
    }

    /// Mines and waits until all nodes have read the blocks.
    pub fn mine(&self, count: u32, nodes: &[&Peer]) {
        self.mine_to(count, &nobody());
        for node in nodes {
            node.sync();
        }
    }

    /// Replaces the last `depth` blocks by `depth + 1` empty ones. The reward goes to `peer`: to nobody, a
    /// block could be the very one that was just declared invalid.
    pub fn reorganise(&self, depth: u32, peer: &Peer) {
        let to = peer.wallet().address().expect("an address");
        self.runtime.block_on(async {
            let tip = self.bitcoind.tip().await.expect("a tip");
            let first = windlass_types::BtcHeight::new(tip.height.get() - depth + 1);
            let hash = self.bitcoind.block_hash(first).await.expect("an answer").expect("a block");
            self.miner.invalidate(hash).await.expect("invalidated");
            for _ in 0..=depth {
                self.miner.mine_empty(&to).await.expect("a block");
            }
        });
    }

    /// Waits until the mempool has `count` transactions.
    pub fn wait_mempool(&self, count: usize) {
        eventually("the mempool fills", || {
            let mempool = self.runtime.block_on(self.bitcoind.mempool()).expect("a mempool");
            (mempool.txids.len() >= count).then_some(())
        });
    }

    pub fn is_confirmed(&self, txid: bitcoin::Txid, height: windlass_types::BtcHeight) -> bool {
        self.runtime.block_on(async {
            let hash = self.bitcoind.block_hash(height).await.expect("a hash").expect("a block");
            self.bitcoind.transaction_in_block(txid, hash).await.expect("an answer").is_some()
        })
    }
}

pub fn nobody() -> Address {
    NOBODY.parse::<Address<_>>().expect("an address").require_network(Network::Regtest).expect("on regtest")
}

/// Looks again and again until `look` finds something.
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn copy_all(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            std::fs::create_dir(&target).expect("made");
            copy_all(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}

/// A Lightning node.
pub struct Peer {
    pub name: &'static str,
    dir: PathBuf,
    _dir: TempDir,
    seed: u8,
    bitcoind: Bitcoind,
    address: SocketAddr,
    /// In place of a directory: a disk that fails on purpose.
    disk: Option<Arc<FaultDisk>>,
    /// Who resolves names, from the next start on.
    pub names: Option<Arc<dyn NameResolver>>,
    running: Option<(Runtime, Arc<Node>, Arc<Wallet>)>,
    settings: Box<dyn Fn(&mut Config) + Send + Sync>,
    store: std::sync::Weak<Store>,
}

impl Peer {
    pub fn start(name: &'static str, chain: &Chain) -> Self {
        Self::start_with_all(name, chain, None, |_| {})
    }

    /// As [`Self::start`], on a disk that fails on purpose if one is given.
    pub fn start_on(name: &'static str, chain: &Chain, disk: Option<Arc<FaultDisk>>) -> Self {
        Self::start_with_all(name, chain, disk, |_| {})
    }

    /// Starts it with other settings, which stay for later starts.
    pub fn start_as(name: &'static str, chain: &Chain, settings: impl Fn(&mut Config) + Send + Sync + 'static) -> Self {
        Self::start_with_all(name, chain, None, settings)
    }

    fn start_with_all(
        name: &'static str,
        chain: &Chain,
        disk: Option<Arc<FaultDisk>>,
        settings: impl Fn(&mut Config) + Send + Sync + 'static,
    ) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut peer = Self {
            name,
            dir: dir.path().to_owned(),
            _dir: dir,
            seed: name.as_bytes()[0],
            bitcoind: chain.bitcoind.clone(),
            address: (Ipv4Addr::LOCALHOST, free_port()).into(),
            disk,
            names: None,
            running: None,
            settings: Box::new(settings),
            store: std::sync::Weak::new(),
        };
        peer.run();
        peer
    }

    /// Its channel backup, as it lies on the disk.
    pub fn backup(&self) -> Vec<u8> {
        std::fs::read(self.dir.join("channels.backup")).expect("a backup")
    }

    /// Starts it on an empty directory, with nothing but its seed and a channel backup.
    pub fn run_from_backup(&mut self, backup: &[u8]) {
        self.lose_state();
        self.start_with(Some(backup));
    }

    /// Starts it on what its directory holds, with other settings, which stay for later starts.
    pub fn run_as(&mut self, settings: impl Fn(&mut Config) + Send + Sync + 'static) {
        self.settings = Box::new(settings);
        self.run();
    }

    /// Starts it on what its directory holds.
    pub fn run(&mut self) {
        self.start_with(None);
    }

    /// Restores a backup into what its directory holds, and does not start.
    pub fn try_restore(&self, backup: &[u8]) -> Result<windlass_channels::Backup, windlass_channels::BackupError> {
        assert!(self.running.is_none(), "{} runs", self.name);
        let runtime = Runtime::new().expect("a runtime");
        let (config, parts) = self.parts();
        runtime.block_on(Node::restore(&config, &parts, backup))
    }

    fn parts(&self) -> (Config, Parts) {
        // A killed node's threads may still be letting go of the file.
        let store = eventually("the store is free", || match &self.disk {
            Some(disk) => Store::open_log_on(Arc::clone(disk) as Arc<dyn Disk>).ok(),
            None => Store::open_log(self.dir.join("ln")).ok(),
        });
        let wallet = Wallet::open(&[self.seed; 32], Network::Regtest, Arc::clone(&store)).expect("a wallet");
        let bitcoind = self.bitcoind.clone();
        let parts = Parts { bitcoind, wallet, store, fees: Arc::new(StaticFees::REGTEST) };
        let mut config = Config::new(self.name, [self.seed ^ 0x80; 32], Network::Regtest, self.address);
        config.completed_kept_max = COMPLETED_KEPT_MAX;
        config.backup = Some(self.dir.join("channels.backup"));
        if let Some(names) = &self.names {
            config.names = Arc::clone(names);
        }
        (self.settings)(&mut config);
        (config, parts)
    }

    fn start_with(&mut self, backup: Option<&[u8]>) {
        assert!(self.running.is_none(), "{} runs already", self.name);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name(self.name)
            .enable_all()
            .build()
            .expect("a runtime");
        let (config, parts) = self.parts();
        self.store = Arc::downgrade(&parts.store);
        let wallet = Arc::clone(&parts.wallet);
        if let Some(backup) = backup {
            runtime.block_on(Node::restore(&config, &parts, backup)).expect("the backup is restored");
        }
        let node = runtime.block_on(Node::start(config, parts)).expect("the node starts");
        self.running = Some((runtime, node, wallet));
    }

    /// Ends it as a power cut would: nothing is written any more.
    pub fn kill(&mut self) {
        let (runtime, node, wallet) = self.running.take().expect("it runs");
        runtime.shutdown_timeout(Duration::from_secs(10));
        drop((node, wallet));
    }

    /// Ends it and takes the power off its disk, and gives it back: what was not synced may be gone, or
    /// in pieces.
    pub fn lose_power(&mut self) {
        self.kill();
        self.disk = self.disk.take().map(|disk| disk.crash());
    }

    pub fn disk(&self) -> &Arc<FaultDisk> {
        self.disk.as_ref().expect("it has one")
    }

    pub fn stop(&mut self) {
        let (runtime, node, wallet) = self.running.take().expect("it runs");
        runtime.block_on(node.stop());
        drop((node, wallet));
        runtime.shutdown_timeout(Duration::from_secs(10));
    }

    /// A copy of all that it has on the disk. It must not be running.
    pub fn copy_state(&self) -> TempDir {
        assert!(self.running.is_none(), "{} runs", self.name);
        let copy = tempfile::tempdir().expect("a temporary directory");
        copy_all(&self.dir, copy.path());
        copy
    }

    /// Puts an earlier state in the place of the present one. It must not be running.
    pub fn go_back_to(&self, state: &TempDir) {
        assert!(self.running.is_none(), "{} runs", self.name);
        self.lose_state();
        copy_all(state.path(), &self.dir);
    }

    /// Loses everything that it has on the disk. It must not be running.
    pub fn lose_state(&self) {
        assert!(self.running.is_none(), "{} runs", self.name);
        std::fs::remove_dir_all(&self.dir).expect("removed");
        std::fs::create_dir(&self.dir).expect("made");
    }

    /// What its log holds and has written.
    pub fn log_stats(&self) -> windlass_store::Stats {
        self.store.upgrade().expect("it runs").stats().expect("it is a log")
    }

    /// Rows of a table of the node's store.
    pub fn rows(&self, table: &str) -> usize {
        self.store.upgrade().expect("it runs").scan(table, b"").expect("readable").len()
    }

    pub fn node(&self) -> &Arc<Node> {
        &self.running.as_ref().expect("it runs").1
    }

    pub fn wallet(&self) -> &Arc<Wallet> {
        &self.running.as_ref().expect("it runs").2
    }

    /// Runs `task` on the node's own runtime.
    pub fn on<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
        &self,
        task: impl FnOnce(Arc<Node>) -> F,
    ) -> T {
        let (runtime, node, _) = self.running.as_ref().expect("it runs");
        runtime.block_on(runtime.spawn(task(Arc::clone(node)))).expect("no panic")
    }

    /// The secret of the node's identity.
    pub fn node_secret(&self) -> [u8; 32] {
        KeysManager::new(&[self.seed ^ 0x80; 32], 0, 0, true).get_node_secret_key().secret_bytes()
    }

    pub fn sync(&self) {
        self.on(|node| async move { node.sync().await }).expect("the chain is read");
    }

    pub fn peer_address(&self) -> PeerAddress {
        PeerAddress { node_id: self.node().node_id(), address: self.address.to_string() }
    }

    /// Opens a channel and mines until both can use it.
    pub fn open(&self, to: &Self, amount: u64, push_msat: u64, announce: bool, chain: &Chain) -> Channel {
        let request = OpenRequest { peer: to.peer_address(), amount: sat(amount), push: msat(push_msat), announce };
        let channel = self.on(|node| async move { node.open_channel(&request).await }).expect("a channel");
        chain.wait_mempool(1);
        chain.mine(6, &[self, to]);
        for end in [self, to] {
            eventually("the channel is usable", || {
                end.node().channel(channel.id).filter(|channel| channel.state == ChannelState::Usable)
            });
        }
        self.node().channel(channel.id).expect("the channel")
    }

    /// Pays `to` and waits until both say so.
    pub fn pay(&self, to: &Self, amount_msat: u64) -> windlass_channels::Payment {
        let asked = to.on(move |node| async move {
            node.create_invoice(Some(msat(amount_msat)), "a test", Duration::from_secs(3600)).await
        });
        let invoice = asked.expect("an invoice");
        let text = invoice.invoice.clone().expect("its text");
        let paid = self.on(move |node| async move {
            let hash = node.pay(&text, None).await?;
            node.wait_payment(hash, DEADLINE).await
        });
        let paid = paid.unwrap_or_else(|error| panic!("{} can't pay {}: {error}", self.name, to.name));
        let hash = paid.hash;
        to.on(move |node| async move { node.wait_received(hash, DEADLINE).await }).expect("it was received");
        paid
    }
}

/// Nodes with 50 BTC each.
pub fn funded<const N: usize>(chain: &Chain, names: [&'static str; N]) -> [Peer; N] {
    let peers = names.map(|name| Peer::start(name, chain));
    fund(chain, &peers);
    peers
}

/// Gives each node 50 BTC.
pub fn fund(chain: &Chain, peers: &[Peer]) {
    for peer in peers {
        chain.mine_to(1, &peer.wallet().address().expect("an address"));
    }
    chain.mine_to(100, &nobody());
    for peer in peers {
        peer.sync();
    }
}
