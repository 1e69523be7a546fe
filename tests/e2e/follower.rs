//! A follower syncs from genesis, and `federation reserves` needs nobody's word.

use crate::{number, text, up};
use serde_json::Value;
use std::time::Duration;
use windlass_tests::{Network, until};

/// A process that ends with the test, however that goes.
struct Ended(std::process::Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_new_follower_syncs_from_genesis_and_shows_the_same_reserves() {
    let mut network = up("follower");
    network.ok(&["peg", "in", "alice", "0.2btc"]);
    let sent = network.ok(&["transfer", "alice", "bob", "0.05btc"]);
    let member = network.api("f3");
    let status = network.ok(&["status"]);
    let bitcoin = status["processes"]
        .as_array()
        .and_then(|all| all.iter().find(|p| p["name"] == "bitcoind"))
        .and_then(|p| p["ports"].as_array()?.iter().find(|p| p[0] == "rpc"))
        .and_then(|p| p[1].as_str())
        .expect("bitcoind's RPC address")
        .to_owned();
    let cookie = network.home().join("bitcoin/regtest/.cookie");

    let dir = network.dir().join("follower");
    let child = network
        .command(&["follower", "run", "--dir", &dir.to_string_lossy(), "--member", &member, "--listen", "127.0.0.1:0"])
        .args(["--bitcoind", &format!("http://{bitcoin}"), "--cookie", &cookie.to_string_lossy()])
        .spawn()
        .expect("the follower starts");
    let _child = Ended(child);
    let ready = until("the follower says where it listens", Duration::from_secs(30), || {
        std::fs::read(dir.join("follower.json")).ok().and_then(|json| serde_json::from_slice(&json).ok())
    });
    let api = &text(&ready, "api");

    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let follower = windlass_node::client::MemberClient::new(api);
    let tip =
        runtime.block_on(windlass_node::client::MemberClient::new(member.clone()).chain()).expect("the member's tip");
    until("the follower is at the member's tip", Duration::from_secs(60), || {
        let chain = runtime.block_on(follower.chain()).ok()?;
        (chain.height >= tip.height).then_some(())
    });
    // Anyone, against the follower and any bitcoind.
    let report = network.ok(&[
        "federation",
        "reserves",
        "--member",
        api,
        "--bitcoind",
        &format!("http://{bitcoin}"),
        "--cookie",
        &cookie.to_string_lossy(),
    ]);
    assert_eq!(report["ok"], true, "{report}");
    assert_eq!(number(&report, "supply_sat"), number(&network.assert_reserves(), "supply_sat"));

    proofs_hold_and_lies_do_not(&mut network, api, text(&sent, "id").as_str());
}

/// Ends with the network down: who checks a proof needs nothing of it but the genesis.
fn proofs_hold_and_lies_do_not(network: &mut Network, follower: &str, transfer: &str) {
    let path = |name: &str| network.dir().join(name).to_string_lossy().into_owned();
    let (genesis, balance, nobody, sent) =
        (path("genesis.json"), path("balance.json"), path("nobody.json"), path("sent.json"));
    std::fs::copy(network.home().join("fed/f2/genesis.json"), &genesis).expect("the genesis");
    network.ok(&["prove", "account", "bob", "--out", &balance]);
    network.ok(&["prove", "transaction", transfer, "--member", follower, "--out", &sent]);
    let carol = text(&network.ok(&["address", "carol", "--side"]), "address");
    network.ok(&["prove", "account", &carol, "--member", follower, "--out", &nobody]);
    network.stop();

    let verify = |file: &str| network.try_json(&["verify", file, "--genesis", &genesis]);
    let had = verify(&balance).expect("bob's balance");
    assert_eq!(number(&had["proves"], "balance_sat"), 5_000_000, "{had}");
    assert!(had["signers"].as_array().expect("a list").len() >= 3, "{had}");
    let nothing = verify(&nobody).expect("carol's absence");
    assert_eq!(
        (&nothing["proves"]["kind"], &nothing["proves"]["exists"]),
        (&Value::from("account"), &Value::from(false))
    );
    let there = verify(&sent).expect("the transfer");
    assert_eq!(text(&there["proves"], "id"), transfer);

    let mut lie: Value = serde_json::from_slice(&std::fs::read(&balance).expect("readable")).expect("JSON");
    let value = text(&lie["claim"], "value");
    lie["claim"]["value"] = Value::from(format!("ff{}", &value[2..]));
    std::fs::write(&balance, lie.to_string()).expect("writable");
    let refused = verify(&balance).expect_err("a lie");
    assert!(refused.text.contains("proves nothing"), "{refused:?}");
}
