//! `windlass policy …`

use super::values;
use crate::{context::Context, render::policy as render};
use bitcoin::Amount;
use std::path::{Path, PathBuf};
use windlass_node::api::policies::{DraftAnswer, PreimageAnswer, SpendDraft};
use windlass_node::api::{ApiError, Code, wallet::TransferAnswer};
use windlass_regtest::api::{PolicyPreimage, PolicyShown, PolicySign, PolicySpend, PolicySubmit, PolicyText};
use windlass_types::Digest;

/// The subcommands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// The address of a policy: pay it with windlass transfer
    Address(Policy),
    /// A policy's address, what it has, and its keys
    Show(Policy),
    /// Spend from it: at once if this node suffices, else into a file for the next signer
    Spend(Spend),
    /// Add a node's signature to such a file
    Sign(Sign),
    /// Hand in a file that is complete
    Submit(Submit),
    /// The preimage of a hash, once a hash lock was claimed by it
    Preimage(Preimage),
}

/// A policy.
#[derive(Debug, clap::Args)]
pub struct Policy {
    /// For example 'thresh(2,key(alice),key(bob),key(carol))' or
    /// 'or(and(key(bob),sha256(HASH)),and(key(alice),after(500)))'
    policy: String,
}

/// To spend.
#[derive(Debug, clap::Args)]
pub struct Spend {
    /// Who signs
    node: String,
    /// The policy, as for address
    policy: String,
    /// To nodes' names or sidechain addresses, how much each: bob=0.5btc
    #[arg(required = true, value_name = "TO=AMOUNT", value_parser = values::payment)]
    to: Vec<(String, Amount)>,
    /// The 32 bytes whose hash it asks for, in hex
    #[arg(long, value_name = "HEX")]
    preimage: Vec<Digest>,
    /// For the others to read, at most 80 bytes
    #[arg(short, long, default_value = "", hide_default_value = true)]
    memo: String,
    /// At most so much for the sidechain's fee [default: what it asks]
    #[arg(long, value_parser = values::sat, value_name = "AMOUNT")]
    max_fee: Option<Amount>,
    /// Write it here for others to sign
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// To sign.
#[derive(Debug, clap::Args)]
pub struct Sign {
    /// Who signs
    node: String,
    /// The file; the signature is added to it
    file: PathBuf,
    /// The 32 bytes whose hash it asks for, in hex
    #[arg(long, value_name = "HEX")]
    preimage: Vec<Digest>,
}

/// To hand in.
#[derive(Debug, clap::Args)]
pub struct Submit {
    /// Through which node
    node: String,
    /// The file
    file: PathBuf,
}

/// To ask for a preimage.
#[derive(Debug, clap::Args)]
pub struct Preimage {
    /// Its SHA-256, in hex
    hash: Digest,
}

/// Runs one.
pub async fn run(ctx: &Context, command: Command) -> Result<(), ApiError> {
    match command {
        Command::Address(args) => {
            let shown = show(ctx, args).await?;
            // Nothing but the address: `windlass transfer alice $(windlass policy address …) 5sat`.
            ctx.out.result(&shown, |_| shown.address.clone())
        }
        Command::Show(args) => {
            let shown = show(ctx, args).await?;
            ctx.out.result(&shown, |_| render::shown(&shown))
        }
        Command::Spend(args) => spend(ctx, args).await,
        Command::Sign(args) => {
            let draft = read(&args.file)?;
            let body = PolicySign { node: args.node, draft, preimages: args.preimage };
            let answer: DraftAnswer = ctx.ask("policy/sign", &body).await?;
            write(&args.file, &answer.draft)?;
            ctx.out.result(&answer, |_| render::draft(&answer))
        }
        Command::Submit(args) => submit(ctx, args.node, read(&args.file)?).await,
        Command::Preimage(args) => {
            let found: PreimageAnswer = ctx.ask("policy/preimage", &PolicyPreimage { hash: args.hash }).await?;
            ctx.out.result(&found, |_| found.preimage.to_string())
        }
    }
}

async fn show(ctx: &Context, args: Policy) -> Result<PolicyShown, ApiError> {
    ctx.ask("policy/show", &PolicyText { policy: args.policy }).await
}

async fn spend(ctx: &Context, args: Spend) -> Result<(), ApiError> {
    let body = PolicySpend {
        node: args.node.clone(),
        policy: args.policy,
        to: args.to.into_iter().map(|(to, amount)| (to, amount.to_sat())).collect(),
        memo: args.memo,
        preimages: args.preimage,
        max_fee: args.max_fee,
    };
    let answer: DraftAnswer = ctx.ask("policy/spend", &body).await?;
    if let Some(file) = &args.out {
        write(file, &answer.draft)?;
        return ctx.out.result(&answer, |_| render::draft(&answer));
    }
    if !answer.complete {
        let missing = answer.missing.join(", ");
        return Err(ApiError::new(
            Code::Conflict,
            format!("{} alone does not suffice; not there: {missing}", args.node),
        )
        .hint("write it into a file, for others to sign", format!("{} … --out FILE", ctx.command("policy spend")))
        .hint("then, for each of them", ctx.command("policy sign NODE FILE")));
    }
    submit(ctx, args.node, answer.draft).await
}

async fn submit(ctx: &Context, node: String, draft: SpendDraft) -> Result<(), ApiError> {
    let done: TransferAnswer = ctx.ask("policy/submit", &PolicySubmit { node, draft }).await?;
    ctx.out.result(&done, |_| crate::render::asset::done("spent", &done))
}

/// Longer files are not read.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

fn read(file: &Path) -> Result<SpendDraft, ApiError> {
    let bad = |reason: String| ApiError::usage(format!("{}: {reason}", file.display()));
    let length = std::fs::metadata(file).map_err(|error| bad(error.to_string()))?.len();
    if length > FILE_BYTES_MAX {
        return Err(bad(format!("{length} bytes are too many for a draft")));
    }
    let text = std::fs::read_to_string(file).map_err(|error| bad(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| bad(format!("this is no draft: {error}")))
}

/// Whole or not at all: a draft may hold the only copy of a signature.
fn write(file: &Path, draft: &SpendDraft) -> Result<(), ApiError> {
    let failed = |error: &dyn std::fmt::Display| ApiError::failed(format!("{}: {error}", file.display()));
    let text = serde_json::to_string_pretty(draft).map_err(|error| failed(&error))?;
    let mut beside = file.as_os_str().to_owned();
    beside.push(".new");
    std::fs::write(&beside, text + "\n").map_err(|error| failed(&error))?;
    std::fs::rename(&beside, file).map_err(|error| failed(&error))
}
