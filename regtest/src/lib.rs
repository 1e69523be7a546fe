//! A whole Windlass network on regtest: a real bitcoind, found or built; a federation and
//! Lightning nodes as processes; the hub that supervises them and answers the commands.
//!
//! - [`bitcoind`]: a bitcoind, without asking the user for anything.
//! - [`process`]: children that are started, watched, and ended by id.
//! - [`network`]: up and down, from the outside.
//! - [`hub`] and [`api`]: the process in the middle, and its verbs.
//! - [`doctor`]: what the machine lacks.
//!
//! Nothing here is on a production path: members and nodes run without this crate.

pub mod api;
pub mod bitcoind;
pub mod command;
pub mod doctor;
mod files;
pub mod hub;
pub mod layout;
pub mod neighbours;
pub mod network;
pub mod ports;
pub mod process;
pub mod progress;
pub mod reserves;
pub mod run;
mod verbs;
