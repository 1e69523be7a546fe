//! `kill -9` of any process or of all, then `up`: everything goes on and nothing is lost.

use crate::{number, text, up};

const PROCESSES: [&str; 9] = ["f1", "f2", "f3", "f4", "alice", "bob", "carol", "bitcoind", "hub"];

#[test]
fn everything_survives_kill_9_of_each_and_of_all() {
    let mut network = up("crash");
    network.ok(&["channel", "open", "alice", "bob", "1000000sat"]);
    network.ok(&["peg", "in", "carol", "0.5btc"]);
    let invoice = text(&network.ok(&["invoice", "bob", "40000sat"]), "invoice");
    network.ok(&["pay", "alice", &invoice]);
    let carol = network.side("carol");
    let bob = number(&network.balance("bob"), "lightning_msat");
    let mut sent = 0;

    for process in PROCESSES {
        let pid = network.pid(process);
        network.kill(pid);
        network.start(&[]);
        assert_ne!(network.pid(process), pid, "{process} runs anew");
        network.ok(&["transfer", "carol", "bob", "1000sat"]);
        let invoice = text(&network.ok(&["invoice", "bob", "1000sat"]), "invoice");
        network.ok(&["pay", "alice", &invoice]);
        sent += 1000;
        assert_eq!(network.side("carol"), carol - sent, "after {process}");
        assert_eq!(number(&network.balance("bob"), "lightning_msat"), bob + sent * 1000, "after {process}");
    }

    let pids: Vec<u32> = PROCESSES.iter().map(|process| network.pid(process)).collect();
    // The hub first: what it would do about the others' death must not help.
    for pid in pids.into_iter().rev() {
        network.kill(pid);
    }
    network.start(&[]);
    assert_eq!(network.side("carol"), carol - sent);
    assert_eq!(number(&network.balance("bob"), "lightning_msat"), bob + sent * 1000);
    network.ok(&["peg", "out", "carol", "0.1btc"]);
    network.ok(&["peg", "in", "alice", "0.1btc"]);
    network.assert_reserves();
    for node in ["alice", "bob", "carol"] {
        let statement = network.ok(&["statement", node]);
        assert_eq!(statement["ok"], true, "{statement:#}");
    }
}
