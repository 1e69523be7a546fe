//! A close by force whose commitment pays less than any mempool asks: its child pays for it.

use crate::harness::books::check_statement;
use crate::harness::{Chain, eventually, funded};
use windlass_channels::ArrivalKind;

/// What bitcoind's mempool asks: more than a commitment's 1 sat/vB, less than all else of ours.
const FLOOR_SAT_PER_KVB: u64 = 1_500;

#[test]
fn a_child_pays_for_a_commitment_that_alone_is_refused() {
    let mut chain = Chain::start();
    let [alice, mut bob] = funded(&chain, ["alice", "bob"]);
    let channel = alice.open(&bob, 1_000_000, 100_000_000, false, &chain);
    alice.pay(&bob, 30_000_000);
    bob.stop();
    chain.restart_with(&["-minrelaytxfee=0.00001500"]);
    let commitment = alice.on(move |node| async move { node.close_channel(channel.id, true).await });
    commitment.expect("it closes");
    chain.wait_mempool(2);
    let mempool = chain.runtime.block_on(chain.bitcoind.mempool()).expect("a mempool");
    let entry = |txid: &bitcoin::Txid| -> serde_json::Value {
        let call = chain.bitcoind.call("getmempoolentry", vec![serde_json::json!(txid)]);
        chain.runtime.block_on(call).expect("an entry")
    };
    let parent = mempool.txids.iter().map(entry).find(|entry| entry["depends"].as_array().is_some_and(Vec::is_empty));
    let parent = parent.expect("the commitment");
    let sat = (parent["fees"]["base"].as_f64().expect("a fee") * 1e8).round();
    let rate = sat * 1000.0 / parent["vsize"].as_f64().expect("a size");
    assert!(rate < FLOOR_SAT_PER_KVB as f64, "alone it would have been taken: {rate} sat/kvB");

    chain.mine(1, &[&alice]);
    let record =
        eventually("it is confirmed", || alice.node().record(channel.id).filter(|record| !record.arrivals.is_empty()));
    assert_eq!(record.arrivals[0].kind, ArrivalKind::Anchor, "{record:#?}");
    assert!(record.arrivals[0].wallet_fee > bitcoin::Amount::ZERO, "{record:#?}");
    let claimable = record.claimable_at.expect("behind the timelock");
    chain.mine(claimable.get() - record.arrivals[0].height.get(), &[&alice]);
    chain.wait_mempool(1);
    chain.mine(2, &[&alice]);
    let record = eventually("all is back", || alice.node().record(channel.id).filter(|record| record.settled));
    assert_eq!((record.difference_msat, record.claimable_at), (0, None), "{record:#?}");
    check_statement(&chain, &alice, 5_000_000_000);
}
