//! `windlass prove …`: a file that shows a fact of the sidechain to anyone; `windlass verify` reads it.

use crate::context::Context;
use serde::Serialize;
use std::path::{Path, PathBuf};
use windlass_ledger::Policy;
use windlass_node::{
    api::{ApiError, wallet::AddressAnswer},
    client::MemberClient,
};
use windlass_regtest::{
    api::{Address, PolicyShown, PolicyText, Status},
    layout::check_name,
};
use windlass_types::{AssetId, Digest};

/// The subcommands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// What an account has now, or that there is no such account
    Account(AccountArgs),
    /// A hash lock: what it has, and whether its preimage was shown
    Lock(LockArgs),
    /// The chain's parameters, in force and to come
    Params(Ways),
    /// That a transaction is in a final block
    Transaction(TransactionArgs),
}

/// Where from, and where to.
#[derive(Debug, clap::Args)]
pub struct Ways {
    /// Write it into this file instead of printing it
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Ask this member or follower: http://127.0.0.1:18884 [default: one of the network that runs]
    #[arg(long, value_name = "URL")]
    member: Option<String>,
}

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct AccountArgs {
    /// A node of this network, or any sidechain address
    account: String,
    /// How much it has of this asset, instead of bitcoin
    #[arg(long, value_name = "ID")]
    asset: Option<AssetId>,
    #[command(flatten)]
    ways: Ways,
}

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct LockArgs {
    /// Its policy, as for policy address: 'or(and(key(bob),sha256(HASH)),and(key(alice),after(500)))'
    policy: String,
    #[command(flatten)]
    ways: Ways,
}

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct TransactionArgs {
    /// The sidechain transaction
    id: Digest,
    #[command(flatten)]
    ways: Ways,
}

/// Runs one.
pub async fn run(ctx: &Context, command: Command) -> Result<(), ApiError> {
    match command {
        Command::Account(args) => {
            let client = member(ctx, &args.ways).await?;
            // No name is as long as an address.
            let address = if check_name(&args.account).is_err() {
                args.account
            } else {
                let of: AddressAnswer = ctx.ask("address", &Address { node: args.account, side: true }).await?;
                of.address
            };
            let proof = match args.asset {
                Some(asset) => client.prove_units(&address, asset).await?,
                None => client.prove_account(&address).await?,
            };
            give(ctx, args.ways.out.as_deref(), &proof)
        }
        Command::Lock(args) => {
            let client = member(ctx, &args.ways).await?;
            let policy = policy(ctx, args.policy).await?;
            give(ctx, args.ways.out.as_deref(), &client.prove_lock(&policy).await?)
        }
        Command::Params(ways) => {
            let client = member(ctx, &ways).await?;
            give(ctx, ways.out.as_deref(), &client.prove_params().await?)
        }
        Command::Transaction(args) => {
            let client = member(ctx, &args.ways).await?;
            give(ctx, args.ways.out.as_deref(), &client.prove_transaction(args.id).await?)
        }
    }
}

/// A policy; only nodes' names in it need a network that knows them.
async fn policy(ctx: &Context, text: String) -> Result<Policy, ApiError> {
    if let Ok(policy) = text.parse() {
        return Ok(policy);
    }
    let shown: PolicyShown = ctx.ask("policy/show", &PolicyText { policy: text }).await?;
    shown.policy.parse().map_err(|error| ApiError::failed(format!("the network's policy: {error}")))
}

async fn member(ctx: &Context, ways: &Ways) -> Result<MemberClient, ApiError> {
    member_at(ctx, ways.member.as_deref()).await
}

/// The member or follower at `url`, or one of the network that runs.
pub async fn member_at(ctx: &Context, url: Option<&str>) -> Result<MemberClient, ApiError> {
    if let Some(url) = url {
        return Ok(MemberClient::new(url));
    }
    let status: Status = ctx.ask("status", &serde_json::json!({})).await?;
    let ready = status.processes.iter().filter(|process| process.kind == "member" && process.ready);
    let mut ports = ready.flat_map(|process| &process.ports);
    let (_, address) = ports.find(|(what, _)| what == "api").ok_or_else(|| {
        ApiError::not_running("no member runs").hint("start one", ctx.command("federation member start f1"))
    })?;
    Ok(MemberClient::new(format!("http://{address}")))
}

/// Prints what `verify` reads, or writes it into a file and says how to check it.
pub fn give(ctx: &Context, out: Option<&Path>, proof: &impl Serialize) -> Result<(), ApiError> {
    let text = serde_json::to_string_pretty(proof).map_err(ApiError::failed)?;
    let Some(path) = out else { return ctx.out.result(proof, |_| text) };
    std::fs::write(path, format!("{text}\n"))
        .map_err(|error| ApiError::failed(format!("{}: {error}", path.display())))?;
    let answer = serde_json::json!({ "file": path, "bytes": text.len() + 1 });
    ctx.out.result(&answer, |_| format!("{} ({} bytes)", path.display(), text.len() + 1))?;
    ctx.out.next(&[ctx.command(&format!("verify {}", path.display()))]);
    Ok(())
}
