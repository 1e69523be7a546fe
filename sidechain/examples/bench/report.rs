//! Rows, and what this process takes of the machine.

use crate::Outcome;
use serde_json::{Map, Value, json};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::time::Duration;

/// The bench's rows.
pub struct Report(File);

impl Report {
    /// Adds to the file: the part with processes began it.
    pub fn create(path: &str) -> Outcome<Self> {
        if let Some(parent) = std::path::Path::new(path).parent() {
            std::fs::create_dir_all(parent)?;
        }
        println!("\nsidechain ({} cores; rows in {path})", cores());
        Ok(Self(OpenOptions::new().create(true).append(true).open(path)?))
    }

    /// Adds a row; the figures carry their unit in their name.
    pub fn row(&mut self, figures: &Value) -> Outcome<()> {
        let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
        let head =
            json!({"bench": "sidechain", "impl": "windlass", "cores": cores(), "cpu": cpu(), "profile": profile});
        let mut row: Map<String, Value> = head.as_object().cloned().unwrap_or_default();
        let figures = figures.as_object().cloned().unwrap_or_default();
        let line: Vec<String> = figures.iter().map(|(name, value)| format!("{name} {value}")).collect();
        println!("  {}", line.join("  "));
        row.extend(figures);
        writeln!(self.0, "{}", Value::Object(row))?;
        Ok(())
    }
}

pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(0, usize::from)
}

fn cpu() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    model.trim_start_matches([':', '\t', ' ']).to_owned()
}

/// Processor time of this process, and its resident memory in bytes.
pub fn usage() -> (Duration, u64) {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit_once(')').map_or(Vec::new(), |(_, rest)| rest.split_whitespace().collect());
    let field = |at: usize| fields.get(at).and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
    (Duration::from_millis((field(11) + field(12)) * 10), field(21) * 4096)
}

/// Bytes on the disk below a path.
pub fn disk_bytes(path: &std::path::Path) -> u64 {
    let Ok(data) = std::fs::metadata(path) else { return 0 };
    let own = std::os::unix::fs::MetadataExt::blocks(&data) * 512;
    let Ok(entries) = std::fs::read_dir(path) else { return own };
    own + entries.flatten().map(|entry| disk_bytes(&entry.path())).sum::<u64>()
}

pub fn per_second(count: usize, took: Duration) -> f64 {
    (count as f64 / took.as_secs_f64()).round()
}

/// The percentile, in milliseconds with one decimal.
pub fn percentile_ms(latencies: &mut [Duration], percent: usize) -> f64 {
    latencies.sort_unstable();
    let at = (latencies.len() * percent / 100).min(latencies.len().saturating_sub(1));
    let found = latencies.get(at).copied().unwrap_or_default();
    (found.as_secs_f64() * 10_000.0).round() / 10.0
}
