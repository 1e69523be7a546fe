//! `windlass federation member …`

use crate::{context::Context, render::status};
use windlass_node::api::ApiError;
use windlass_regtest::api::{OneMember, ProcessStatus};

/// The subcommands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Stop a member's process
    Stop(Args),
    /// Start it again; it catches up by itself
    Start(Args),
}

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which: f1, f2, …
    member: String,
}

/// Runs one.
pub async fn run(ctx: &Context, command: Command) -> Result<(), ApiError> {
    let (verb, args) = match command {
        Command::Stop(args) => ("federation/member/stop", args),
        Command::Start(args) => ("federation/member/start", args),
    };
    let process: ProcessStatus = ctx.ask(verb, &OneMember { member: args.member }).await?;
    ctx.out.result(&process, |paint| status::process(&process, paint))
}
