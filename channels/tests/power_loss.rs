//! A node whose disk fails: power lost at any operation, a sync that fails, a write that fails, no
//! room. After each, whatever the disk kept of what was not synced: no channel is closed, no payment is
//! lost, the application hears of each once, and the peer agrees.
//!
//! `WINDLASS_SEED=n` takes another course, `WINDLASS_ROUNDS=n` a longer one.

use crate::harness::{Chain, DEADLINE, Peer, eventually, fund, msat};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;
use std::time::Duration;
use windlass_channels::{ChannelId, ChannelState, Direction, Event, PaymentHash, PaymentState};
use windlass_store::fault::FaultDisk;

const CAPACITY_SAT: u64 = 10_000_000;
const AMOUNT_MSAT: u64 = 1_000_000;
const IN_FLIGHT: usize = 6;
const PAYMENTS_PER_ROUND: usize = 40;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// What the application on a node has written down, with the position: it never fails here.
#[derive(Default)]
struct Application {
    next: u64,
    sent: BTreeMap<PaymentHash, u32>,
    received: BTreeMap<PaymentHash, u32>,
}

impl Application {
    fn read(&mut self, node: &Peer) {
        for (at, event) in node.node().events(self.next, usize::MAX) {
            assert_eq!(at, self.next, "{}: a gap in the journal", node.name);
            self.next = at + 1;
            match event {
                Event::PaymentSent { hash } => *self.sent.entry(hash).or_default() += 1,
                Event::PaymentReceived { hash, .. } => *self.received.entry(hash).or_default() += 1,
                Event::ChannelClosed { reason, .. } => panic!("{}: a channel was closed: {reason}", node.name),
                _ => {}
            }
        }
    }
}

/// Payments one way, several at a time, until all are done or the payer can't go on. Returns those that
/// the payer was told have arrived.
fn load(from: &Peer, to: &Peer, count: usize) -> Vec<PaymentHash> {
    let mut invoices = Vec::new();
    for _ in 0..count {
        let made = to.on(|node| async move { node.create_invoice(Some(msat(AMOUNT_MSAT)), "", DEADLINE * 60).await });
        // The payee is the one whose disk fails.
        let Ok(invoice) = made else { break };
        invoices.push(invoice.invoice.expect("its text"));
    }
    from.on(move |node| async move {
        let mut done = Vec::new();
        for chunk in invoices.chunks(IN_FLIGHT) {
            let mut hashes = Vec::new();
            for text in chunk {
                // It waits for a peer that comes back, but not for ever.
                match node.pay(text, None).await {
                    Ok(hash) => hashes.push(hash),
                    Err(_) => break,
                }
            }
            if hashes.is_empty() {
                return done;
            }
            for hash in hashes {
                // One that hangs is on its way to a node that is dead.
                match node.wait_payment(hash, Duration::from_secs(2)).await {
                    Ok(payment) => done.push(payment.hash),
                    Err(_) => return done,
                }
            }
        }
        done
    })
}

fn inject(rng: &mut StdRng, disk: &FaultDisk) -> String {
    match rng.gen_range(0..5) {
        0 | 1 => {
            let at = disk.syncs() + rng.gen_range(1..80);
            disk.lose_power_at_sync(at);
            format!("power lost in sync {at}")
        }
        2 => {
            let at = disk.operations() + rng.gen_range(1..160);
            disk.lose_power_at(at);
            format!("power lost at operation {at}")
        }
        3 => {
            let at = disk.syncs() + rng.gen_range(1..80);
            disk.fail_sync(at);
            format!("sync {at} fails")
        }
        _ => {
            let at = disk.writes() + rng.gen_range(1..80);
            disk.fail_write(at);
            format!("write {at} fails")
        }
    }
}

fn quiet(peer: &Peer, channel: ChannelId) -> Option<()> {
    let channel = peer.node().channel(channel).expect("the channel is still there");
    (channel.state == ChannelState::Usable && channel.in_flight == msat(0)).then_some(())
}

struct Pair {
    chain: Chain,
    alice: Peer,
    bob: Peer,
    channel: ChannelId,
    applications: [Application; 2],
    /// Payments that their payer was told have arrived, and their payee's side.
    told: Vec<(bool, PaymentHash)>,
}

impl Pair {
    fn new(seed: u64) -> Self {
        let chain = Chain::start();
        let alice = Peer::start_on("alice", &chain, Some(FaultDisk::new(seed)));
        let bob = Peer::start("bob", &chain);
        let peers = [alice, bob];
        fund(&chain, &peers);
        let [alice, bob] = peers;
        let push = CAPACITY_SAT * 1000 / 2;
        let channel = alice.open(&bob, CAPACITY_SAT, push, false, &chain).id;
        Self { chain, alice, bob, channel, applications: Default::default(), told: Vec::new() }
    }

