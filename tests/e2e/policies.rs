//! Policy accounts and transfers to many, from the command line, on a real network.

use crate::{number, text, up};
use serde_json::Value;
use std::time::Duration;
use windlass_tests::{Network, until};

/// A preimage and its SHA-256.
const PREIMAGE: &str = "2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a";
const HASH: &str = "544e62cee8033709e389e5b2755343d0d0fa8c4850215cfb6331717e80d1aea3";

fn side(network: &Network, node: &str) -> u64 {
    let balances = network.ok(&["balance", node]);
    number(&balances[0]["balance"], "sidechain_sat")
}

fn has(network: &Network, policy: &str) -> u64 {
    number(&network.ok(&["policy", "show", policy]), "balance_sat")
}

fn address(network: &Network, policy: &str) -> String {
    text(&network.ok(&["policy", "address", policy]), "address")
}

/// What a proof of the lock's state proves, to who has the file and the genesis.
fn proven(network: &Network, policy: &str) -> (Value, String) {
    let file = network.dir().join("lock.proof").to_string_lossy().into_owned();
    network.ok(&["prove", "lock", policy, "--out", &file]);
    let said = network.run(&["verify", &file]).stdout;
    (network.ok(&["verify", &file])["proves"].clone(), String::from_utf8_lossy(&said).into_owned())
}

/// The Bitcoin height that the sidechain is anchored at.
fn anchor(network: &Network) -> u64 {
    number(&network.ok(&["status"])["sidechain"]["anchor"], "height")
}

#[test]
fn a_hash_lock_is_claimed_by_its_preimage_or_refunded_after_its_height() {
    let network = up("locks");
    network.ok(&["peg", "in", "alice", "0.1btc"]);
    let timeout = anchor(&network) + 30;
    let lock = format!("or(and(key(bob),sha256({HASH})),and(key(alice),after({timeout})))");
    let lock = lock.as_str();
    let to = address(&network, lock);
    assert!(to.starts_with("wlrtp1"), "{to}");
    network.ok(&["transfer", "alice", &to, "50000sat"]);
    assert_eq!(has(&network, lock), 50_000);

    let (lock_state, said) = proven(&network, lock);
    assert_eq!((text(&lock_state, "kind"), text(&lock_state, "address")), ("lock".to_owned(), to.clone()));
    assert_eq!((number(&lock_state, "balance_sat"), &lock_state["spent_from"]), (50_000, &Value::Bool(false)));
    assert_eq!((number(&lock_state["terms"], "timeout"), &lock_state["terms"]["reached"]), (timeout, &false.into()));
    assert!(lock_state["hashes"][0]["preimage"].is_null(), "{lock_state}");
    assert!(said.contains(&format!("No preimage of {HASH} had been shown")), "{said}");
    assert!(said.contains(&format!("up to block {timeout}, which it had not yet")), "{said}");
    let failure = network.fails(&["prove", "lock", "thresh(2,key(alice),key(bob))"]);
    assert!(failure.text.contains("asks for no preimage"), "{}", failure.text);

    // Too early for Alice; Bob without the preimage, with a wrong one, and Carol who has no key.
    let failure = network.fails(&["policy", "spend", "alice", lock, "alice=50000sat"]);
    assert!(failure.text.contains(&format!("after({timeout})")), "{}", failure.text);
    let failure = network.fails(&["policy", "spend", "bob", lock, "bob=50000sat"]);
    assert!(failure.text.contains("sha256("), "{}", failure.text);
    let wrong = "00".repeat(32);
    let failure = network.fails(&["policy", "spend", "bob", lock, "bob=50000sat", "--preimage", &wrong]);
    assert!(failure.text.contains("does not ask for this preimage"), "{}", failure.text);
    network.fails(&["policy", "spend", "carol", lock, "carol=50000sat", "--preimage", PREIMAGE]);
    let failure = network.fails(&["policy", "preimage", HASH]);
    assert!(failure.text.contains("no policy account was spent from"), "{}", failure.text);

    // Claimed, and the preimage is there for whoever waits for it.
    let before = side(&network, "bob");
    let spent = network.ok(&["policy", "spend", "bob", lock, "bob=20000sat", "--preimage", PREIMAGE]);
    assert_eq!(side(&network, "bob"), before + 20_000);
    let shown = network.ok(&["policy", "preimage", HASH]);
    assert_eq!((text(&shown, "preimage"), text(&shown, "id")), (PREIMAGE.to_owned(), text(&spent, "id")));

    let (lock_state, said) = proven(&network, lock);
    assert_eq!((number(&lock_state, "balance_sat"), &lock_state["spent_from"]), (30_000, &Value::Bool(true)));
    assert_eq!(lock_state["hashes"][0]["preimage"], PREIMAGE);
    let id = text(&spent, "id");
    assert!(said.contains(&format!("The preimage of {HASH} is {PREIMAGE}: transaction {id} in block ")), "{said}");

    // What he left there is Alice's again, once the height is reached.
    let before = side(&network, "alice");
    let missing = timeout - anchor(&network);
    network.ok(&["mine", &missing.to_string()]);
    until("the anchor at the height", Duration::from_secs(60), || (anchor(&network) >= timeout).then_some(()));
    network.ok(&["policy", "spend", "alice", lock, "alice=30000sat"]);
    assert_eq!((side(&network, "alice"), has(&network, lock)), (before + 30_000, 0));
    network.assert_reserves();
}

