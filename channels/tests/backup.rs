//! A node loses its store and gets its money back with its seed and the channel backup alone.

use crate::harness::{Chain, Peer, eventually, funded};
use windlass_channels::{ArrivalKind, Backup, BackupError, ChannelRecord, CloseKind};
use windlass_types::Msat;

const START: u64 = 5_000_000_000;

fn settled(chain: &Chain, peer: &Peer, others: &[&Peer], count: usize) -> Vec<ChannelRecord> {
    for _ in 0..60 {
        let records = peer.node().records();
        if records.len() == count && records.iter().all(|record| record.settled) {
            return records;
        }
        let mut nodes = vec![peer];
        nodes.extend(others);
        chain.mine(6, &nodes);
    }
    panic!("{}: {:#?}", peer.name, peer.node().records());
}

fn ours(peer: &Peer) -> u64 {
    peer.node().channels().iter().map(|channel| channel.ours.get() / 1000).sum()
}

#[test]
fn seed_and_backup_are_enough() {
    let chain = Chain::start();
    let [mut alice, bob, mut carol] = funded(&chain, ["alice", "bob", "carol"]);
    let first = alice.open(&bob, 1_000_000, 100_000_000, true, &chain);
    let second = carol.open(&alice, 500_000, 50_000_000, false, &chain);
    alice.pay(&bob, 30_000_250);
    carol.pay(&alice, 40_000_000);
    for (one, other, id) in [(&alice, &bob, first.id), (&carol, &alice, second.id)] {
        eventually("it is settled", || {
            let quiet = |peer: &Peer| peer.node().channel(id).is_some_and(|channel| channel.in_flight == Msat::ZERO);
            (quiet(one) && quiet(other)).then_some(())
        });
    }
    let (in_channels, on_chain) = (ours(&alice), alice.wallet().balance().total().to_sat());
    alice.kill();
    let backup = alice.backup();
    // Carol closes while alice is away; bob waits for her word.
    carol.on(move |node| async move { node.close_channel(second.id, true).await }).expect("it closes");
    chain.wait_mempool(2);
    chain.mine(2, &[&bob, &carol]);
    carol.stop();

    alice.run_from_backup(&backup);
    eventually("bob closes by force", || bob.node().record(first.id).filter(|record| record.closing.is_some()));
    chain.wait_mempool(2);
    let records = settled(&chain, &alice, &[&bob], 2);
    let mut back = 0;
    for record in &records {
        assert!(record.restored && record.difference_msat == 0, "{record:#?}");
        let closing = record.closing.as_ref().expect("closed");
        assert_eq!(closing.kind, CloseKind::ForcedByPeer, "{record:#?}");
        assert!(record.arrivals.iter().all(|arrival| arrival.kind == ArrivalKind::Sweep), "{record:#?}");
        for arrival in &record.arrivals {
            assert!(chain.is_confirmed(arrival.txid, arrival.height));
            back += arrival.gross.to_sat();
        }
    }
    // The funder pays the commitment's fee and both anchors; below a satoshi nothing comes back.
    let funded = bob.node().record(first.id).expect("a record").closing.expect("closed");
    let fee = funded.transaction_fee.to_sat() + 660;
    assert!(back <= in_channels && back + fee + 2 >= in_channels, "{back} of {in_channels}, fee {fee}");
    let fees: u64 = records.iter().flat_map(|record| &record.arrivals).map(|arrival| arrival.fee.to_sat()).sum();
    assert_eq!(alice.wallet().balance().total().to_sat(), on_chain + back - fees);
    // Bob has all that was his.
    let record = settled(&chain, &bob, &[&alice], 1).remove(0);
    assert_eq!(record.difference_msat, 0, "{record:#?}");
    assert_eq!(bob.wallet().balance().total().to_sat(), START + record.arrived().to_sat() - wallet_fees(&record));

    // And the restored node is a node again: it is killed, comes back, and opens a new channel.
    alice.kill();
    alice.run();
    let third = alice.open(&bob, 200_000, 0, false, &chain);
    alice.pay(&bob, 5_000_000);
    assert!(alice.node().record(third.id).is_some_and(|record| !record.restored));
}

fn wallet_fees(record: &ChannelRecord) -> u64 {
    record.arrivals.iter().map(|arrival| arrival.wallet_fee.to_sat()).sum()
}

#[test]
fn a_backup_is_for_an_empty_node_with_its_seed() {
    let chain = Chain::start();
    let [mut alice, bob] = funded(&chain, ["alice", "bob"]);
    let before = alice.backup();
    alice.open(&bob, 300_000, 0, false, &chain);
    let backup = alice.backup();
    assert_ne!(before, backup);
    alice.stop();
    let error = alice.try_restore(&backup).expect_err("it has a channel");
    assert_eq!(error, BackupError::NotEmpty);
    let mut mallory = Peer::start("mallory", &chain);
    mallory.stop();
    mallory.lose_state();
    assert_eq!(mallory.try_restore(&backup).expect_err("another seed"), BackupError::WrongSeed);
    assert_eq!(Backup::open(b"something else", &[0; 32]), Err(BackupError::Unknown));
    // Nothing happened to her.
    alice.run();
    assert_eq!(alice.node().channels().len(), 1);
}
