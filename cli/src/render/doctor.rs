//! The doctor's report.

use super::table::{Align, Table};
use crate::color::Paint;
use windlass_regtest::doctor::Report;

/// `windlass doctor`: what was looked at, and for each thing missing the command that mends it.
pub fn report(report: &Report, paint: Paint) -> String {
    let mut table = Table::bare(&[Align::Left, Align::Left, Align::Left]);
    for finding in &report.findings {
        let mark = match (finding.ok, finding.needed) {
            (true, _) => paint.mark(true),
            (false, true) => paint.mark(false),
            (false, false) => paint.yellow("-"),
        };
        table.row([&mark, &finding.name, &finding.detail]);
        if let Some(command) = &finding.command {
            table.row(["", "", &format!("→ {command}")]);
        }
    }
    let verdict = if report.ok { "nothing that is needed is missing" } else { "something that is needed is missing" };
    format!("{}{verdict}\n", table.text(""))
}
