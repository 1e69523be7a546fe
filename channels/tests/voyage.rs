//! Channels from the funding to the last satoshi back, on a real bitcoind.

use crate::harness::books::{check_open, check_statement};
use crate::harness::{Chain, Peer, eventually, funded, msat, sat};
use windlass_channels::{ArrivalKind, ChannelRecord, CloseKind};
use windlass_types::Msat;

/// What the wallet must hold if the accounts of all channels are right.
fn expected_wallet(start: u64, records: &[ChannelRecord]) -> u64 {
    records.iter().fold(start, |sum, record| {
        let funded = if record.we_funded { record.capacity.to_sat() } else { 0 };
        let wallet_fees: u64 = record.arrivals.iter().map(|arrival| arrival.wallet_fee.to_sat()).sum();
        sum + record.arrived().to_sat() - funded - record.funding.fee.to_sat() - wallet_fees
    })
}

fn check_settled(peer: &Peer, chain: &Chain) -> Vec<ChannelRecord> {
    let records = peer.node().records();
    for record in &records {
        assert!(record.settled, "{}: {record:#?}", peer.name);
        assert_eq!(record.difference_msat, 0, "{}: {record:#?}", peer.name);
        let closing = record.closing.as_ref().expect("it is closed");
        assert_eq!(closing.balance, record.balance, "{}: {record:#?}", peer.name);
        assert!(closing.rounding < msat(1000) && closing.in_flight == Msat::ZERO, "{}: {record:#?}", peer.name);
        assert!(closing.fee <= closing.transaction_fee);
        assert!(chain.is_confirmed(closing.txid.expect("a transaction"), closing.height.expect("a block")));
        for arrival in &record.arrivals {
            assert!(chain.is_confirmed(arrival.txid, arrival.height), "{arrival:?}");
        }
    }
    records
}

#[test]
fn open_pay_route_close() {
    let chain = Chain::start();
    let [alice, mut bob, mut carol] = funded(&chain, ["alice", "bob", "carol"]);
    const START: u64 = 5_000_000_000;
    let first = alice.open(&bob, 1_000_000, 100_000_500, true, &chain);
    assert_eq!((first.ours, first.theirs), (msat(899_999_500), msat(100_000_500)));
    let second = bob.open(&carol, 500_000, 0, true, &chain);

    // Direct.
    alice.pay(&bob, 50_000_001);
    bob.pay(&alice, 1_000);
    // Over two hops, found by gossip.
    let (bobs, carols) = (bob.node().node_id(), carol.node().node_id());
    eventually("alice hears of bob's channel", || alice.node().knows_channel_between(bobs, carols).then_some(()));
    let routed = alice.pay(&carol, 20_000_123);
    assert!(routed.fee.expect("it arrived") > Msat::ZERO);

    // The one in the middle dies and comes back.
    bob.kill();
    bob.run();
    for (end, id) in [(&alice, first.id), (&bob, first.id), (&carol, second.id)] {
        eventually("the channel is usable again", || {
            end.node().channel(id).filter(|channel| channel.state == windlass_channels::ChannelState::Usable)
        });
    }
    alice.pay(&carol, 3_000_000);
    carol.pay(&alice, 1_000_000);

    let (ours, theirs) = eventually("payments are settled", || {
        let ours = alice.node().channel(first.id)?;
        let theirs = bob.node().channel(first.id)?;
        (ours.in_flight == Msat::ZERO && theirs.in_flight == Msat::ZERO).then_some((ours, theirs))
    });
    assert_eq!((ours.ours, ours.theirs), (theirs.theirs, theirs.ours));
    assert_eq!(ours.ours, alice.node().record(first.id).expect("a record").balance);

    for peer in [&alice, &bob, &carol] {
        check_open(&chain, peer, START);
    }

    // Together.
    alice.on(move |node| async move { node.close_channel(first.id, false).await }).expect("it closes");
    chain.wait_mempool(1);
    chain.mine(1, &[&alice, &bob, &carol]);
    let record = eventually("alice has it back", || alice.node().record(first.id).filter(|record| record.settled));
    let closing = record.closing.expect("it is closed");
    assert_eq!(closing.kind, CloseKind::Cooperative);
    assert!(closing.fee > sat(0));

    // By force, while the peer is away: else both would publish, and either might be first.
    carol.stop();
    bob.on(move |node| async move { node.close_channel(second.id, true).await }).expect("it closes");
    chain.wait_mempool(2);
    chain.mine(6, &[&alice, &bob]);
    carol.run();
    chain.wait_mempool(1);
    chain.mine(1, &[&alice, &bob, &carol]);
    eventually("carol has it back", || carol.node().record(second.id).filter(|record| record.settled));
    chain.mine(140, &[&alice, &bob, &carol]);
    chain.wait_mempool(1);
    chain.mine(1, &[&alice, &bob, &carol]);
    let record = eventually("bob has it back", || bob.node().record(second.id).filter(|record| record.settled));
    assert_eq!(record.closing.expect("it is closed").kind, CloseKind::ForcedByUs);
    let kinds: Vec<ArrivalKind> = record.arrivals.iter().map(|arrival| arrival.kind).collect();
    assert_eq!(kinds, [ArrivalKind::Anchor, ArrivalKind::Sweep]);

    for peer in [&alice, &bob, &carol] {
        check_statement(&chain, peer, START);
        let records = check_settled(peer, &chain);
        let balance = peer.wallet().balance();
        assert_eq!(balance.total().to_sat(), expected_wallet(START, &records), "{}: {records:#?}", peer.name);
    }
    // Routing earned what the payers paid.
    let records = bob.node().records();
    let earned: u64 = records.iter().map(|record| record.forwarded_in.get()).sum::<u64>()
        - records.iter().map(|record| record.forwarded_out.get()).sum::<u64>();
    let paid: u64 = [&alice, &carol]
        .iter()
        .flat_map(|peer| peer.node().records())
        .map(|record| record.routing_fees_paid.get())
        .sum();
    assert_eq!(earned, paid);
}
