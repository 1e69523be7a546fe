//! A peer that publishes a revoked state loses all of the channel to the other side.

use crate::harness::books::{check_statement, settle};
use crate::harness::{Chain, Peer, eventually, funded, sat};
use bitcoin::{Amount, Txid};
use std::collections::BTreeMap;
use windlass_channels::{ArrivalKind, Channel, CloseKind};
use windlass_types::Msat;

const START: u64 = 5_000_000_000;

/// The cheat goes back to a state in which it had more, and publishes that while its peer is away.
fn cheat(chain: &Chain, cheat: &mut Peer, honest: &mut Peer, channel: &Channel, pays_sat: u64) {
    cheat.stop();
    let stale = cheat.copy_state();
    cheat.run();
    let id = channel.id;
    for end in [&*cheat, &*honest] {
        eventually("the channel is usable again", || {
            end.node().channel(id).filter(|channel| channel.state == windlass_channels::ChannelState::Usable)
        });
    }
    cheat.pay(honest, pays_sat * 1000);
    eventually("it is settled", || {
        let quiet = |peer: &Peer| peer.node().channel(id).is_some_and(|channel| channel.in_flight == Msat::ZERO);
        (quiet(cheat) && quiet(honest)).then_some(())
    });
    cheat.stop();
    honest.stop();
    cheat.go_back_to(&stale);
    cheat.run();
    cheat.on(move |node| async move { node.close_channel(id, true).await }).expect("it publishes");
    // The revoked commitment and the child that lifts its fee.
    chain.wait_mempool(2);
    chain.mine(1, &[&*cheat]);
}

#[test]
fn a_tower_punishes_while_the_victim_is_down() {
    let chain = Chain::start();
    let [mut alice, mut mallory] = funded(&chain, ["alice", "mallory"]);
    let tower = tempfile::tempdir().expect("a directory");
    let folder = tower.path().to_owned();
    alice.stop();
    alice.run_as(move |config| config.tower = Some(folder.clone()));
    let channel = mallory.open(&alice, 1_000_000, 100_000_000, false, &chain);
    mallory.pay(&alice, 20_000_000);
    // What waits to be revoked survives the victim's end, too.
    alice.kill();
    alice.run();
    cheat(&chain, &mut mallory, &mut alice, &channel, 300_000);

    // The tower has nothing but its folder and a Bitcoin node.
    let published = mallory.node().record(channel.id).expect("a record").closing.expect("closed").txid;
    let file = tower.path().join(channel.id.to_string()).join(format!("{}.hex", published.expect("in a block")));
    let text = std::fs::read_to_string(&file).expect("an answer to this very state");
    let justice: bitcoin::Transaction = bitcoin::consensus::encode::deserialize_hex(text.trim()).expect("well formed");
    chain.runtime.block_on(chain.bitcoind.broadcast(&justice)).expect("the network takes it");
    chain.mine(6, &[&mallory]);

    alice.run();
    let record = settle(&chain, &alice, &mallory, channel.id);
    assert_eq!(record.difference_msat, 0, "{record:#?}");
    let taken = record.arrivals.iter().find(|arrival| arrival.kind == ArrivalKind::Penalty).expect("a penalty");
    assert_eq!(taken.txid, justice.compute_txid());
    assert!(record.penalty > Msat::ZERO, "{record:#?}");
    check_statement(&chain, &alice, START);
}

fn check(chain: &Chain, honest: &mut Peer, mallory: &Peer, channel: &Channel, pays_sat: u64) {
    honest.run();
    eventually("the justice transaction", || {
        let mempool = chain.runtime.block_on(chain.bitcoind.mempool()).expect("a mempool");
        (!mempool.txids.is_empty()).then_some(())
    });
    chain.mine(1, &[honest, mallory]);
    let record = settle(chain, honest, mallory, channel.id);
    let closing = record.closing.as_ref().expect("closed");
    assert_eq!((record.difference_msat, closing.kind), (0, CloseKind::ForcedByPeer), "{record:#?}");
    let gross: Amount = record.arrivals.iter().map(|arrival| arrival.gross).sum();
    // Both anchors stay: one lifted the fee, and nobody needs the other.
    assert_eq!(gross, record.capacity - closing.transaction_fee - sat(660), "{record:#?}");
    // One justice transaction, and another if the cheat was quick to move a payment in flight on.
    let justice = record.arrivals.iter().filter(|arrival| arrival.kind == ArrivalKind::Penalty);
    let justice: BTreeMap<Txid, Amount> = justice.map(|arrival| (arrival.txid, arrival.gross)).collect();
    assert!(!justice.is_empty());
    for arrival in &record.arrivals {
        assert!(chain.is_confirmed(arrival.txid, arrival.height));
    }
    assert!(record.penalty > Msat::ZERO && record.losses.is_empty(), "{record:#?}");
    let theirs = record.capacity.to_sat() * 1000 - record.balance.get();
    let cost = if record.we_funded { 0 } else { (closing.transaction_fee.to_sat() + 660) * 1000 };
    assert_eq!(record.penalty.get(), theirs - cost, "{record:#?}");
    check_statement(chain, honest, START);

    // The cheat's account of it, as it was in the state that it went back to.
    let lost = settle(chain, mallory, honest, channel.id);
    let closing = lost.closing.as_ref().expect("closed");
    assert_eq!((lost.difference_msat, closing.in_flight), (0, Msat::ZERO), "{lost:#?}");
    assert_eq!(lost.balance.get(), record.capacity.to_sat() * 1000 - record.balance.get() + pays_sat * 1000);
    let losses: BTreeMap<Txid, Amount> = lost.losses.iter().map(|loss| (loss.txid, loss.value)).collect();
    assert_eq!(losses, justice, "{lost:#?}");
    assert_eq!(closing.taken, justice.values().copied().sum());
    assert_eq!(lost.penalty, Msat::ZERO);
    check_statement(chain, mallory, START);
}

#[test]
fn a_funder_that_publishes_a_revoked_state_loses_all() {
    let chain = Chain::start();
    let [mut alice, mut mallory] = funded(&chain, ["alice", "mallory"]);
    let channel = mallory.open(&alice, 1_000_000, 100_000_500, false, &chain);
    alice.pay(&mallory, 20_000_250);
    cheat(&chain, &mut mallory, &mut alice, &channel, 300_000);
    check(&chain, &mut alice, &mallory, &channel, 300_000);
}

#[test]
fn a_fundee_that_publishes_a_revoked_state_loses_all() {
    let chain = Chain::start();
    let [mut alice, mut mallory] = funded(&chain, ["alice", "mallory"]);
    let channel = alice.open(&mallory, 1_000_000, 400_000_000, false, &chain);
    cheat(&chain, &mut mallory, &mut alice, &channel, 350_000);
    check(&chain, &mut alice, &mallory, &channel, 350_000);
}
