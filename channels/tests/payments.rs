//! Payments beyond a plain invoice: keysend, limits, parts, probes, forwarding for a fee, and sends that can't
//! succeed.

use crate::harness::{Chain, DEADLINE, Peer, eventually, funded, msat};
use std::time::Duration;
use windlass_channels::{
    Channel, Direction, HoldRequest, HoldState, MaxFee, Obstacle, PayError, PayLimits, Payment, PaymentFailure,
    PaymentKind, PaymentState, Policy, PolicyError, Preimage, Probe,
};

const HOUR: Duration = Duration::from_secs(3600);

fn invoice(of: &Peer, amount: Option<u64>) -> String {
    let asked = of.on(move |node| async move { node.create_invoice(amount.map(msat), "tea", HOUR).await });
    asked.expect("an invoice").invoice.expect("its text")
}

fn pay(of: &Peer, text: &str, amount: Option<u64>, limits: PayLimits) -> Result<Payment, PayError> {
    let text = text.to_owned();
    of.on(move |node| async move {
        let hash = node.pay_within(&text, amount.map(msat), &limits).await?;
        node.wait_payment(hash, DEADLINE).await
    })
}

fn keysend(of: &Peer, to: &Peer, amount: u64) -> Result<Payment, PayError> {
    let payee = to.node().node_id();
    of.on(move |node| async move {
        let hash = node.keysend(payee, msat(amount), &PayLimits::default()).await?;
        node.wait_payment(hash, DEADLINE).await
    })
}

fn probe(of: &Peer, to: &Peer, amount: u64, limits: PayLimits) -> Probe {
    let payee = to.node().node_id();
    of.on(move |node| async move { node.probe_node(payee, msat(amount), &limits).await }).expect("a probe")
}

fn fee(most: u64) -> PayLimits {
    PayLimits { max_fee: Some(MaxFee::Msat(msat(most))), ..PayLimits::default() }
}

/// alice - bob - carol, all public and known to alice.
fn line(chain: &Chain) -> ([Peer; 3], [Channel; 2]) {
    let [alice, bob, carol] = funded(chain, ["alice", "bob", "carol"]);
    let first = alice.open(&bob, 1_000_000, 200_000_000, true, chain);
    let second = bob.open(&carol, 1_000_000, 200_000_000, true, chain);
    knows(&alice, &bob, &carol);
    ([alice, bob, carol], [first, second])
}

fn knows(who: &Peer, one: &Peer, other: &Peer) {
    let (one, other) = (one.node().node_id(), other.node().node_id());
    eventually("gossip arrives", || who.node().knows_channel_between(one, other).then_some(()));
}

#[test]
fn keysend_arrives_and_is_written_down_at_both_ends() {
    let chain = Chain::start();
    let ([alice, bob, carol], [first, _]) = line(&chain);
    let paid = keysend(&alice, &bob, 1_234_567).expect("it arrives");
    assert_eq!((paid.amount, paid.fee, paid.asked_by), (Some(msat(1_234_567)), Some(msat(0)), PaymentKind::Keysend));
    let routed = keysend(&alice, &carol, 2_000_000).expect("it arrives");
    assert!(routed.fee.expect("a fee") > msat(0));
    for (peer, paid) in [(&bob, &paid), (&carol, &routed)] {
        let got = eventually("it is there", || {
            let got = peer.node().payment(Direction::In, paid.hash)?;
            matches!(got.state, PaymentState::Succeeded { .. }).then_some(got)
        });
        assert_eq!((got.amount, got.asked_by), (paid.amount, PaymentKind::Keysend));
        assert_eq!(got.state, paid.state);
    }
    assert_eq!(bob.node().record(first.id).expect("a record").received, msat(1_234_567));
    let me = alice.node().node_id();
    let limits = PayLimits::default();
    let error = alice.on(move |node| async move { node.keysend(me, msat(1), &limits).await }).expect_err("itself");
    assert_eq!(error, PayError::Ourselves);
}

