//! Wallet nodes on a real bitcoind: one program for all, for linking is what costs.

mod rig;

mod wallet_lightning;
mod wallet_payments;
mod wallet_pegs;
