//! How long `up` takes, and what it takes in memory.

use crate::{
    Setup,
    report::{Report, round},
};
use anyhow::Result;
use serde_json::json;
use std::time::Instant;
use windlass_tests::Network;

const WARM_RUNS: usize = 3;

pub fn run(setup: &Setup, report: &mut Report) -> Result<()> {
    let mut network = Network::new(&setup.program, "bench-up");
    let start = Instant::now();
    network.start(&[]);
    report.row(json!({ "up": "cold", "up_s": round(start.elapsed().as_secs_f64()) }))?;
    let mut warm = Vec::new();
    let mut down = Vec::new();
    for _ in 0..WARM_RUNS {
        let start = Instant::now();
        network.stop();
        down.push(start.elapsed());
        let start = Instant::now();
        network.start(&[]);
        warm.push(start.elapsed());
    }
    warm.sort_unstable();
    down.sort_unstable();
    report.row(json!({ "up": "warm", "runs": WARM_RUNS, "up_s": round(warm[WARM_RUNS / 2].as_secs_f64()),
        "down_s": round(down[WARM_RUNS / 2].as_secs_f64()) }))?;
    let status = network.ok(&["status"]);
    for process in status["processes"].as_array().into_iter().flatten() {
        report.row(json!({ "process": process["name"], "resident_kb": process["memory_kb"] }))?;
    }
    Ok(())
}
