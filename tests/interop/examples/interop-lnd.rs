//! `interop-lnd LND [SCENARIO…]`: the scenarios with that program.

use anyhow::{Context as _, Result, bail};
use std::path::PathBuf;
use std::process::ExitCode;
use windlass_interop::chain::Chain;
use windlass_interop::lnd::Lnd;
use windlass_interop::scenarios;

fn main() -> Result<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    let Some(program) = arguments.next() else { bail!("usage: interop-lnd LND [SCENARIO…]") };
    let wanted: Vec<String> = arguments.collect();
    let chain = Chain::start()?;
    let dir = tempfile::tempdir()?;
    let mut lnd = Lnd::start(&PathBuf::from(program), &dir.path().join("lnd"), &chain).context("LND does not start")?;
    let well = scenarios::run(&mut lnd, &chain, &wanted)?;
    if !well {
        println!("the end of LND's log:\n{}", lnd.last_words());
    }
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
