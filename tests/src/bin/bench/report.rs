//! Rows for people and for programs.

use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};
use std::{fs, io::Write as _, time::Duration};

/// One bench's rows.
pub struct Report {
    bench: &'static str,
    file: fs::File,
}

impl Report {
    /// Starts `target/bench/<bench>.jsonl` anew.
    pub fn create(bench: &'static str) -> Result<Self> {
        fs::create_dir_all("target/bench")?;
        let path = format!("target/bench/{bench}.jsonl");
        let file = fs::File::create(&path).with_context(|| path.clone())?;
        println!("\n{bench} ({} cores, {}, {} build; rows in {path})", cores(), cpu(), profile());
        Ok(Self { bench, file })
    }

    /// Adds a row: the figures carry their unit in their name.
    pub fn row(&mut self, figures: Value) -> Result<()> {
        let mut row = Map::new();
        row.insert("bench".into(), json!(self.bench));
        row.insert("impl".into(), json!("windlass"));
        row.insert("cores".into(), json!(cores()));
        row.insert("cpu".into(), json!(cpu()));
        row.insert("profile".into(), json!(profile()));
        let figures = figures.as_object().cloned().unwrap_or_default();
        let line: Vec<String> = figures.iter().map(|(name, value)| format!("{name} {value}")).collect();
        println!("  {}", line.join("  "));
        row.extend(figures);
        writeln!(self.file, "{}", Value::Object(row))?;
        Ok(())
    }
}

/// Cores that this process may use.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(0, usize::from)
}

fn cpu() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    model.trim_start_matches([':', '\t', ' ']).to_owned()
}

fn profile() -> &'static str {
    if cfg!(debug_assertions) { "dev" } else { "release" }
}

/// Latencies, sorted: their percentiles in milliseconds.
pub struct Latencies(Vec<Duration>);

impl Latencies {
    /// Sorts them.
    pub fn new(mut latencies: Vec<Duration>) -> Self {
        latencies.sort_unstable();
        Self(latencies)
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The percentile, in milliseconds with one decimal.
    pub fn ms(&self, percent: usize) -> f64 {
        let last = self.0.len().saturating_sub(1);
        let at = self.0.get((self.0.len() * percent / 100).min(last)).copied().unwrap_or_default();
        round(at.as_secs_f64() * 1000.0)
    }
}

/// One decimal.
pub fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
