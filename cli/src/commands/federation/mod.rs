//! `windlass federation …`

pub mod member;
pub mod reserves;
pub mod show;

use crate::context::Context;
use windlass_node::api::ApiError;

/// The subcommands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Its members, its key, its coin, and who can steal and who can stop
    Show(show::Args),
    /// Recount its coins and what it owes: reserve = supply + owed
    Reserves(reserves::Args),
    /// One member's process
    #[command(subcommand)]
    Member(member::Command),
}

/// Runs one.
pub async fn run(ctx: &Context, command: Command) -> Result<(), ApiError> {
    match command {
        Command::Show(args) => show::run(ctx, args).await,
        Command::Reserves(args) => reserves::run(ctx, args).await,
        Command::Member(command) => member::run(ctx, command).await,
    }
}
