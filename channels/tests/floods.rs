//! Floods of payments over a real channel: what they cost the node is bounded, what is over it leaves no trace, and
//! its other channels pay meanwhile.

use crate::harness::{Chain, DEADLINE, Peer, eventually, funded, msat};
use std::time::Duration;
use windlass_channels::{
    ChannelState, Direction, HoldRequest, PayError, PayLimits, PaymentHash, PaymentState, Preimage,
};

const HOUR: Duration = Duration::from_secs(3600);

/// BOLT 2's most payments in flight in one direction, which we offer our peers.
const SLOTS: usize = 483;

/// What the flood may take of the node's store, in bytes. LDK keeps each revoked state with its HTLCs, to punish
/// it: payments that come one by one cost half their number's square, in two monitors, as wholes and as updates; how
/// many share a state is chance.
const BYTES_MAX: u64 = (SLOTS * SLOTS / 2) as u64 * 2 * 2 * 64;

/// What a payment that failed may leave: two revoked states more, for each of which LDK keeps what punishes it.
const BYTES_PER_FAILURE: u64 = 1_500;

fn word(number: usize) -> Preimage {
    let mut word = [9; 32];
    word[..8].copy_from_slice(&number.to_be_bytes());
    Preimage(word)
}

fn live_bytes(peer: &Peer) -> u64 {
    // Durable when it returns, and with it all that came before.
    peer.on(|node| async move { node.create_invoice(None, "", DEADLINE).await }).expect("an invoice");
    peer.log_stats().live_bytes
}

/// Rows that last: what the application and the statement read.
fn lasting(peer: &Peer) -> [usize; 3] {
    ["ln.events", "ln.payments", "ln.forwards"].map(|table| peer.rows(table))
}

/// Waits until a node's journal has its channels, begun and ready, and what it received: the last of them is written a
/// moment after the channel can be used.
fn settled(peer: &Peer, channels: usize, received: usize) {
    let all = 2 * channels + received;
    eventually("the journal is complete", || (lasting(peer)[0] >= all).then_some(()));
    assert_eq!(lasting(peer)[0], all);
}

/// Sends a payment that `to` holds, and does not wait for it.
fn send_held(from: &Peer, to: &Peer, number: usize) -> Result<PaymentHash, PayError> {
    let hash = word(number).hash();
    let request =
        HoldRequest { hash, amount: Some(msat(1_000)), memo: String::new(), expiry: HOUR, final_cltv_delta: 144 };
    let asked = to.on(|node| async move { node.create_hold_invoice(&request).await });
    let text = asked.expect("an invoice").invoice;
    from.on(move |node| async move {
        // It is to fail at once where there is no room, not to wait for it.
        let limits = PayLimits { retry_for: Duration::ZERO, ..PayLimits::default() };
        node.pay_within(&text, None, &limits).await
    })
}

fn held(of: &Peer) -> usize {
    of.node().holds().iter().filter(|hold| hold.held().is_some()).count()
}

