//! `windlass channel …`

pub mod batch;
pub mod close;
pub mod list;
pub mod open;
pub mod policy;

use crate::context::Context;
use windlass_node::api::ApiError;

/// The subcommands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Open a channel between two nodes
    Open(open::Args),
    /// Open several channels with one transaction
    Batch(batch::Args),
    /// All channels, or one node's
    List(list::Args),
    /// What an end asks for passing payments on; shown, or changed
    Policy(policy::Args),
    /// Close a channel and bring every satoshi back to the chain
    Close(close::Args),
}

/// Runs one.
pub async fn run(ctx: &Context, command: Command) -> Result<(), ApiError> {
    match command {
        Command::Open(args) => open::run(ctx, args).await,
        Command::Batch(args) => batch::run(ctx, args).await,
        Command::List(args) => list::run(ctx, args).await,
        Command::Policy(args) => policy::run(ctx, args).await,
        Command::Close(args) => close::run(ctx, args).await,
    }
}
