//! How long a peg-in and a peg-out take, when blocks come as fast as they are needed.

use crate::{
    Setup,
    report::{Report, round},
};
use anyhow::Result;
use serde_json::json;
use std::time::Instant;

const RUNS: usize = 3;

pub fn run(setup: &Setup, report: &mut Report) -> Result<()> {
    let network = setup.network("bench-peg");
    for (direction, arguments) in [("in", ["peg", "in", "alice", "0.5btc"]), ("out", ["peg", "out", "alice", "0.1btc"])]
    {
        let mut times = Vec::new();
        for _ in 0..RUNS {
            let start = Instant::now();
            network.ok(&arguments);
            times.push(start.elapsed());
        }
        times.sort_unstable();
        report.row(json!({ "direction": direction, "runs": RUNS, "wall_s": round(times[RUNS / 2].as_secs_f64()),
            "min_s": round(times[0].as_secs_f64()), "max_s": round(times[RUNS - 1].as_secs_f64()) }))?;
    }
    network.assert_reserves();
    Ok(())
}
