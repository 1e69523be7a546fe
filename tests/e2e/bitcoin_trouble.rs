//! A bitcoind that is stopped, restarted, or reorganised around a deposit.

use crate::{number, text, up};
use bitcoincore_rpc::{Auth, Client, RpcApi as _};
use serde_json::{Value, json};
use std::time::Duration;
use windlass_tests::{Network, until};

/// A client of the network's own bitcoind.
pub fn bitcoind(network: &Network) -> Client {
    let status = network.ok(&["status"]);
    let processes = status["processes"].as_array().expect("processes");
    let process = processes.iter().find(|p| p["name"] == "bitcoind").expect("bitcoind");
    let ports = process["ports"].as_array().expect("ports");
    let rpc = ports.iter().find(|p| p[0] == "rpc").and_then(|p| p[1].as_str()).expect("an RPC port");
    let cookie = network.home().join("bitcoin/regtest/.cookie");
    Client::new(&format!("http://{rpc}"), Auth::CookieFile(cookie)).expect("a client")
}

/// Replaces the last `depth` blocks by `depth + 1` without their transactions, as a fork does: the
/// new branch is there before the old one is left.
pub fn reorg(network: &Network, depth: u64) {
    let rpc = bitcoind(network);
    let tip = rpc.get_block_count().expect("a tip");
    let fork = rpc.get_block_hash(tip - depth + 1).expect("a block");
    rpc.call::<Value>("invalidateblock", &[json!(fork)]).expect("left");
    let address = network.ok(&["address", "carol"]);
    for _ in 0..=depth {
        rpc.call::<Value>("generateblock", &[address["address"].clone(), json!([])]).expect("an empty block");
    }
    assert_eq!(rpc.get_block_count().expect("a tip"), tip + 1);
}

#[test]
fn case_07_a_deposit_is_reorged_out_and_comes_again() {
    let network = up("case07");
    for depth in 1..=3 {
        let before = network.side("alice");
        let address = network.ok(&["peg", "address", "alice"]);
        // The deposit has `depth` confirmations, and loses them all.
        network.ok(&["send", "alice", &text(&address, "address"), "0.1btc"]);
        if depth > 1 {
            network.ok(&["mine", &(depth - 1).to_string()]);
        }
        reorg(&network, depth);
        // Bitcoin Core put the transaction back into its mempool: it comes again, in another block.
        let id = text(&address, "id");
        until("the deposit is minted", Duration::from_secs(120), || {
            network.ok(&["mine", "2"]);
            let peg = network.ok(&["peg", "show", &id]);
            (peg["in"]["state"]["state"] == "minted").then_some(())
        });
        let peg = network.ok(&["peg", "show", &id]);
        assert_eq!(network.side("alice"), before + number(&peg["in"]["state"], "minted_sat"), "once, not twice");
        network.assert_reserves();
    }
    // And around the sweep: up to three blocks off the tip while it gathers confirmations.
    let before = network.side("bob");
    let address = network.ok(&["peg", "address", "bob"]);
    network.ok(&["send", "bob", &text(&address, "address"), "0.1btc"]);
    network.ok(&["mine", "5"]);
    let id = text(&address, "id");
    until("the sweep is in a block", Duration::from_secs(120), || {
        network.ok(&["mine", "1"]);
        let peg = network.ok(&["peg", "show", &id]);
        (peg["in"]["state"]["confirmations"].as_u64() >= Some(2)).then_some(())
    });
    reorg(&network, 3);
    until("the sweep is minted", Duration::from_secs(120), || {
        network.ok(&["mine", "2"]);
        let peg = network.ok(&["peg", "show", &id]);
        (peg["in"]["state"]["state"] == "minted").then_some(())
    });
    let peg = network.ok(&["peg", "show", &id]);
    assert_eq!(network.side("bob"), before + number(&peg["in"]["state"], "minted_sat"));
    network.assert_reserves();
    let statement = network.ok(&["statement", "alice"]);
    assert_eq!(statement["ok"], true, "{statement:#}");
}

#[test]
fn bitcoind_is_stopped_and_comes_back() {
    let mut network = up("bitcoind");
    network.ok(&["channel", "open", "alice", "bob", "1000000sat"]);
    network.ok(&["peg", "in", "alice", "0.1btc"]);
    let pid = network.pid("bitcoind");
    network.kill(pid);

    // Without Bitcoin: channels and the sidechain go on, what needs the chain says so.
    let invoice = text(&network.ok(&["invoice", "bob", "1000sat"]), "invoice");
    assert_eq!(network.ok(&["pay", "alice", &invoice])["state"], "succeeded");
    network.ok(&["transfer", "alice", "bob", "1000sat"]);
    let refused = network.fails(&["--timeout", "20s", "mine", "1"]);
    assert_eq!(refused.exit, 3, "{}", refused.text);
    assert!(refused.text.contains("bitcoind") && refused.text.contains("windlass up"), "{}", refused.text);
    let status = network.ok(&["status"]);
    assert_eq!(status["healthy"], false, "{status}");

    network.start(&[]);
    until("all is well again", Duration::from_secs(60), || (network.ok(&["status"])["healthy"] == true).then_some(()));
    network.ok(&["peg", "in", "bob", "0.1btc"]);
    network.ok(&["peg", "out", "alice", "0.05btc"]);
    network.assert_reserves();
}
