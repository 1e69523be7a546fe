//! `windlass payment …`

pub mod list;

use crate::context::Context;
use windlass_node::api::ApiError;

/// The subcommands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// A node's payments, newest first
    List(list::Args),
}

/// Runs one.
pub async fn run(ctx: &Context, command: Command) -> Result<(), ApiError> {
    match command {
        Command::List(args) => list::run(ctx, args).await,
    }
}
