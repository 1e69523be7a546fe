//! The table: makes, shapes, amounts and payments in flight.

use crate::child::Worker;
use crate::protocol::{Impl, Ran, Shape};
use crate::report::{Case, Report, Rounds};
use anyhow::Result;
use std::collections::BTreeMap;
use std::path::PathBuf;
use windlass_interop::chain::Chain;
use windlass_interop::windlass::Windlass;

/// Block rewards of the bank, of 50 bitcoin each, and blocks until they may be spent.
const REWARDS: u32 = 140;
const MATURITY: u32 = 100;

/// How long syncs are counted for.
const COUNTED_SECONDS: f64 = 1.0;

/// What is measured, and where.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Which makes.
    #[arg(long = "impl", value_enum, value_delimiter = ',', global = true,
        default_values_t = [Impl::Windlass, Impl::WindlassNoStore, Impl::LdkNode])]
    pub impls: Vec<Impl>,
    /// Payments in flight.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 10, 40, 100, 400])]
    in_flight: Vec<usize>,
    /// Channels between neighbours.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 10])]
    channels: Vec<usize>,
    /// Channels that a payment goes over, one after the other.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2])]
    hops: Vec<usize>,
    /// Satoshis per payment.
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 10])]
    amount_sat: Vec<u64>,
    /// How often each make gets its turn.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How long a turn is, in seconds.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// A folder on a real disk for the nodes' state.
    #[arg(long, default_value = "target/bench/nodes", global = true)]
    pub dir: PathBuf,
    /// Where the rows go.
    #[arg(long, default_value = "target/bench/channels.jsonl", global = true)]
    pub rows: PathBuf,
}

/// A bitcoind and a wallet with much money.
pub struct Ground {
    pub chain: Chain,
    pub bank: Windlass,
    _dir: tempfile::TempDir,
}

impl Ground {
    pub fn new() -> Result<Self> {
        let chain = Chain::start()?;
        let dir = tempfile::tempdir()?;
        let bank = Windlass::start("bank", dir.path(), &chain, 1)?;
        chain.mine_to(REWARDS, &bank.new_address()?)?;
        chain.mine(MATURITY)?;
        bank.sync()?;
        Ok(Self { chain, bank, _dir: dir })
    }

    pub fn workers(&self, options: &Options, shape: Shape) -> Result<Vec<Worker>> {
        let start = |which: &Impl| Worker::start(*which, shape, &options.dir, &self.chain, &self.bank);
        options.impls.iter().map(start).collect()
    }
}

/// Runs the table.
pub fn run(options: &Options) -> Result<()> {
    let ground = Ground::new()?;
    let mut report = Report::create(&options.rows)?;
    for hops in &options.hops {
        for channels in &options.channels {
            let shape = Shape { hops: *hops, channels: *channels };
            let mut workers = ground.workers(options, shape)?;
            for amount_sat in &options.amount_sat {
                for in_flight in &options.in_flight {
                    let case = Case { shape, amount_sat: *amount_sat, in_flight: *in_flight };
                    let rounds = measure(&mut workers, case, options)?;
                    report.case(case, &rounds)?;
                }
            }
        }
    }
    Ok(())
}

/// All makes in turn, round by round.
fn measure(workers: &mut [Worker], case: Case, options: &Options) -> Result<BTreeMap<&'static str, Rounds>> {
    let mut all: BTreeMap<&'static str, Rounds> = BTreeMap::new();
    let mut rates = Vec::new();
    for worker in workers.iter_mut() {
        rates.push(warm_up(worker, case)?);
    }
    for _ in 0..options.rounds {
        for (worker, rate) in workers.iter_mut().zip(&mut rates) {
            let ran = turn(worker, case, *rate, options.seconds)?;
            *rate = ran.latencies_ms.len() as f64 / ran.seconds;
            all.entry(worker.which.name()).or_default().timed.push(ran);
        }
    }
    for (worker, rate) in workers.iter_mut().zip(rates) {
        let ran = worker.pay_counting(
            enough(case, rate, COUNTED_SECONDS),
            case.amount_sat,
            case.in_flight,
            COUNTED_SECONDS,
        )?;
        all.entry(worker.which.name()).or_default().counted = Some(ran);
    }
    Ok(all)
}

/// A short turn that does not count; its rate says how many invoices the others need.
pub fn warm_up(worker: &mut Worker, case: Case) -> Result<f64> {
    let enough = if worker.which == Impl::LdkNode { 40 } else { 400 };
    let ran = worker.pay(case.in_flight * 2 + enough, case.amount_sat, case.in_flight, 0.5)?;
    Ok(ran.latencies_ms.len() as f64 / ran.seconds)
}

/// A turn that counts. Invoices for the time before, within and after the window, and some to spare.
pub fn turn(worker: &mut Worker, case: Case, rate: f64, seconds: f64) -> Result<Ran> {
    worker.pay(enough(case, rate, seconds), case.amount_sat, case.in_flight, seconds)
}

fn enough(case: Case, rate: f64, seconds: f64) -> usize {
    case.in_flight * 3 + (rate * seconds * 1.4) as usize + 50
}
