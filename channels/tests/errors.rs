//! What a user does wrong is told with its culprit, and changes nothing.

use crate::harness::{Chain, DEADLINE, Peer, eventually, funded, msat, sat};
use std::time::Duration;
use windlass_channels::{
    CloseError, ConnectError, FindError, InvoiceError, Obstacle, OpenError, OpenRequest, PayError, PaymentState,
    PeerAddress,
};

fn open(from: &Peer, to: PeerAddress, amount: u64, push_msat: u64) -> Result<windlass_channels::Channel, OpenError> {
    let request = OpenRequest { peer: to, amount: sat(amount), push: msat(push_msat), announce: true };
    from.on(|node| async move { node.open_channel(&request).await })
}

fn invoice(of: &Peer, amount: Option<u64>, expiry: Duration) -> Result<String, InvoiceError> {
    let asked = of.on(move |node| async move { node.create_invoice(amount.map(msat), "a cup of tea", expiry).await });
    asked.map(|payment| payment.invoice.expect("an invoice has a text"))
}

fn pay(of: &Peer, text: &str, amount: Option<u64>) -> Result<windlass_channels::Payment, PayError> {
    let text = text.to_owned();
    of.on(move |node| async move {
        let hash = node.pay(&text, amount.map(msat)).await?;
        node.wait_payment(hash, DEADLINE).await
    })
}

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn opening_tells_what_is_wrong() {
    let chain = Chain::start();
    let [alice, bob] = funded(&chain, ["alice", "bob"]);
    let have = sat(5_000_000_000);

    let error = open(&alice, bob.peer_address(), 90_000_000_000, 0).expect_err("too much");
    let OpenError::InsufficientFunds { have: found, need, fee, reserve } = error else { panic!("{error}") };
    assert_eq!((found, need), (have, sat(90_000_000_000) + fee + reserve));
    assert!(fee > sat(0) && fee < sat(1_000) && reserve == sat(25_000));
    // All but the fee and the reserve is refused by a satoshi more.
    let most = have - fee - reserve;
    let error = open(&alice, bob.peer_address(), most.to_sat() + 1, 0).expect_err("a satoshi too much");
    assert!(matches!(error, OpenError::InsufficientFunds { .. }), "{error}");

    let error = open(&alice, bob.peer_address(), 1_000, 0).expect_err("dust");
    assert!(matches!(error, OpenError::TooSmall { amount, .. } if amount == sat(1_000)), "{error}");
    let error = open(&alice, bob.peer_address(), 100_000, 100_000_000).expect_err("all is pushed");
    assert!(matches!(error, OpenError::PushTooLarge { .. }), "{error}");

    let nobody = PeerAddress { address: "127.0.0.1:1".into(), ..bob.peer_address() };
    let error = open(&alice, nobody, 100_000, 0).expect_err("nobody there");
    assert!(matches!(error, OpenError::Peer(ConnectError::Unreachable { .. })), "{error}");
    let impostor = PeerAddress { node_id: alice.node().node_id(), ..bob.peer_address() };
    let error = open(&alice, impostor, 100_000, 0).expect_err("ourselves");
    assert!(matches!(error, OpenError::Peer(ConnectError::Ourselves(_))), "{error}");
    assert_eq!(alice.wallet().balance().spendable(), have);
    assert!(alice.node().channels().is_empty());
}

#[test]
fn a_peer_without_coins_refuses_and_says_why() {
    let chain = Chain::start();
    let [alice] = funded(&chain, ["alice"]);
    let poor = Peer::start("poor", &chain);
    let error = open(&alice, poor.peer_address(), 100_000, 0).expect_err("no reserve");
    let OpenError::Refused { reason, .. } = error else { panic!("{error}") };
    assert!(reason.contains("fund me first"), "{reason}");
    // The coins are free again.
    assert_eq!(alice.wallet().balance().spendable(), sat(5_000_000_000));
}

