//! Hold invoices at their edges; the contract is in `docs/spec/hold-invoices.md`.

use crate::harness::{Chain, DEADLINE, Peer, eventually, funded, msat};
use std::time::Duration;
use windlass_channels::{
    CLAIM_BUFFER_BLOCKS, ChannelState, Direction, HOLD_MARGIN_BLOCKS, Held, HoldError, HoldInvoice, HoldRequest,
    HoldState, InvoiceError, PayError, PaymentFailure, PaymentHash, PaymentState, Preimage,
};
use windlass_types::{Blocks, BtcHeight};

const HOUR: Duration = Duration::from_secs(3600);
const AMOUNT: u64 = 20_000_000;
const DELTA: u16 = 60;

fn word(n: u8) -> Preimage {
    Preimage([n; 32])
}

fn ask(of: &Peer, hash: PaymentHash, expiry: Duration) -> Result<HoldInvoice, InvoiceError> {
    let request =
        HoldRequest { hash, amount: Some(msat(AMOUNT)), memo: "a swap".into(), expiry, final_cltv_delta: DELTA };
    of.on(|node| async move { node.create_hold_invoice(&request).await })
}

fn send(of: &Peer, text: &str) -> Result<PaymentHash, PayError> {
    let text = text.to_owned();
    of.on(|node| async move { node.pay(&text, None).await })
}

fn ended(of: &Peer, hash: PaymentHash) -> Result<(), PayError> {
    of.on(move |node| async move { node.wait_payment(hash, DEADLINE).await }).map(drop)
}

fn settle(of: &Peer, hash: PaymentHash, word: Preimage) -> Result<HoldState, HoldError> {
    of.on(move |node| async move { node.settle_hold(hash, word).await }).map(|hold| hold.state)
}

fn cancel(of: &Peer, hash: PaymentHash) -> Result<HoldState, HoldError> {
    of.on(move |node| async move { node.cancel_hold(hash).await }).map(|hold| hold.state)
}

fn held(of: &Peer, hash: PaymentHash) -> Held {
    eventually("the payment is held", || of.node().hold(hash)?.held().cloned())
}

fn state(of: &Peer, hash: PaymentHash) -> HoldState {
    of.node().hold(hash).expect("a hold invoice").state
}

/// A payment of `from` that `to` holds, and has written down: a node that dies before that may find
/// the payment open again, which is right, but not what is looked at here.
fn hold(from: &Peer, to: &Peer, word: Preimage) -> (PaymentHash, Held) {
    let invoice = ask(to, word.hash(), HOUR).expect("a hold invoice");
    send(from, &invoice.invoice).expect("sent");
    let held = held(to, word.hash());
    // It is durable when this returns, and all that came before.
    to.on(|node| async move { node.create_invoice(None, "", HOUR).await }).expect("an invoice");
    (word.hash(), held)
}

fn refused(of: &Peer, hash: PaymentHash) {
    let error = ended(of, hash).expect_err("it went back");
    assert!(matches!(error, PayError::Failed { reason: PaymentFailure::Refused, .. }), "{error}");
}

/// Mines until `less` blocks are missing to `height`.
fn mine_to(chain: &Chain, height: BtcHeight, less: u32, nodes: &[&Peer]) {
    let tip = chain.runtime.block_on(chain.bitcoind.tip()).expect("a tip").height;
    chain.mine(height.since(tip).expect("ahead").get() - less, nodes);
}

/// Replaces the last block by two.
fn reorganise(chain: &Chain, nodes: &[&Peer]) {
    let reward = nodes[0].wallet().address().expect("an address");
    chain.runtime.block_on(async {
        let tip = chain.bitcoind.tip().await.expect("a tip");
        chain.miner.invalidate(tip.hash()).await.expect("invalidated");
        for _ in 0..2 {
            chain.miner.mine_empty(&reward).await.expect("a block");
        }
    });
    for node in nodes {
        node.sync();
    }
}

