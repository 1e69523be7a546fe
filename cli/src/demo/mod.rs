//! The whole voyage on a fresh network of its own: bitcoin goes into channels and over the peg,
//! moves, comes back, and every step is checked. Driven through the same verbs as any command.
//!
//! It tears everything down at the end; on failure the directory with the logs stays.

mod check;
mod report;
mod voyage;

use crate::{
    context::{Context, Global},
    network,
    progress::Sink,
};
use bitcoin::Amount;
use report::{Report, Step};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use windlass_node::api::{ApiError, wallet::Statement};
use windlass_regtest::api::ReservesReport;

/// The network's name, in a directory of its own.
const NAME: &str = "demo";
/// How long the end may take, even where everything hangs.
const TEARDOWN: Duration = Duration::from_secs(60);

/// The voyage under way.
struct Voyage<'a> {
    /// The one whose lines are shown.
    shown: &'a Context,
    /// The demo's network, with all its progress shown: for the start, which may build a bitcoind.
    loud: Arc<Context>,
    /// The same with nothing but what moves on a terminal.
    calm: Arc<Context>,
    started: Instant,
    steps: Vec<Step>,
    last_reserve: Option<ReservesReport>,
    statements: Vec<Statement>,
}

/// Runs it all, prints it as it goes, and tears it down.
///
/// # Errors
/// A step or a check failed; its logs stay, and the error says where.
pub async fn run(ctx: &Context, keep: bool) -> Result<(), ApiError> {
    let home = tempfile::Builder::new()
        .prefix("windlass-demo-")
        .tempdir()
        .map_err(|e| ApiError::failed(format!("there is no temporary directory: {e}")))?
        .keep();
    let global = Global { name: NAME.into(), datadir: Some(home.clone()), ..ctx.global.clone() };
    let mut calm = Context::new(global.clone());
    if global.verbose == 0 && !global.json {
        calm.sink = Sink::only_terminal(global.quiet, global.color);
    }
    let mut voyage = Voyage {
        shown: ctx,
        loud: Arc::new(Context::new(global)),
        calm: Arc::new(calm),
        started: Instant::now(),
        steps: Vec::new(),
        last_reserve: None,
        statements: Vec::new(),
    };
    let outcome = tokio::select! {
        outcome = voyage.sail() => outcome,
        told = network::told_to_stop() => told.and(Err(ApiError::failed("interrupted"))),
    };
    voyage.calm.sink.finish();
    voyage.loud.sink.finish();
    let stays = keep && outcome.is_ok();
    let ended = if stays { Ok(()) } else { voyage.end(outcome.is_ok()).await };
    let outcome = outcome.and(ended);
    let logs = voyage.loud.network_dir()?.join("logs");
    let report = Report {
        ok: outcome.is_ok(),
        seconds: voyage.started.elapsed().as_secs_f64(),
        error: outcome.as_ref().err().cloned(),
        logs: outcome.is_err().then(|| logs.display().to_string()),
        steps: std::mem::take(&mut voyage.steps),
        statements: std::mem::take(&mut voyage.statements),
    };
    ctx.out.result(&report, |paint| report.closing(paint))?;
    if stays {
        ctx.out.next(&[voyage.loud.command("status"), voyage.loud.command("down --wipe")]);
    } else if outcome.is_ok() {
        match std::fs::remove_dir_all(&home) {
            // `down --wipe` takes empty folders with it.
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(ApiError::failed(format!("{} can't be deleted: {error}", home.display())));
            }
            Ok(()) | Err(_) => {}
        }
    }
    outcome.map_err(|error| {
        error
            .hint("see the logs", format!("ls {}", logs.display()))
            .hint("or search them", voyage.loud.command("logs --grep 'WARN|ERROR'"))
    })
}

impl Voyage<'_> {
    /// Stops the network, within a bound; wipes it if nothing is to be seen there.
    async fn end(&mut self, wipe: bool) -> Result<(), ApiError> {
        let started = Instant::now();
        let down = tokio::time::timeout(TEARDOWN, network::down(&self.calm, wipe));
        let down = down.await.unwrap_or_else(|_| Err(ApiError::timeout("the network did not stop in time")));
        down?;
        if wipe {
            let detail = "every process ended, every file deleted".to_owned();
            self.log(Step::new(self.steps.len() + 1, "stop", detail, started.elapsed(), None));
        }
        Ok(())
    }

    /// Notes a step and shows it.
    fn log(&mut self, step: Step) {
        let paint = self.shown.out.paint;
        if self.shown.out.json() {
            self.shown.sink.progress(&step.progress());
        } else if !self.shown.global.quiet {
            let changed = step.reserve.as_ref().map(sums) != self.last_reserve.as_ref().map(sums);
            // A reader that went away must not keep the network up.
            let _ = self.shown.out.try_line(&step.line(changed, paint));
        }
        if step.reserve.is_some() {
            self.last_reserve.clone_from(&step.reserve);
        }
        self.steps.push(step);
    }
}

/// What a reader compares.
fn sums(report: &ReservesReport) -> [Amount; 4] {
    [report.reserve, report.supply, report.owed_peg_outs, report.owed_deposits]
}

/// Prints a statement between the steps' lines.
fn show_statement(ctx: &Context, statement: &Statement) {
    if !ctx.out.json() && !ctx.global.quiet {
        let text = crate::render::statement::statement(statement, ctx.out.paint);
        let indented: String = text.lines().map(|line| format!("      {line}").trim_end().to_owned() + "\n").collect();
        let _ = ctx.out.try_line(&indented);
    }
}
