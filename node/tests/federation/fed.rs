//! A real bitcoind on regtest and a federation whose members are processes: this test binary,
//! started again.
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use windlass_chain::regtest::Miner;
use windlass_chain::{Auth, Bitcoind, BitcoindConfig};
use windlass_ledger::{Genesis, Params};
use windlass_node::api::member::{ChainInfo, TransactionStatus};
use windlass_node::client::MemberClient;
use windlass_node::member::{self, Federation, FederationMember, MemberConfig, Ready};
use windlass_types::{BlockRef, BtcHeight, ChainNetwork, Digest};

use crate::purse::Purse;

/// Whatever is awaited here takes a few seconds on a quiet machine.
pub const DEADLINE: Duration = Duration::from_secs(120);
/// Tells a process of this binary that it is a member, and whose folder is its.
const MEMBER_DIR: &str = "WINDLASS_TEST_MEMBER_DIR";

/// The same for one that lies.
pub const LIAR_DIR: &str = "WINDLASS_TEST_LIAR_DIR";

/// The body of the test that is a member when it is started as one.
pub fn be_a_member() {
    let Some(dir) = std::env::var_os(MEMBER_DIR) else { return };
    let filter = std::env::var("RUST_LOG").unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(std::io::stderr).init();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    if let Err(error) = runtime.block_on(member::run(PathBuf::from(dir))) {
        eprintln!("the member ended: {error:?}");
        std::process::exit(1);
    }
    std::process::exit(0);
}

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

fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// Removed unless the test failed: then its logs are wanted.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the logs are in {}", self.0.display());
        } else {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

pub struct Fed {
    pub bitcoind: Bitcoind,
    pub bitcoind_config: BitcoindConfig,
    pub purse: Purse,
    miner: Miner,
    port: u16,
    node: Option<Child>,
    members: Vec<Option<Child>>,
    pub federation: Federation,
    /// Set it before [`Fed::lay_out`].
    pub signing_attempt_ms: u64,
    dir: Folder,
}

impl Fed {
    /// A bitcoind with money in the purse and four members of whom three sign, not yet started.
    pub async fn new(params: Params) -> Self {
        let dir = tempfile::Builder::new().prefix("windlass-fed-").tempdir().expect("a directory").keep();
        let port = free_port();
        let auth = Auth::Cookie(dir.join("bitcoin/regtest/.cookie"));
        let config = BitcoindConfig { url: format!("http://127.0.0.1:{port}"), auth };
        let bitcoind = Bitcoind::new(config.clone());
        std::fs::create_dir_all(dir.join("bitcoin")).expect("a directory");
        let federation = Federation {
            name: "test".into(),
            network: ChainNetwork::Regtest,
            threshold: 3,
            start: BlockRef::new(
                BtcHeight::new(0),
                bitcoin::constants::genesis_block(bitcoin::Network::Regtest).block_hash(),
            ),
            params,
            members: Vec::new(),
        };
        let mut fed = Self {
            miner: Miner::new(bitcoind.clone()),
            bitcoind,
            bitcoind_config: config,
            purse: Purse::new(),
            port,
            node: None,
            members: (0..4).map(|_| None).collect(),
            federation,
            signing_attempt_ms: 1_500,
            dir: Folder(dir),
        };
        fed.start_bitcoind().await;
        fed.purse.fill(&fed.bitcoind, &fed.miner).await;
        fed.federation.start = fed.bitcoind.tip().await.expect("a tip");
        fed
    }

    /// Four running members, all ready.
    pub async fn up(params: Params) -> Self {
        let mut fed = Self::new(params).await;
        fed.lay_out();
        fed.start_all().await;
        fed
    }

    /// Starts the members that don't run, and waits until all are ready.
    pub async fn start_all(&mut self) {
        for m in (0..4).filter(|m| !self.runs(*m)).collect::<Vec<_>>() {
            self.start(m);
        }
        for m in 0..4 {
            self.ready(m).await;
        }
    }

    pub fn path(&self) -> &Path {
        &self.dir.0
    }

    pub fn member_dir(&self, m: usize) -> PathBuf {
        self.dir.0.join(format!("f{}", m + 1))
    }

    pub fn lay_out(&mut self) {
        let mut members = Vec::new();
        for m in 0..4 {
            let name = format!("f{}", m + 1);
            let address = local(free_port());
            let mut config = MemberConfig::new(&name, local(0), address, self.bitcoind_config.clone());
            config.signing_attempt_ms = self.signing_attempt_ms;
            let keys = member::create(&self.member_dir(m), &config).expect("a folder");
            members.push(FederationMember { name, keys, address });
        }
        self.federation.members = members;
        for m in 0..4 {
            self.federation.save(&self.member_dir(m)).expect("saved");
        }
    }

    pub async fn start_bitcoind(&mut self) {
        let exe = std::env::var_os("BITCOIND_EXE").map(PathBuf::from);
        let exe = exe.expect("set BITCOIND_EXE to a bitcoind (version 28 or later): this test needs a real one");
        let child = Command::new(exe)
            .arg(format!("-datadir={}", self.dir.0.join("bitcoin").display()))
            .arg(format!("-rpcport={}", self.port))
            .args(["-regtest", "-server", "-listen=0", "-dnsseed=0", "-fixedseeds=0", "-printtoconsole=0"])
            .args(["-deprecatedrpc=fullrbf", "-deprecatedrpc=bip125", "-rpcthreads=16"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("bitcoind starts");
        self.node = Some(child);
        eventually("bitcoind answers", || async { self.bitcoind.tip().await.ok() }).await;
    }

    pub async fn stop_bitcoind(&mut self) {
        let _: String = self.bitcoind.call("stop", vec![]).await.expect("it stops");
        self.node.take().expect("it runs").wait().expect("it ends");
    }

    pub fn start(&mut self, m: usize) {
        self.start_as(m, "a_member_process", MEMBER_DIR);
    }

    /// Starts the member as the process that the test `role` is, which finds its folder in `variable`.
    pub fn start_as(&mut self, m: usize, role: &str, variable: &str) {
        let log = self.dir.0.join(format!("f{}.log", m + 1));
        let log = std::fs::OpenOptions::new().create(true).append(true).open(log).expect("a log");
        let _ = std::fs::remove_file(self.member_dir(m).join("member.json"));
        let child = Command::new(std::env::current_exe().expect("this binary"))
            .args(["--exact", role, "--nocapture", "--test-threads=1"])
            .env(variable, self.member_dir(m))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("a member starts");
        self.members[m] = Some(child);
    }

    /// kill -9.
    pub fn kill(&mut self, m: usize) {
        if let Some(mut child) = self.members[m].take() {
            child.kill().expect("killed");
            child.wait().expect("gone");
        }
    }

    pub fn kill_all(&mut self) {
        for m in 0..4 {
            if let Some(child) = self.members[m].as_mut() {
                child.kill().expect("killed");
            }
        }
        (0..4).for_each(|m| self.kill(m));
    }

    /// SIGTERM; the exit code.
    pub fn terminate(&mut self, m: usize) -> Option<i32> {
        let mut child = self.members[m].take().expect("it runs");
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs").success());
        child.wait().expect("gone").code()
    }

    /// Sends the running member a signal: `STOP` is a link that is cut, `CONT` mends it.
    pub fn signal(&self, m: usize, signal: &str) {
        let pid = self.members[m].as_ref().expect("it runs").id().to_string();
        assert!(Command::new("kill").args([&format!("-{signal}"), &pid]).status().expect("kill runs").success());
    }

    /// How the member ended, if it did so by itself.
    pub fn ended(&mut self, m: usize) -> Option<std::process::ExitStatus> {
        self.members[m].as_mut()?.try_wait().expect("a process")
    }

    pub fn runs(&self, m: usize) -> bool {
        self.members[m].is_some()
    }

    pub fn client(&self, m: usize) -> Option<MemberClient> {
        Ready::load(&self.member_dir(m)).ok().flatten().map(|ready| MemberClient::new(ready.api))
    }

    /// A running member's client.
    pub fn any(&self) -> MemberClient {
        (0..4).filter(|m| self.runs(*m)).find_map(|m| self.client(m)).expect("a member runs")
    }

    pub async fn ready(&mut self, m: usize) -> ChainInfo {
        let since = Instant::now();
        loop {
            if let Some(client) = self.client(m)
                && let Ok(info) = client.chain().await
            {
                return info;
            }
            let gone = self.members[m].as_mut().expect("started").try_wait().expect("a process");
            assert!(gone.is_none(), "member {m} ended: {gone:?}");
            assert!(since.elapsed() < DEADLINE, "member {m} is never ready");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub async fn genesis(&self) -> Genesis {
        let answer = self.any().genesis().await.expect("a genesis");
        borsh::from_slice(&hex::decode(answer.hex).expect("hex")).expect("a genesis")
    }

    pub async fn mine(&self, blocks: u32) {
        self.miner.mine(blocks, &self.purse.nobody()).await.expect("mines");
    }

    /// Throws the newest `count` blocks away and mines as many others, of other transactions if
    /// the mempool has changed.
    pub async fn reorganise(&self, count: u32, with: u32) {
        self.throw_away(count).await;
        self.mine_fork(with).await;
    }

    /// Blocks for another address: the same ones as before would be known as invalid.
    pub async fn mine_fork(&self, blocks: u32) {
        self.miner.mine(blocks, &self.purse.fork()).await.expect("mines");
    }

    /// Throws the newest `count` blocks away: their transactions wait again.
    pub async fn throw_away(&self, count: u32) {
        let tip = self.bitcoind.tip().await.expect("a tip");
        let first = BtcHeight::new(tip.height.get() - (count - 1));
        let hash = self.bitcoind.block_hash(first).await.expect("bitcoind").expect("a block");
        self.miner.invalidate(hash).await.expect("invalidated");
    }

    /// Mines until `look` finds something, one block whenever the chain has caught up with the last.
    pub async fn mine_until<T, F: Future<Output = Option<T>>>(&self, what: &str, mut look: impl FnMut() -> F) -> T {
        for _ in 0..60 {
            self.mine(1).await;
            self.caught_up().await;
            let since = Instant::now();
            while since.elapsed() < Duration::from_millis(700) {
                if let Some(found) = look().await {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        }
        panic!("never happened, however many blocks: {what}");
    }

    /// The sidechain has consumed what Bitcoin has buried.
    pub async fn caught_up(&self) {
        let tip = self.bitcoind.tip().await.expect("a tip").height.get();
        let anchor = tip - (self.federation.params.anchor_depth.get() - 1);
        eventually("the chain catches up with Bitcoin", || async {
            let info = self.any().chain().await.ok()?;
            (info.anchor.height.get() >= anchor).then_some(())
        })
        .await;
    }

    pub async fn is_final(&self, id: Digest) {
        eventually("the transaction is final", || async {
            match self.any().transaction(id, Duration::from_secs(5)).await {
                Ok(TransactionStatus::Final { .. }) => Some(()),
                _ => None,
            }
        })
        .await;
    }

    /// reserve = supply + owed, by the recount.
    pub async fn check_reserves(&self) -> windlass_peg::reserves::ReservesReport {
        let report =
            windlass_node::reserves::recount(&self.any(), &self.bitcoind, None).await.expect("it can be counted");
        assert!(report.ok, "{report:?}");
        report
    }
}

impl Drop for Fed {
    fn drop(&mut self) {
        for child in self.members.iter_mut().chain([&mut self.node]).flatten() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
