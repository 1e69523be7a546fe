//! A whole Windlass network on regtest: a real bitcoind, found or built; a federation and
//! Lightning nodes as processes; the hub that supervises them and answers the commands.
//!
//! Nothing here is on a production path: members and nodes run without this crate.

pub mod api;
pub mod bitcoind;
pub mod command;
pub mod doctor;
pub mod ports;
pub mod progress;
