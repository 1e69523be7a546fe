//! `windlass peg …`

pub mod address;
pub mod in_;
pub mod list;
pub mod out;
pub mod quote;
pub mod receipt;
pub mod reclaim;
pub mod show;

use crate::context::Context;
use windlass_node::api::ApiError;

/// The subcommands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// A fresh deposit address
    Address(address::Args),
    /// Bitcoin onto the sidechain: deposit, sweep, mint
    In(in_::Args),
    /// Sidechain bitcoin back to the chain: burn, sign, pay
    Out(out::Args),
    /// What a peg-in or peg-out would cost and how long it would take; nothing is sent
    Quote(quote::Args),
    /// What the members promise of a peg, signed by each of them: for windlass verify
    Receipt(receipt::Args),
    /// All peg-ins and peg-outs, or one node's
    List(list::Args),
    /// One of them
    Show(show::Args),
    /// Take back a deposit that was never swept; needs no federation
    Reclaim(reclaim::Args),
}

/// Runs one.
pub async fn run(ctx: &Context, command: Command) -> Result<(), ApiError> {
    match command {
        Command::Address(args) => address::run(ctx, args).await,
        Command::In(args) => in_::run(ctx, args).await,
        Command::Out(args) => out::run(ctx, args).await,
        Command::Quote(args) => quote::run(ctx, args).await,
        Command::Receipt(args) => receipt::run(ctx, args).await,
        Command::List(args) => list::run(ctx, args).await,
        Command::Show(args) => show::run(ctx, args).await,
        Command::Reclaim(args) => reclaim::run(ctx, args).await,
    }
}
