//! `just bench channels`: this project's node and ldk-node, side by side in one run on one bitcoind.
//!
//! Each make's nodes and their load live in a process of their own (a worker), talk real TCP on
//! 127.0.0.1 and write to a real disk. The bench lets the workers work in turn, round by round, so that
//! all see the same machine, and takes medians over the rounds. See docs/PERFORMANCE.md.

mod child;
mod disk;
mod endurance;
mod load;
mod matrix;
mod protocol;
mod report;
mod rig;
mod syncs;
mod usage;
mod worker;

use anyhow::Result;
use clap::{Parser, Subcommand};
use protocol::{Impl, Shape};
use std::path::PathBuf;
use windlass_interop::chain::Chain;

/// Payments per second of this project's node and of ldk-node, side by side.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    options: matrix::Options,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// For a long time: the rate of each minute.
    Long(endurance::Long),
    /// The payer's start with many payments behind it.
    Restart(endurance::Restart),
    /// Holds the nodes of one make; the bench starts it.
    #[command(hide = true)]
    Worker { which: Impl, hops: usize, channels: usize, port: u16, chain: PathBuf, dir: PathBuf },
}

fn main() -> Result<()> {
    let Arguments { command, options } = Arguments::parse();
    match command {
        None => matrix::run(&options),
        Some(Command::Long(long)) => endurance::long(&options, &long),
        Some(Command::Restart(restart)) => endurance::restart(&options, &restart),
        Some(Command::Worker { which, hops, channels, port, chain, dir }) => {
            worker::run(which, Shape { hops, channels }, &dir, &Chain::attach(&chain, port)?)
        }
    }
}
