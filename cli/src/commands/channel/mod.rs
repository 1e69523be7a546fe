//! `windlass channel …`

pub mod batch;
pub mod close;
pub mod list;
pub mod open;
pub mod policy;
pub mod splice;

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
    /// Put more into a channel or take out of it, while it goes on
    #[command(subcommand)]
    Splice(splice::Command),
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
        Command::Splice(command) => splice::run(ctx, command).await,
        Command::Close(args) => close::run(ctx, args).await,
    }
}