#[test]
fn a_payment_larger_than_any_channel_goes_in_parts() {
    let chain = Chain::start();
    let [alice, bob, carol, dave] = funded(&chain, ["alice", "bob", "carol", "dave"]);
    // Two channels to one peer.
    alice.open(&bob, 300_000, 0, true, &chain);
    alice.open(&bob, 300_000, 0, true, &chain);
    let text = invoice(&bob, Some(450_000_000));
    let most = alice.node().channels().iter().map(|channel| channel.can_send).max().expect("channels");
    assert!(most < msat(450_000_000));
    let one_part = PayLimits { max_parts: Some(1), ..PayLimits::default() };
    let error = pay(&alice, &text, None, one_part).expect_err("one part is too small");
    let PayError::NoRoute { obstacle: Obstacle::TooMuch { largest, .. }, .. } = error else { panic!("{error}") };
    assert!(largest <= most && largest.get() + 2_000 > most.get(), "{largest} {most}");
    let paid = pay(&alice, &text, None, PayLimits::default()).expect("it arrives in parts");
    assert_eq!(paid.amount, Some(msat(450_000_000)));
    for channel in alice.node().channels() {
        eventually("each carried a part", || {
            let sent = alice.node().record(channel.id)?.sent;
            (sent > msat(0)).then_some(())
        });
    }
    // Two ways: over bob and over dave.
    for (from, to, amount) in [(&alice, &dave, 300_000), (&bob, &carol, 200_000), (&dave, &carol, 200_000)] {
        // A wallet that has read a block before its node would make a funding that LDK calls non-final.
        for peer in [&alice, &bob, &carol, &dave] {
            peer.sync();
        }
        from.open(to, amount, 0, true, &chain);
    }
    knows(&alice, &bob, &carol);
    knows(&alice, &dave, &carol);
    // Back to one full channel towards bob.
    let back = invoice(&alice, Some(250_000_000));
    pay(&bob, &back, None, PayLimits::default()).expect("it arrives");
    let routed = pay(&alice, &invoice(&carol, Some(250_000_000)), None, PayLimits::default()).expect("by two ways");
    assert!(routed.fee.expect("a fee") >= msat(2_000), "{routed:?}");
    for peer in [&bob, &dave] {
        eventually("each way earned", || (!peer.node().forwards().is_empty()).then_some(()));
    }
}

#[test]
fn limits_are_kept_and_what_would_help_is_said() {
    let chain = Chain::start();
    let ([alice, _bob, carol], _) = line(&chain);
    let amount = 20_000_000;

    // The fee: refused a millisatoshi below, paid at it.
    let probed = probe(&alice, &carol, amount, PayLimits::default());
    assert!(probed.reaches && probed.obstacle.is_none(), "{probed:?}");
    let least = probed.fee.expect("a fee").get();
    assert!(least > 0);
    let text = invoice(&carol, Some(amount));
    let error = pay(&alice, &text, None, fee(least - 1)).expect_err("too dear");
    let PayError::NoRoute { obstacle, .. } = &error else { panic!("{error}") };
    assert_eq!(*obstacle, Obstacle::Fee { least: msat(least), most: msat(least - 1) });
    assert!(error.to_string().contains("allow more"), "{error}");
    let paid = pay(&alice, &text, None, fee(least)).expect("it arrives");
    assert_eq!(paid.fee, Some(msat(least)));

    // By share; an amountless invoice with an amount.
    let text = invoice(&carol, None);
    let share = |ppm| PayLimits { max_fee: Some(MaxFee::Ppm(ppm)), ..PayLimits::default() };
    let error = pay(&alice, &text, Some(amount), share(1)).expect_err("too dear");
    assert!(matches!(error, PayError::NoRoute { obstacle: Obstacle::Fee { .. }, .. }), "{error}");
    let paid = pay(&alice, &text, Some(amount), share(10_000)).expect("it arrives");
    assert_eq!(paid.amount, Some(msat(amount)));

    // Blocks.
    let text = invoice(&carol, Some(amount));
    let short = PayLimits { max_cltv: Some(60), ..PayLimits::default() };
    let error = pay(&alice, &text, None, short).expect_err("too long");
    let PayError::NoRoute { obstacle: Obstacle::Cltv { least, most: 60 }, .. } = error else { panic!("{error}") };
    assert!(least > 60);
    let enough = PayLimits { max_cltv: Some(least + 72), ..PayLimits::default() };
    pay(&alice, &text, None, enough).expect("it arrives");
}

#[test]
fn the_largest_amount_that_gets_there_is_said() {
    let chain = Chain::start();
    let [alice, bob, carol] = funded(&chain, ["alice", "bob", "carol"]);
    alice.open(&bob, 1_000_000, 0, true, &chain);
    bob.open(&carol, 500_000, 0, true, &chain);
    knows(&alice, &bob, &carol);
    // With its seventh confirmation a channel is public enough for LDK to leave its hint out of invoices; a
    // hint says nothing of a channel's size.
    chain.mine(1, &[&alice, &bob, &carol]);
    // Beyond bob it is what gossip says of his channel.
    let one_part = PayLimits { max_parts: Some(1), ..PayLimits::default() };
    let text = invoice(&carol, None);
    let error = pay(&alice, &text, Some(600_000_000), one_part).expect_err("no room beyond bob");
    let PayError::NoRoute { obstacle: Obstacle::TooMuch { largest, away }, .. } = error else { panic!("{error}") };
    assert_eq!(away, msat(0));
    assert!(largest > msat(400_000_000) && largest <= msat(500_000_000), "{largest}");
    // To a peer it is exact: it gets there.
    let error = pay(&alice, &invoice(&bob, None), Some(999_999_999), one_part).expect_err("reserves stay");
    let PayError::InsufficientBalance { have, need, largest, away } = error else { panic!("{error}") };
    assert_eq!((need, away), (msat(999_999_999), msat(0)));
    let largest = largest.expect("some gets there");
    assert!(largest <= have && have < need, "{largest} {have}");
    let paid = pay(&alice, &invoice(&bob, None), Some(largest.get()), one_part).expect("the largest");
    assert_eq!(paid.amount, Some(largest));
}

