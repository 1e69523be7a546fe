//! `windlass node …`

pub mod backup;
pub mod events;
pub mod info;
pub mod restore;
pub mod start;
pub mod stop;
pub mod words;

use super::process;
use crate::context::Context;
use windlass_node::api::ApiError;

/// The subcommands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Who and where a node is
    Info(info::Args),
    /// How many Lightning events wait for an application
    Events(events::Args),
    /// Stop a node's process
    Stop(stop::Args),
    /// Start it again
    Start(start::Args),
    /// Show a node's seed as 24 words, once
    Words(words::Args),
    /// Write a node's channel backup to a file
    Backup(backup::Args),
    /// Get a node's money back from its words and its channel backup
    Restore(restore::Args),
    /// A wallet node's process
    #[command(hide = true)]
    Run(process::RunArgs),
}

/// Runs one.
pub async fn run(ctx: &Context, command: Command) -> Result<(), ApiError> {
    match command {
        Command::Info(args) => info::run(ctx, args).await,
        Command::Events(args) => events::run(ctx, args).await,
        Command::Stop(args) => stop::run(ctx, args).await,
        Command::Start(args) => start::run(ctx, args).await,
        Command::Words(args) => words::run(ctx, args).await,
        Command::Backup(args) => backup::run(ctx, args).await,
        Command::Restore(args) => restore::run(ctx, args).await,
        Command::Run(_) => Err(crate::args::not_a_command()),
    }
}
