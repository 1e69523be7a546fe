//! A real bitcoind on regtest for these tests: `BITCOIND_EXE` says where it is.
#![allow(dead_code)] // each test binary uses a part of it

use bitcoin::hashes::Hash as _;
use bitcoin::{Address, Network};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use windlass_chain::regtest::Miner;
use windlass_chain::{Auth, Bitcoind, BitcoindConfig};

/// Whatever is awaited here takes well below a second on a quiet machine.
pub const DEADLINE: Duration = Duration::from_secs(60);

pub struct Rig {
    pub bitcoind: Bitcoind,
    pub miner: Miner,
    pub port: u16,
    dir: tempfile::TempDir,
    child: Option<Child>,
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

impl Rig {
    pub async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let port = free_port();
        let cookie = dir.path().join("regtest/.cookie");
        let config = BitcoindConfig { url: format!("http://127.0.0.1:{port}"), auth: Auth::Cookie(cookie) };
        let bitcoind = Bitcoind::new(config);
        let mut rig = Self { miner: Miner::new(bitcoind.clone()), bitcoind, port, dir, child: None };
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
            .args(["-deprecatedrpc=fullrbf", "-deprecatedrpc=bip125"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("bitcoind starts");
        self.child = Some(child);
        let since = Instant::now();
        while let Err(error) = self.bitcoind.tip().await {
            assert!(error.is_unreachable(), "{error}");
            assert!(since.elapsed() < DEADLINE, "bitcoind never answered: {error}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub async fn down(&mut self) {
        let _: String = self.bitcoind.call("stop", vec![]).await.expect("it stops");
        self.reap();
    }

    pub fn kill(&mut self) {
        self.child.as_mut().expect("it runs").kill().expect("killed");
        self.reap();
    }

    fn reap(&mut self) {
        self.child.take().expect("it runs").wait().expect("it ends");
    }

    /// An address of nobody.
    pub fn burn(&self) -> Address {
        self.burn_at(0)
    }

    /// One of many such. A block with the same parent, content and second is the same block: a fork
    /// needs another address.
    pub fn burn_at(&self, fork: u8) -> Address {
        let key = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798".parse().expect("the generator");
        let secp = bitcoin::secp256k1::Secp256k1::verification_only();
        let root = (fork > 0).then(|| bitcoin::TapNodeHash::from_byte_array([fork; 32]));
        Address::p2tr(&secp, key, root, Network::Regtest)
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
