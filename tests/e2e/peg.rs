//! The peg: in, across and out; with members down; and back to the user when the federation is
//! gone.

use crate::{number, text, up};
use std::time::Duration;
use windlass_tests::until;

const SAT: u64 = 100_000_000;

#[test]
fn bitcoin_goes_in_across_and_out() {
    let network = up("peg");
    assert_eq!(number(&network.assert_reserves(), "reserve_sat"), 0);
    let minted = network.ok(&["peg", "in", "alice", "1btc"]);
    assert_eq!(minted["state"]["stage"], "on_sidechain", "{minted}");
    assert_eq!(minted["state"]["state"], "minted", "{minted}");
    let credited = number(&minted["state"], "minted_sat");
    assert_eq!(credited + number(&minted["state"], "fee_sat"), SAT, "1:1, less the share of the sweep's fee");
    assert_eq!(network.side("alice"), credited);
    assert_eq!(number(&network.assert_reserves(), "supply_sat"), credited);

    network.ok(&["transfer", "alice", "carol", "0.4btc"]);
    assert_eq!(network.side("carol"), 40_000_000);
    assert_eq!(number(&network.assert_reserves(), "supply_sat"), credited);

    let before = number(&network.balance("carol"), "bitcoin_sat");
    let out = network.ok(&["peg", "out", "carol", "0.25btc"]);
    assert_eq!(out["state"]["state"], "paid", "{out}");
    let paid = number(&out["state"], "paid_sat");
    assert_eq!(paid + number(&out["state"], "fee_sat"), 25_000_000);
    assert_eq!(number(&network.balance("carol"), "bitcoin_sat"), before + paid);
    assert_eq!(number(&network.assert_reserves(), "supply_sat"), credited - 25_000_000);
    let anchors = network.ok(&["anchors"]);
    assert_eq!((&anchors["ok"], anchors["anchors"].as_array().map(Vec::len)), (&true.into(), Some(2)), "{anchors}");
    assert_eq!(number(&anchors["anchors"][1], "supply_sat"), credited - 25_000_000);

    // The last satoshi can leave.
    for node in ["alice", "carol"] {
        let rest = format!("{}sat", network.side(node));
        network.ok(&["peg", "out", node, &rest]);
        assert_eq!(network.side(node), 0);
    }
    assert_eq!(number(&network.assert_reserves(), "reserve_sat"), 0);
    for node in ["alice", "bob", "carol"] {
        let statement = network.ok(&["statement", node]);
        assert_eq!(statement["ok"], true, "{statement:#}");
    }
}

#[test]
fn a_quote_is_kept_and_sends_nothing() {
    let network = up("quote");
    let tip = || number(&network.ok(&["federation", "reserves"])["tip"], "height");
    let before = (network.balance("alice"), tip());
    let quote = network.ok(&["peg", "quote", "in", "alice", "1btc"]);
    assert_eq!((network.balance("alice"), tip()), before, "nothing was sent");
    assert_eq!(number(&quote, "arrives_sat_min") + number(&quote, "peg_fee_sat_max"), 100_000_000);
    assert_eq!(number(&quote, "bitcoin_height"), before.1);
    let reclaim_blocks = number(&network.ok(&["peg", "address", "alice"]), "reclaim_blocks");
    assert_eq!(number(&quote, "reclaim_height"), before.1 + 1 + reclaim_blocks);

    let done = network.ok(&["peg", "in", "alice", "1btc"]);
    // Alone in its batch it pays what a batch without a treasury coin costs: less than the bound, never more.
    assert!(number(&done["state"], "minted_sat") >= number(&quote, "arrives_sat_min"), "{done}");
    assert_eq!(done["reclaim_height"], quote["reclaim_height"]);
    let sent = number(&before.0, "bitcoin_sat") - number(&network.balance("alice"), "bitcoin_sat");
    assert_eq!(sent, 100_000_000 + number(&quote, "deposit_fee_sat"));
    let took = tip() - before.1;
    assert!((number(&quote, "blocks")..=number(&quote, "blocks_max")).contains(&took), "{took} blocks, {quote}");

    let side = number(&network.ok(&["federation", "reserves"]), "height");
    let quote = network.ok(&["peg", "quote", "out", "alice", "0.5btc", "--to", "bob"]);
    assert!(number(&quote, "params_height") >= side, "{quote}");
    assert_eq!((number(&quote, "blocks"), &quote["warnings"]), (1, &serde_json::json!([])));
    let out = network.ok(&["peg", "out", "alice", "0.5btc", "--to", "bob"]);
    let (paid, fee) = (number(&out["state"], "paid_sat"), number(&out["state"], "fee_sat"));
    assert_eq!((paid, fee), (number(&quote, "arrives_sat_min"), number(&quote, "peg_fee_sat_max")), "it was alone");
    // Where more is asked for than there is, or than the rules allow, it says so before anything is burned.
    let quote = network.ok(&["peg", "quote", "out", "alice", "9btc"]);
    assert!(quote["warnings"][0].as_str().is_some_and(|warning| warning.contains("the account has")), "{quote}");
    for (way, amount, says) in [("in", "1sat", "a deposit of"), ("out", "1sat", "a peg-out of")] {
        let refused = network.fails(&["peg", "quote", way, "alice", amount]);
        assert_eq!(refused.exit, 2, "{}", refused.text);
        assert!(refused.text.contains(says), "{}", refused.text);
    }
    let refused = network.fails(&["peg", "quote", "in", "alice", "1btc", "--to", "bob"]);
    assert_eq!(refused.exit, 2, "{}", refused.text);
}

