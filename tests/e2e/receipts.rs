//! Receipts: the members' own signatures under what they promise, checked by a file, and Bitcoin's word on it.

use crate::{text, up};
use bitcoincore_rpc::RpcApi as _;
use serde_json::Value;
use windlass_tests::Network;

fn bitcoind_flags(network: &Network) -> [String; 4] {
    let status = network.ok(&["status"]);
    let processes = status["processes"].as_array().expect("processes");
    let bitcoind = processes.iter().find(|process| process["name"] == "bitcoind").expect("bitcoind");
    let ports = bitcoind["ports"].as_array().expect("ports");
    let rpc = ports.iter().find(|port| port[0] == "rpc").and_then(|port| port[1].as_str()).expect("an RPC port");
    let cookie = network.home().join("bitcoin/regtest/.cookie").display().to_string();
    ["--bitcoind".into(), format!("http://{rpc}"), "--cookie".into(), cookie]
}

/// What `verify` says of the file, with Bitcoin's word.
fn shown(network: &Network, file: &str) -> Value {
    let flags = bitcoind_flags(network);
    let mut arguments = vec!["verify", file];
    arguments.extend(flags.iter().map(String::as_str));
    network.ok(&arguments)
}

#[test]
fn members_sign_what_they_promise_and_anyone_checks_it() {
    let mut network = up("receipts");
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name).to_str().expect("a path").to_owned();
    let (address, minted, paid, forged) = (path("address"), path("mint"), path("peg-out"), path("forged"));

    // An address: before a coin has come to it.
    let peg = network.ok(&["peg", "address", "alice"]);
    network.ok(&["peg", "receipt", &text(&peg, "id"), "-o", &address]);
    let offline = network.ok(&["verify", &address]);
    assert_eq!((&offline["kind"], &offline["bitcoin"]), (&"address".into(), &Value::Null));
    assert!(offline["members"].as_array().is_some_and(|members| members.len() >= 3), "{offline}");
    assert!(text(&offline, "promise").contains(&text(&peg, "address")), "{offline}");
    assert_eq!(shown(&network, &address)["bitcoin"]["outcome"], "open");

    // A mint.
    let done = network.ok(&["peg", "in", "alice", "1btc"]);
    network.ok(&["peg", "receipt", &text(&done, "id"), "-o", &minted]);
    let mint = shown(&network, &minted);
    assert_eq!((&mint["kind"], &mint["bitcoin"]["outcome"]), (&"mint".into(), &"kept".into()), "{mint}");
    assert_eq!(mint["bitcoin"]["txid"], done["state"]["txid"]);

    // A peg-out: promised when it is burned, kept when it is paid. One member is away, and it does not matter.
    network.ok(&["federation", "member", "stop", "f2"]);
    let out = network.ok(&["--no-wait", "peg", "out", "alice", "0.2btc"]);
    let id = text(&out, "id");
    network.ok(&["peg", "receipt", &id, "-o", &paid]);
    let promised = shown(&network, &paid);
    assert_eq!(promised["bitcoin"]["outcome"], "open", "{promised}");
    assert_eq!(promised["members"], serde_json::json!(["f1", "f3", "f4"]));
    let tip = crate::bitcoin_trouble::bitcoind(&network).get_block_count().expect("a tip");
    let deadline = promised["deadline"].as_u64().expect("a deadline");
    assert!((tip..=tip + 144).contains(&deadline), "{deadline} at {tip}");
    windlass_tests::until("it is paid", std::time::Duration::from_secs(60), || {
        network.ok(&["mine", "1"]);
        let outcome = shown(&network, &paid)["bitcoin"]["outcome"].clone();
        (outcome == "kept").then_some(())
    });

    // Too few members give none, and it says who is away.
    network.ok(&["federation", "member", "stop", "f4"]);
    let few = network.fails(&["peg", "receipt", &id]);
    assert!(few.text.contains("no 3 members sign the same receipt"), "{}", few.text);

    // Short, and forged: refused by name.
    let receipt: Value = serde_json::from_str(&std::fs::read_to_string(&paid).expect("a file")).expect("JSON");
    let refused = |change: &dyn Fn(&mut Value), words: &str| {
        let mut receipt = receipt.clone();
        change(&mut receipt);
        std::fs::write(&forged, receipt.to_string()).expect("written");
        let failure = network.fails(&["verify", &forged]);
        assert!(failure.text.contains(words), "{words:?}: {}", failure.text);
    };
    let signatures =
        |receipt: &mut Value| receipt["signatures"].as_array_mut().map(std::mem::take).expect("signatures");
    refused(
        &|receipt| {
            let mut all = signatures(receipt);
            all.truncate(2);
            receipt["signatures"] = all.into();
        },
        "f1, f3 signed; a receipt takes 3 members",
    );
    refused(
        &|receipt| {
            let mut all = signatures(receipt);
            all[1]["signature"] = all[0]["signature"].clone();
            receipt["signatures"] = all.into();
        },
        "the signature of f3 does not hold",
    );

    // Offline, when all is gone: the file and the genesis are enough.
    let genesis = path("genesis.json");
    std::fs::copy(network.home().join("fed/f1/genesis.json"), &genesis).expect("copied");
    network.stop();
    let offline = network.ok(&["verify", &paid, "--genesis", &genesis]);
    assert_eq!(offline["members"], serde_json::json!(["f1", "f3", "f4"]));
}
