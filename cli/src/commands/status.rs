//! `windlass status`

use crate::{context::Context, network, render::status};
use std::time::Duration;
use tokio::time::MissedTickBehavior;
use windlass_node::api::ApiError;
use windlass_regtest::api::Status;

/// How often `--watch` looks.
const EVERY: Duration = Duration::from_secs(1);
/// Clears a terminal and goes to its top.
const CLEAR: &str = "\x1b[2J\x1b[H";

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Look again every second, until Ctrl-C
    #[arg(short, long)]
    watch: bool,
}

/// Runs it.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    if !args.watch {
        return once(ctx, "").await;
    }
    let terminal = std::io::IsTerminal::is_terminal(&std::io::stdout()) && !ctx.out.json();
    let watching = async {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            once(ctx, if terminal { CLEAR } else { "" }).await?;
        }
    };
    tokio::select! {
        ended = watching => ended,
        told = network::told_to_stop() => told,
    }
}

async fn once(ctx: &Context, before: &str) -> Result<(), ApiError> {
    let now: Status = ctx.ask("status", &serde_json::json!({})).await?;
    ctx.out.result(&now, |paint| format!("{before}{}", status::status(&now, paint)))
}
