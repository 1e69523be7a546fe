//! Wires the crates into processes: a federation member, a follower, a wallet node. The only
//! owner of tasks, clocks and sockets; the rules live below.

pub mod api;
mod bitcoin_view;
pub mod client;
mod files;
pub mod follower;
#[doc(hidden)]
pub mod fuzzing;
pub mod handshake;
pub mod member;
pub mod promises;
pub mod reserves;
mod sidechain_api;
pub mod wallet;
