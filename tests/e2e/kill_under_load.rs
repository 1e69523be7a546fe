//! `kill -9` of a Lightning node's process in the middle of payments, again and again: no channel is
//! closed, no payment is lost or made twice, both ends agree.
//!
//! `WINDLASS_KILLS=50` kills more often (`just kills`), `WINDLASS_SEED=n` at other moments.

use crate::{number, up};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use windlass_node::api::Code;
use windlass_node::api::wallet::{Direction, InvoiceRequest, PayRequest, PaymentInfo, PaymentState};
use windlass_node::client::WalletClient;
use windlass_tests::Network;
use windlass_types::Msat;

const AMOUNT_MSAT: u64 = 1_000_000;
const PAYERS: u64 = 8;
const DEADLINE: Duration = Duration::from_secs(120);

fn environment(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Payers on both sides, until told to stop. Whoever finds its node dead gives up.
struct Load {
    stop: Arc<AtomicBool>,
    arrived: Arc<AtomicU64>,
    payers: Vec<tokio::task::JoinHandle<Vec<String>>>,
}

impl Load {
    fn start(runtime: &Runtime, network: &Network) -> Self {
        let (stop, arrived) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let clients = ["alice", "bob"].map(|node| WalletClient::new(network.api(node)));
        let payers = (0..PAYERS).map(|payer| {
            let [alice, bob] = clients.clone();
            let (from, to) = if payer % 2 == 0 { (alice, bob) } else { (bob, alice) };
            runtime.spawn(pay(from, to, Arc::clone(&stop), Arc::clone(&arrived)))
        });
        Self { payers: payers.collect(), stop, arrived }
    }

    fn wait_arrived(&self, count: u64) {
        let end = Instant::now() + DEADLINE;
        while self.arrived.load(Ordering::Relaxed) < count {
            assert!(Instant::now() < end, "only {} payments arrived", self.arrived.load(Ordering::Relaxed));
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// The payments that their payers were told have arrived.
    fn end(self, runtime: &Runtime) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.payers.into_iter().flat_map(|payer| runtime.block_on(payer).expect("no panic")).collect()
    }
}

async fn pay(from: WalletClient, to: WalletClient, stop: Arc<AtomicBool>, arrived: Arc<AtomicU64>) -> Vec<String> {
    let mut told = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let request =
            InvoiceRequest { amount_msat: Some(Msat::new(AMOUNT_MSAT)), memo: String::new(), expiry_seconds: 3600 };
        let asked = match to.invoice(&request).await {
            Ok(asked) => asked,
            Err(error) if error.code == Code::NotRunning => break,
            // Just up again, say.
            Err(_) => continue,
        };
        let request = PayRequest { invoice: asked.invoice, timeout_seconds: 5, ..PayRequest::default() };
        match from.pay(&request).await {
            Ok(paid) if paid.state == PaymentState::Succeeded => told.push(paid.payment_hash),
            Err(error) if error.code == Code::NotRunning => break,
            Ok(_) | Err(_) => continue,
        }
        arrived.fetch_add(1, Ordering::Relaxed);
    }
    told
}

/// By hash, what a node says of its payments of one direction: true if it arrived.
fn arrived(payments: &[PaymentInfo], direction: Direction) -> BTreeMap<&str, bool> {
    let mine = payments.iter().filter(|payment| payment.direction == direction);
    mine.map(|payment| (payment.payment_hash.as_str(), payment.state == PaymentState::Succeeded)).collect()
}

fn is_quiet(network: &Network) -> bool {
    ["alice", "bob"].iter().all(|node| {
        let channels = network.ok(&["channel", "list", node]);
        let channel = &channels[0];
        assert_eq!(channels.as_array().map(Vec::len), Some(1), "{channels:#}");
        channel["state"] == "usable"
            && number(channel, "local_msat") + number(channel, "remote_msat") == 1000 * number(channel, "capacity_sat")
    })
}

fn check(network: &Network, runtime: &Runtime, told: &BTreeSet<String>) {
    let [alice, bob] = ["alice", "bob"]
        .map(|node| runtime.block_on(WalletClient::new(network.api(node)).payments()).expect("the payments"));
    let mut all = BTreeMap::new();
    for (from, to) in [(&alice, &bob), (&bob, &alice)] {
        let (sent, received) = (arrived(from, Direction::Out), arrived(to, Direction::In));
        for (hash, there) in received {
            assert_eq!(sent.get(hash).copied().unwrap_or(false), there, "the two ends on {hash}");
            all.insert(hash, there);
        }
    }
    for hash in told {
        assert_eq!(all.get(hash.as_str()), Some(&true), "{hash} was said to have arrived");
    }
}

#[test]
fn case_15_kill_9_of_a_node_under_load() {
    let seed = environment("WINDLASS_SEED", rand::random::<u32>().into());
    eprintln!("WINDLASS_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let runtime = Runtime::new().expect("a runtime");
    let mut network = up("kills");
    network.ok(&["channel", "open", "alice", "bob", "0.1btc"]);
    let invoice = network.ok(&["invoice", "bob", "0.05btc"]);
    network.ok(&["pay", "alice", crate::text(&invoice, "invoice").as_str()]);
    let mut told = BTreeSet::new();
    for kill in 0..environment("WINDLASS_KILLS", 4) {
        let load = Load::start(&runtime, &network);
        load.wait_arrived(rng.gen_range(1..60));
        let node = if rng.gen_bool(0.5) { "alice" } else { "bob" };
        network.kill(network.pid(node));
        told.extend(load.end(&runtime));
        network.start(&[]);
        let end = Instant::now() + DEADLINE;
        while !is_quiet(&network) {
            assert!(Instant::now() < end, "kill {kill} of {node}: the channel does not come to rest");
        }
        check(&network, &runtime, &told);
    }
    eprintln!("{} payments were said to have arrived", told.len());
    for node in ["alice", "bob"] {
        let statement = network.ok(&["statement", node]);
        assert_eq!(statement["ok"], true, "{statement:#}");
    }
}
