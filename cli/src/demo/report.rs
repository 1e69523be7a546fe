//! What the demo did, for people and for programs.

use crate::{color::Paint, render::federation};
use serde::Serialize;
use std::time::Duration;
use windlass_node::api::{ApiError, wallet::Statement};
use windlass_regtest::api::{Progress, ReservesReport};

/// One step, done and checked.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// From 1.
    pub number: usize,
    /// What was done.
    pub title: String,
    /// What came of it.
    pub detail: String,
    /// How long it took, its checks included.
    pub seconds: f64,
    /// The recount after it; none where no member ran that could be asked for blocks.
    pub reserve: Option<ReservesReport>,
}

/// All of it.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Every check passed.
    pub ok: bool,
    /// How long it took.
    pub seconds: f64,
    /// What did not pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ApiError>,
    /// Where the logs are, if they are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logs: Option<String>,
    /// Step by step.
    pub steps: Vec<Step>,
    /// The nodes' statements at the end.
    pub statements: Vec<Statement>,
}

impl Step {
    /// A step that was done.
    pub fn new(
        number: usize,
        title: impl Into<String>,
        detail: impl Into<String>,
        took: Duration,
        reserve: Option<ReservesReport>,
    ) -> Self {
        Self { number, title: title.into(), detail: detail.into(), seconds: took.as_secs_f64(), reserve }
    }

    /// As a line, and a second one where the reserve changed.
    pub fn line(&self, reserve_changed: bool, paint: Paint) -> String {
        let mut line = format!(
            "{:>3} {} {:>6.1} s  {:<28} {}",
            self.number,
            paint.mark(true),
            self.seconds,
            self.title,
            self.detail
        );
        if let (true, Some(reserve)) = (reserve_changed, &self.reserve) {
            line.push_str(&format!("\n{:15}{}", "", federation::equation(reserve, paint)));
        }
        line
    }

    /// As progress, for `--json`.
    pub fn progress(&self) -> Progress {
        Progress {
            step: u32::try_from(self.number).unwrap_or(u32::MAX),
            of: 0,
            label: self.title.clone(),
            detail: self.detail.clone(),
            bar: None,
        }
    }
}

impl Report {
    /// The last line.
    pub fn closing(&self, paint: Paint) -> String {
        let took = crate::duration::show(Duration::from_secs_f64(self.seconds.max(0.0)));
        let recounts = self.steps.iter().filter(|step| step.reserve.is_some()).count();
        if self.ok {
            format!(
                "{} the whole voyage in {took}: {} steps, {recounts} recounts of the reserve, {} statements that add up",
                paint.mark(true),
                self.steps.len(),
                self.statements.len()
            )
        } else {
            format!("{} the voyage ended after {} steps, in {took}", paint.mark(false), self.steps.len())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::samples;

    fn step() -> Step {
        let took = Duration::from_millis(1_340);
        Step::new(8, "peg in by alice", "1.00000000 BTC minted", took, Some(samples::reserves(100_000_000)))
    }

    #[test]
    fn a_step_is_a_line_and_the_reserve_where_it_moved() {
        let quiet = "  8 ✓    1.3 s  peg in by alice              1.00000000 BTC minted";
        assert_eq!(step().line(false, Paint::PLAIN), quiet);
        let reserve = "               reserve 1.00000000 BTC = supply 0.75000000 + owed 0.25000000 ✓";
        assert_eq!(step().line(true, Paint::PLAIN), format!("{quiet}\n{reserve}"));
    }

    #[test]
    fn the_report_says_how_it_went() {
        let mut report = Report {
            ok: true,
            seconds: 62.0,
            error: None,
            logs: None,
            steps: vec![step()],
            statements: vec![samples::statement()],
        };
        assert_eq!(
            report.closing(Paint::PLAIN),
            "✓ the whole voyage in 1 min 02 s: 1 steps, 1 recounts of the reserve, 1 statements that add up"
        );
        report.ok = false;
        report.error = Some(ApiError::failed("check failed"));
        assert_eq!(report.closing(Paint::PLAIN), "✗ the voyage ended after 1 steps, in 1 min 02 s");
        let json = serde_json::to_value(&report).expect("JSON");
        assert_eq!(json["steps"][0]["reserve"]["reserve_sat"], 100_000_000);
        assert_eq!(json["error"]["message"], "check failed");
    }
}
