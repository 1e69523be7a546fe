//! BOLT 12 between real nodes, and whatever else a user may paste to pay.

use crate::harness::{Chain, DEADLINE, Peer, eventually, funded, msat};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use windlass_channels::{
    Direction, NameAnswer, NameResolver, NoNames, Offer, OfferError, PayError, PayLimits, Payment, PaymentKind,
    PaymentState,
};

const HOUR: Duration = Duration::from_secs(3600);

fn offer(of: &Peer, amount: Option<u64>) -> Offer {
    let made = of.on(move |node| async move { node.create_offer(amount.map(msat), "a book", None).await });
    made.expect("an offer")
}

fn pay(of: &Peer, text: &str, amount: Option<u64>, note: Option<&'static str>) -> Result<Payment, PayError> {
    let text = text.to_owned();
    of.on(move |node| async move {
        let hash = node.pay_any(&text, amount.map(msat), note, &PayLimits::default()).await?;
        node.wait_payment(hash, DEADLINE).await
    })
}

fn received(by: &Peer, count: usize) -> Vec<Payment> {
    eventually("the payments are there", || {
        let paid = |payment: &Payment| {
            payment.direction == Direction::In && matches!(payment.state, PaymentState::Succeeded { .. })
        };
        let all: Vec<Payment> = by.node().payments().into_iter().filter(paid).collect();
        (all.len() >= count).then_some(all)
    })
}

fn knows(who: &Peer, one: &Peer, other: &Peer) {
    let (one, other) = (one.node().node_id(), other.node().node_id());
    eventually("gossip arrives", || who.node().knows_channel_between(one, other).then_some(()));
}

/// Waits until gossip has told `from` where `to` is: an announcement goes out with each block. Ends without
/// a connection between them.
fn can_reach(chain: &Chain, from: &Peer, to: &Peer, all: &[&Peer]) {
    let node_id = to.node().node_id();
    eventually("the address comes round", || {
        chain.mine(1, all);
        from.on(move |node| async move { node.connect_to(node_id).await }).ok()
    });
    from.node().disconnect(node_id);
}

#[test]
fn an_offer_is_paid_again_and_again() {
    let chain = Chain::start();
    let [alice, mut bob] = funded(&chain, ["alice", "bob"]);
    let channel = alice.open(&bob, 1_000_000, 100_000_000, false, &chain);
    let fixed = offer(&bob, Some(5_000_000));
    let open = offer(&bob, None);
    let listed = bob.node().offers();
    assert!(listed.len() == 2 && listed.contains(&fixed) && listed.contains(&open), "{listed:?}");

    let first = pay(&alice, &fixed.text, None, Some("the blue one")).expect("it arrives");
    assert_eq!((first.amount, first.asked_by), (Some(msat(5_000_000)), PaymentKind::Offer { id: fixed.id }));
    assert_eq!(first.memo, "a book");
    // Offers outlive a restart.
    bob.kill();
    bob.run();
    eventually("the channel is usable", || {
        let channel = alice.node().channel(channel.id)?;
        (channel.state == windlass_channels::ChannelState::Usable).then_some(())
    });
    assert_eq!(bob.node().offers().len(), 2);
    pay(&alice, &fixed.text, None, None).expect("it arrives again");
    let third = pay(&alice, &open.text, Some(777_001), None).expect("it arrives");
    assert_eq!(third.amount, Some(msat(777_001)));

    let got = received(&bob, 3);
    assert_eq!(got.len(), 3);
    let noted = got.iter().find(|payment| payment.payer_note.is_some()).expect("one has a note");
    assert_eq!(noted.payer_note.as_deref(), Some("the blue one"));
    assert_eq!((noted.asked_by, noted.memo.as_str()), (PaymentKind::Offer { id: fixed.id }, "a book"));
    // Both ends name the same hash.
    assert_eq!(first.locked_to, Some(noted.hash));
    assert_eq!(bob.node().record(channel.id).expect("a record").received, msat(10_777_001));
    eventually("alice's account says so, too", || {
        (alice.node().record(channel.id)?.sent == msat(10_777_001)).then_some(())
    });

    assert_eq!(pay(&alice, &open.text, None, None).expect_err("no amount"), PayError::AmountMissing);
    let error = pay(&alice, &fixed.text, Some(1), None).expect_err("another amount");
    assert!(matches!(error, PayError::AmountMismatch { .. }), "{error}");
    assert_eq!(pay(&bob, &fixed.text, None, None).expect_err("its own"), PayError::OwnInvoice);
    let soon = bob.on(|node| async move { node.create_offer(None, "", Some(Duration::from_secs(1))).await });
    let soon = soon.expect("an offer").text;
    eventually("it expires", || {
        matches!(pay(&alice, &soon, Some(1_000), None), Err(PayError::Expired { .. })).then_some(())
    });
}

