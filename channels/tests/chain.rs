//! The chain does what it does: reorganisations, a bitcoind that goes away, and sudden deaths.

use crate::harness::{Chain, DEADLINE, Peer, eventually, funded, msat, sat};
use windlass_channels::{ChannelState, Direction, OpenRequest, PaymentHash, PaymentState};

#[test]
fn two_blocks_are_reorganised_away_after_the_funding() {
    let chain = Chain::start();
    let [alice, mut bob] = funded(&chain, ["alice", "bob"]);
    let request = OpenRequest { peer: bob.peer_address(), amount: sat(300_000), push: msat(1_000_000), announce: true };
    let channel = alice.on(|node| async move { node.open_channel(&request).await }).expect("a channel");
    chain.wait_mempool(1);
    chain.mine(2, &[&alice, &bob]);
    let before = alice.node().channel(channel.id).expect("the channel");
    assert_eq!((before.state, before.confirmations), (ChannelState::Pending, 2));
    let funded_at = alice.node().record(channel.id).expect("a record").funding.height.expect("it is in a block");

    // Bob is away meanwhile and must find his way back over the fork.
    bob.kill();
    chain.reorganise(2, &alice);
    alice.sync();
    bob.run();
    for peer in [&alice, &bob] {
        let after = peer.node().channel(channel.id).expect("the channel");
        assert_eq!((after.state, after.confirmations), (ChannelState::Pending, 0), "{}", peer.name);
        assert_eq!(peer.node().record(channel.id).expect("a record").funding.height, None);
    }
    chain.wait_mempool(1);
    chain.mine(6, &[&alice, &bob]);
    for peer in [&alice, &bob] {
        eventually("the channel is usable", || {
            peer.node().channel(channel.id).filter(|channel| channel.state == ChannelState::Usable)
        });
        let height = peer.node().record(channel.id).expect("a record").funding.height.expect("it is in a block");
        assert!(height > funded_at);
    }
    alice.pay(&bob, 2_000_000);
    // And once it carries payments: still above three confirmations.
    chain.reorganise(3, &alice);
    alice.sync();
    bob.sync();
    alice.pay(&bob, 20_000_001);
    bob.pay(&alice, 1_000);
}

#[test]
fn a_close_is_reorganised_away() {
    let chain = Chain::start();
    let [alice, bob] = funded(&chain, ["alice", "bob"]);
    let channel = alice.open(&bob, 300_000, 0, false, &chain);
    alice.pay(&bob, 50_000_000);
    alice.on(move |node| async move { node.close_channel(channel.id, false).await }).expect("it closes");
    chain.wait_mempool(1);
    chain.mine(1, &[&alice, &bob]);
    assert!(eventually("it is closed", || bob.node().record(channel.id)).settled);
    chain.reorganise(1, &alice);
    for peer in [&alice, &bob] {
        peer.sync();
        let record = peer.node().record(channel.id).expect("a record");
        assert!(!record.settled && record.arrivals.is_empty(), "{record:#?}");
    }
    chain.wait_mempool(1);
    chain.mine(1, &[&alice, &bob]);
    for peer in [&alice, &bob] {
        let record = peer.node().record(channel.id).expect("a record");
        assert!(record.settled && record.difference_msat == 0, "{record:#?}");
    }
}

#[test]
fn bitcoind_is_stopped_and_restarted() {
    let mut chain = Chain::start();
    let [alice, bob] = funded(&chain, ["alice", "bob"]);
    let channel = alice.open(&bob, 300_000, 0, false, &chain);
    chain.restart();
    alice.pay(&bob, 1_000_000);
    alice.on(move |node| async move { node.close_channel(channel.id, false).await }).expect("it closes");
    chain.wait_mempool(1);
    chain.mine(1, &[&alice, &bob]);
    assert!(eventually("it is closed", || alice.node().record(channel.id)).settled);
}

/// How often somebody dies.
const ROUNDS: u64 = 6;

