//! The `windlass` command line: thin over the hub's API.
//!
//! A command reads its arguments, asks the hub one verb (`windlass_regtest::api`), and prints the
//! answer. No rule of the ledger, the peg or Lightning lives here. The same binary is also every
//! long-running process (`member run`, `node run`, `follower run`, `hub run`).
//!
//! stdout carries the result and nothing else; progress and errors go to stderr. Exit codes: 0
//! done, 1 failed, 2 usage, 3 not running, 4 not enough funds, 5 timed out.

mod args;
mod color;
mod commands;
mod context;
mod demo;
mod duration;
mod hub;
mod network;
mod output;
mod progress;
mod render;
mod run;

pub use run::main;
