//! Splices: more into a channel and out of it, while it goes on, on a real bitcoind.

use crate::harness::books::{check_open, check_statement, settle};
use crate::harness::splices::{locked_in, splice_in};
use crate::harness::{Chain, Peer, eventually, funded, msat, nobody, sat};
use bitcoin::{OutPoint, Txid};
use windlass_channels::{ChannelId, ChannelState, CloseError, CloseKind, Event, SpliceError, SpliceOut};

const START: u64 = 5_000_000_000;

fn splice_out(peer: &Peer, id: ChannelId, amount: u64, to: Option<bitcoin::ScriptBuf>) -> Result<Txid, SpliceError> {
    let out = SpliceOut { amount: sat(amount), script: to };
    peer.on(move |node| async move { node.splice_out(id, &out, Some(3)).await })
}

fn capacity_then(end: &Peer, id: ChannelId) -> Option<u64> {
    end.node().channel(id)?.splice.map(|splice| splice.capacity.to_sat())
}

#[test]
fn more_into_a_channel_and_out_of_it_while_it_goes_on() {
    let chain = Chain::start();
    let [alice, bob] = funded(&chain, ["alice", "bob"]);
    let id = alice.open(&bob, 1_000_000, 300_000_500, true, &chain).id;
    alice.pay(&bob, 5_000_000);
    let txid = splice_in(&alice, id, 500_000).expect("both sign");
    chain.wait_mempool(1);
    // It goes on as it was until the splice is locked in.
    for end in [&alice, &bob] {
        eventually("the splice waits", || (capacity_then(end, id) == Some(1_500_000)).then_some(()));
        let channel = end.node().channel(id).expect("it is open");
        assert_eq!((channel.capacity, channel.ours.get() + channel.theirs.get()), (sat(1_000_000), 1_000_000_000));
    }
    alice.pay(&bob, 20_000_001);
    bob.pay(&alice, 7_000);
    for end in [&alice, &bob] {
        check_statement(&chain, end, START);
    }
    assert!(matches!(splice_in(&alice, id, 20_000), Err(SpliceError::Pending { .. })));
    let early = alice.on(move |node| async move { node.close_channel(id, false).await });
    assert!(matches!(early, Err(CloseError::Splicing { txid: waits, .. }) if waits == txid), "{early:?}");
    chain.mine(6, &[&alice, &bob]);
    let [ours, theirs] = locked_in([&alice, &bob], id, 1_500_000);
    assert_eq!((ours.ours, ours.theirs), (theirs.theirs, theirs.ours));
    assert_eq!(ours.ours, msat(1_194_999_500 - 20_000_001 + 7_000));
    let spliced = |event: &Event| matches!(event, Event::ChannelSpliced { txid: of, .. } if *of == txid);
    eventually("the application hears of it", || {
        alice.node().events(0, 1_000).iter().any(|(_, event)| spliced(event)).then_some(())
    });
    // More than there was before; though no more at a time: LDK never raises what may be in flight.
    alice.pay(&bob, 600_000_000);
    alice.pay(&bob, 500_000_000);

    // The other end takes out of its part: to its wallet, and to an address of somebody.
    splice_out(&bob, id, 400_000, None).expect("both sign");
    chain.wait_mempool(1);
    check_statement(&chain, &bob, START);
    chain.mine(6, &[&alice, &bob]);
    let record = bob.node().record(id).expect("a record");
    let second = record.splices.last().expect("a splice");
    assert_eq!((second.removed, second.to_wallet, second.wallet_fee), (sat(400_000), true, sat(0)), "{record:#?}");
    let capacity = 1_500_000 - 400_000 - second.fee.to_sat();
    locked_in([&alice, &bob], id, capacity);
    for end in [&alice, &bob] {
        check_open(&chain, end, START);
    }
    splice_out(&bob, id, 100_000, Some(nobody().script_pubkey())).expect("both sign");
    chain.wait_mempool(1);
    chain.mine(6, &[&alice, &bob]);
    let fee = bob.node().record(id).expect("a record").splices.last().expect("a splice").fee;
    locked_in([&alice, &bob], id, capacity - 100_000 - fee.to_sat());
    alice.pay(&bob, 3_000_000);

    alice.on(move |node| async move { node.close_channel(id, false).await }).expect("it closes");
    chain.wait_mempool(1);
    chain.mine(1, &[&alice, &bob]);
    for end in [&alice, &bob] {
        let record = eventually("it is settled", || end.node().record(id).filter(|record| record.settled));
        assert_eq!(record.splices.len(), 3, "{record:#?}");
        check_statement(&chain, end, START);
    }
}