fn is_usable(peer: &Peer) {
    eventually("the channel is usable", || {
        let channels = peer.node().channels();
        (!channels.is_empty() && channels.iter().all(|channel| channel.state == ChannelState::Usable)).then_some(())
    });
}

#[test]
fn settle_cancel_and_what_is_refused() {
    let chain = Chain::start();
    let [alice, bob, carol] = funded(&chain, ["alice", "bob", "carol"]);
    let channel = alice.open(&bob, 1_000_000, 0, false, &chain);
    carol.open(&bob, 1_000_000, 0, false, &chain);

    // Held: the deadline counts back from the timeout that the invoice asked for.
    let tip = bob.node().synced_to().height;
    let (hash, first) = hold(&alice, &bob, word(1));
    assert_eq!((first.amount, first.channels.as_slice()), (msat(AMOUNT), [channel.id].as_slice()));
    let timeout = first.claim_deadline.checked_add(Blocks::new(CLAIM_BUFFER_BLOCKS)).expect("a height");
    assert!(timeout >= tip.checked_add(Blocks::new(u32::from(DELTA))).expect("a height"), "{timeout} {tip}");
    assert_eq!(first.claim_deadline.since(first.cancel_height), Some(Blocks::new(HOLD_MARGIN_BLOCKS)));
    assert_eq!(bob.node().payment(Direction::In, hash).expect("an invoice").state, PaymentState::Pending);

    // A second payment to it goes back; the first stays.
    let text = bob.node().hold(hash).expect("a hold invoice").invoice;
    send(&carol, &text).expect("sent");
    refused(&carol, hash);
    assert_eq!(held(&bob, hash), first);

    // Whose preimage?
    let stranger = word(9).hash();
    assert_eq!(settle(&bob, stranger, word(9)), Err(HoldError::Unknown(stranger)));
    assert_eq!(settle(&bob, hash, word(9)), Err(HoldError::WrongPreimage { hash, found: stranger }));
    assert_eq!(cancel(&bob, stranger), Err(HoldError::Unknown(stranger)));
    assert_eq!(held(&bob, hash), first);

    let done = HoldState::Settled { amount: msat(AMOUNT), preimage: word(1) };
    assert_eq!(settle(&bob, hash, word(1)), Ok(done.clone()));
    assert_eq!(settle(&bob, hash, word(1)), Ok(done));
    assert_eq!(cancel(&bob, hash), Err(HoldError::Settled(hash)));
    ended(&alice, hash).expect("it arrived");
    let payment = bob.node().payment(Direction::In, hash).expect("a payment");
    assert_eq!(payment.state, PaymentState::Succeeded { preimage: Some(word(1).reveal()) });
    assert_eq!(bob.node().record(channel.id).expect("a record").received, msat(AMOUNT));
    // Paid once, and never again.
    send(&carol, &text).expect("sent");
    refused(&carol, hash);

    let (hash, _) = hold(&alice, &bob, word(2));
    assert_eq!(cancel(&bob, hash), Ok(HoldState::Cancelled));
    refused(&alice, hash);
    assert_eq!(cancel(&bob, hash), Ok(HoldState::Cancelled));
    assert_eq!(settle(&bob, hash, word(2)), Err(HoldError::Cancelled(hash)));
    let payment = bob.node().payment(Direction::In, hash).expect("a payment");
    assert_eq!(payment.state, PaymentState::Failed { reason: PaymentFailure::Cancelled });

    // Before it is paid: there is nothing to settle, but it can be called off.
    let invoice = ask(&bob, word(3).hash(), HOUR).expect("a hold invoice");
    let hash = invoice.hash;
    assert_eq!(settle(&bob, hash, word(3)), Err(HoldError::NotPaid(hash)));
    assert_eq!(cancel(&bob, hash), Ok(HoldState::Cancelled));
    send(&alice, &invoice.invoice).expect("sent");
    refused(&alice, hash);
    assert_eq!(ask(&bob, hash, HOUR), Err(InvoiceError::HashInUse(hash)));

    let request = HoldRequest { hash: stranger, amount: None, memo: String::new(), expiry: HOUR, final_cltv_delta: 40 };
    let error = bob.on(|node| async move { node.create_hold_invoice(&request).await }).expect_err("too few blocks");
    assert!(matches!(error, InvoiceError::FinalCltvDelta { found: 40, .. }), "{error}");
}

