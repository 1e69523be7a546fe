//! The whole system, end to end: a real bitcoind, real processes, real signatures, real TCP, driven
//! by the `windlass` command. Each test has a network, a directory and ports of its own.
//!
//! Tests named `case_NN_…` are those of docs/FAILURE-CASES.md.

mod assets;
mod bad_input;
mod bitcoin_trouble;
mod channels;
mod crash;
mod custody;
mod follower;
mod full_disk;
mod kill_under_load;
mod networks;
mod operator;
mod params;
mod payments;
mod peg;
mod policies;
mod receipts;
mod seats;
mod snapshot;
mod tutorial;

use windlass_tests::Network;

/// The binary under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_windlass-under-test");

/// A running network of this name.
fn up(name: &str) -> Network {
    Network::up(PROGRAM, name)
}

/// A field that must be a whole number.
fn number(value: &serde_json::Value, field: &str) -> u64 {
    value[field].as_u64().unwrap_or_else(|| panic!("{field} in {value}"))
}

/// A field that must be a text.
fn text(value: &serde_json::Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("{field} in {value}")).to_owned()
}
