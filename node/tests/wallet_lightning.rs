//! Wallet nodes on a real bitcoind, without a federation: on-chain payments and channels.

use crate::rig::{Node, Rig, eventually};
use bitcoin::Amount;
use windlass_channels::Event;
use windlass_node::api::Code;
use windlass_node::api::events::EventAnswer;
use windlass_node::api::wallet::{
    AddressRequest, ChannelState, CloseRequest, InvoiceRequest, PayRequest, PaymentState, SendRequest, TransferRequest,
};
use windlass_types::Msat;

const MILLION: Amount = Amount::from_sat(1_000_000);

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_opens_pays_closes_and_adds_up() {
    let rig = Rig::start().await;
    let alice = Node::start(&rig.folder("alice", vec![])).await;
    let bob = Node::start(&rig.folder("bob", vec![])).await;
    rig.fund(&[&alice, &bob]).await;

    // On chain, and what can go wrong there.
    let to = bob.api.address(&AddressRequest::Bitcoin).await.expect("an address").address;
    let sent = alice.api.send(&SendRequest { to: to.clone(), amount: MILLION }).await.expect("sent");
    assert!(sent.fee > Amount::ZERO);
    for (to, sat, code) in [
        (to.as_str(), 100, Code::Usage),
        (to.as_str(), 90_000_000_000, Code::InsufficientFunds),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", 1_000, Code::Usage),
        ("nonsense", 1_000, Code::Usage),
    ] {
        let error = alice.api.send(&SendRequest { to: to.into(), amount: Amount::from_sat(sat) }).await.expect_err(to);
        assert_eq!(error.code, code, "{error}");
    }
    let transfer = TransferRequest { to, amount: MILLION, more: Vec::new(), memo: String::new(), max_fee: None };
    assert_eq!(alice.api.transfer(&transfer).await.expect_err("not a sidechain address").code, Code::Usage);
    rig.mine_and_sync(1, &[&alice, &bob]).await;
    assert_eq!(bob.api.balance().await.expect("a balance").bitcoin, Amount::from_sat(5_001_000_000));

    let id = rig.open_channel(&alice, &bob, Msat::ZERO).await;
    let ask = InvoiceRequest { amount_msat: Some(Msat::new(250_000_123)), memo: "tea".into(), expiry_seconds: 600 };
    let invoice = bob.api.invoice(&ask).await.expect("an invoice");
    let pay = PayRequest { invoice: invoice.invoice.clone(), timeout_seconds: 30, ..PayRequest::default() };
    let paid = alice.api.pay(&pay).await.expect("paid");
    assert_eq!((paid.state, paid.amount_msat), (PaymentState::Succeeded, ask.amount_msat));
    assert_eq!(alice.api.pay(&pay).await.expect_err("twice").code, Code::Conflict);
    let junk = PayRequest { invoice: "lnbc1junk".into(), ..pay };
    assert_eq!(alice.api.pay(&junk).await.expect_err("no invoice").code, Code::Usage);
    let listed = bob.api.payments().await.expect("payments");
    assert_eq!((listed[0].payment_hash.as_str(), listed[0].memo.as_str()), (invoice.payment_hash.as_str(), "tea"));
    let told = bob.api.events(0, 30).await.expect("events");
    let received = |event: &EventAnswer| matches!(event.event, Event::PaymentReceived { .. });
    assert_eq!(told.events.iter().filter(|event| received(event)).count(), 1, "{told:?}");
    bob.api.acknowledge(told.next).await.expect("acknowledged");
    assert_eq!(bob.api.events(0, 0).await.expect("events").events, vec![]);

    // Both come back from a stop and know everything.
    let (alice, bob) = (alice.stop().await, bob.stop().await);
    let (alice, bob) = (Node::start(&alice).await, Node::start(&bob).await);
    let usable = || async {
        let channel = alice.api.channel(&id[..8]).await.ok()?;
        // The payer had the preimage before the HTLC was off the channel: that may end only now.
        let settled = channel.remote_msat == Msat::new(250_000_123);
        (channel.state == ChannelState::Usable && settled).then_some(channel)
    };
    eventually("the channel is back, and the payment off its HTLC", usable).await;

    let closing = alice.api.close_channel(&id, &CloseRequest { force: false }).await.expect("closing");
    assert_eq!(closing.state, ChannelState::Closing);
    rig.mine_and_sync(6, &[&alice, &bob]).await;
    for node in [&alice, &bob] {
        let statement = eventually("the channel is closed", || async {
            let statement = node.api.statement().await.expect("a statement");
            (statement.channels[0].state == ChannelState::Closed).then_some(statement)
        })
        .await;
        assert!(statement.ok, "{:?}", statement.faults);
        let line = &statement.channels[0];
        let accounted = (line.returned + line.fees).to_sat() * 1000 + line.rounding_msat.get();
        assert_eq!(accounted, line.closing_msat.get());
        let purposes: Vec<&str> = line.transactions.iter().map(|tx| tx.purpose.as_str()).collect();
        assert_eq!(purposes, ["funding", "closing"]);
        assert!(line.transactions.iter().all(|tx| tx.height.is_some()));
        let sum = |account: &str| -> i128 {
            let own = statement.entries.iter().filter(|entry| entry.account == account);
            own.map(|entry| i128::from(entry.credit_msat.get()) - i128::from(entry.debit_msat.get())).sum()
        };
        assert_eq!(sum(&line.id), 0, "{:#?}", statement.entries);
        let balance = node.api.balance().await.expect("a balance");
        let held = balance.bitcoin + balance.bitcoin_pending;
        assert_eq!(sum("wallet"), i128::from(held.to_sat()) * 1000, "{:#?}", statement.entries);
    }
    assert_eq!(alice.api.channel("feed").await.expect_err("unknown").code, Code::NotFound);
    let poor = alice.api.deposit_address().await.expect_err("no federation");
    assert_eq!(poor.code, Code::NotRunning);
    alice.stop().await;
    bob.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_closed_by_force_comes_home_to_the_satoshi() {
    let rig = Rig::start().await;
    let alice = Node::start(&rig.folder("alice", vec![])).await;
    let bob = Node::start(&rig.folder("bob", vec![])).await;
    rig.fund(&[&alice, &bob]).await;
    let id = rig.open_channel(&alice, &bob, Msat::new(300_000_000)).await;
    bob.api.close_channel(&id, &CloseRequest { force: true }).await.expect("closing");
    rig.mine_and_sync(1, &[&alice, &bob]).await;
    rig.mine_and_sync(150, &[&alice, &bob]).await;
    for node in [&alice, &bob] {
        let statement = eventually("the money is back", || async {
            rig.mine_and_sync(1, &[node]).await;
            let statement = node.api.statement().await.expect("a statement");
            (statement.channels[0].state == ChannelState::Closed).then_some(statement)
        })
        .await;
        assert!(statement.ok, "{:?}", statement.faults);
    }
    assert!(alice.api.balance().await.expect("a balance").lightning_closing == Amount::ZERO);
}