#[test]
fn a_block_arrives_just_before_the_deadline() {
    let chain = Chain::start();
    let [alice, mut bob] = funded(&chain, ["alice", "bob"]);
    alice.open(&bob, 1_000_000, 0, false, &chain);
    // One block before the node gives up, the word still counts.
    let (first, held) = hold(&alice, &bob, word(1));
    mine_to(&chain, held.cancel_height, 1, &[&alice, &bob]);
    assert!(matches!(state(&bob, first), HoldState::Held(_)));
    assert!(matches!(settle(&bob, first, word(1)), Ok(HoldState::Settled { .. })));
    ended(&alice, first).expect("it arrived");

    // With the next it does not.
    let (second, held) = hold(&alice, &bob, word(2));
    mine_to(&chain, held.cancel_height, 1, &[&alice, &bob]);
    assert!(matches!(state(&bob, second), HoldState::Held(_)));
    chain.mine(1, &[&alice, &bob]);
    assert_eq!(state(&bob, second), HoldState::TimedOut { height: held.cancel_height });
    refused(&alice, second);
    let error = settle(&bob, second, word(2)).expect_err("too late");
    assert_eq!(error, HoldError::TimedOut { hash: second, height: held.cancel_height });
    assert_eq!(cancel(&bob, second), Ok(HoldState::TimedOut { height: held.cancel_height }));

    // A node that was away comes back at the deadline less one: it gives up, and its channel lives on.
    let (third, held) = hold(&alice, &bob, word(3));
    bob.kill();
    mine_to(&chain, held.claim_deadline, 1, &[&alice]);
    bob.run();
    let height = bob.node().synced_to().height;
    assert_eq!(held.claim_deadline.since(height), Some(Blocks::new(1)));
    assert_eq!(state(&bob, third), HoldState::TimedOut { height });
    refused(&alice, third);

    // And one that was away for longer: LDK gave up while it read the blocks.
    let (fourth, held) = hold(&alice, &bob, word(4));
    bob.kill();
    mine_to(&chain, held.claim_deadline, 0, &[&alice]);
    chain.mine(2, &[&alice]);
    bob.run();
    assert!(matches!(state(&bob, fourth), HoldState::TimedOut { .. }));
    assert!(matches!(settle(&bob, fourth, word(4)), Err(HoldError::TimedOut { .. })));
    refused(&alice, fourth);
    is_usable(&bob);
    alice.pay(&bob, 1_000_000);
}

