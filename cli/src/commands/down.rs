//! `windlass down`

use crate::{context::Context, network};
use serde::Serialize;
use std::io::{IsTerminal as _, Write as _};
use windlass_node::api::ApiError;

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Delete everything of this network: keys, coins, logs
    #[arg(long)]
    wipe: bool,
}

/// What was done.
#[derive(Debug, Serialize)]
struct Down {
    name: String,
    was_running: bool,
    wiped: bool,
}

/// Runs it. Stopping what does not run is done at once.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    let dir = ctx.network_dir()?;
    if args.wipe && dir.exists() && !confirmed(ctx, &format!("delete everything in {}?", dir.display()))? {
        return Err(ApiError::usage("nothing was done").hint("without the question", ctx.command("down --wipe --yes")));
    }
    let was_running = network::down(ctx, args.wipe).await?;
    let down = Down { name: ctx.global.name.clone(), was_running, wiped: args.wipe };
    ctx.out.result(&down, |_| {
        let stopped = if was_running { "stopped" } else { "was not running" };
        let wiped = if args.wipe { format!("; {} is gone", dir.display()) } else { String::new() };
        format!("{} {stopped}{wiped}", down.name)
    })?;
    if !args.wipe {
        ctx.out.next(&[ctx.command("up"), ctx.command("down --wipe")]);
    }
    Ok(())
}

/// Asks, where there is someone to ask.
fn confirmed(ctx: &Context, question: &str) -> Result<bool, ApiError> {
    if ctx.global.yes || ctx.global.json || !std::io::stdin().is_terminal() {
        return Ok(true);
    }
    let mut stderr = std::io::stderr().lock();
    let asked = write!(stderr, "{question} [y/N] ").and_then(|()| stderr.flush());
    asked.map_err(|e| ApiError::failed(format!("stderr can't be written to: {e}")))?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(|e| ApiError::failed(format!("stdin can't be read: {e}")))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
