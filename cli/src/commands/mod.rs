//! One file per command: its arguments and what it asks the hub.

pub mod address;
pub mod balance;
pub mod channel;
pub mod completions;
pub mod demo;
pub mod doctor;
pub mod down;
pub mod faucet;
pub mod federation;
pub mod invoice;
pub mod logs;
pub mod mine;
pub mod node;
pub mod pay;
pub mod payment;
pub mod peer;
pub mod peg;
pub mod process;
pub mod send;
pub mod statement;
pub mod status;
pub mod transfer;
pub mod up;
pub mod values;