#[test]
fn paying_tells_what_is_wrong() {
    let chain = Chain::start();
    let [alice, bob, carol] = funded(&chain, ["alice", "bob", "carol"]);
    let channel = alice.open(&bob, 200_000, 0, false, &chain);

    assert_eq!(invoice(&bob, Some(0), HOUR), Err(InvoiceError::Zero));
    let error = invoice(&bob, Some(900_000_000), HOUR).expect_err("more than bob can receive");
    assert!(matches!(error, InvoiceError::InsufficientInbound { .. }), "{error}");

    for text in ["", "lnbcrt1", "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"] {
        assert!(matches!(pay(&alice, text, None), Err(PayError::Malformed { .. })), "{text}");
    }
    let mainnet = "lnbc20m1pvjluezsp5zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygspp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqhp58yjmdan79s6qqdhdzgynm4zwqd5d7xmw5fk98klysy043l2ahrqsfpp3qjmp7lwpagxun9pygexvgpjdc4jdj85fr9yq20q82gphp2nflc7jtzrcazrra7wwgzxqc8u7754cdlpfrmccae92qgzqvzq2ps8pqqqqqqpqqqqq9qqqvpeuqafqxu92d8lr6fvg0r5gv0heeeqgcrqlnm6jhphu9y00rrhy4grqszsvpcgpy9qqqqqqgqqqqq7qqzq9qrsgqdfjcdk6w3ak5pca9hwfwfh63zrrz06wwfya0ydlzpgzxkn5xagsqz7x9j4jwe7yj7vaf2k9lqsdk45kts2fd0fkr28am0u4w95tt2nsq76cqw0";
    let error = pay(&alice, mainnet, None).expect_err("another network");
    assert!(matches!(error, PayError::WrongNetwork { .. }), "{error}");

    let text = invoice(&bob, Some(1_000_000), Duration::from_secs(1)).expect("an invoice");
    let error = eventually("it expires", || match pay_checked(&alice, &text) {
        Err(error @ PayError::Expired { .. }) => Some(error),
        _ => None,
    });
    assert!(error.to_string().contains("new one"), "{error}");

    let open_amount = invoice(&bob, None, HOUR).expect("an invoice");
    assert_eq!(pay(&alice, &open_amount, None).expect_err("no amount"), PayError::AmountMissing);
    let fixed = invoice(&bob, Some(5_000_000), HOUR).expect("an invoice");
    let error = pay(&alice, &fixed, Some(4_000_000)).expect_err("another amount");
    assert_eq!(error, PayError::AmountMismatch { invoice: msat(5_000_000), given: msat(4_000_000) });
    assert!(matches!(pay(&bob, &fixed, None), Err(PayError::OwnInvoice)));

    let error = pay(&alice, &open_amount, Some(199_999_000)).expect_err("too much");
    let PayError::InsufficientBalance { have, need, largest, away } = error else { panic!("{error}") };
    assert!(have < need && need == msat(199_999_000), "{have} {need}");
    // Straight to a peer there is no fee: all that may be sent gets there.
    assert!(largest.is_some_and(|largest| largest <= have && largest.get() + 1_000 > have.get()), "{largest:?}");
    assert_eq!(away, msat(0));

    // By `lightning:` URI, then again.
    let paid = pay(&alice, &format!("lightning:{fixed}"), None).expect("it arrives");
    let hash = paid.hash;
    assert!(matches!(paid.state, PaymentState::Succeeded { preimage: Some(_) }));
    assert_eq!(pay(&alice, &fixed, None).expect_err("paid"), PayError::AlreadyPaid(hash));
    let paid = pay(&alice, &open_amount, Some(700_001)).expect("it arrives");
    assert_eq!(paid.amount, Some(msat(700_001)));

    // Carol has no channel: no way.
    let unreachable = invoice(&carol, None, HOUR).expect("an invoice");
    let error = pay(&alice, &unreachable, Some(1_000)).expect_err("no way");
    assert!(matches!(error, PayError::NoRoute { obstacle: Obstacle::UnknownPayee { .. }, .. }), "{error}");
    // And it may be tried again.
    let error = pay(&alice, &unreachable, Some(1_000)).expect_err("no way");
    assert!(matches!(error, PayError::NoRoute { obstacle: Obstacle::UnknownPayee { .. }, .. }), "{error}");

    let id = channel.id.to_string();
    assert_eq!(alice.node().find_channel(&id[..8]).expect("the only one").id, channel.id);
    assert_eq!(alice.node().find_channel("zz").expect_err("none"), FindError::Unknown("zz".into()));
    let unknown = windlass_channels::ChannelId([0; 32]);
    let error = alice.on(move |node| async move { node.close_channel(unknown, false).await }).expect_err("unknown");
    assert_eq!(error, CloseError::Unknown(unknown));
}

/// Since 1970, as an invoice counts.
fn now() -> Duration {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970")
}

/// An invoice's checks once it has expired, so that no payment is sent.
fn pay_checked(of: &Peer, text: &str) -> Result<(), PayError> {
    let invoice: lightning_invoice::Bolt11Invoice = text.parse().expect("an invoice");
    eventually("the invoice expires", || invoice.would_expire(now()).then_some(()));
    pay(of, text, None).map(drop)
}

#[test]
fn a_private_channel_is_found_by_its_hint() {
    let chain = Chain::start();
    let [alice, bob, carol] = funded(&chain, ["alice", "bob", "carol"]);
    alice.open(&bob, 200_000, 0, true, &chain);
    let hidden = bob.open(&carol, 200_000, 0, false, &chain);
    assert!(!hidden.announced);
    alice.pay(&carol, 10_000_000);
    assert!(!alice.node().knows_channel_between(bob.node().node_id(), carol.node().node_id()));
}
