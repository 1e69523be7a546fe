//! Splices where it gets difficult: without confirmations, in reorganisations, two at once, with little in the wallet.

use crate::harness::books::{check_open, check_statement, settle};
use crate::harness::splices::{locked_in, splice_in};
use crate::harness::{Chain, Peer, eventually, funded, msat, sat};
use bitcoin::Txid;
use windlass_channels::{ChannelState, CloseKind, OpenRequest, SpliceError, SpliceOut};

const START: u64 = 5_000_000_000;

fn nothing_held(peer: &Peer) {
    assert!(peer.wallet().utxos().iter().all(|coin| !coin.held), "{:?}", peer.wallet().utxos());
}

#[test]
fn a_channel_without_confirmations_is_spliced() {
    let chain = Chain::start();
    let [alice, mut bob] = funded(&chain, ["alice", "bob"]);
    // A second coin: the change of the funding is in no block yet.
    chain.mine_to(1, &alice.wallet().address().expect("an address"));
    chain.mine(100, &[&alice, &bob]);
    let start = |end: &Peer| if end.name == "alice" { 2 * START } else { START };
    let trusted = alice.node().node_id();
    bob.stop();
    bob.run_as(move |config| {
        config.zero_conf_peers.insert(trusted);
    });
    let request = OpenRequest { peer: bob.peer_address(), amount: sat(300_000), push: msat(0), announce: false };
    let id = alice.on(|node| async move { node.open_channel(&request).await }).expect("a channel").id;
    for end in [&alice, &bob] {
        eventually("it is usable without a block", || {
            end.node().channel(id).filter(|open| open.state == ChannelState::Usable)
        });
    }
    alice.pay(&bob, 20_000_000);
    // The splice spends a funding output that is in no block, and is itself in force before it is in one.
    splice_in(&alice, id, 200_000).expect("both sign");
    locked_in([&alice, &bob], id, 500_000);
    alice.pay(&bob, 300_000_000);
    bob.pay(&alice, 100_000_000);
    chain.wait_mempool(2);
    for end in [&alice, &bob] {
        check_statement(&chain, end, start(end));
    }
    // Both nodes die before there is a block.
    let mut alice = alice;
    alice.kill();
    bob.kill();
    alice.run();
    bob.run();
    locked_in([&alice, &bob], id, 500_000);
    chain.wait_mempool(2);
    chain.mine(6, &[&alice, &bob]);
    bob.pay(&alice, 1_000_000);
    alice.on(move |node| async move { node.close_channel(id, false).await }).expect("it closes");
    chain.wait_mempool(1);
    chain.mine(1, &[&alice, &bob]);
    for end in [&alice, &bob] {
        let record = eventually("it is settled", || end.node().record(id).filter(|record| record.settled));
        assert_eq!((record.splices.len(), record.difference_msat), (1, 0), "{record:#?}");
        check_statement(&chain, end, start(end));
    }
}

#[test]
fn a_splice_is_reorganised_away_and_comes_again() {
    let chain = Chain::start();
    let [alice, mut bob] = funded(&chain, ["alice", "bob"]);
    // The rewards of the other branch are hers.
    let carol = Peer::start("carol", &chain);
    let id = alice.open(&bob, 1_000_000, 300_000_000, true, &chain).id;
    let txid = splice_in(&alice, id, 500_000).expect("both sign");
    chain.wait_mempool(1);
    chain.mine(2, &[&alice, &bob]);
    let height = |end: &Peer| end.node().channel(id).and_then(|channel| channel.splice).expect("it waits").height;
    assert!(height(&alice).is_some() && height(&bob).is_some());
    // Bob is away meanwhile and must find his way back over the fork.
    bob.kill();
    chain.reorganise(2, &carol);
    alice.sync();
    bob.run();
    bob.sync();
    for end in [&alice, &bob] {
        assert_eq!(height(end), None, "{}", end.name);
        eventually("it is usable", || end.node().channel(id).filter(|open| open.state == ChannelState::Usable));
    }
    alice.pay(&bob, 20_000_001);
    bob.pay(&alice, 1_000);
    for end in [&alice, &bob] {
        check_statement(&chain, end, START);
    }
    chain.wait_mempool(1);
    chain.mine(6, &[&alice, &bob]);
    locked_in([&alice, &bob], id, 1_500_000);
    // And once it is in force: still above three confirmations.
    chain.reorganise(3, &carol);
    alice.sync();
    bob.sync();
    alice.pay(&bob, 600_000_000);
    bob.pay(&alice, 1_000);
    for end in [&alice, &bob] {
        let records = check_open(&chain, end, START);
        assert!(records.iter().flat_map(|record| &record.splices).all(|splice| splice.txid == txid), "{records:#?}");
    }
}

