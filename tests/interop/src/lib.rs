//! This project's Lightning node beside nodes of other makes, on one bitcoind.
//!
//! The [`scenarios`] are written once, over [`external::ExternalNode`]. This crate brings [`lnd::Lnd`]; ldk-node
//! comes from the workspace of `tests/bench-rivals`, whose packages stay out of this project's lock file.

pub mod chain;
pub mod external;
pub mod lnd;
pub mod scenarios;
pub mod wait;
pub mod windlass;