#[test]
fn a_splice_outlives_both_nodes_and_the_mempool() {
    let mut chain = Chain::start();
    let [mut alice, mut bob] = funded(&chain, ["alice", "bob"]);
    let id = alice.open(&bob, 1_000_000, 100_000_000, false, &chain).id;
    let free = |alice: &Peer| -> Vec<OutPoint> {
        alice.wallet().utxos().iter().filter(|coin| coin.spendable).map(|coin| coin.outpoint).collect()
    };
    let before = free(&alice);
    let txid = splice_in(&alice, id, 250_000).expect("both sign");
    let coins = alice.wallet().utxos().len();
    let taken: Vec<_> = before.into_iter().filter(|coin| !free(&alice).contains(coin)).collect();
    assert!(!taken.is_empty());
    alice.kill();
    bob.kill();
    chain.restart_with(&["-persistmempool=0"]);
    alice.run();
    let spendable = free(&alice);
    assert!(taken.iter().all(|coin| !spendable.contains(coin)), "before the wallet sees the splice in the mempool");
    bob.run();
    // The coins stay the splice's, and it is sent again.
    chain.wait_mempool(1);
    let mempool = chain.runtime.block_on(chain.bitcoind.mempool()).expect("a mempool").txids;
    assert_eq!(mempool.into_iter().collect::<Vec<_>>(), [txid]);
    assert!(alice.wallet().utxos().len() <= coins + 1);
    for end in [&alice, &bob] {
        eventually("it is usable again", || {
            end.node().channel(id).filter(|channel| channel.state == ChannelState::Usable)
        });
    }
    alice.pay(&bob, 10_000_000);
    check_statement(&chain, &alice, START);
    chain.mine(6, &[&alice, &bob]);
    locked_in([&alice, &bob], id, 1_250_000);
    // By force, with what came in by the splice.
    bob.stop();
    alice.on(move |node| async move { node.close_channel(id, true).await }).expect("it closes");
    chain.wait_mempool(2);
    chain.mine(6, &[&alice]);
    bob.run();
    let ours = settle(&chain, &alice, &bob, id);
    assert_eq!(ours.closing.expect("closed").kind, CloseKind::ForcedByUs);
    let theirs = settle(&chain, &bob, &alice, id);
    assert_eq!(theirs.closing.expect("closed").kind, CloseKind::ForcedByPeer);
    for end in [&alice, &bob] {
        check_statement(&chain, end, START);
    }
}

