//! `windlass payment …`

pub mod forwards;
pub mod list;

use crate::context::Context;
use windlass_node::api::ApiError;

/// The subcommands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// A node's payments, newest first
    List(list::Args),
    /// Payments of others that went through, and what they brought, newest first
    Forwards(forwards::Args),
}

/// Runs one.
pub async fn run(ctx: &Context, command: Command) -> Result<(), ApiError> {
    match command {
        Command::List(args) => list::run(ctx, args).await,
        Command::Forwards(args) => forwards::run(ctx, args).await,
    }
}
