//! `just bench [NAME…]`: what Windlass does in a second, measured on real processes.
//!
//! Each bench starts a network of its own (4 members, 3 nodes, a real bitcoind), drives it through
//! the APIs that everybody uses, and prints a row per measurement; the same rows go as JSON lines
//! to `target/bench/<name>.jsonl`. The Lightning node alone, beside another make, is measured in `tests/bench-rivals`. Everything shares this machine's cores, the load included.

mod api;
mod peg;
mod report;
mod sidechain;
mod up;

use anyhow::{Context as _, Result, bail};
use report::Report;
use std::path::PathBuf;
use windlass_tests::Network;

/// A bench and its name.
type Bench = (&'static str, fn(&Setup, &mut Report) -> Result<()>);

const BENCHES: &[Bench] = &[("up", up::run), ("api", api::run), ("sidechain", sidechain::run), ("peg", peg::run)];

/// What all benches share.
struct Setup {
    /// The binary under test, beside this one.
    program: PathBuf,
    runtime: tokio::runtime::Runtime,
}

impl Setup {
    fn network(&self, name: &str) -> Network {
        Network::up(&self.program, name)
    }
}

fn main() -> Result<()> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    if let Some(unknown) = wanted.iter().find(|w| !BENCHES.iter().any(|(name, _)| name == w)) {
        let names: Vec<_> = BENCHES.iter().map(|(name, _)| *name).collect();
        bail!("no bench {unknown:?}; there are {}", names.join(", "));
    }
    let program = std::env::current_exe()?.with_file_name("windlass-under-test");
    let setup = Setup { program, runtime: tokio::runtime::Runtime::new().context("a runtime")? };
    for (name, run) in BENCHES {
        if wanted.is_empty() || wanted.iter().any(|w| w == name) {
            let mut report = Report::create(name)?;
            run(&setup, &mut report).with_context(|| format!("bench {name}"))?;
        }
    }
    Ok(())
}