fn draft(network: &Network, file: &std::path::Path, change: impl FnOnce(&mut Value)) -> String {
    let mut draft: Value = serde_json::from_slice(&std::fs::read(file).expect("the draft")).expect("JSON");
    change(&mut draft);
    let path = network.dir().join("changed.json");
    std::fs::write(&path, draft.to_string()).expect("written");
    path.to_string_lossy().into_owned()
}

#[test]
fn two_of_three_sign_a_file_one_after_the_other() {
    let network = up("multisig");
    network.ok(&["peg", "in", "alice", "0.1btc"]);
    let policy = "thresh(2,key(alice),key(bob),key(carol))";
    // One transaction to the policy and to a node, with the sum of both.
    let to = address(&network, policy);
    let sent = network.ok(&["transfer", "alice", &to, "50000sat", "--and", "bob=1000sat", "--and", "carol=2000sat"]);
    assert_eq!(number(&sent, "total_sat"), 53_000);
    assert_eq!([has(&network, policy), side(&network, "bob"), side(&network, "carol")], [50_000, 1_000, 2_000]);

    let failure = network.fails(&["policy", "spend", "bob", policy, "carol=40000sat"]);
    assert!(failure.text.contains("--out FILE"), "{}", failure.text);
    let file = network.dir().join("draft.json");
    let path = file.to_string_lossy().into_owned();
    let made = network.ok(&["policy", "spend", "bob", policy, "carol=30000sat", "alice=10000sat", "--out", &path]);
    assert_eq!((made["complete"].as_bool(), made["pays"].as_array().map(Vec::len)), (Some(false), Some(2)));
    let failure = network.fails(&["policy", "submit", "bob", &path]);
    assert!(failure.text.contains("not satisfied"), "{}", failure.text);

    // A draft that was tampered with is signed by nobody: another policy, another transaction, a false signature.
    let other = text(&network.ok(&["policy", "show", "and(key(alice),key(carol))"]), "policy");
    let changed = draft(&network, &file, |draft| draft["policy"] = other.into());
    assert!(network.fails(&["policy", "sign", "carol", &changed]).text.contains("its policy's account"));
    let changed = draft(&network, &file, |draft| draft["signatures"][0]["signature"] = "01".repeat(64).into());
    assert!(network.fails(&["policy", "sign", "carol", &changed]).text.contains("does not hold"));

    let signed = network.ok(&["policy", "sign", "carol", &path]);
    assert_eq!((signed["complete"].as_bool(), text(&signed, "id")), (Some(true), text(&made, "id")));
    let before = side(&network, "carol");
    let done = network.ok(&["policy", "submit", "alice", &path]);
    assert_eq!(text(&done, "id"), text(&made, "id"));
    assert_eq!((side(&network, "carol"), has(&network, policy)), (before + 30_000, 10_000));
    // Handed in again it is the same one, not another payment.
    assert_eq!(network.ok(&["policy", "submit", "alice", &path]), done);
    assert_eq!(has(&network, policy), 10_000);
    network.assert_reserves();
}
