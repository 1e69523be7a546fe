//! The peg: coins that the federation holds together.
pub mod dkg;
pub mod share;
pub mod wire;
