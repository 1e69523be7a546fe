//! The peg: coins that the federation holds together.
pub mod dkg;
pub mod share;
pub mod signing;
pub mod wire;

#[cfg(test)]
mod testing;