#[test]
fn a_restart_while_held() {
    let chain = Chain::start();
    let [mut alice, mut bob] = funded(&chain, ["alice", "bob"]);
    let channel = alice.open(&bob, 1_000_000, 0, false, &chain);
    let (first, before) = hold(&alice, &bob, word(1));
    let (second, _) = hold(&alice, &bob, word(2));
    let (third, _) = hold(&alice, &bob, word(3));
    let unpaid = ask(&bob, word(4).hash(), HOUR).expect("a hold invoice");

    bob.kill();
    bob.run();
    assert_eq!(held(&bob, first), before);
    assert_eq!(state(&bob, unpaid.hash), HoldState::Open);
    is_usable(&bob);
    assert!(matches!(settle(&bob, first, word(1)), Ok(HoldState::Settled { .. })));
    ended(&alice, first).expect("it arrived");

    // The word is durable when `settle_hold` returns: also if the peer is not there to hear it.
    alice.kill();
    eventually("alice is gone", || {
        let channel = bob.node().channel(channel.id)?;
        (channel.state == ChannelState::Offline).then_some(())
    });
    assert!(matches!(settle(&bob, second, word(2)), Ok(HoldState::Settled { .. } | HoldState::Settling { .. })));
    assert_eq!(cancel(&bob, third), Ok(HoldState::Cancelled));
    bob.kill();
    bob.run();
    alice.run();
    ended(&alice, second).expect("it arrived");
    refused(&alice, third);
    eventually("bob says so, too", || matches!(state(&bob, second), HoldState::Settled { .. }).then_some(()));
    assert_eq!(state(&bob, third), HoldState::Cancelled);
    send(&alice, &unpaid.invoice).expect("sent");
    held(&bob, unpaid.hash);
    assert!(matches!(settle(&bob, unpaid.hash, word(4)), Ok(HoldState::Settled { .. })));
    ended(&alice, unpaid.hash).expect("it arrived");
    // Each counted once, through all of it.
    assert_eq!(bob.node().record(channel.id).expect("a record").received, msat(3 * AMOUNT));
}

#[test]
fn a_reorganisation_while_held() {
    let chain = Chain::start();
    let [alice, bob] = funded(&chain, ["alice", "bob"]);
    alice.open(&bob, 1_000_000, 0, false, &chain);
    // The last block is replaced by two: heights are those of the chain that is best now.
    let (first, held) = hold(&alice, &bob, word(1));
    mine_to(&chain, held.cancel_height, 2, &[&alice, &bob]);
    reorganise(&chain, &[&alice, &bob]);
    assert_eq!(held.cancel_height.since(bob.node().synced_to().height), Some(Blocks::new(1)));
    assert!(matches!(settle(&bob, first, word(1)), Ok(HoldState::Settled { .. })));
    ended(&alice, first).expect("it arrived");

    // The height at which the node gives up is reached by a fork.
    let (second, held) = hold(&alice, &bob, word(2));
    mine_to(&chain, held.cancel_height, 1, &[&alice, &bob]);
    assert!(matches!(state(&bob, second), HoldState::Held(_)));
    reorganise(&chain, &[&alice, &bob]);
    assert_eq!(state(&bob, second), HoldState::TimedOut { height: held.cancel_height });
    refused(&alice, second);
    // What went back stays back.
    reorganise(&chain, &[&alice, &bob]);
    assert!(matches!(settle(&bob, second, word(2)), Err(HoldError::TimedOut { .. })));
}

#[test]
fn an_invoice_expires() {
    let chain = Chain::start();
    let [alice, bob] = funded(&chain, ["alice", "bob"]);
    alice.open(&bob, 1_000_000, 0, false, &chain);
    let invoice = ask(&bob, word(1).hash(), Duration::from_secs(1)).expect("a hold invoice");
    eventually("it expires", || (state(&bob, invoice.hash) == HoldState::Expired).then_some(()));
    let error = send(&alice, &invoice.invoice).expect_err("expired");
    assert!(matches!(error, PayError::Expired { .. }), "{error}");
    assert_eq!(settle(&bob, invoice.hash, word(1)), Err(HoldError::Expired(invoice.hash)));
    assert_eq!(cancel(&bob, invoice.hash), Ok(HoldState::Cancelled));
    // One that was paid in time is held on, past its expiry.
    let invoice = ask(&bob, word(2).hash(), Duration::from_secs(3)).expect("a hold invoice");
    send(&alice, &invoice.invoice).expect("sent");
    held(&bob, invoice.hash);
    let end = std::time::Instant::now() + Duration::from_secs(4);
    eventually("its expiry passes", || (std::time::Instant::now() > end).then_some(()));
    assert!(matches!(settle(&bob, invoice.hash, word(2)), Ok(HoldState::Settled { .. })));
    ended(&alice, invoice.hash).expect("it arrived");
}