#[test]
fn an_offer_and_a_refund_over_two_hops() {
    let chain = Chain::start();
    let [alice, bob, carol] = funded(&chain, ["alice", "bob", "carol"]);
    alice.open(&bob, 1_000_000, 300_000_000, true, &chain);
    bob.open(&carol, 1_000_000, 300_000_000, true, &chain);
    knows(&alice, &bob, &carol);
    knows(&carol, &alice, &bob);
    // Messages go straight to who made the offer, and back: the announcements must have come round.
    can_reach(&chain, &alice, &carol, &[&alice, &bob, &carol]);
    can_reach(&chain, &carol, &alice, &[&alice, &bob, &carol]);
    let offer = offer(&carol, Some(3_000_000));
    let paid = pay(&alice, &offer.text, None, None).expect("it arrives");
    assert!(paid.fee.expect("a fee") > msat(0), "{paid:?}");
    received(&carol, 1);

    // The other way round: carol gives alice something back.
    let limits = PayLimits::default();
    let refund = carol.on(move |node| async move { node.create_refund(msat(2_000_000), "sorry", HOUR, &limits).await });
    let refund = refund.expect("a refund");
    let text = refund.invoice.clone().expect("its text");
    let own = text.clone();
    let error = carol.on(move |node| async move { node.claim_refund(&own).await }).expect_err("its own");
    assert_eq!(error, OfferError::Own);
    let claimed = alice.on(move |node| async move { node.claim_refund(&text).await }).expect("claimed");
    assert_eq!((claimed.amount, claimed.memo.as_str()), (Some(msat(2_000_000)), "sorry"));
    let name = refund.hash;
    let sent = carol.on(move |node| async move { node.wait_payment(name, DEADLINE).await }).expect("it arrives");
    assert_eq!((sent.asked_by, sent.locked_to), (PaymentKind::Refund, Some(claimed.hash)));
    let hash = claimed.hash;
    alice.on(move |node| async move { node.wait_received(hash, DEADLINE).await }).expect("it is there");
}

#[test]
fn a_refund_that_cannot_come_is_not_asked_for() {
    let chain = Chain::start();
    let [alice, mut bob] = funded(&chain, ["alice", "bob"]);
    let channel = alice.open(&bob, 1_000_000, 5_000_000, false, &chain);
    let limits = PayLimits::default();
    let made = bob.on(move |node| async move { node.create_refund(msat(2_000_000), "", HOUR, &limits).await });
    let refund = made.expect("a refund");
    let text = refund.invoice.clone().expect("its text");
    let claim = |text: &str| {
        let text = text.to_owned();
        alice.on(move |node| async move { node.claim_refund(&text).await })
    };
    // Bob has 5,000 sat there, all of it part of his reserve.
    let error = claim(&text).expect_err("no room");
    assert_eq!(error, OfferError::InsufficientInbound { have: msat(0), need: msat(2_000_000) });
    let invoice = bob.on(|node| async move { node.create_invoice(Some(msat(20_000_000)), "", HOUR).await });
    pay(&alice, &invoice.expect("an invoice").invoice.expect("its text"), None, None).expect("it arrives");
    // Bob is away, then he is back: the same refund.
    bob.stop();
    let error = claim(&text).expect_err("nobody there");
    assert!(matches!(error, OfferError::InsufficientInbound { .. } | OfferError::PayerAway { .. }), "{error}");
    let before = alice.node().payments().len();
    bob.run();
    eventually("the channel is usable", || {
        let channel = alice.node().channel(channel.id)?;
        (channel.state == windlass_channels::ChannelState::Usable).then_some(())
    });
    let claimed = claim(&text).expect("claimed");
    assert_eq!(alice.node().payments().len(), before + 1, "only what was asked for is written down");
    let name = refund.hash;
    bob.on(move |node| async move { node.wait_payment(name, DEADLINE).await }).expect("it arrives");
    let hash = claimed.hash;
    alice.on(move |node| async move { node.wait_received(hash, DEADLINE).await }).expect("it is there");
}

#[test]
fn a_refund_whose_maker_is_away_is_not_asked_for() {
    let chain = Chain::start();
    let [alice, bob, mut carol] = funded(&chain, ["alice", "bob", "carol"]);
    alice.open(&bob, 1_000_000, 300_000_000, true, &chain);
    bob.open(&carol, 1_000_000, 300_000_000, true, &chain);
    knows(&alice, &bob, &carol);
    can_reach(&chain, &alice, &carol, &[&alice, &bob, &carol]);
    let limits = PayLimits::default();
    let made = carol.on(move |node| async move { node.create_refund(msat(2_000_000), "", HOUR, &limits).await });
    let text = made.expect("a refund").invoice.expect("its text");
    carol.stop();
    let error = alice.on(move |node| async move { node.claim_refund(&text).await }).expect_err("nobody there");
    assert!(matches!(error, OfferError::PayerAway { .. }), "{error}");
    assert!(alice.node().payments().is_empty(), "nothing was asked for");
}

