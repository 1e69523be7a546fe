//! A member whose journal of votes is gone: it refuses to start, the members give its place another identity, and it
//! votes again. The chain goes on throughout.

use crate::{number, text, up};
use serde_json::Value;
use std::time::Duration;
use windlass_tests::{Network, until};

fn params(network: &Network, member: &str) -> Option<Value> {
    network.try_json(&["chain", "params", "--url", &network.api(member)]).ok()
}

fn has_said(network: &Network, words: &str) -> bool {
    let log = network.run(&["logs", "f4"]).stdout;
    String::from_utf8_lossy(&log).contains(words)
}

#[test]
fn a_member_without_its_journal_comes_back_under_another_identity() {
    let network = up("seats");
    network.ok(&["peg", "in", "alice", "1btc"]);
    let folder = network.home().join("fed").join("f4");
    until("the mark is left", Duration::from_secs(30), || folder.join("voted").exists().then_some(()));
    network.ok(&["federation", "member", "stop", "f4"]);
    std::fs::remove_dir_all(folder.join("consensus")).expect("its journal is there");
    let _ = network.try_json(&["federation", "member", "start", "f4"]);
    until("it refuses by name", Duration::from_secs(60), || has_said(&network, "journal").then_some(()));
    let _ = network.try_json(&["federation", "member", "stop", "f4"]);

    // Its operator makes another identity, and keeps what no longer counts from it.
    std::fs::write(folder.join("identity.key"), format!("{}\n", "5e".repeat(32))).expect("written");
    for gone in ["chain.redb", "voted"] {
        std::fs::remove_file(folder.join(gone)).expect("it was there");
    }
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name).to_str().expect("a path").to_owned();
    let (enrolment, file) = (path("enrolment.json"), path("proposal.json"));
    let place = folder.to_str().expect("a path").to_owned();
    let enrolled = network.ok(&["chain", "enrol", "f4", "--dir", &place, "--out", &enrolment]);
    let identity = text(&enrolled, "identity");
    let before = params(&network, "f1").expect("it answers");
    assert_eq!(number(&before["membership"]["in_force"], "number"), 0, "{before}");
    let at = number(&before, "height") + 60;
    network.ok(&["chain", "propose", "--replace", &enrolment, "--at", &at.to_string(), "-o", &file]);
    for member in ["f1", "f2", "f3"] {
        network.ok(&["chain", "sign", &file, "--member", member]);
    }
    network.ok(&["chain", "submit", &file]);
    let pending = params(&network, "f1").expect("it answers");
    assert_eq!(number(&pending["membership"]["next"], "first"), at, "{pending}");
    let shown = String::from_utf8(network.run(&["chain", "params"]).stdout).expect("text");
    assert!(shown.contains(&identity), "{shown}");

    // It follows from the first block on, under the new identity, and has a vote from its epoch on.
    network.ok(&["federation", "member", "start", "f4"]);
    let is_in = |member: &str| {
        let info = params(&network, member)?;
        let epoch = &info["membership"]["in_force"];
        (number(epoch, "number") == 1 && epoch["identities"][3] == *identity).then_some(info)
    };
    until("the epoch is in force", Duration::from_secs(240), || {
        network.ok(&["transfer", "alice", "bob", "1000sat"]);
        is_in("f1")
    });
    for member in ["f2", "f3", "f4"] {
        until("it is everywhere", Duration::from_secs(60), || is_in(member));
    }
    // Without f1 its vote is needed for each block; and it signs on Bitcoin as before.
    network.ok(&["federation", "member", "stop", "f1"]);
    let moved = network.ok(&["transfer", "alice", "bob", "1000sat"]);
    assert!(number(&moved, "height") >= at, "{moved}");
    network.ok(&["peg", "out", "alice", "0.2btc"]);

    // A proof of the new epoch leads there from the genesis.
    let proof = path("params.proof");
    network.ok(&["prove", "params", "--member", &network.api("f4"), "--out", &proof]);
    let verified = network.ok(&["verify", &proof]);
    assert_eq!(number(&verified, "epoch"), 1, "{verified}");
    network.ok(&["federation", "member", "start", "f1"]);
    // The reserves are counted from the first member's blocks: it has to know of the peg-out.
    let height = |member: &str| params(&network, member).map(|info| number(&info, "height"));
    let newest = height("f2").expect("it answers");
    until("f1 has caught up", Duration::from_secs(60), || height("f1").filter(|at| *at >= newest));
    network.assert_reserves();
}
