//! The peg: the coins that the federation holds together.
//!
//! - [`dkg`] makes the federation's key, of which each member holds a share ([`share`]).
//! - [`signing`] signs the batch that the ledger has in flight.
//! - [`deposit`] is the user's side: find, claim, reclaim.
//! - [`reserves`] recounts: do the coins on Bitcoin equal what is owed?
//! - [`anchors`] says which headers of the sidechain Bitcoin holds.
//! - [`emergency`] spends the treasury when the federation is gone.
//!
//! State machines take bytes and the time and return what is to be sent: there is no socket, task
//! or clock here. Which coins are deposits, what they are worth and which transaction is due is
//! the ledger's; this crate never decides it.

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod anchors;
pub mod deposit;
pub mod dkg;
pub mod emergency;
pub mod reserves;
pub mod share;
pub mod signing;
mod spend;
#[cfg(test)]
mod spend_tests;
pub mod wire;

pub use spend::{CoinToSpend, TooSmall};

#[cfg(test)]
mod testing;
