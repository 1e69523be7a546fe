//! A close by force while payments are in flight: each is resolved on the chain, and the accounts
//! still add up.

use crate::harness::books::check_statement;
use crate::harness::{Chain, DEADLINE, Peer, eventually, funded, msat};
use std::time::{Duration, Instant};
use windlass_channels::{
    ArrivalKind, ChannelId, ChannelRecord, Direction, FINAL_CLTV_DELTA_USUAL, HoldRequest, HoldState, PaymentHash,
    PaymentState, Preimage,
};

const START: u64 = 5_000_000_000;

fn word(n: u8) -> Preimage {
    Preimage([n; 32])
}

/// Payments of `alice` that `bob` holds: one for each word.
fn hold(alice: &Peer, bob: &Peer, words: impl Iterator<Item = u8>) -> Vec<PaymentHash> {
    let hold = |n: u8| {
        let hash = word(n).hash();
        let request = HoldRequest {
            hash,
            amount: Some(msat(20_000_000 + u64::from(n))),
            memo: String::new(),
            expiry: DEADLINE * 60,
            final_cltv_delta: FINAL_CLTV_DELTA_USUAL,
        };
        let asked = bob.on(|node| async move { node.create_hold_invoice(&request).await });
        let text = asked.expect("an invoice").invoice;
        alice.on(move |node| async move { node.pay(&text, None).await }).expect("sent");
        eventually("the payment is held", || bob.node().hold(hash)?.held().is_some().then_some(hash))
    };
    let hashes = words.map(hold).collect();
    // Durable when it returns, and with it all that came before.
    bob.on(|node| async move { node.create_invoice(None, "", DEADLINE).await }).expect("an invoice");
    hashes
}

/// Mines until the channel's account is settled for `peer`, `others` reading along.
fn settled(chain: &Chain, peer: &Peer, others: &[&Peer], channel: ChannelId) -> ChannelRecord {
    let end = Instant::now() + Duration::from_secs(150);
    loop {
        chain.mine(6, others);
        peer.sync();
        let record = peer.node().record(channel).expect("a record");
        if record.settled {
            assert_eq!(record.difference_msat, 0, "{record:#?}");
            check_statement(chain, peer, START);
            return record;
        }
        assert!(Instant::now() < end, "{record:#?}");
    }
}

fn state(of: &Peer, hash: PaymentHash) -> PaymentState {
    eventually("the payment has ended", || {
        let state = of.node().payment(Direction::Out, hash).expect("a payment").state;
        (state != PaymentState::Pending).then_some(state)
    })
}

fn htlcs_on_chain(record: &ChannelRecord) -> usize {
    record.arrivals.iter().filter(|arrival| arrival.kind == ArrivalKind::Htlc).count()
}

#[test]
fn a_close_by_force_with_payments_in_flight() {
    let chain = Chain::start();
    let [alice, mut bob] = funded(&chain, ["alice", "bob"]);
    let channel = alice.open(&bob, 1_000_000, 100_000_000, false, &chain).id;
    alice.pay(&bob, 5_000_500);
    let hashes = hold(&alice, &bob, 1..=5);
    bob.kill();
    alice.on(move |node| async move { node.close_channel(channel, true).await }).expect("it closes");
    chain.wait_mempool(2);
    // Past the commitment, the payments' timeouts, and the locks of what came of them: all five come back.
    let record = settled(&chain, &alice, &[], channel);
    for hash in &hashes {
        assert!(matches!(state(&alice, *hash), PaymentState::Failed { .. }));
    }
    assert_eq!(record.closing.as_ref().expect("closed").in_flight, msat(0), "{record:#?}");
    assert!(htlcs_on_chain(&record) > 0, "{record:#?}");

    // Bob comes back to a closed channel, too late for what he held, and takes what is his.
    bob.run();
    for hash in hashes {
        assert!(matches!(bob.node().hold(hash).expect("a hold").state, HoldState::TimedOut { .. }));
    }
    settled(&chain, &bob, &[&alice], channel);
}

#[test]
fn a_close_by_force_after_some_payments_were_settled() {
    let chain = Chain::start();
    let [alice, mut bob] = funded(&chain, ["alice", "bob"]);
    let channel = alice.open(&bob, 1_000_000, 100_000_000, false, &chain).id;
    let hashes = hold(&alice, &bob, 1..=5);
    // Two are settled, and bob dies before or while alice hears of it.
    for (n, hash) in (1..=2).zip(hashes.clone()) {
        let done = bob.on(move |node| async move { node.settle_hold(hash, word(n)).await }).expect("it is ours");
        assert!(matches!(done.state, HoldState::Settled { .. } | HoldState::Settling { .. }));
    }
    bob.kill();
    alice.on(move |node| async move { node.close_channel(channel, true).await }).expect("it closes");
    chain.wait_mempool(2);
    // One more while the channel is closed already: it is claimed on the chain.
    bob.run();
    bob.sync();
    chain.mine(1, &[&alice, &bob]);
    let hash = hashes[2];
    let done = bob.on(move |node| async move { node.settle_hold(hash, word(3)).await }).expect("it is ours");
    assert!(matches!(done.state, HoldState::Settled { .. } | HoldState::Settling { .. }));
    chain.wait_mempool(1);
    let theirs = settled(&chain, &bob, &[&alice], channel);
    let ours = settled(&chain, &alice, &[&bob], channel);
    for (n, hash) in hashes.iter().enumerate() {
        assert_eq!(matches!(state(&alice, *hash), PaymentState::Succeeded { .. }), n < 3, "payment {n}");
        let hold = bob.node().hold(*hash).expect("a hold").state;
        assert_eq!(matches!(hold, HoldState::Settled { .. }), n < 3, "{hold:?}");
    }
    // All three are in what came back: two in the commitment, or claimed on the chain as the third.
    assert_eq!(theirs.received, msat(60_000_006), "{theirs:#?}");
    assert_eq!(theirs.closing.as_ref().expect("closed").in_flight, msat(0), "{theirs:#?}");
    assert!(htlcs_on_chain(&ours) > 0, "{ours:#?}");
}
