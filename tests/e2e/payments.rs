//! Every way to pay that the command line has: offers, refunds, keysend, probes, a fee policy, limits, hold invoices.
//! After each, the three nodes hold in their channels what they held together before.

use crate::{number, text, up};
use serde_json::Value;
use std::process::{Child, Stdio};
use std::time::Duration;
use windlass_tests::{Network, until};

const NODES: [&str; 3] = ["alice", "bob", "carol"];

/// Alice, bob and carol in a row, and bob's channel to carol.
fn row(name: &str) -> (Network, String) {
    let network = up(name);
    network.ok(&["channel", "open", "alice", "bob", "1000000sat"]);
    let second = network.ok(&["channel", "open", "bob", "carol", "500000sat", "--push", "100000sat"]);
    (network, text(&second, "id"))
}

fn lightning(network: &Network) -> [u64; 3] {
    NODES.map(|node| number(&network.balance(node), "lightning_msat"))
}

/// What `change` moved in each node's channels, in msat; between them nothing is lost.
fn moved<T>(network: &Network, change: impl FnOnce() -> T) -> (T, [i64; 3]) {
    let before = lightning(network);
    let result = change();
    let moved = || {
        let after = lightning(network);
        let moved = std::array::from_fn(|i| {
            i64::try_from(after[i]).expect("little") - i64::try_from(before[i]).expect("little")
        });
        // The last of the three may hear of it a moment later.
        (moved.iter().sum::<i64>() == 0).then_some(moved)
    };
    (result, until("the nodes agree on who has what", Duration::from_secs(30), moved))
}

fn succeeded(payment: &Value, amount_msat: u64) -> i64 {
    assert_eq!((&payment["state"], number(payment, "amount_msat")), (&"succeeded".into(), amount_msat), "{payment}");
    i64::try_from(number(payment, "fee_msat")).expect("little")
}

#[test]
fn offers_refunds_keysend_and_probes() {
    let (network, _) = row("payments");

    let offer = text(&network.ok(&["offer", "create", "carol", "-m", "tips"]), "offer");
    for (amount, msat) in [("2000sat", 2_000_000), ("3500msat", 3_500)] {
        let (paid, moved) = moved(&network, || network.ok(&["pay", "alice", &offer, amount, "--note", "thanks"]));
        let fee = succeeded(&paid, msat);
        let msat = i64::try_from(msat).expect("little");
        assert!(fee > 0 && paid["kind"] == "offer", "{paid}");
        assert_eq!(moved, [-msat - fee, fee, msat]);
    }
    let offers = network.ok(&["offer", "list", "carol"]);
    assert_eq!((number(&offers[0], "payments"), number(&offers[0], "received_msat")), (2, 2_003_500), "{offers}");
    let received = network.ok(&["payment", "list", "carol"]);
    let noted = received.as_array().expect("payments").iter().filter(|payment| payment["payer_note"] == "thanks");
    assert_eq!(noted.count(), 2, "{received}");
    assert!(network.fails(&["pay", "alice", &offer]).text.contains("amount"), "an offer that states none");

    let refund = text(&network.ok(&["refund", "create", "carol", "1500sat", "-m", "sorry"]), "refund");
    let own = network.fails(&["refund", "claim", "carol", &refund]);
    assert!(own.exit == 2 && own.text.contains("own"), "{own:?}");
    // Alice has paid bob less than the reserve that he must keep: nothing can come back to her yet.
    let full = network.fails(&["refund", "claim", "alice", &refund]);
    assert!(full.text.contains("can receive") && full.text.contains("channel open"), "{full:?}");
    network.ok(&["pay", "alice", &offer, "20000sat"]);
    let (claimed, back) = moved(&network, || network.ok(&["refund", "claim", "alice", &refund]));
    succeeded(&claimed, 1_500_000);
    assert!(back[0] == 1_500_000 && back[1] > 0, "{back:?}");

    let (sent, by_keysend) = moved(&network, || network.ok(&["keysend", "alice", "carol", "700sat"]));
    let fee = succeeded(&sent, 700_000);
    assert_eq!(by_keysend, [-700_000 - fee, fee, 700_000]);
    let (refused, nothing) = moved(&network, || network.fails(&["keysend", "alice", "carol", "999msat"]));
    assert!(refused.exit == 1 && nothing == [0; 3], "{refused:?}, {nothing:?}");

    let (probe, nothing) = moved(&network, || network.ok(&["probe", "alice", "carol", "700sat"]));
    assert_eq!((&probe["reaches"], number(&probe, "fee_msat")), (&true.into(), u64::try_from(fee).expect("a fee")));
    assert_eq!(nothing, [0; 3], "a probe costs nothing");
    let probe = network.ok(&["probe", "alice", "carol", "900000sat"]);
    assert!(probe["reaches"] == false && probe["obstacle"].is_string(), "{probe}");

    let forwards = network.ok(&["payment", "forwards", "bob"]);
    assert_eq!(forwards.as_array().map(Vec::len), Some(5), "three for the offer, the refund, the keysend: {forwards}");
}

