//! Payments per second between two nodes over one channel, durable, in one process.
//!
//! `BITCOIND_EXE=… cargo run -p windlass-channels --example payments [seconds [in flight…]]` prints a line
//! per number of payments in flight. `RUST_LOG=ldk=debug` shows what LDK says.

#[path = "../tests/harness/mod.rs"]
mod harness;

use harness::{Chain, DEADLINE, Peer, funded, msat};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const AMOUNT_MSAT: u64 = 1_000_000;

fn run(alice: &Peer, bob: &Peer, in_flight: u64, length: Duration) -> (u64, Vec<Duration>) {
    let invoices: Vec<String> = bob.on(move |node| async move {
        let mut texts = Vec::new();
        for _ in 0..in_flight * 4 + 200 * length.as_secs() * in_flight.min(4) {
            let made = node.create_invoice(Some(msat(AMOUNT_MSAT)), "", DEADLINE * 60).await.expect("an invoice");
            texts.push(made.invoice.expect("its text"));
        }
        texts
    });
    let invoices = Arc::new(invoices);
    alice.on(move |node| async move {
        let next = Arc::new(AtomicU64::new(0));
        let end = Instant::now() + length;
        let workers: Vec<_> = (0..in_flight)
            .map(|_| {
                let (node, next, invoices) = (Arc::clone(&node), Arc::clone(&next), Arc::clone(&invoices));
                tokio::spawn(async move {
                    let mut times = Vec::new();
                    while Instant::now() < end {
                        let index = usize::try_from(next.fetch_add(1, Ordering::Relaxed)).expect("small");
                        let Some(text) = invoices.get(index) else { break };
                        let start = Instant::now();
                        let hash = node.pay(text, None).await.expect("sent");
                        node.wait_payment(hash, DEADLINE).await.expect("it arrives");
                        times.push(start.elapsed());
                    }
                    times
                })
            })
            .collect();
        let start = Instant::now();
        let mut times = Vec::new();
        for worker in workers {
            times.extend(worker.await.expect("no panic"));
        }
        times.sort();
        let rate = times.len() as f64 / start.elapsed().as_secs_f64();
        (rate as u64, times)
    })
}

fn main() {
    let wanted = tracing_subscriber::EnvFilter::from_default_env();
    tracing_subscriber::fmt().with_env_filter(wanted).with_writer(std::io::stderr).init();
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|text| text.parse().ok()).collect();
    let (seconds, runs) = match numbers.split_first() {
        Some((seconds, runs)) if !runs.is_empty() => (*seconds, runs.to_vec()),
        other => (other.map_or(3, |(seconds, _)| *seconds), vec![1, 10, 40, 100]),
    };
    let chain = Chain::start();
    let [alice, bob] = funded(&chain, ["alice", "bob"]);
    alice.open(&bob, 1_000_000_000, 0, false, &chain);
    for in_flight in runs {
        let (rate, times) = run(&alice, &bob, in_flight, Duration::from_secs(seconds));
        let at = |part: usize| times.get(times.len() * part / 100).map_or(0.0, |time| time.as_secs_f64() * 1e3);
        println!("in_flight={in_flight} payments_per_s={rate} p50_ms={:.1} p99_ms={:.1}", at(50), at(99));
    }
}
