//! A closed loop: so many payers, each paying one invoice after the other.

use crate::protocol::Ran;
use crate::rig::Rig;
use crate::syncs::Syncs;
use crate::usage::Usage;
use anyhow::{Context as _, Result};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often the window's bounds are looked for.
const LOOK: Duration = Duration::from_millis(1);

/// Fewer payments than this make no window, unless it is four times as long as wanted.
const LEAST: usize = 20;

/// The payments of one run.
#[derive(Debug, Default)]
pub struct Recorder {
    invoices: Mutex<Vec<String>>,
    stop: AtomicBool,
    done: AtomicUsize,
    refused: AtomicUsize,
    failed: AtomicUsize,
    ends: Mutex<Vec<(Instant, Duration)>>,
}

impl Recorder {
    fn new(invoices: Vec<String>) -> Arc<Self> {
        Arc::new(Self { invoices: Mutex::new(invoices), ..Self::default() })
    }

    /// The next invoice; none when the run is over.
    pub fn next(&self) -> Option<String> {
        if self.stop.load(Ordering::Relaxed) {
            return None;
        }
        self.invoices.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// The payment that began at `start` has its preimage.
    pub fn paid(&self, start: Instant) {
        let end = Instant::now();
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).push((end, end - start));
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    /// A payment could not leave and is tried again.
    pub fn refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// A payment left and came back.
    pub fn failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }
}

/// Pays `invoices`, `in_flight` at a time, and measures from when as many have been paid as are in
/// flight (so that the pipe is full) for `seconds`, or until the invoices are used up.
pub fn run(rig: &dyn Rig, invoices: Vec<String>, in_flight: usize, seconds: f64, count_syncs: bool) -> Result<Ran> {
    let recorder = Recorder::new(invoices);
    let mut syncs = count_syncs.then(Syncs::start).flatten();
    let (start, end) = std::thread::scope(|scope| {
        let load = scope.spawn(|| rig.load(in_flight, &recorder));
        let done = || recorder.done.load(Ordering::Relaxed);
        while done() < in_flight && !load.is_finished() {
            std::thread::sleep(LOOK);
        }
        let start = (Instant::now(), Usage::now()?, syncs.as_mut().and_then(Syncs::read));
        let enough = done() + in_flight.max(LEAST);
        loop {
            let passed = start.0.elapsed().as_secs_f64();
            if load.is_finished() || passed > 4.0 * seconds || (passed > seconds && done() >= enough) {
                break;
            }
            std::thread::sleep(LOOK);
        }
        let end = (Instant::now(), Usage::now()?, syncs.as_mut().and_then(Syncs::read));
        recorder.stop.store(true, Ordering::Relaxed);
        load.join().map_err(|_| anyhow::anyhow!("the load panicked"))??;
        anyhow::Ok((start, end))
    })?;
    let ends = recorder.ends.lock().unwrap_or_else(PoisonError::into_inner);
    let inside: Vec<_> = ends.iter().filter(|(at, _)| *at > start.0 && *at <= end.0).collect();
    // If the invoices ran out, the window ends with the last payment.
    let last = inside.iter().map(|(at, _)| *at).max().context("no payment ended in the window")?;
    let until = if recorder.next().is_none() && end.0 - last > Duration::from_secs(1) { last } else { end.0 };
    Ok(Ran {
        seconds: (until - start.0).as_secs_f64(),
        latencies_ms: inside.iter().map(|(_, time)| time.as_secs_f64() * 1e3).collect(),
        payments: ends.len(),
        cpu_ms: end.1.cpu_ms - start.1.cpu_ms,
        written_bytes: end.1.written_bytes - start.1.written_bytes,
        syncs: end.2.zip(start.2).map(|(end, start)| end - start),
        refused: recorder.refused.load(Ordering::Relaxed),
        failed: recorder.failed.load(Ordering::Relaxed),
    })
}