#[test]
fn a_private_node_hides_behind_its_peer() {
    let chain = Chain::start();
    let [alice, bob, carol] = funded(&chain, ["alice", "bob", "carol"]);
    alice.open(&bob, 1_000_000, 0, true, &chain);
    bob.open(&carol, 1_000_000, 0, false, &chain);
    // The answer goes straight to alice, who is announced.
    can_reach(&chain, &carol, &alice, &[&alice, &bob, &carol]);
    let offer = offer(&carol, Some(1_000_000));
    pay(&alice, &offer.text, None, None).expect("over blinded paths");
    received(&carol, 1);
}

#[test]
fn nobody_to_answer() {
    let chain = Chain::start();
    let [alice] = funded(&chain, ["alice"]);
    let error = alice.on(|node| async move { node.create_offer(None, "", None).await }).expect_err("no peer");
    assert_eq!(error, OfferError::Unreachable);
    let error = alice.on(|node| async move { node.claim_refund("lnr1nonsense").await }).expect_err("no refund");
    assert!(matches!(error, OfferError::Malformed { .. }), "{error}");
}

/// Names as DNS would have them.
struct Book(BTreeMap<String, String>);

impl NameResolver for Book {
    fn resolve<'a>(&'a self, user: &'a str, domain: &'a str) -> NameAnswer<'a> {
        let found = self.0.get(&format!("{user}@{domain}")).cloned();
        Box::pin(async move { found.ok_or_else(|| "there is no such name".into()) })
    }
}

/// Never answers.
struct Silence;

impl NameResolver for Silence {
    fn resolve<'a>(&'a self, _: &'a str, _: &'a str) -> NameAnswer<'a> {
        Box::pin(std::future::pending())
    }
}

#[test]
fn uris_and_names() {
    let chain = Chain::start();
    let [mut alice, bob] = funded(&chain, ["alice", "bob"]);
    let channel = alice.open(&bob, 1_000_000, 0, false, &chain);
    let address = bob.wallet().address().expect("an address");
    let invoice = || {
        let asked = bob.on(|node| async move { node.create_invoice(Some(msat(1_000_000)), "", HOUR).await });
        asked.expect("an invoice").invoice.expect("its text")
    };
    let lno = offer(&bob, None).text;

    // A URI with an invoice; with an offer; with both, of which the offer is taken.
    let paid = pay(&alice, &format!("bitcoin:{address}?amount=0.00001&lightning={}", invoice()), None, None);
    assert_eq!(paid.expect("by the invoice").asked_by, PaymentKind::Invoice);
    let paid = pay(&alice, &format!("BITCOIN:?lno={lno}"), Some(2_000_000), None).expect("by the offer");
    assert!(matches!(paid.asked_by, PaymentKind::Offer { .. }), "{paid:?}");
    let fixed = offer(&bob, Some(1_000_000)).text;
    let both = format!("bitcoin:{address}?amount=0.00001&lightning={}&lno={fixed}", invoice());
    let paid = pay(&alice, &both, None, None).expect("by the offer");
    assert!(matches!(paid.asked_by, PaymentKind::Offer { .. }), "{paid:?}");
    // On the chain only, wrong, and for another network.
    let error = pay(&alice, &format!("bitcoin:{address}?amount=0.00001"), None, None).expect_err("no Lightning");
    assert_eq!(error, PayError::OnChainOnly { address: address.to_string() });
    let error = pay(&alice, &format!("bitcoin:{address}?req-moon=1"), None, None).expect_err("unknown and required");
    assert!(matches!(error, PayError::Malformed { .. }), "{error}");
    let mainnet = "bitcoin:bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4";
    let error = pay(&alice, mainnet, None, None).expect_err("another network");
    assert!(matches!(error, PayError::WrongNetwork { .. }), "{error}");

    // Names, from a book; then where nobody answers, and where there is no DNS.
    let mut restart = |names: Arc<dyn NameResolver>| {
        alice.names = Some(names);
        alice.stop();
        alice.run();
        eventually("the channel is usable", || {
            let channel = alice.node().channel(channel.id)?;
            (channel.state == windlass_channels::ChannelState::Usable).then_some(())
        });
    };
    restart(Arc::new(Book([("bob@example.com".to_owned(), format!("bitcoin:?lno={lno}"))].into())));
    let paid = pay(&alice, "₿bob@example.com", Some(3_000_000), Some("hello")).expect("by the name");
    assert_eq!(paid.amount, Some(msat(3_000_000)));
    let error = pay(&alice, "carol@example.com", Some(1_000), None).expect_err("no such name");
    let PayError::Unresolved { name, reason } = &error else { panic!("{error}") };
    assert_eq!((name.as_str(), reason.as_str()), ("carol@example.com", "there is no such name"));
}

#[test]
fn a_name_without_dns_is_told_within_seconds() {
    let chain = Chain::start();
    let mut alice = Peer::start("alice", &chain);
    for names in [Arc::new(Silence) as Arc<dyn NameResolver>, Arc::new(NoNames)] {
        alice.names = Some(names);
        alice.stop();
        alice.run();
        let begun = Instant::now();
        let error = pay(&alice, "₿bob@example.com", Some(1_000), None).expect_err("nobody answers");
        assert!(matches!(error, PayError::Unresolved { .. }), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    }
}