#[test]
fn a_policy_is_asked_and_limits_are_kept() {
    let (network, second) = row("policies");
    let policy = network.ok(&["channel", "policy", "bob", &second, "--base", "5sat", "--ppm", "1000"]);
    assert_eq!((number(&policy, "base_msat"), number(&policy, "ppm")), (5_000, 1_000), "{policy}");

    // 5 sat, and a thousandth of 10,000 sat. Alice hears of it by gossip.
    let fee = 15_000;
    until("alice knows the price", Duration::from_secs(60), || {
        (number(&network.ok(&["probe", "alice", "carol", "10000sat"]), "fee_msat") == fee).then_some(())
    });
    let invoice = text(&network.ok(&["invoice", "carol", "10000sat"]), "invoice");
    let (dear, nothing) =
        moved(&network, || network.fails(&["pay", "alice", &invoice, "--max-fee", "14sat", "--retry", "1s"]));
    assert!(dear.text.contains("cheapest") && nothing == [0; 3], "{dear:?}");
    let far = network.fails(&["pay", "alice", &invoice, "--max-cltv", "20", "--retry", "1s"]);
    assert!(far.text.contains("blocks"), "{far:?}");
    let (paid, by_paying) = moved(&network, || network.ok(&["pay", "alice", &invoice, "--max-fee", "0.15%"]));
    assert_eq!(succeeded(&paid, 10_000_000), 15_000);
    assert_eq!(by_paying, [-10_015_000, 15_000, 10_000_000]);
    let forwards = network.ok(&["payment", "forwards", "bob"]);
    assert_eq!(number(&forwards[0], "fee_msat"), fee, "{forwards}");
}

/// `windlass pay`, which waits for the end.
fn start_to_pay(network: &Network, from: &str, invoice: &str) -> Child {
    let mut command = network.command(&["--json", "pay", from, invoice]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
}

#[test]
fn a_hold_invoice_is_settled_or_cancelled() {
    let (network, _) = row("holds");
    let hold = |amount: &str| {
        let hold = network.ok(&["invoice", "carol", amount, "--hold-new", "--cltv-delta", "60"]);
        assert_eq!((&hold["state"], number(&hold, "final_cltv_delta")), (&"open".into(), 60), "{hold}");
        (text(&hold, "payment_hash"), text(&hold, "invoice"), text(&hold, "new_preimage"))
    };
    let held = |hash: &str| {
        until("it is held", Duration::from_secs(60), || {
            let list = network.ok(&["invoice", "list", "carol", "--held"]);
            list.as_array().expect("a list").iter().find(|hold| hold["payment_hash"] == *hash).cloned()
        })
    };

    let (hash, invoice, preimage) = hold("5000sat");
    let early = network.fails(&["invoice", "settle", "carol", &hash, &preimage]);
    assert_eq!(early.exit, 1, "nothing is held yet: {early:?}");
    let (paid, by_settling) = moved(&network, || {
        let paying = start_to_pay(&network, "alice", &invoice);
        let waiting = held(&hash);
        assert_eq!(number(&waiting, "held_msat"), 5_000_000, "{waiting}");
        assert!(number(&waiting, "cancel_height") < number(&waiting, "claim_deadline"), "{waiting}");
        let wrong = network.fails(&["invoice", "settle", "carol", &hash, &"00".repeat(32)]);
        assert!(wrong.exit == 2 && wrong.text.contains("its hash is"), "another preimage: {wrong:?}");
        assert_eq!(network.ok(&["invoice", "settle", "carol", &hash, &preimage])["state"], "settled");
        let output = paying.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice::<Value>(&output.stdout).expect("JSON")
    });
    let fee = succeeded(&paid, 5_000_000);
    assert_eq!(text(&paid, "preimage"), preimage);
    assert_eq!(by_settling, [-5_000_000 - fee, fee, 5_000_000]);

    let (hash, invoice, _) = hold("6000sat");
    let (output, nothing) = moved(&network, || {
        let paying = start_to_pay(&network, "alice", &invoice);
        held(&hash);
        assert_eq!(network.ok(&["invoice", "cancel", "carol", &hash])["state"], "cancelled");
        paying.wait_with_output().expect("it ends")
    });
    assert_eq!((output.status.code(), nothing), (Some(1), [0; 3]), "{output:?}");
    let list = network.ok(&["invoice", "list", "carol"]);
    // Both may be of the same second: in which order they stand is chance then.
    let mut states: Vec<String> = list.as_array().expect("a list").iter().map(|hold| text(hold, "state")).collect();
    states.sort_unstable();
    assert_eq!(states, ["cancelled", "settled"], "{list}");
}
