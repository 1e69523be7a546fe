//! The long-running processes that are this binary too: `member run`, `node run`, `follower
//! run`, `hub run`. Each keeps everything in one directory and logs to stderr.

use std::path::PathBuf;
use windlass_node::api::ApiError;

/// A process's directory.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// Where it keeps everything: its configuration, keys and data
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
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
    Run(RunArgs),
}

/// `windlass hub …`
#[derive(Debug, clap::Subcommand)]
pub enum HubCommand {
    /// Run a network's hub until it is told to stop
    Run(RunArgs),
}

/// Runs a member.
pub async fn member(MemberCommand::Run(args): MemberCommand) -> Result<(), ApiError> {
    log();
    not_yet("member", &args)
}

/// Runs a wallet node.
pub async fn node(args: RunArgs) -> Result<(), ApiError> {
    log();
    not_yet("node", &args)
}

/// Runs a follower.
pub async fn follower(FollowerCommand::Run(args): FollowerCommand) -> Result<(), ApiError> {
    log();
    not_yet("follower", &args)
}

/// Runs a hub.
pub async fn hub(HubCommand::Run(args): HubCommand) -> Result<(), ApiError> {
    log();
    not_yet("hub", &args)
}

fn not_yet(what: &str, args: &RunArgs) -> Result<(), ApiError> {
    Err(ApiError::failed(format!("{what} run --dir {} is not wired yet", args.dir.display())))
}

/// Logs to stderr, which whoever started us sends to a file. `RUST_LOG` decides how much.
fn log() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    // Someone else's subscriber, in a test, is as good.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(std::io::stderr).try_init();
}
