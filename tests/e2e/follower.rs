//! A follower syncs from genesis, and `federation reserves` needs nobody's word.

use crate::{number, text, up};
use std::time::Duration;
use windlass_tests::until;

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
    let network = up("follower");
    network.ok(&["peg", "in", "alice", "0.2btc"]);
    network.ok(&["transfer", "alice", "bob", "0.05btc"]);
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
}