#[test]
fn case_41_a_flood_of_held_payments_fills_its_own_channel_and_no_more() {
    let chain = Chain::start();
    // mallory floods bob with payments to nina, who holds them all; alice is honest.
    let [alice, bob, mallory, nina] = funded(&chain, ["alice", "bob", "mallory", "nina"]);
    let honest = alice.open(&bob, 1_000_000, 300_000_000, true, &chain);
    let flooded = mallory.open(&bob, 1_000_000, 0, true, &chain).id;
    bob.open(&nina, 1_000_000, 0, true, &chain);
    eventually("mallory knows the way", || (mallory.node().info().known_channels >= 3).then_some(()));
    alice.pay(&bob, 1_000_000);
    settled(&bob, 3, 1);
    let (before, rows) = (live_bytes(&bob), lasting(&bob));

    let mut refused = 0;
    let mut number = 0;
    while number < SLOTS + 5 {
        match send_held(&mallory, &nina, number) {
            Ok(_) => {}
            Err(_) => refused += 1,
        }
        number += 1;
        if number % 100 == 0 {
            alice.pay(&bob, 1_000_000);
            bob.pay(&alice, 1_000_000);
        }
    }
    let there = eventually("each is held or has failed at its sender", || {
        let payments = mallory.node().payments();
        let failed = payments.iter().filter(|payment| matches!(payment.state, PaymentState::Failed { .. })).count();
        Some(held(&nina)).filter(|held| held + failed.max(refused) >= number)
    });
    assert!((SLOTS - 5..=SLOTS).contains(&there), "{there} payments are in flight over one channel");

    // What it cost: memory and disk for the slots, and nothing that lasts.
    let cost = live_bytes(&bob).saturating_sub(before);
    assert!(cost < BYTES_MAX, "{cost} bytes for {there} payments");
    let [events, payments, forwards] = lasting(&bob);
    let own = 2 * (number / 100);
    assert!(events <= rows[0] + own && payments <= rows[1] + own + 2, "{:?}, then {:?}", rows, lasting(&bob));
    assert_eq!(forwards, rows[2], "nothing was forwarded to the end");
    alice.pay(&bob, 1_000_000);
    bob.pay(&alice, 1_000_000);

    // nina lets go of them: the room is free again, and no channel was lost.
    for hold in nina.node().holds() {
        let hash = hold.hash;
        let _ = nina.on(move |node| async move { node.cancel_hold(hash).await });
    }
    eventually("nothing is in flight", || {
        let payments = mallory.node().payments();
        (!payments.iter().any(|payment| payment.direction == Direction::Out && payment.state == PaymentState::Pending))
            .then_some(())
    });
    // What stays is what it takes to punish the states that were revoked meanwhile.
    let after = live_bytes(&bob).saturating_sub(before);
    println!("{there} in flight: {cost} bytes, then {after}");
    assert!(after < BYTES_MAX, "{after} bytes are left");
    eventually("bob has nothing in flight", || {
        bob.node().channels().iter().all(|channel| channel.in_flight == msat(0)).then_some(())
    });
    for (peer, id) in [(&bob, honest.id), (&bob, flooded)] {
        assert_eq!(peer.node().channel(id).map(|channel| channel.state), Some(ChannelState::Usable));
    }
    mallory.pay(&bob, 1_000_000);
}

#[test]
fn case_41_payments_that_are_added_and_failed_in_a_loop_leave_nothing_behind() {
    let chain = Chain::start();
    let [alice, bob, mallory] = funded(&chain, ["alice", "bob", "mallory"]);
    alice.open(&bob, 1_000_000, 0, false, &chain);
    mallory.open(&bob, 1_000_000, 0, false, &chain);
    let hash = word(1).hash();
    let request =
        HoldRequest { hash, amount: Some(msat(1_000)), memo: String::new(), expiry: HOUR, final_cltv_delta: 144 };
    let text = bob.on(|node| async move { node.create_hold_invoice(&request).await }).expect("an invoice").invoice;
    bob.on(move |node| async move { node.cancel_hold(hash).await }).expect("cancelled");
    settled(&bob, 2, 0);
    let (before, rows) = (live_bytes(&bob), lasting(&bob));
    for round in 0..200 {
        let text = text.clone();
        // Half of them for an invoice that is called off, half of next to nothing for nobody's invoice.
        let paid = mallory.on(move |node| async move {
            if round % 2 == 0 {
                let hash = node.pay(&text, None).await?;
                return node.wait_payment(hash, DEADLINE).await;
            }
            let bob = node.channels()[0].peer;
            let hash = node.keysend(bob, msat(999), &PayLimits::default()).await?;
            node.wait_payment(hash, DEADLINE).await
        });
        paid.expect_err("refused");
        if round % 50 == 0 {
            alice.pay(&bob, 100_000);
        }
    }
    let [events, payments, forwards] = lasting(&bob);
    assert!(
        events <= rows[0] + 4 && payments <= rows[1] + 4 + 1 && forwards == rows[2],
        "{rows:?}, then {events} {payments}"
    );
    let cost = live_bytes(&bob).saturating_sub(before);
    println!("{cost} bytes are left of 200 payments that failed");
    assert!(cost < 200 * BYTES_PER_FAILURE, "{cost} bytes are left of 200 payments that failed");
    // From 1 sat on it is taken.
    let paid = mallory.on(|node| async move {
        let bob = node.channels()[0].peer;
        let hash = node.keysend(bob, msat(1_000), &PayLimits::default()).await?;
        node.wait_payment(hash, DEADLINE).await
    });
    paid.expect("one satoshi is money");
}
