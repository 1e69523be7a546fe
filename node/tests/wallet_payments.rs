//! Payments of all kinds over the API of two wallet nodes on a real bitcoind.

use crate::rig::{Node, Rig, eventually};
use windlass_node::api::Code;
use windlass_node::api::payments::{
    ClaimRequest, HoldRequest, HoldState, KeysendRequest, Limits, OfferRequest, PaymentKind, PolicyRequest,
    ProbeRequest, RefundRequest, SettleRequest,
};
use windlass_node::api::wallet::{PayRequest, PaymentState};
use windlass_types::Msat;

const SECONDS: u64 = 30;

#[tokio::test(flavor = "multi_thread")]
async fn hold_keysend_probe_offer_refund_and_policy() {
    let rig = Rig::start().await;
    let alice = Node::start(&rig.folder("alice", vec![])).await;
    let bob = Node::start(&rig.folder("bob", vec![])).await;
    rig.fund(&[&alice, &bob]).await;
    let id = rig.open_channel(&alice, &bob, Msat::new(200_000_000)).await;
    let bobs = bob.api.info().await.expect("info").node_id;

    // A hold invoice with a preimage that the node made.
    let ask = HoldRequest {
        payment_hash: None,
        amount_msat: Some(Msat::new(5_000_000)),
        memo: "a swap".into(),
        expiry_seconds: 600,
        final_cltv_delta: Some(100),
    };
    let made = bob.api.new_hold(&ask).await.expect("a hold invoice");
    let preimage = made.new_preimage.expect("a preimage");
    let hash = made.hold.payment_hash.clone();
    let pay = PayRequest { invoice: made.hold.invoice, ..PayRequest::default() };
    assert_eq!(alice.api.pay(&pay).await.expect("under way").state, PaymentState::Pending);
    let held = eventually("it is held", || async {
        let hold = bob.api.hold(&hash[..10]).await.ok()?;
        (hold.state == HoldState::Held).then_some(hold)
    })
    .await;
    assert_eq!((held.held_msat, held.channels.as_slice()), (ask.amount_msat, [id.clone()].as_slice()));
    assert!(held.cancel_height < held.claim_deadline && held.preimage.is_none());
    let wrong = SettleRequest { preimage: "00".repeat(32) };
    assert_eq!(bob.api.settle_hold(&hash, &wrong).await.expect_err("wrong").code, Code::Usage);
    let settled = bob.api.settle_hold(&hash, &SettleRequest { preimage: preimage.clone() }).await.expect("ours");
    assert_eq!(settled.preimage, Some(preimage));
    assert_eq!(bob.api.cancel_hold(&hash).await.expect_err("settled").code, Code::Conflict);
    assert_eq!(bob.api.cancel_hold("feed").await.expect_err("unknown").code, Code::NotFound);
    assert_eq!(bob.api.holds().await.expect("a list").len(), 1);

    // Keysend and a probe.
    let limits = Limits::default();
    let send =
        KeysendRequest { node_id: bobs.clone(), amount_msat: Msat::new(1_000_001), limits, timeout_seconds: SECONDS };
    let sent = alice.api.keysend(&send).await.expect("it arrives");
    assert_eq!((sent.state, sent.kind), (PaymentState::Succeeded, PaymentKind::Keysend));
    let probe = ProbeRequest { to: bobs, amount_msat: Some(Msat::new(1_000_000)), limits };
    let found = alice.api.probe(&probe).await.expect("a probe");
    assert_eq!((found.reaches, found.fee_msat), (true, Some(Msat::ZERO)));
    let much = ProbeRequest { amount_msat: Some(Msat::new(999_000_000)), ..probe };
    let found = alice.api.probe(&much).await.expect("a probe");
    assert!(!found.reaches && found.obstacle.expect("why").contains("gets there now"));

    // An offer, paid with a note; what both ends say of it is the same payment.
    let ask = OfferRequest { amount_msat: None, description: "tips".into(), expiry_seconds: None };
    let offer = bob.api.new_offer(&ask).await.expect("an offer").offer;
    let pay = PayRequest {
        invoice: format!("bitcoin:?lno={offer}"),
        amount_msat: Some(Msat::new(2_000_000)),
        note: Some("thanks".into()),
        limits,
        timeout_seconds: SECONDS,
    };
    let paid = alice.api.pay(&pay).await.expect("it arrives");
    assert_eq!((paid.state, paid.kind), (PaymentState::Succeeded, PaymentKind::Offer));
    let got = eventually("bob has it", || async {
        let offers = bob.api.offers().await.ok()?;
        (offers[0].payments == 1).then(|| offers[0].clone())
    })
    .await;
    assert_eq!(got.received_msat, Msat::new(2_000_000));
    let listed = bob.api.payments().await.expect("payments");
    let noted = listed.iter().find(|payment| payment.payer_note.is_some()).expect("a note");
    assert_eq!(
        (noted.payment_hash.as_str(), noted.payer_note.as_deref()),
        (paid.payment_hash.as_str(), Some("thanks"))
    );
    let twice = Limits { max_fee_msat: Some(Msat::ZERO), max_fee_ppm: Some(1), ..limits };
    assert_eq!(alice.api.pay(&PayRequest { limits: twice, ..pay }).await.expect_err("two limits").code, Code::Usage);

    // A refund.
    let ask =
        RefundRequest { amount_msat: Msat::new(700_000), description: "sorry".into(), expiry_seconds: 600, limits };
    let refund = bob.api.new_refund(&ask).await.expect("a refund").refund;
    let claim = ClaimRequest { refund, timeout_seconds: SECONDS };
    let back = alice.api.claim_refund(&claim).await.expect("the money");
    assert_eq!((back.state, back.amount_msat), (PaymentState::Succeeded, Some(Msat::new(700_000))));

    // The policy: what is not given stays.
    let before = bob.api.policy(&id[..8]).await.expect("a policy");
    let change = PolicyRequest { base_msat: None, ppm: Some(77), cltv_delta: None };
    let after = bob.api.set_policy(&id[..8], &change).await.expect("set");
    assert_eq!((after.base_msat, after.ppm, after.cltv_delta), (before.base_msat, 77, before.cltv_delta));
    assert!(bob.api.forwards().await.expect("a list").is_empty());
    alice.stop().await;
    bob.stop().await;
}
