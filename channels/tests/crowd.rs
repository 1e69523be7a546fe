//! More payments at once than a channel carries: each waits for its place.

use crate::harness::{Chain, DEADLINE, Peer, eventually, funded, msat};
use std::time::Duration;
use windlass_channels::{FINAL_CLTV_DELTA_USUAL, HoldRequest, Obstacle, PayError, PayLimits, PaymentState, Preimage};

/// BOLT 2: HTLCs that a channel carries in one direction, at the most.
const HTLCS_MAX: usize = 483;

/// Alice pays so many invoices of bob's, all at once; how each ended.
fn pay_at_once(alice: &Peer, bob: &Peer, count: usize) -> Vec<Result<PaymentState, PayError>> {
    let invoices = bob.on(move |node| async move {
        let mut texts = Vec::new();
        let make = || {
            let node = node.clone();
            tokio::spawn(async move { node.create_invoice(Some(msat(1_000_000)), "", DEADLINE * 60).await })
        };
        let tasks: Vec<_> = (0..count).map(|_| make()).collect();
        for task in tasks {
            texts.push(task.await.expect("no panic").expect("an invoice").invoice.expect("its text"));
        }
        texts
    });
    alice.on(move |node| async move {
        let pay = |text: String| {
            let node = node.clone();
            tokio::spawn(async move {
                let limits = PayLimits { retry_for: DEADLINE, ..PayLimits::default() };
                let hash = node.pay_within(&text, None, &limits).await?;
                node.wait_payment(hash, DEADLINE).await.map(|payment| payment.state)
            })
        };
        let tasks: Vec<_> = invoices.into_iter().map(pay).collect();
        let mut states = Vec::new();
        for task in tasks {
            states.push(task.await.expect("no panic"));
        }
        states
    })
}

#[test]
fn a_crowd_of_payers_all_get_through_one_channel() {
    let chain = Chain::start();
    let [alice, bob] = funded(&chain, ["alice", "bob"]);
    alice.open(&bob, 1_000_000_000, 0, false, &chain);
    let count = HTLCS_MAX + 120;
    let states = pay_at_once(&alice, &bob, count);
    let failed: Vec<_> = states.iter().filter(|state| !matches!(state, Ok(PaymentState::Succeeded { .. }))).collect();
    assert!(failed.is_empty(), "{} of {count} failed, the first: {:?}", failed.len(), failed.first());
    assert_eq!(bob.node().info().can_send.get() / 1_000_000, 0, "bob's reserve is a hundredth: 10,000,000 sat");
    let received: u64 = bob.node().channels().iter().map(|channel| channel.ours.get()).sum();
    assert_eq!(received, 1_000_000 * u64::try_from(count).expect("small"));
}

/// The word of the `n`th held payment.
fn word(n: usize) -> Preimage {
    let mut bytes = [7; 32];
    bytes[..8].copy_from_slice(&n.to_le_bytes());
    Preimage(bytes)
}

#[test]
fn a_channel_full_of_held_payments_is_named_and_waited_for() {
    let chain = Chain::start();
    let [alice, bob] = funded(&chain, ["alice", "bob"]);
    alice.open(&bob, 1_000_000_000, 0, false, &chain);
    let held = bob.on(|node| async move {
        let mut texts = Vec::new();
        for n in 0..HTLCS_MAX {
            let (hash, amount) = (word(n).hash(), Some(msat(1_000_000)));
            let (memo, final_cltv_delta) = (String::new(), FINAL_CLTV_DELTA_USUAL);
            let request = HoldRequest { hash, amount, memo, expiry: DEADLINE * 60, final_cltv_delta };
            texts.push(node.create_hold_invoice(&request).await.expect("an invoice").invoice);
        }
        texts
    });
    alice.on(|node| async move {
        for text in held {
            node.pay(&text, None).await.expect("there is a place");
        }
    });
    let is_held = |n: usize| bob.node().hold(word(n).hash()).is_some_and(|hold| hold.held().is_some());
    eventually("all are held", || (0..HTLCS_MAX).all(is_held).then_some(()));

    let invoice = || bob.on(|node| async move { node.create_invoice(Some(msat(1_000_000)), "", DEADLINE).await });
    let text = invoice().expect("an invoice").invoice.expect("its text");
    let again = text.clone();
    let limits = PayLimits { retry_for: Duration::from_millis(200), ..PayLimits::default() };
    let error = alice.on(move |node| async move { node.pay_within(&text, None, &limits).await }).expect_err("full");
    let PayError::NoRoute { obstacle, .. } = &error else { panic!("{error}") };
    assert_eq!(*obstacle, Obstacle::Full { in_flight: HTLCS_MAX });
    assert!(error.to_string().contains("483 payments are on their way"), "{error}");

    // Who has patience gets the first place that is free.
    #[expect(clippy::async_yields_async, reason = "it is awaited once there is a place")]
    let waiting = alice.on(|node| async move { tokio::spawn(async move { node.pay(&again, None).await }) });
    bob.on(|node| async move { node.settle_hold(word(5).hash(), word(5)).await }).expect("held");
    let hash = alice.on(|_| waiting).expect("no panic").expect("sent");
    alice.on(move |node| async move { node.wait_payment(hash, DEADLINE).await }).expect("it arrives");
}
