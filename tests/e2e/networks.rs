//! Networks beside each other, and what a network leaves behind.

use crate::{PROGRAM, up};
use std::net::TcpListener;
use std::path::PathBuf;
use windlass_tests::Network;

#[test]
fn two_networks_run_beside_each_other_and_leave_nothing() {
    let first = up("one");
    let mut second = Network::new(PROGRAM, "two");
    second.start(&[]);
    first.ok(&["faucet", "alice", "1btc"]);
    assert_ne!(first.balance("alice"), second.balance("alice"));
    let again = second.ok(&["status"]);
    assert_eq!(again["healthy"], true, "{again}");

    second.ok(&["down", "--wipe"]);
    assert!(!second.home().exists(), "--wipe leaves nothing");
    let gone = second.fails(&["balance"]);
    assert_eq!(gone.exit, 3, "{}", gone.text);
    assert!(gone.text.contains("windlass"), "{}", gone.text);
    assert_eq!(first.ok(&["status"])["healthy"], true);
}

#[test]
fn a_port_in_use_means_the_next_free_one() {
    // Hold the usual port of the API, if nobody else does already.
    let held = TcpListener::bind(("127.0.0.1", 21021));
    let mut network = Network::new(PROGRAM, "ports");
    let output = network.command(&["--json", "up"]).env_remove("WINDLASS_PORTS").output().expect("the program starts");
    assert!(output.status.success(), "{output:?}");
    let api = network.api("hub");
    assert_ne!(api, "http://127.0.0.1:21021");
    drop(held);
    network.stop();
}

#[test]
fn up_twice_is_up_once_and_down_twice_is_down() {
    let mut network = Network::new(PROGRAM, "twice");
    // The home of its user, and the cache as it is here.
    let home = tempfile::tempdir().expect("a directory");
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache"))).unwrap_or_default();
    let mut up = network.command(&["--json", "up"]);
    let output = up.env("HOME", home.path()).env("XDG_CACHE_HOME", cache).output().expect("the program starts");
    assert!(output.status.success(), "{output:?}");
    let left: Vec<_> = std::fs::read_dir(home.path()).expect("a directory").flatten().collect();
    assert!(left.is_empty(), "nothing but the data folder and the cache is written to: {left:?}");
    let pid = network.pid("hub");
    network.start(&[]);
    assert_eq!(network.pid("hub"), pid, "nothing was restarted");
    network.stop();
    let output = network.run(&["down"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    network.start(&[]);
    assert_eq!(network.ok(&["status"])["healthy"], true);
}