#[test]
fn case_26_one_member_down_works_two_down_stalls_and_resumes() {
    let network = up("case26");
    network.ok(&["federation", "member", "stop", "f2"]);
    network.ok(&["peg", "in", "alice", "0.5btc"]);
    network.ok(&["peg", "out", "alice", "0.1btc"]);
    network.assert_reserves();

    // Two down: nothing is agreed on and nothing is signed.
    network.ok(&["federation", "member", "stop", "f4"]);
    let before = network.ok(&["federation", "reserves"]);
    let stalled = network.fails(&["--timeout", "15s", "transfer", "alice", "bob", "1000sat"]);
    assert_eq!(stalled.exit, 5, "{}", stalled.text);
    let after = network.ok(&["federation", "reserves"]);
    assert_eq!(before["height"], after["height"], "no block without a quorum");

    // One is back: it resumes without further ado.
    network.ok(&["federation", "member", "start", "f4"]);
    until("the sidechain goes on", Duration::from_secs(60), || {
        let report = network.try_json(&["federation", "reserves"]).ok()?;
        (report["height"].as_u64() > after["height"].as_u64()).then_some(())
    });
    network.ok(&["peg", "out", "alice", "0.1btc"]);
    network.ok(&["federation", "member", "start", "f2"]);
    until("f2 catches up", Duration::from_secs(60), || {
        let members = network.ok(&["federation", "show"])["members"].clone();
        let heights: Vec<_> = members.as_array()?.iter().map(|m| m["height"].as_u64()).collect();
        (heights.iter().all(|h| h.is_some_and(|h| h + 3 >= heights[0].unwrap_or(0)))).then_some(())
    });
    network.assert_reserves();
}

#[test]
fn a_deposit_is_reclaimed_with_the_whole_federation_dead() {
    let network = up("reclaim");
    let address = network.ok(&["peg", "address", "bob"]);
    for member in ["f1", "f2", "f3", "f4"] {
        network.ok(&["federation", "member", "stop", member]);
    }
    network.ok(&["send", "bob", &text(&address, "address"), "0.3btc"]);
    let id = text(&address, "id");
    let early = network.fails(&["peg", "reclaim", &id]);
    assert!(early.text.contains("windlass mine"), "it says how many blocks are missing: {}", early.text);
    let blocks = number(&address, "reclaim_blocks").to_string();
    network.ok(&["mine", &blocks]);
    let before = number(&network.balance("bob"), "bitcoin_sat");
    let reclaimed = network.ok(&["peg", "reclaim", &id]);
    let peg = &reclaimed["in"];
    assert_eq!(peg["state"]["stage"], "reclaiming", "{reclaimed}");
    let fee = number(&peg["state"], "fee_sat");
    assert_eq!(number(&network.balance("bob"), "bitcoin_sat"), before + 30_000_000 - fee);

    // The federation comes back and mints nothing for it.
    for member in ["f1", "f2", "f3", "f4"] {
        network.ok(&["federation", "member", "start", member]);
    }
    network.ok(&["mine", "12"]);
    until("the members have passed the reclaim", Duration::from_secs(60), || {
        let report = network.try_json(&["federation", "reserves"]).ok()?;
        let behind = number(&report["tip"], "height") - number(&report["anchor"], "height");
        (behind <= 6).then_some(())
    });
    assert_eq!(network.side("bob"), 0);
    assert_eq!(number(&network.assert_reserves(), "reserve_sat"), 0);
    let statement = network.ok(&["statement", "bob"]);
    assert_eq!(statement["ok"], true, "{statement:#}");
}