#[test]
fn a_peer_that_is_away_is_named() {
    let chain = Chain::start();
    let [alice, mut bob] = funded(&chain, ["alice", "bob"]);
    let channel = alice.open(&bob, 300_000, 0, false, &chain);
    let text = invoice(&bob, Some(1_000_000));
    let bobs = bob.node().node_id();
    bob.stop();
    eventually("bob is away", || {
        let channel = alice.node().channel(channel.id)?;
        (channel.state == windlass_channels::ChannelState::Offline).then_some(())
    });
    let error = pay(&alice, &text, None, PayLimits::default()).expect_err("nobody there");
    let PayError::NoRoute { obstacle, .. } = &error else { panic!("{error}") };
    assert_eq!(*obstacle, Obstacle::Offline { peers: vec![bobs] });
    assert!(error.to_string().contains(&bobs.to_string()), "{error}");
}

#[test]
fn a_payment_in_flight_ends_by_itself_when_no_way_is_left() {
    let chain = Chain::start();
    let ([alice, bob, carol], [_, second]) = line(&chain);
    // Gossip says that there is room beyond bob; there is none, for somebody holds it.
    let text_of_carol = invoice(&carol, Some(50_000_000));
    let word = Preimage([7; 32]);
    let room = bob.node().channel(second.id).expect("a channel").can_send.get() - 5_000_000;
    let request = HoldRequest {
        hash: word.hash(),
        amount: Some(msat(room)),
        memo: String::new(),
        expiry: HOUR,
        final_cltv_delta: 60,
    };
    let held = carol.on(|node| async move { node.create_hold_invoice(&request).await }).expect("a hold invoice");
    let text = held.invoice;
    bob.on(move |node| async move { node.pay(&text, None).await }).expect("sent");
    eventually("it is held", || carol.node().hold(word.hash())?.held().is_some().then_some(()));

    let probed = probe(&alice, &carol, 50_000_000, PayLimits::default());
    assert!(!probed.reaches && probed.attempts > 0, "{probed:?}");
    assert_eq!(probed.failed_at, bob.node().channel(second.id).expect("a channel").short_id);
    let quick = PayLimits { retry_for: Duration::from_secs(1), ..PayLimits::default() };
    let error = pay(&alice, &text_of_carol, None, quick).expect_err("no room");
    let is_over = matches!(
        error,
        PayError::Failed { reason: PaymentFailure::Exhausted | PaymentFailure::NoRoute, .. } | PayError::NoRoute { .. }
    );
    assert!(is_over, "{error}");

    let hash = word.hash();
    let state = carol.on(move |node| async move { node.settle_hold(hash, word).await }).expect("ours").state;
    assert!(matches!(state, HoldState::Settled { .. }));
}

#[test]
fn forwarding_for_a_fee_that_the_operator_sets() {
    let chain = Chain::start();
    let ([alice, mut bob, carol], [first, second]) = line(&chain);
    let policy = Policy { base: msat(2_500), ppm: 10_000, cltv_delta: 100 };
    let id = second.id;
    let set = |bob: &Peer, policy| bob.on(move |node| async move { node.set_policy(id, policy).await });
    let error = set(&bob, Policy { cltv_delta: 10, ..policy }).expect_err("not safe");
    assert!(matches!(error, PolicyError::CltvDelta { found: 10, .. }), "{error}");
    let unchanged = bob.node().policy(id).expect("a policy");
    assert_ne!(unchanged, policy);
    assert_eq!(set(&bob, policy).expect("set"), policy);

    // Durable, and for that channel alone.
    bob.kill();
    bob.run();
    assert_eq!(bob.node().policy(id), Some(policy));
    assert_eq!(bob.node().policy(first.id), Some(unchanged));
    for (peer, id) in [(&alice, first.id), (&carol, second.id)] {
        eventually("the channel is usable", || {
            peer.node().channel(id).filter(|channel| channel.state == windlass_channels::ChannelState::Usable)
        });
    }

    // Gossip brings it to alice; who pays, pays that.
    let expected = 2_500 + 20_000_000 / 100;
    eventually("alice hears of the fee", || {
        let probed = probe(&alice, &carol, 20_000_000, PayLimits::default());
        (probed.fee == Some(msat(expected))).then_some(())
    });
    let paid = pay(&alice, &invoice(&carol, Some(20_000_000)), None, PayLimits::default()).expect("it arrives");
    assert_eq!(paid.fee, Some(msat(expected)));
    let earned = |bob: &Peer| {
        eventually("bob has earned", || {
            let forwards = bob.node().forwards();
            (!forwards.is_empty()).then_some(forwards)
        })
    };
    let forwards = earned(&bob);
    assert_eq!(forwards.len(), 1);
    let forward = &forwards[0];
    assert_eq!((forward.from, forward.to), (Some(first.id), Some(second.id)));
    assert_eq!((forward.amount, forward.fee, forward.on_chain), (msat(20_000_000), msat(expected), false));
    // Once, also after a sudden death: durable when the invoice is there, as all that came before.
    invoice(&bob, None);
    bob.kill();
    bob.run();
    assert_eq!(bob.node().forwards(), forwards);
}
