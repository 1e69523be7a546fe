//! `windlass peer …`

pub mod add;
pub mod list;
pub mod remove;

use crate::context::Context;
use windlass_node::api::ApiError;

/// The subcommands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// A node's peers
    List(list::Args),
    /// Connect to a peer, and again whenever the connection is lost
    Add(add::Args),
    /// No longer connect to a peer by itself
    Remove(remove::Args),
}

/// Runs one.
pub async fn run(ctx: &Context, command: Command) -> Result<(), ApiError> {
    match command {
        Command::List(args) => list::run(ctx, args).await,
        Command::Add(args) => add::run(ctx, args).await,
        Command::Remove(args) => remove::run(ctx, args).await,
    }
}
