//! `windlass statement`

use crate::{context::Context, render::statement};
use windlass_node::api::{ApiError, wallet::Statement};
use windlass_regtest::api::OneNode;

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Whose
    node: String,
    /// Every movement of money as comma-separated values: account, kind, credit, debit, transaction, block
    #[arg(long, conflicts_with = "json")]
    csv: bool,
}

/// Runs it. A statement that does not add up is printed, and is a failure.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    let statement: Statement = ctx.ask("statement", &OneNode { node: args.node }).await?;
    if args.csv {
        ctx.out.line(&statement::csv(&statement))?;
    } else {
        ctx.out.result(&statement, |paint| statement::statement(&statement, paint))?;
    }
    if statement.ok {
        return Ok(());
    }
    Err(ApiError::failed(format!("{}'s statement does not add up: {}", statement.name, statement.faults.join("; "))))
}
