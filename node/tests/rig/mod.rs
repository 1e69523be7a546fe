//! A real bitcoind on regtest and wallet nodes as tasks of the test's process.

pub mod federation;

use bitcoin::{Address, Amount, Network};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use windlass_chain::regtest::Miner;
use windlass_chain::{Auth, Bitcoind, BitcoindConfig};
use windlass_node::api::wallet::{AddressRequest, ChannelState, ConnectRequest, OpenRequest, SyncRequest};
use windlass_node::client::WalletClient;
use windlass_node::wallet::{Ready, RunError, WalletConfig, run_until};
use windlass_types::{ChainNetwork, Msat};

/// Whatever is awaited here takes a few seconds on a quiet machine.
pub const DEADLINE: Duration = Duration::from_secs(90);

/// Waits until `look` finds something; panics with `what` at the deadline.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let since = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(since.elapsed() < DEADLINE, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port()
}

pub struct Rig {
    pub bitcoind: Bitcoind,
    pub miner: Miner,
    config: BitcoindConfig,
    port: u16,
    dir: tempfile::TempDir,
    child: Option<Child>,
}

impl Rig {
    pub async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let port = free_port();
        let auth = Auth::Cookie(dir.path().join("regtest/.cookie"));
        let config = BitcoindConfig { url: format!("http://127.0.0.1:{port}"), auth };
        let bitcoind = Bitcoind::new(config.clone());
        let mut rig = Self { miner: Miner::new(bitcoind.clone()), bitcoind, config, port, dir, child: None };
        rig.up().await;
        rig
    }

    pub async fn up(&mut self) {
        let exe = std::env::var_os("BITCOIND_EXE").map(PathBuf::from);
        let exe = exe.expect("set BITCOIND_EXE to a bitcoind (version 28 or later): this test needs a real one");
        let child = Command::new(exe)
            .arg(format!("-datadir={}", self.dir.path().display()))
            .arg(format!("-rpcport={}", self.port))
            .args(["-regtest", "-server", "-listen=0", "-dnsseed=0", "-fixedseeds=0", "-printtoconsole=0"])
            .args(["-deprecatedrpc=fullrbf", "-deprecatedrpc=bip125", "-rpcthreads=32"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("bitcoind starts");
        self.child = Some(child);
        eventually("bitcoind answers", || async { self.bitcoind.tip().await.ok() }).await;
    }

    pub async fn down(&mut self) {
        let _: String = self.bitcoind.call("stop", vec![]).await.expect("it stops");
        self.child.take().expect("it runs").wait().expect("it ends");
    }

    /// An address of nobody; another `fork` makes other blocks.
    pub fn burn(&self, fork: u8) -> Address {
        use bitcoin::hashes::Hash as _;
        let key = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798".parse().expect("the generator");
        let root = (fork > 0).then(|| bitcoin::TapNodeHash::from_byte_array([fork; 32]));
        Address::p2tr(&bitcoin::secp256k1::Secp256k1::verification_only(), key, root, Network::Regtest)
    }

    pub async fn mine(&self, blocks: u32) {
        self.miner.mine(blocks, &self.burn(0)).await.expect("mines");
    }

    /// A node's folder, not yet running.
    pub fn folder(&self, name: &str, members: Vec<String>) -> PathBuf {
        let dir = self.dir.path().join("ln").join(name);
        let config = WalletConfig {
            members,
            minimum_depth: 3,
            // Peers find it again there after a stop.
            lightning: ([127, 0, 0, 1], free_port()).into(),
            ..WalletConfig::new(name, ChainNetwork::Regtest, self.config.clone())
        };
        config.save(&dir).expect("saved");
        dir
    }

    /// Mines `blocks` and waits until the nodes have seen the tip.
    pub async fn mine_and_sync(&self, blocks: u32, nodes: &[&Node]) {
        self.mine(blocks).await;
        let block = self.bitcoind.tip().await.expect("a tip");
        for node in nodes {
            node.api.sync(&SyncRequest { block, timeout_seconds: 60 }).await.expect("synced");
        }
    }

    /// Gives each node so many rewards of 50 BTC, ripe.
    /// Opens an announced channel of 1,000,000 sat, mines until both can use it, and returns its id.
    pub async fn open_channel(&self, from: &Node, to: &Node, push: Msat) -> String {
        let info = to.api.info().await.expect("info");
        let peer = ConnectRequest { node_id: info.node_id, address: info.lightning };
        let amount = Amount::from_sat(1_000_000);
        let request = OpenRequest { peer, amount, push_msat: push, announce: true };
        let channel = from.api.open_channel(&request).await.expect("opened");
        self.mine_and_sync(6, &[from, to]).await;
        for node in [from, to] {
            eventually("the channel is usable", || async {
                let channel = node.api.channel(&channel.id).await.ok()?;
                (channel.state == ChannelState::Usable).then_some(())
            })
            .await;
        }
        channel.id
    }

    pub async fn fund(&self, nodes: &[&Node]) {
        for node in nodes {
            let address = node.api.address(&AddressRequest::Bitcoin).await.expect("an address").address;
            let address = windlass_chain::parse_address(&address, Network::Regtest).expect("ours");
            self.miner.mine(1, &address).await.expect("mines");
        }
        self.mine_and_sync(100, nodes).await;
        for node in nodes {
            assert_eq!(node.api.balance().await.expect("a balance").bitcoin, Amount::from_sat(5_000_000_000));
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if let Some(child) = self.child.as_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A running wallet node.
pub struct Node {
    pub api: WalletClient,
    pub dir: PathBuf,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), RunError>>,
}

impl Node {
    pub async fn start(dir: &Path) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let at = dir.to_owned();
        let task = tokio::spawn(async move {
            run_until(&at, async {
                let _ = stopped.await;
            })
            .await
        });
        let ready = eventually("the node is ready", || async {
            assert!(!task.is_finished(), "the node ended at its start");
            Ready::load(dir).expect("readable")
        })
        .await;
        Self { api: WalletClient::new(ready.api), dir: dir.to_owned(), stop: Some(stop), task }
    }

    pub async fn stop(mut self) -> PathBuf {
        self.stop.take().expect("it runs").send(()).expect("it listens");
        tokio::time::timeout(DEADLINE, self.task).await.expect("in time").expect("no panic").expect("a clean end");
        self.dir
    }
}
