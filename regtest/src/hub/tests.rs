//! The hub with a real bitcoind and no members or nodes: the miner, the faucet, and the API's manners.

use super::*;
use crate::{
    api::{Faucet, FaucetDone, Mine, Mined, Started, Status},
    bitcoind::Resolver,
    hub::client::HubClient,
    neighbours::Neighbours,
    ports::Ports,
    run::Plan,
};
use bitcoin::Amount;
use serde_json::{Value, json};
use std::path::PathBuf;
use windlass_node::api::Code;

/// A hub in a task of this process.
struct Fixture {
    dir: tempfile::TempDir,
    hub: HubClient,
    task: tokio::task::JoinHandle<Result<(), HubError>>,
}

impl Fixture {
    async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let layout = Layout::new(dir.path(), "test").expect("a name");
        let mut run = Run::new(&layout, &plan()).expect("a plan");
        run.members.clear();
        run.nodes.clear();
        let resolved = tokio::task::spawn_blocking(|| Resolver::from_env().resolve(&|_| {}))
            .await
            .expect("no panic")
            .expect("a bitcoind");
        // Other tests start theirs at the same time.
        let neighbours = Neighbours::of_user().hold().expect("the list");
        run.prepare(&plan(), &resolved, Ports::any(neighbours.ports(&layout))).expect("ports");
        run.write(&layout).expect("written");
        neighbours.keep(&layout).expect("kept");
        let hub = HubClient::new(format!("http://127.0.0.1:{}", run.hub));
        let root = layout.root().to_owned();
        let task = tokio::spawn(async move { super::run(&root).await });
        while !hub.answers().await {
            assert!(!task.is_finished(), "the hub ended");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Self { dir, hub, task }
    }

    async fn up(&self) -> Started {
        self.call("up", &json!({})).await.expect("up")
    }

    async fn call<T: serde::de::DeserializeOwned>(
        &self,
        verb: &str,
        body: &impl serde::Serialize,
    ) -> Result<T, ApiError> {
        self.hub.call(verb, body, &|_| {}).await
    }

    async fn faucet(&self, to: &str, amount: Amount) -> Result<FaucetDone, ApiError> {
        self.call("faucet", &Faucet { to: to.into(), amount }).await
    }

    async fn down(self) {
        let _: Value = self.call("down", &json!({})).await.expect("down");
        self.task.await.expect("no panic").expect("ended well");
    }
}

fn plan() -> Plan {
    Plan::new(PathBuf::from("/bin/false"))
}

const STRANGER: &str = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";

#[tokio::test(flavor = "multi_thread")]
async fn mines_pays_and_ends_in_order() {
    let fixture = Fixture::start().await;
    let started = fixture.up().await;
    assert_eq!(started.stages.len(), 3);
    assert!(started.status.healthy, "{:?}", started.status.troubles);
    assert_eq!(started.status.bitcoin.expect("a tip").height.get(), 101);
    assert_eq!(fixture.up().await.status.bitcoin, started.status.bitcoin, "up twice is up once");

    let mined: Mined = fixture.call("mine", &Mine { blocks: 3 }).await.expect("mined");
    assert_eq!(mined.tip.height.get(), 104);
    let done = fixture.faucet(STRANGER, Amount::from_sat(70_000)).await.expect("paid");
    assert_eq!(done.height.get(), 105);
    // More than is ripe: it mines until it is.
    let done = fixture.faucet(STRANGER, Amount::from_int_btc(891)).await.expect("paid");
    assert!(done.height.get() > 110);

    let status: Status = fixture.call("status", &json!({})).await.expect("status");
    let bitcoind = &status.processes[0];
    assert!(bitcoind.ready && bitcoind.memory_kb > Some(10_000), "{bitcoind:?}");
    let pid = bitcoind.pid.expect("runs");
    fixture.down().await;
    assert!(ProcessId::of(pid).is_none_or(|id| !id.is_alive()), "bitcoind was ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_say_what_was_wrong() {
    let fixture = Fixture::start().await;
    fixture.up().await;
    let foreign = fixture.faucet("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", Amount::ONE_BTC).await;
    assert!(foreign.is_err_and(|error| error.code == Code::Usage && error.message.contains("main")));
    let dust = fixture.faucet(STRANGER, Amount::from_sat(100)).await;
    assert!(dust.is_err_and(|error| error.code == Code::Usage && error.message.contains("dust")));
    let all = fixture.faucet(STRANGER, Amount::from_int_btc(20_999_999)).await;
    assert!(all.is_err_and(|error| error.code == Code::InsufficientFunds));
    let unknown: Result<Value, _> = fixture.call("no/such", &json!({})).await;
    assert!(unknown.is_err_and(|error| error.code == Code::NotFound));
    let malformed: Result<Value, _> = fixture.call("mine", &json!({"blocks": "many"})).await;
    assert!(malformed.is_err_and(|error| error.code == Code::Usage));
    let nobody: Result<Value, _> = fixture.call("balance", &json!({"node": "dave"})).await;
    assert!(nobody.is_err_and(|error| error.code == Code::NotFound && error.message.contains("dave")));

    // A page of someone else's that the user happens to have open.
    let page = reqwest::Client::new()
        .post(format!("{}/v1/mine", fixture.hub.api()))
        .header("origin", "http://example.com")
        .body("{\"blocks\":1}")
        .send()
        .await
        .expect("answered");
    assert_eq!(page.status().as_u16(), 400);
    fixture.down().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_bitcoind_is_reported_and_started_by_up() {
    let fixture = Fixture::start().await;
    let started = fixture.up().await;
    let pid = started.status.processes[0].pid.expect("runs");
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(i32::try_from(pid).expect("a pid")),
        nix::sys::signal::Signal::SIGKILL,
    )
    .expect("killed");
    let status = loop {
        let status: Status = fixture.call("status", &json!({})).await.expect("status");
        if !status.healthy {
            break status;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert!(status.troubles[0].contains("bitcoind"), "{:?}", status.troubles);
    let refused: Result<Mined, _> = fixture.call("mine", &Mine { blocks: 1 }).await;
    let refused = refused.expect_err("no bitcoind");
    assert_eq!(refused.code, Code::NotRunning);
    assert!(refused.hints.iter().any(|hint| hint.command == "windlass up"), "{refused:?}");
    let again = fixture.up().await;
    assert!(again.status.healthy, "{:?}", again.status.troubles);
    assert!(again.status.bitcoin >= started.status.bitcoin);
    assert!(fixture.dir.path().join("regtest/test/ready").exists());
    fixture.down().await;
}