    fn round(&mut self, rng: &mut StdRng) {
        let (alice, bob) = (&self.alice, &self.bob);
        let (out, back) = std::thread::scope(|scope| {
            let out = scope.spawn(|| load(alice, bob, PAYMENTS_PER_ROUND));
            let back = load(bob, alice, PAYMENTS_PER_ROUND);
            (out.join().expect("no panic"), back)
        });
        self.told.extend(out.into_iter().map(|hash| (true, hash)));
        self.told.extend(back.into_iter().map(|hash| (false, hash)));
        if self.alice.disk().operations().is_multiple_of(3) {
            self.applications[0].read(&self.alice);
        }
        self.alice.lose_power();
        // Once in a while it dies again before it is quiet.
        if rng.gen_ratio(1, 4) {
            self.alice.run();
            self.alice.lose_power();
        }
        self.alice.run();
        for peer in [&self.alice, &self.bob] {
            eventually("the channel is quiet", || quiet(peer, self.channel));
        }
    }

    fn check(&mut self) {
        let [of_alice, of_bob] = &mut self.applications;
        of_alice.read(&self.alice);
        of_bob.read(&self.bob);
        for (from, to, seen_from, seen_to) in [
            (&self.alice, &self.bob, &of_alice.sent, &of_bob.received),
            (&self.bob, &self.alice, &of_bob.sent, &of_alice.received),
        ] {
            for payment in to.node().payments().iter().filter(|payment| payment.direction == Direction::In) {
                let hash = payment.hash;
                let arrived = matches!(payment.state, PaymentState::Succeeded { .. });
                let sent = from.node().payment(Direction::Out, hash).map(|payment| payment.state);
                let said = matches!(sent, Some(PaymentState::Succeeded { .. }));
                assert_eq!(arrived, said, "{} and {} on {hash}: {sent:?}", from.name, to.name);
                let times = u32::from(arrived);
                assert_eq!(seen_from.get(&hash).copied().unwrap_or(0), times, "{}: {hash} was told", from.name);
                assert_eq!(seen_to.get(&hash).copied().unwrap_or(0), times, "{}: {hash} was told", to.name);
            }
        }
        for (by_alice, hash) in &self.told {
            let payer = if *by_alice { &self.alice } else { &self.bob };
            let state = payer.node().payment(Direction::Out, *hash).map(|payment| payment.state);
            assert!(matches!(state, Some(PaymentState::Succeeded { .. })), "{}: {hash} is {state:?}", payer.name);
        }
        for peer in [&self.alice, &self.bob] {
            // The last payment's end is told some moments after it is off the channel.
            eventually("the account is LDK's", || {
                let channel = peer.node().channel(self.channel).expect("the channel");
                let record = peer.node().record(self.channel).expect("its account");
                (record.balance == channel.ours).then_some(())
            });
        }
    }
}

#[test]
fn power_lost_at_any_moment() {
    let seed = number("WINDLASS_SEED", rand::random::<u32>().into());
    eprintln!("WINDLASS_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let mut pair = Pair::new(seed);
    for round in 0..number("WINDLASS_ROUNDS", 8) {
        let what = inject(&mut rng, pair.alice.disk());
        eprintln!("round {round}: {what}");
        pair.round(&mut rng);
        pair.check();
    }
    drop(pair.chain);
}

/// Long: `just power-loss`.
#[test]
#[ignore = "takes minutes"]
fn power_lost_at_each_commit() {
    let mut rng = StdRng::seed_from_u64(number("WINDLASS_SEED", 7));
    let mut pair = Pair::new(7);
    for commit in 1..=number("WINDLASS_COMMITS", 100) {
        let disk = pair.alice.disk();
        disk.lose_power_at_sync(disk.syncs() + commit);
        eprintln!("power lost in the sync that comes {commit} after the start");
        pair.round(&mut rng);
        pair.check();
    }
}

#[test]
fn case_38_a_full_disk_stops_the_node_with_a_clear_word() {
    let mut pair = Pair::new(1);
    let used: usize = 3 << 20;
    pair.alice.disk().set_capacity(Some(used));
    let (alice, bob) = (&pair.alice, &pair.bob);
    let reason = std::thread::scope(|scope| {
        let failed = scope.spawn(|| {
            alice.on(|node| async move { tokio::time::timeout(DEADLINE * 2, node.failed()).await.expect("it stops") })
        });
        while !failed.is_finished() {
            load(alice, bob, PAYMENTS_PER_ROUND);
        }
        failed.join().expect("no panic")
    });
    assert!(reason.contains("no space left"), "{reason}");
    pair.alice.disk().set_capacity(None);
    let mut rng = StdRng::seed_from_u64(1);
    pair.round(&mut rng);
    pair.check();
}