/// The payment has arrived; none if `at` does not know it.
fn has_arrived(at: &Peer, hash: PaymentHash) -> Option<bool> {
    let payment = at.node().payment(Direction::In, hash)?;
    Some(matches!(payment.state, PaymentState::Succeeded { .. }))
}

fn has_failed(at: &Peer, hash: PaymentHash) -> bool {
    at.node().payment(Direction::Out, hash).is_some_and(|payment| matches!(payment.state, PaymentState::Failed { .. }))
}

/// Case 15 of the failure cases, for channels: whoever dies whenever, no payment is lost or
/// doubled, no channel is closed by it, and the accounts of both ends agree.
#[test]
fn case_15_sudden_deaths_under_load() {
    let chain = Chain::start();
    let [alice, mut bob, mut carol] = funded(&chain, ["alice", "bob", "carol"]);
    let first = alice.open(&bob, 5_000_000, 1_000_000_000, true, &chain);
    let second = bob.open(&carol, 5_000_000, 1_000_000_000, true, &chain);
    let (bobs, carols) = (bob.node().node_id(), carol.node().node_id());
    eventually("alice hears of bob's channel", || alice.node().knows_channel_between(bobs, carols).then_some(()));
    let mut expected = 0;
    for round in 0..ROUNDS {
        let texts: Vec<String> = (0..10)
            .map(|part| {
                let asked = carol.on(move |node| async move {
                    node.create_invoice(Some(msat(1_000_000 + part)), "", DEADLINE * 60).await
                });
                asked.expect("an invoice").invoice.expect("its text")
            })
            .collect();
        let hashes: Vec<_> = texts
            .into_iter()
            .map(|text| alice.on(move |node| async move { node.pay(&text, None).await }).expect("sent"))
            .collect();
        // A different moment in each round: from no payment ended to all but one.
        let enough = usize::try_from(round * 9 / (ROUNDS - 1)).expect("a small number");
        eventually("enough have ended", || {
            let ended = |hash: &&PaymentHash| has_arrived(&carol, **hash) == Some(true) || has_failed(&alice, **hash);
            (hashes.iter().filter(ended).count() >= enough).then_some(())
        });
        let victim = if round % 2 == 0 { &mut bob } else { &mut carol };
        victim.kill();
        victim.run();
        for hash in hashes {
            let paid = alice.on(move |node| async move { node.wait_payment(hash, DEADLINE).await });
            let carols = eventually("carol's end of it is settled", || {
                let arrived = has_arrived(&carol, hash)?;
                (arrived || paid.is_err()).then_some(arrived)
            });
            assert_eq!(paid.is_ok(), carols, "{paid:?}");
            expected += paid.map_or(0, |payment| payment.amount.expect("it has one").get());
        }
    }
    assert!(expected > 0);
    let quiet = |peer: &Peer, id| peer.node().channel(id).is_some_and(|c| c.in_flight == msat(0));
    eventually("all is settled", || {
        (quiet(&alice, first.id) && quiet(&bob, first.id) && quiet(&bob, second.id) && quiet(&carol, second.id))
            .then_some(())
    });
    for (ours, theirs, id) in [(&alice, &bob, first.id), (&bob, &carol, second.id)] {
        let ends = eventually("both ends agree", || {
            let (a, b) = (ours.node().channel(id)?, theirs.node().channel(id)?);
            (a.ours == b.theirs).then_some((a, b))
        });
        for (peer, channel) in [(ours, ends.0), (theirs, ends.1)] {
            // LDK's events come a little after the channel's state.
            let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
            let record = loop {
                let record = peer.node().record(id).expect("a record");
                if record.balance == channel.ours || std::time::Instant::now() > end {
                    break record;
                }
                std::thread::sleep(std::time::Duration::from_millis(10));
            };
            assert_eq!(record.balance, channel.ours, "{}: {record:#?}", peer.name);
            assert!(record.closing.is_none());
        }
    }
    let received = carol.node().record(second.id).expect("a record").received.get();
    assert_eq!(received, expected);
}
