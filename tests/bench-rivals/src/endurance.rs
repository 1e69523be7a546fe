//! What only time shows: the rate after minutes of load, and the start with many payments behind.

use crate::child::Worker;
use crate::matrix::{Ground, Options, turn, warm_up};
use crate::protocol::{Impl, Shape};
use crate::report::{Case, Report, round};
use anyhow::{Context as _, Result};
use serde_json::json;
use std::time::Instant;

const SHAPE: Shape = Shape { hops: 1, channels: 1 };

/// Payments that are small enough for a channel to last.
const AMOUNT_SAT: u64 = 10;

/// A long run.
#[derive(Debug, clap::Args)]
pub struct Long {
    /// How long each make is under load.
    #[arg(long, default_value_t = 10)]
    minutes: u32,
    /// Payments in flight.
    #[arg(long, default_value_t = 40)]
    in_flight: usize,
}

/// A start with a past.
#[derive(Debug, clap::Args)]
pub struct Restart {
    /// Payments behind it.
    #[arg(long, default_value_t = 100_000)]
    payments: usize,
    /// Payments in flight meanwhile.
    #[arg(long, default_value_t = 100)]
    in_flight: usize,
}

/// The rate of each minute under full load, each make alone, one after the other.
pub fn long(options: &Options, long: &Long) -> Result<()> {
    let mut report = Report::create(&options.rows.with_file_name("channels-long.jsonl"))?;
    let ground = Ground::new()?;
    for which in &options.impls {
        let mut worker = Worker::start(*which, SHAPE, &options.dir, &ground.chain, &ground.bank)?;
        let case = Case { shape: SHAPE, amount_sat: AMOUNT_SAT, in_flight: long.in_flight };
        let mut rate = warm_up(&mut worker, case)?;
        let mut first = None;
        for minute in 1..=long.minutes {
            let ran = turn(&mut worker, case, rate, 60.0)?;
            rate = ran.latencies_ms.len() as f64 / ran.seconds;
            let of_first = rate / *first.get_or_insert(rate);
            report.row(&json!({
                "impl": which.name(), "minute": minute, "in_flight": long.in_flight, "payments_per_s": round(Some(rate)),
                "of_first_minute": round(Some(of_first)),
                "cpu_ms_per_payment": round(Some(ran.cpu_ms / ran.latencies_ms.len() as f64)),
                "bytes_per_payment": (ran.written_bytes as f64 / ran.latencies_ms.len() as f64).round(),
            }))?;
        }
    }
    Ok(())
}

/// Makes many payments, then times the payer's start.
pub fn restart(options: &Options, restart: &Restart) -> Result<()> {
    let mut report = Report::create(&options.rows.with_file_name("channels-restart.jsonl"))?;
    let ground = Ground::new()?;
    for which in options.impls.iter().filter(|which| **which != Impl::WindlassNoStore) {
        let mut worker = Worker::start(*which, SHAPE, &options.dir, &ground.chain, &ground.bank)?;
        let mut behind = 0;
        let begin = Instant::now();
        let mut steps = [0, restart.payments / 10, restart.payments].into_iter();
        let mut next = steps.next().context("a step")?;
        loop {
            if behind >= next {
                let (started_s, can_pay_s) = worker.restart()?;
                report.row(&json!({ "impl": which.name(), "payments_behind": behind,
                    "started_s": round(Some(started_s)), "can_pay_s": round(Some(can_pay_s)),
                    "after_s": round(Some(begin.elapsed().as_secs_f64())) }))?;
                let Some(step) = steps.next() else { break };
                next = step;
            }
            let count = (next - behind).clamp(1, 10_000);
            behind += worker.pay(count, AMOUNT_SAT, restart.in_flight.min(count), 600.0)?.payments;
        }
    }
    Ok(())
}
