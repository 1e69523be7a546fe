//! `windlass node words`

use crate::context::Context;
use windlass_node::api::ApiError;
use windlass_regtest::api::{NodeWords, Words};

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Whose
    node: String,
    /// Show them although they were shown before
    #[arg(long)]
    again: bool,
}

/// Runs it.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    let body = NodeWords { node: args.node.clone(), again: args.again };
    let answer: Words = ctx.ask("node/words", &body).await?;
    ctx.out.result(&answer, |_| answer.words.clone())?;
    ctx.out.next(&[ctx.command(&format!("node backup {} --to FILE", args.node))]);
    Ok(())
}
