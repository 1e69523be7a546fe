//! Completed payments don't pile up in LDK, and making it forget disturbs nobody.

use crate::harness::{COMPLETED_KEPT_MAX, Chain, DEADLINE, Peer, fund, funded, msat};
use std::time::{Duration, Instant};
use windlass_channels::{ChannelId, ChannelState};

const PAYMENTS: usize = 240;
const IN_FLIGHT: usize = 8;

/// Alice pays bob many times; the most payments that LDK remembered meanwhile.
fn pay(alice: &Peer, bob: &Peer, channel: ChannelId) -> usize {
    let invoices: Vec<String> = bob.on(|node| async move {
        let mut texts = Vec::new();
        for _ in 0..PAYMENTS {
            let made = node.create_invoice(Some(msat(10_000)), "", DEADLINE * 60).await.expect("an invoice");
            texts.push(made.invoice.expect("its text"));
        }
        texts
    });
    alice.on(move |node| async move {
        let mut most = 0;
        for chunk in invoices.chunks(IN_FLIGHT) {
            let mut hashes = Vec::new();
            for text in chunk {
                hashes.push(node.pay(text, None).await.expect("sent"));
            }
            for hash in hashes {
                node.wait_payment(hash, DEADLINE).await.expect("it arrives");
            }
            // A peer that was disconnected for being slow would be away now.
            assert_eq!(node.channel(channel).map(|channel| channel.state), Some(ChannelState::Usable));
            most = most.max(node.remembered_payments());
        }
        most
    })
}

/// LDK disconnects a peer that owes an answer at two ticks of its clock. Extra ticks come between the regular
/// ones: they must not make it do so to a peer that is as quick as it can be.
#[test]
fn the_regular_clock_disturbs_nobody_under_load() {
    const TICK: Duration = Duration::from_secs(4);
    let chain = Chain::start();
    let peers = ["alice", "bob"].map(|name| Peer::start_as(name, &chain, |config| config.tick = TICK));
    fund(&chain, &peers);
    let [alice, bob] = &peers;
    let channel = alice.open(bob, 10_000_000, 0, false, &chain).id;
    let end = Instant::now() + TICK * 3;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while Instant::now() < end {
                    pay(alice, bob, channel);
                }
            });
        }
    });
}

#[test]
fn completed_payments_are_forgotten_under_load() {
    let chain = Chain::start();
    let [alice, bob] = funded(&chain, ["alice", "bob"]);
    let channel = alice.open(&bob, 1_000_000, 0, false, &chain).id;
    let most = pay(&alice, &bob, channel);
    // A round of ticks begins with so many, and some more complete while it goes on.
    let bound = 3 * usize::try_from(COMPLETED_KEPT_MAX).expect("small") + IN_FLIGHT;
    assert!(most <= bound, "LDK remembered {most} payments of {PAYMENTS}");
    assert!(most >= IN_FLIGHT, "nothing was counted");
}
