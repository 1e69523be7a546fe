//! `interop-ldk-node [SCENARIO…]`: the scenarios of `tests/interop` with ldk-node.

mod node;

use anyhow::Result;
use node::LdkNode;
use std::process::ExitCode;
use windlass_interop::chain::Chain;
use windlass_interop::scenarios;

fn main() -> Result<ExitCode> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let chain = Chain::start()?;
    let dir = tempfile::tempdir()?;
    let mut them = LdkNode::start(dir.path(), &chain)?;
    let well = scenarios::run(&mut them, &chain, &wanted)?;
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
