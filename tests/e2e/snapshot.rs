//! A follower that begins from a snapshot, and says so.

use crate::{number, text, up};
use serde_json::Value;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;
use windlass_node::api::member::{Begun, ChainInfo};
use windlass_node::client::MemberClient;
use windlass_tests::{Network, until};

const PATIENCE: Duration = Duration::from_secs(60);

/// A process that ends with the test, however that goes.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a follower is started with.
struct Start<'a> {
    network: &'a Network,
    genesis: String,
    member: String,
}

impl Start<'_> {
    fn spawn(&self, dir: &Path, snapshot: &str) -> Ended {
        let dir = dir.to_string_lossy();
        let mut command = self.network.command(&["follow", "--dir", &dir, "--peer", &self.member]);
        command.args(["--chain", &self.genesis, "--snapshot", snapshot]).stderr(Stdio::piped());
        Ended(command.spawn().expect("the follower starts"))
    }

    /// How it fails that must fail.
    fn refused(&self, dir: &Path, snapshot: &Path) -> String {
        let mut child = self.spawn(dir, &snapshot.to_string_lossy());
        let ended = until("the follower ends", PATIENCE, || child.0.try_wait().expect("a child"));
        assert!(!ended.success());
        assert!(!dir.join("chain.redb").exists() && !dir.join("chain.redb.restoring").exists());
        std::io::read_to_string(child.0.stderr.take().expect("piped")).expect("text")
    }

    /// Its client, once it is at `height`.
    fn follower(&self, runtime: &tokio::runtime::Runtime, dir: &Path, height: u64) -> (String, ChainInfo) {
        until("the follower is there", PATIENCE, || {
            let ready: Value = serde_json::from_slice(&std::fs::read(dir.join("follower.json")).ok()?).ok()?;
            let api = text(&ready, "api");
            let chain = runtime.block_on(MemberClient::new(&api).chain()).ok()?;
            (chain.height.get() >= height).then_some((api, chain))
        })
    }
}

/// The height that a follower began from.
fn base(chain: &ChainInfo) -> u64 {
    match &chain.begun {
        Begun::Snapshot { height, signers, .. } => {
            assert!(signers.len() >= 3 && signers.iter().all(|name| name.starts_with('f')), "{signers:?}");
            height.get()
        }
        Begun::Genesis => panic!("it began from the genesis"),
    }
}

#[test]
fn a_follower_begins_from_a_signed_snapshot_and_says_so() {
    let network = up("snapshot");
    network.ok(&["peg", "in", "alice", "0.2btc"]);
    network.ok(&["transfer", "alice", "bob", "0.05btc"]);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let file = network.dir().join("state.snapshot");
    let member = network.api("f3");
    network.ok(&["follower", "snapshot", "--member", &member, "--out", &file.to_string_lossy()]);
    let genesis = network.home().join("fed/f2/genesis.json").to_string_lossy().into_owned();
    let start = Start { network: &network, genesis, member: member.clone() };

    // Killed in the middle of the snapshot, it begins anew.
    let dir = network.dir().join("killed");
    let pipe = pipe(network.dir());
    let child = start.spawn(&dir, &pipe.to_string_lossy());
    let bytes = std::fs::read(&file).expect("readable");
    let mut half = std::fs::OpenOptions::new().write(true).open(&pipe).expect("the follower reads it");
    half.write_all(&bytes[..bytes.len() / 2]).expect("written");
    until("it has begun", PATIENCE, || dir.join("chain.redb.restoring").exists().then_some(()));
    network.kill(child.0.id());
    drop((half, child));
    assert!(!dir.join("chain.redb").exists());

    let child = start.spawn(&dir, &file.to_string_lossy());
    let (api, chain) = start.follower(&runtime, &dir, 1);
    let height = base(&chain);
    let client = MemberClient::new(&api);
    // It validates what comes after, and has nothing of what came before.
    let sent = network.ok(&["transfer", "alice", "carol", "0.01btc"]);
    let at = number(&sent, "height");
    assert!(at > height);
    start.follower(&runtime, &dir, at);
    let early = runtime.block_on(client.blocks(windlass_types::SideHeight::new(1), 1)).expect_err("not here");
    assert!(early.message.contains(&format!("began from a snapshot at height {height}")), "{early:?}");
    assert_eq!(runtime.block_on(client.blocks(windlass_types::SideHeight::new(at), 1)).expect("here").len(), 1);

    // Killed, it goes on, and still says where it began; a snapshot of its own is as good.
    network.kill(child.0.id());
    drop(child);
    let child = start.spawn(&dir, &file.to_string_lossy());
    let (api, chain) = start.follower(&runtime, &dir, at);
    assert_eq!(base(&chain), height);
    let second = network.dir().join("second");
    let other = start.spawn(&second, &api);
    let (again, chain) = start.follower(&runtime, &second, at);
    assert!(base(&chain) >= at);
    let balance = network.dir().join("carol.json").to_string_lossy().into_owned();
    let carol = text(&network.ok(&["address", "carol", "--side"]), "address");
    network.ok(&["prove", "account", &carol, "--member", &again, "--out", &balance]);
    let had = network.ok(&["verify", &balance]);
    assert_eq!(number(&had["proves"], "balance_sat"), 1_000_000, "{had}");
    drop((child, other));

    // What is damaged, cut short or of another chain is refused by name, and leaves nothing.
    let refused = |name: &str, bytes: &[u8]| {
        let bad = network.dir().join(name);
        std::fs::write(&bad, bytes).expect("written");
        start.refused(&network.dir().join(format!("{name}.dir")), &bad)
    };
    let mut damaged = bytes.clone();
    let place = damaged.len() - 10;
    damaged[place] ^= 1;
    let why = refused("damaged", &damaged);
    assert!(why.contains("is not the state of its header"), "{why}");
    let why = refused("short", &bytes[..bytes.len() - 4]);
    assert!(why.contains("breaks off"), "{why}");
    let mut unsigned = bytes.clone();
    // In the header: magic, length, then the chain's id (32) and the height.
    unsigned[8 + 4 + 32] ^= 1;
    let why = refused("unsigned", &unsigned);
    assert!(why.contains("is not signed"), "{why}");
    unsigned[8 + 4] ^= 1;
    let why = refused("foreign", &unsigned);
    assert!(why.contains("is of the chain"), "{why}");
}

/// A file that is read as fast as it is written.
fn pipe(dir: &Path) -> PathBuf {
    let path = dir.join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo");
    assert!(made.success());
    path
}
