//! `windlass verify`: checks a proof file or a receipt offline, and says what it proves and whom one trusts. Whether what a receipt
//! promises was kept, a bitcoind shows.

use super::federation::reserves::reach;
use crate::{
    context::Context,
    render::{proof, receipt::Shown},
};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use windlass_chain::Bitcoind;
use windlass_ledger::Genesis;
use windlass_light::{ProofFile, RECEIPT_FORMAT, ReceiptFile};
use windlass_node::{
    api::{ApiError, member::GenesisAnswer},
    promises,
};

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The proof file or receipt, or - for standard input
    file: PathBuf,
    /// The chain's genesis.json [default: this network's]
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
    /// Ask this bitcoind whether a receipt was kept: http://user:password@127.0.0.1:18443
    #[arg(long, value_name = "URL")]
    bitcoind: Option<String>,
    /// Its cookie file, instead of a user and password in the URL
    #[arg(long, value_name = "FILE", requires = "bitcoind")]
    cookie: Option<PathBuf>,
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
pub async fn run(ctx: &Context, args: &Args) -> Result<(), ApiError> {
    let genesis = genesis(ctx, args.genesis.as_deref())?;
    let text = if args.file.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin())
            .map_err(|error| ApiError::usage(format!("standard input: {error}")))?
    } else {
        read(&args.file)?
    };
    if format(&text).as_deref() == Some(RECEIPT_FORMAT) {
        return receipt(ctx, args, &genesis, &text).await;
    }
    if args.bitcoind.is_some() {
        return Err(ApiError::usage("--bitcoind is for receipts: a proof file needs nobody"));
    }
    let file = ProofFile::read(&text).map_err(ApiError::usage)?;
    let proven = file.verify(&genesis).map_err(|error| ApiError::failed(format!("it proves nothing: {error}")))?;
    let facts = proof::Facts::new(&genesis, &proven);
    ctx.out.result(&Verified { ok: true, facts: facts.clone() }, |_| facts.sentences())
}

/// What the file says that it is.
fn format(text: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Head {
        format: String,
    }
    serde_json::from_str::<Head>(text).ok().map(|head| head.format)
}

/// A receipt that Bitcoin shows broken is printed, and is a failure.
async fn receipt(ctx: &Context, args: &Args, genesis: &Genesis, text: &str) -> Result<(), ApiError> {
    let file = ReceiptFile::read(text).map_err(ApiError::usage)?;
    let promised = file.verify(genesis).map_err(|error| ApiError::failed(format!("it shows no promise: {error}")))?;
    let outcome = match &args.bitcoind {
        None => None,
        Some(url) => {
            let network = genesis.network.bitcoin();
            let bitcoind =
                Bitcoind::connect(reach(url, args.cookie.clone())?, network).await.map_err(ApiError::not_running)?;
            Some(promises::outcome(&promised.promise, &bitcoind).await.map_err(ApiError::failed)?)
        }
    };
    let shown = Shown::new(genesis, &promised, outcome);
    ctx.out.result(&shown, |_| shown.sentences())?;
    match shown.broken() {
        Some(reason) => Err(ApiError::failed(format!("the promise was broken: {reason}"))),
        None => Ok(()),
    }
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