#[test]
fn of_two_splices_at_once_one_is_refused() {
    let chain = Chain::start();
    let [alice, bob] = funded(&chain, ["alice", "bob"]);
    let id = alice.open(&bob, 1_000_000, 300_000_000, false, &chain).id;
    let out = SpliceOut { amount: sat(50_000), script: None };
    let (one, other) = alice.on(move |node| async move {
        tokio::join!(node.splice_out(id, &out, None), node.splice_out(id, &out, Some(3)))
    });
    let done = [&one, &other].into_iter().filter(|result| result.is_ok()).count();
    let refused = |result: &Result<Txid, SpliceError>| {
        matches!(result, Err(SpliceError::Busy(of)) if *of == id) || matches!(result, Err(SpliceError::Pending { .. }))
    };
    assert!(done == 1 && (refused(&one) || refused(&other)), "{one:?}, {other:?}");
    // The other end can't add one either, until this one is locked in.
    let waits = one.or(other).expect("one of them");
    eventually("bob knows of it", || bob.node().channel(id).and_then(|channel| channel.splice));
    let theirs = splice_in(&bob, id, 50_000);
    assert!(matches!(theirs, Err(SpliceError::Pending { txid, .. }) if txid == waits), "{theirs:?}");
    nothing_held(&bob);
    chain.wait_mempool(1);
    chain.mine(6, &[&alice, &bob]);
    let fee = alice.node().record(id).expect("a record").splices.last().expect("a splice").fee;
    locked_in([&alice, &bob], id, 950_000 - fee.to_sat());
    splice_in(&bob, id, 50_000).expect("now it can");
}

#[test]
fn a_splice_leaves_the_reserve_for_closes() {
    let chain = Chain::start();
    let [alice, bob] = funded(&chain, ["alice", "bob"]);
    let id = alice.open(&bob, 1_000_000, 0, false, &chain).id;
    // The coins are enough for it, but not for it and for the fee of a close by force.
    let has = alice.wallet().balance().spendable().to_sat();
    let error = splice_in(&alice, id, has - 2_000).expect_err("nothing would be left");
    let SpliceError::InsufficientFunds { have, need, reserve } = &error else { panic!("{error}") };
    assert!(have < need && reserve.to_sat() > 2_000, "{error}");
    nothing_held(&alice);
    let keeps = reserve.to_sat() + 2_000;
    splice_in(&alice, id, has - keeps).expect("the reserve is left");
    chain.wait_mempool(1);
    chain.mine(6, &[&alice, &bob]);
    locked_in([&alice, &bob], id, 1_000_000 + has - keeps);
    assert!(alice.wallet().balance().spendable() >= *reserve);
}

#[test]
fn a_peer_that_goes_away_during_a_splice_leaves_no_coin_held() {
    let chain = Chain::start();
    let [alice, mut bob] = funded(&chain, ["alice", "bob"]);
    let id = alice.open(&bob, 1_000_000, 0, false, &chain).id;
    let asked = std::thread::scope(|scope| {
        let asked = scope.spawn(|| splice_in(&alice, id, 50_000));
        eventually("it has begun", || alice.wallet().utxos().iter().any(|coin| coin.held).then_some(()));
        bob.kill();
        asked.join().expect("no panic")
    });
    bob.run();
    // When exactly bob died is chance: either there is a splice, perhaps after all, or no trace of one. Or alice has signed
    // and bob forgot it: he aborts, and LDK 0.2 closes a channel that is told so between the two signatures.
    assert!(matches!(asked, Ok(_) | Err(SpliceError::Refused { .. } | SpliceError::TimedOut(_))), "{asked:?}");
    let free = || alice.wallet().utxos().iter().all(|coin| !coin.held);
    let has_splice =
        eventually("it is known what came of it", || match [&alice, &bob].map(|end| end.node().channel(id)) {
            [Some(ours), Some(theirs)] if [ours.state, theirs.state] == [ChannelState::Usable; 2] => {
                (ours.splice.is_some() || free()).then_some(Some(ours.splice.is_some()))
            }
            [None, None] => Some(None),
            _ => None,
        });
    let Some(has_splice) = has_splice else {
        chain.wait_mempool(1);
        for (end, other) in [(&alice, &bob), (&bob, &alice)] {
            let closing = settle(&chain, end, other, id).closing.expect("closed");
            assert!(matches!(closing.kind, CloseKind::ForcedByUs | CloseKind::ForcedByPeer), "{closing:?}");
        }
        eventually("its coins are free", || free().then_some(()));
        check_statement(&chain, &alice, START);
        return;
    };
    if !has_splice {
        splice_in(&alice, id, 50_000).expect("both sign");
    }
    chain.wait_mempool(1);
    chain.mine(6, &[&alice, &bob]);
    locked_in([&alice, &bob], id, 1_050_000);
    check_statement(&chain, &alice, START);
}
