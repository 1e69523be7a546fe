//! `windlass verify`: checks a proof file offline, and says what it proves and whom one trusts.

use crate::{context::Context, render::proof};
use serde::Serialize;
use std::path::{Path, PathBuf};
use windlass_ledger::Genesis;
use windlass_light::ProofFile;
use windlass_node::api::{ApiError, member::GenesisAnswer};

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The proof file, or - for standard input
    file: PathBuf,
    /// The chain's genesis.json [default: this network's]
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
}

/// What holds.
#[derive(Debug, Serialize)]
pub struct Verified {
    /// A file that does not hold is an error instead.
    ok: bool,
    #[serde(flatten)]
    facts: proof::Facts,
}

/// Runs it.
pub fn run(ctx: &Context, args: &Args) -> Result<(), ApiError> {
    let genesis = genesis(ctx, args.genesis.as_deref())?;
    let text = if args.file.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin())
            .map_err(|error| ApiError::usage(format!("standard input: {error}")))?
    } else {
        read(&args.file)?
    };
    let file = ProofFile::read(&text).map_err(ApiError::usage)?;
    let proven = file.verify(&genesis).map_err(|error| ApiError::failed(format!("it proves nothing: {error}")))?;
    let facts = proof::Facts::new(&genesis, &proven);
    ctx.out.result(&Verified { ok: true, facts: facts.clone() }, |_| facts.sentences())
}

fn read(path: &Path) -> Result<String, ApiError> {
    std::fs::read_to_string(path).map_err(|error| ApiError::usage(format!("{}: {error}", path.display())))
}

fn genesis(ctx: &Context, path: Option<&Path>) -> Result<Genesis, ApiError> {
    let own = || -> Result<PathBuf, ApiError> {
        let path = ctx.network()?.layout().member("f1").join("genesis.json");
        if path.exists() {
            return Ok(path);
        }
        Err(ApiError::usage("which chain? There is no network of this name here")
            .hint("name the chain's genesis", format!("{} --genesis FILE", ctx.command("verify PROOF"))))
    };
    let path = path.map_or_else(own, |path| Ok(path.to_owned()))?;
    let bad = |reason: &str| ApiError::usage(format!("{}: {reason}", path.display()));
    let answer: GenesisAnswer = serde_json::from_str(&read(&path)?).map_err(|error| bad(&error.to_string()))?;
    answer.read().ok_or_else(|| bad("this is the genesis of no chain"))
}
