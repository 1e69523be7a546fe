//! Wires the crates into processes: a federation member, a follower, a wallet node. The only
//! owner of tasks, clocks and sockets; the rules live below.

pub mod api;
pub mod client;
pub mod wallet;
