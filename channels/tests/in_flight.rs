//! A close by force while payments are in flight: each is resolved on the chain, and the accounts
//! still add up.

mod harness;

use harness::{Chain, DEADLINE, eventually, funded, msat};
use std::time::{Duration, Instant};
use windlass_channels::{ArrivalKind, ChannelRecord, PaymentState};

fn expected_wallet(start: u64, record: &ChannelRecord) -> u64 {
    let funded = if record.we_funded { record.capacity.to_sat() } else { 0 };
    let wallet_fees: u64 = record.arrivals.iter().map(|arrival| arrival.wallet_fee.to_sat()).sum();
    start + record.arrived().to_sat() - funded - record.funding.fee.to_sat() - wallet_fees
}

#[test]
fn a_close_by_force_with_payments_in_flight() {
    let chain = Chain::start();
    let [alice, mut bob] = funded(&chain, ["alice", "bob"]);
    let channel = alice.open(&bob, 1_000_000, 100_000_000, false, &chain);
    alice.pay(&bob, 5_000_500);
    let texts: Vec<String> = (0..5)
        .map(|part| {
            let asked = bob.on(move |node| async move {
                node.create_invoice(Some(msat(20_000_000 + part)), "", DEADLINE * 60).await
            });
            asked.expect("an invoice").invoice.expect("its text")
        })
        .collect();
    // Bob dies with the payments on their way.
    let hashes = alice.on(move |node| async move {
        let mut hashes = Vec::new();
        for text in texts {
            hashes.push(node.pay(&text, None).await.expect("sent"));
        }
        hashes
    });
    eventually("a payment is at bob's", || {
        let channel = bob.node().channel(channel.id)?;
        (channel.in_flight > msat(0)).then_some(())
    });
    let wait = std::env::var("WINDLASS_TEST_WAIT_MS").ok().and_then(|text| text.parse().ok());
    std::thread::sleep(Duration::from_millis(wait.unwrap_or(50)));
    bob.kill();
    alice.on(move |node| async move { node.close_channel(channel.id, true).await }).expect("it closes");
    chain.wait_mempool(2);
    // Past the commitment, the payments' timeouts, and the locks of what came of them.
    let end = Instant::now() + Duration::from_secs(150);
    let record = loop {
        chain.mine(6, &[&alice]);
        let record = alice.node().record(channel.id).expect("a record");
        if record.settled {
            break record;
        }
        assert!(Instant::now() < end, "{record:#?}");
    };
    for hash in hashes {
        eventually("the payment has ended", || {
            let payment = alice.node().payment(windlass_channels::Direction::Out, hash).expect("a payment");
            (payment.state != PaymentState::Pending).then_some(())
        });
    }
    assert_eq!(record.difference_msat, 0, "{record:#?}");
    let closing = record.closing.as_ref().expect("closed");
    assert_eq!(closing.in_flight, msat(0), "{record:#?}");
    let on_chain = record.arrivals.iter().filter(|arrival| arrival.kind == ArrivalKind::Htlc).count();
    eprintln!("{on_chain} transactions for payments in flight");
    assert_eq!(alice.wallet().balance().total().to_sat(), expected_wallet(5_000_000_000, &record), "{record:#?}");

    // Bob comes back to a closed channel and takes what is his. What he had claimed, but not in time, is
    // what the close cut off. His account adds up, too.
    bob.run();
    let record = loop {
        chain.mine(6, &[&alice, &bob]);
        let record = bob.node().record(channel.id).expect("a record");
        if record.settled {
            break record;
        }
        assert!(Instant::now() < end, "{record:#?}");
    };
    assert_eq!(record.difference_msat, 0, "{record:#?}");
    assert_eq!(bob.wallet().balance().total().to_sat(), expected_wallet(5_000_000_000, &record), "{record:#?}");
}