#[test]
fn what_can_not_be_spliced_says_why() {
    let chain = Chain::start();
    let [alice, mut bob] = funded(&chain, ["alice", "bob"]);
    let id = alice.open(&bob, 1_000_000, 0, false, &chain).id;
    let none = ChannelId([9; 32]);
    assert_eq!(splice_in(&alice, none, 50_000), Err(SpliceError::Unknown(none)));
    assert!(matches!(splice_in(&alice, id, START), Err(SpliceError::InsufficientFunds { .. })));
    assert!(matches!(splice_out(&alice, id, 100, None), Err(SpliceError::TooSmall { .. })));
    let rate = alice.on(move |node| async move { node.splice_in(id, sat(50_000), Some(0)).await });
    assert!(matches!(rate, Err(SpliceError::FeeRate { .. })), "{rate:?}");
    // More than there is, less the reserve: LDK's words.
    let error = splice_out(&alice, id, 999_000, None).expect_err("it keeps a reserve");
    assert!(matches!(&error, SpliceError::Refused { reason, .. } if reason.contains("balance")), "{error}");
    // Nothing of all that holds coins or the channel.
    assert!(alice.wallet().utxos().iter().all(|coin| !coin.held));
    bob.stop();
    eventually("bob is away", || alice.node().channel(id).filter(|channel| channel.state == ChannelState::Offline));
    assert!(matches!(splice_in(&alice, id, 50_000), Err(SpliceError::Offline { .. })));
    bob.run();
    eventually("bob is back", || alice.node().channel(id).filter(|channel| channel.state == ChannelState::Usable));
    splice_in(&alice, id, 50_000).expect("both sign");
    chain.wait_mempool(1);
    chain.mine(6, &[&alice, &bob]);
    locked_in([&alice, &bob], id, 1_050_000);
}

#[test]
fn a_close_by_force_while_a_splice_waits() {
    let chain = Chain::start();
    let [alice, bob] = funded(&chain, ["alice", "bob"]);
    let id = alice.open(&bob, 1_000_000, 200_000_000, false, &chain).id;
    splice_in(&alice, id, 300_000).expect("both sign");
    chain.wait_mempool(1);
    alice.on(move |node| async move { node.close_channel(id, true).await }).expect("it closes");
    // Whichever spends the old funding output first; both ends' books say what came of it.
    for end in [&alice, &bob] {
        let other = if end.name == "alice" { &bob } else { &alice };
        settle(&chain, end, other, id);
        check_statement(&chain, end, START);
    }
}

#[test]
fn a_backup_made_while_a_splice_waits_brings_the_money_back() {
    let chain = Chain::start();
    let [mut alice, bob] = funded(&chain, ["alice", "bob"]);
    let id = alice.open(&bob, 1_000_000, 200_000_000, false, &chain).id;
    splice_in(&alice, id, 300_000).expect("both sign");
    chain.wait_mempool(1);
    let backup = alice.backup();
    alice.kill();
    chain.mine(6, &[&bob]);
    alice.run_from_backup(&backup);
    let before = alice.wallet().balance().total();
    // Bob hears that alice has lost the channel, and closes it by force, with or without the splice locked in.
    chain.wait_mempool(1);
    let record = settle(&chain, &alice, &bob, id);
    assert!(record.arrived() > sat(1_090_000), "{record:#?}");
    assert_eq!(alice.wallet().balance().total(), before + record.arrived());
}

#[test]
fn a_tower_gets_its_data_after_a_splice_too() {
    let chain = Chain::start();
    let [mut alice, bob] = funded(&chain, ["alice", "bob"]);
    let tower = tempfile::tempdir().expect("a directory");
    let folder = tower.path().to_owned();
    alice.stop();
    alice.run_as(move |config| config.tower = Some(folder.clone()));
    let id = bob.open(&alice, 1_000_000, 100_000_000, false, &chain).id;
    bob.pay(&alice, 1_000_000);
    splice_in(&bob, id, 500_000).expect("both sign");
    chain.wait_mempool(1);
    // Two commitments for each state meanwhile: with the splice and without.
    bob.pay(&alice, 1_000_000);
    chain.mine(6, &[&alice, &bob]);
    locked_in([&alice, &bob], id, 1_500_000);
    let files = || {
        let listed = std::fs::read_dir(tower.path().join(id.to_string())).expect("a folder");
        listed.filter(|file| file.as_ref().is_ok_and(|f| f.path().extension().is_some_and(|e| e == "hex"))).count()
    };
    let before = files();
    for round in 1..=4 {
        bob.pay(&alice, 1_000_000);
        // Each payment revokes two states.
        eventually("the states before are answered", || (files() >= before + 2 * round - 1).then_some(()));
    }
}
