//! What this process has used, as `/proc/self` tells it.

use anyhow::{Context as _, Result};

/// Linux counts a process's time in hundredths of a second (`USER_HZ`, part of its interface).
const TICK_MS: u64 = 10;

/// A reading of the counters.
#[derive(Debug, Clone, Copy)]
pub struct Usage {
    /// Processor time, user and kernel, of all threads.
    pub cpu_ms: f64,
    /// Bytes given to write calls (`wchar` of `/proc/self/io`; sockets are not among them, for nobody here writes
    /// to one by `write`). Its `write_bytes` counts whole folios of the page cache, up to 100 times as much.
    pub written_bytes: u64,
}

impl Usage {
    /// Reads them.
    pub fn now() -> Result<Self> {
        let stat = std::fs::read_to_string("/proc/self/stat").context("/proc/self/stat")?;
        // The name, in parentheses, may hold blanks; utime and stime are the 12th and 13th after it.
        let (_, after) = stat.rsplit_once(')').context("no name in /proc/self/stat")?;
        let times: Vec<u64> = after.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
        let io = std::fs::read_to_string("/proc/self/io").context("/proc/self/io")?;
        let written = io.lines().find_map(|line| line.strip_prefix("wchar: ")).context("no wchar")?;
        Ok(Self { cpu_ms: (times.iter().sum::<u64>() * TICK_MS) as f64, written_bytes: written.trim().parse()? })
    }
}
