//! Rows for people and for programs.

use crate::protocol::{Impl, Ran, Shape};
use crate::syncs::Syncs;
use anyhow::{Context as _, Result};
use bitcoin::secp256k1::{Message, Secp256k1, SecretKey};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

/// What a row is about.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    pub shape: Shape,
    pub amount_sat: u64,
    pub in_flight: usize,
}

/// The rounds of one make in one case.
#[derive(Debug, Default)]
pub struct Rounds {
    pub timed: Vec<Ran>,
    /// The one in which syncs were counted.
    pub counted: Option<Ran>,
}

impl Rounds {
    /// The median over the rounds.
    fn median(&self, figure: impl Fn(&Ran) -> f64) -> Option<f64> {
        let mut figures: Vec<f64> = self.timed.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures.get(figures.len() / 2).copied()
    }

    pub fn rate(&self) -> Option<f64> {
        self.median(rate)
    }

    fn per_payment(&self, figure: impl Fn(&Ran) -> f64) -> Option<f64> {
        self.median(|ran| per_payment(ran, figure(ran)))
    }

    fn syncs_per_payment(&self) -> Option<f64> {
        let ran = self.counted.as_ref()?;
        Some(per_payment(ran, ran.syncs? as f64))
    }

    /// Of all rounds together.
    fn latency_ms(&self, percent: usize) -> Option<f64> {
        let mut all: Vec<f64> = self.timed.iter().flat_map(|ran| ran.latencies_ms.iter().copied()).collect();
        all.sort_by(f64::total_cmp);
        all.get((all.len() * percent / 100).min(all.len().saturating_sub(1))).copied()
    }
}

/// Most of a payment is such work, in LDK: without it a figure of one machine says nothing on another.
fn verification_us() -> f64 {
    const EACH: u32 = 200;
    let secp = Secp256k1::new();
    let key = SecretKey::from_slice(&[1; 32]).expect("a scalar");
    let (message, public) = (Message::from_digest([2; 32]), key.public_key(&secp));
    let signature = secp.sign_ecdsa(&message, &key);
    let mut rounds: Vec<f64> = (0..9)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..EACH {
                assert!(secp.verify_ecdsa(&message, &signature, &public).is_ok());
            }
            start.elapsed().as_secs_f64() * 1e6 / f64::from(EACH)
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    rounds.get(rounds.len() / 2).copied().unwrap_or_default()
}

fn per_payment(ran: &Ran, figure: f64) -> f64 {
    figure / ran.latencies_ms.len().max(1) as f64
}

fn rate(ran: &Ran) -> f64 {
    ran.latencies_ms.len() as f64 / ran.seconds
}

/// The file of rows, and standard output.
pub struct Report(fs::File);

impl Report {
    /// Starts the file anew.
    pub fn create(path: &Path) -> Result<Self> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let file = fs::File::create(path).with_context(|| path.display().to_string())?;
        println!("channels ({} cores, {}, {} build; rows in {})", cores(), cpu(), profile(), path.display());
        println!("one ECDSA verification on an idle core: {:.1} us", verification_us());
        if !Syncs::can_count() {
            println!(
                "syncs are not counted: no trace points here (as root: mount -t tracefs none /sys/kernel/tracing)"
            );
        }
        Ok(Self(file))
    }

    /// The rows of one case: one for each make, those of ours with their ratio to the others.
    pub fn case(&mut self, case: Case, all: &BTreeMap<&'static str, Rounds>) -> Result<()> {
        let Case { shape, amount_sat, in_flight } = case;
        println!("\n{} hops, {} channels, {amount_sat} sat, {in_flight} in flight", shape.hops, shape.channels);
        let ours = all.get(Impl::Windlass.name()).and_then(Rounds::rate);
        for (name, rounds) in all {
            let mut figures = json!({
                "impl": name, "hops": shape.hops, "channels": shape.channels, "amount_sat": amount_sat,
                "in_flight": in_flight, "rounds": rounds.timed.len(),
                "payments": rounds.timed.iter().map(|ran| ran.latencies_ms.len()).sum::<usize>(),
                "payments_per_s": round(rounds.rate()),
                "payments_per_s_rounds": rounds.timed.iter().map(|ran| round(Some(rate(ran)))).collect::<Vec<_>>(),
                "p50_ms": round(rounds.latency_ms(50)), "p99_ms": round(rounds.latency_ms(99)),
                "fdatasync_per_payment": round(rounds.syncs_per_payment()),
                "bytes_per_payment": rounds.per_payment(|ran| ran.written_bytes as f64).map(f64::round),
                "cpu_ms_per_payment": round(rounds.per_payment(|ran| ran.cpu_ms)),
                "refused": rounds.timed.iter().map(|ran| ran.refused).sum::<usize>(),
                "failed": rounds.timed.iter().map(|ran| ran.failed).sum::<usize>(),
            });
            if *name == Impl::Windlass.name() {
                for (other, figure) in [(Impl::LdkNode, "times_ldk_node"), (Impl::WindlassNoStore, "of_no_store")] {
                    let theirs = all.get(other.name()).and_then(Rounds::rate);
                    if let Some(ratio) = ours.zip(theirs).map(|(ours, theirs)| ours / theirs) {
                        figures[figure] = json!(round(Some(ratio)));
                    }
                }
            }
            self.row(&figures)?;
        }
        Ok(())
    }

    /// Adds a row: the figures carry their unit in their name.
    pub fn row(&mut self, figures: &Value) -> Result<()> {
        let mut row = Map::new();
        row.insert("bench".into(), json!("channels"));
        row.insert("cores".into(), json!(cores()));
        row.insert("cpu".into(), json!(cpu()));
        row.insert("profile".into(), json!(profile()));
        let figures = figures.as_object().cloned().unwrap_or_default();
        let told =
            |name: &str| !matches!(name, "hops" | "channels" | "amount_sat" | "in_flight" | "payments_per_s_rounds");
        let line: Vec<String> = figures
            .iter()
            .filter(|(name, _)| told(name))
            .map(|(name, value)| format!("{name} {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
            .collect();
        println!("  {}", line.join("  "));
        row.extend(figures);
        writeln!(self.0, "{}", Value::Object(row))?;
        Ok(())
    }
}

/// Two decimals.
pub fn round(figure: Option<f64>) -> Option<f64> {
    figure.map(|figure| (figure * 100.0).round() / 100.0)
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(0, usize::from)
}

fn cpu() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    model.trim_start_matches([':', '\t', ' ']).to_owned()
}

const fn profile() -> &'static str {
    if cfg!(debug_assertions) { "dev" } else { "release" }
}
