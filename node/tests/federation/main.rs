//! Federations of four member processes on a real bitcoind.

#![allow(clippy::unwrap_used)]

mod api;
mod chain;
mod chaos;
mod deaths;
mod fed;
mod promises;
mod purse;
mod scripts;
mod steps;
mod vetoes;
mod voyage;

/// Not a test: what the members' processes run.
#[test]
fn a_member_process() {
    fed::be_a_member();
}

/// Not a test: what a lying member's process runs.
#[test]
fn a_lying_member_process() {
    chaos::liar::be_a_liar();
}
