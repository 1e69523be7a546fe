//! `windlass node events`

use crate::{context::Context, render::channel};
use windlass_node::api::{ApiError, events::JournalInfo};
use windlass_regtest::api::NodeEvents;

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which
    node: String,
    /// The application that read the events is gone for good: keep no more for it than the last 10,000
    #[arg(long)]
    give_up: bool,
}

/// Runs it.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    let ask = NodeEvents { node: args.node.clone(), give_up: args.give_up };
    let journal: JournalInfo = ctx.ask("node/events", &ask).await?;
    ctx.out.result(&journal, |_| channel::journal(&args.node, &journal))
}
