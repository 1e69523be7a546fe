//! The long-running processes that are this binary too: `member run`, `node run`, `follower
//! run`, `hub run`. Each keeps everything in one directory and logs to stderr.

use super::federation::reserves::reach;
use crate::context::Context;
use std::{net::SocketAddr, path::PathBuf, time::Duration};
use windlass_node::{
    api::{ApiError, member::GenesisAnswer},
    client::MemberClient,
    follower::FollowerConfig,
};
use windlass_types::{ChainId, Digest};

/// How long calls under way may take at the end.
const DRAIN: Duration = Duration::from_secs(2);

/// A process's directory.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// Where it keeps everything: its configuration, keys and data
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
}

/// `windlass member …`
#[derive(Debug, clap::Subcommand)]
pub enum MemberCommand {
    /// Run a federation member until it is told to stop
    Run(RunArgs),
}

/// `windlass follower …`
#[derive(Debug, clap::Subcommand)]
pub enum FollowerCommand {
    /// Run a follower until it is told to stop
    Run(FollowerArgs),
    /// Write a member's newest state to a file that a follower can begin from
    Snapshot(SnapshotArgs),
}

/// Whose state, and where to.
#[derive(Debug, Clone, clap::Args)]
pub struct SnapshotArgs {
    /// The member or follower
    #[arg(long, value_name = "URL")]
    member: String,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Writes a snapshot's file.
pub async fn snapshot(ctx: &Context, args: SnapshotArgs) -> Result<(), ApiError> {
    let bytes = MemberClient::new(args.member).save_snapshot(&args.out).await?;
    let answer = serde_json::json!({ "file": args.out, "bytes": bytes });
    ctx.out.result(&answer, |_| format!("{} ({bytes} bytes)", args.out.display()))
}

/// The sidechain by its id, or by its genesis.json.
fn chain(text: &str) -> Result<ChainId, String> {
    if let Ok(id) = text.parse::<Digest>() {
        return Ok(ChainId(id));
    }
    let json = std::fs::read_to_string(text).map_err(|error| format!("neither an id nor a file: {error}"))?;
    let answer: GenesisAnswer = serde_json::from_str(&json).map_err(|error| error.to_string())?;
    answer.read().map(|genesis| genesis.chain_id()).ok_or_else(|| "this is the genesis of no chain".into())
}

/// A follower's directory, and at its first start what goes into its configuration.
#[derive(Debug, Clone, clap::Args)]
pub struct FollowerArgs {
    /// Where it keeps everything: its configuration and data
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// A member or follower to take blocks from; may be given several times
    #[arg(long, alias = "peer", value_name = "URL")]
    member: Vec<String>,
    /// Where its API listens
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0", requires = "member")]
    listen: SocketAddr,
    /// The sidechain's id, or its genesis.json [default: the one that all members that answer agree on]
    #[arg(long, value_name = "ID|FILE", requires = "member", value_parser = chain)]
    chain: Option<ChainId>,
    /// Begin from this snapshot, not from the genesis: a file, or the URL of a member. Blocks before it are not validated
    #[arg(long, value_name = "FILE|URL", requires = "chain")]
    snapshot: Option<String>,
    /// Its own bitcoind, to show confirmations: http://user:password@127.0.0.1:18443
    #[arg(long, value_name = "URL", requires = "member")]
    bitcoind: Option<String>,
    /// The bitcoind's cookie file
    #[arg(long, value_name = "FILE", requires = "bitcoind")]
    cookie: Option<PathBuf>,
}

/// `windlass hub …`
#[derive(Debug, clap::Subcommand)]
pub enum HubCommand {
    /// Run a network's hub until it is told to stop
    Run(RunArgs),
}

/// The exit code after a panic, as Rust's own.
const PANIC_EXIT: i32 = 101;

/// Which process this one is to be.
#[derive(Debug)]
pub enum Process {
    /// A federation member.
    Member(PathBuf),
    /// A wallet node.
    Node(PathBuf),
    /// A follower.
    Follower(FollowerArgs),
    /// A network's hub.
    Hub(PathBuf),
}

/// Runs it until it is told to stop. Each brings its own threads, so none may run yet.
///
/// # Errors
/// It can't start, or can't go on.
pub fn run(process: Process) -> Result<(), ApiError> {
    log();
    end_on_panic();
    match process {
        Process::Member(dir) => on_threads(windlass_node::member::run(dir)),
        // Brings its own threads.
        Process::Node(dir) => windlass_node::wallet::run(&dir).map_err(|e| whole(&e)),
        Process::Follower(args) => {
            configure(&args)?;
            on_threads(windlass_node::follower::run(args.dir))
        }
        Process::Hub(dir) => on_threads(async move { windlass_regtest::hub::run(&dir).await }),
    }
}

/// A panic in one task leaves a process that looks alive and does not do its work: agreement's
/// storage panics when its disk is full, for one. Everything here survives a sudden end, so end.
fn end_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        tracing::error!("the process ends: a part of it failed, and without it the rest would only seem to work");
        std::process::exit(PANIC_EXIT);
    }));
}

fn on_threads<E: std::error::Error>(work: impl Future<Output = Result<(), E>>) -> Result<(), ApiError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| ApiError::failed(format!("no threads to run on: {e}")))?;
    let ended = runtime.block_on(work).map_err(|e| whole(&e));
    // A call that hangs (a bitcoind that does not answer) must not hold up the end.
    runtime.shutdown_timeout(DRAIN);
    ended
}

/// Writes a follower's configuration, where the command line brings one.
fn configure(args: &FollowerArgs) -> Result<(), ApiError> {
    if args.member.is_empty() {
        return Ok(());
    }
    let bitcoind = match &args.bitcoind {
        Some(url) => Some(reach(url, args.cookie.clone())?),
        None => None,
    };
    let config = FollowerConfig {
        name: "follower".into(),
        api: args.listen,
        members: args.member.clone(),
        chain: args.chain,
        snapshot: args.snapshot.clone(),
        bitcoind,
    };
    config.save(&args.dir).map_err(|e| whole(&e))
}

/// An error and all its causes in one line.
fn whole(error: &dyn std::error::Error) -> ApiError {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        cause = error.source();
    }
    ApiError::failed(text)
}

/// Logs to stderr, which whoever started us sends to a file. `RUST_LOG` decides how much.
fn log() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    // Someone else's subscriber, in a test, is as good.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(std::io::stderr).try_init();
}
