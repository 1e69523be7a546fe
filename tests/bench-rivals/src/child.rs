//! The bench's hand on a worker.

use crate::protocol::{Answer, Impl, Order, Ran, Shape};
use anyhow::{Context as _, Result, bail};
use bitcoin::{Address, Amount, Network};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use windlass_interop::chain::Chain;
use windlass_interop::windlass::Windlass;

/// What each address gets: room for the largest channel.
const COIN: Amount = Amount::from_int_btc(5);

/// Payments of the bank in one block: more would make a chain that bitcoind refuses.
const PER_BLOCK: usize = 10;

/// A worker.
pub struct Worker {
    /// What it holds.
    pub which: Impl,
    process: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Worker {
    /// Starts a worker whose nodes have channels, paid by `bank`.
    pub fn start(which: Impl, shape: Shape, dir: &Path, chain: &Chain, bank: &Windlass) -> Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["worker", which.name()])
            .args([shape.hops.to_string(), shape.channels.to_string()])
            .arg(chain.port().to_string())
            .args([chain.dir(), dir])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let orders = process.stdin.take();
        let answers = BufReader::new(process.stdout.take().context("no standard output")?);
        let mut worker = Self { which, process, orders, answers };
        let Answer::NeedsFunds(addresses) = worker.ask(&Order::SetUp)? else { bail!("it does not ask for funds") };
        for part in addresses.chunks(PER_BLOCK) {
            bank.sync()?;
            for address in part {
                let address = address.parse::<Address<_>>()?.require_network(Network::Regtest)?;
                bank.send(&address, COIN)?;
            }
            chain.mine(1)?;
        }
        worker.expect_ready(&Order::Funded)?;
        Ok(worker)
    }

    fn ask(&mut self, order: &Order) -> Result<Answer> {
        let orders = self.orders.as_mut().context("the worker has ended")?;
        writeln!(orders, "{}", serde_json::to_string(order)?)?;
        orders.flush()?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        match serde_json::from_str(&line).with_context(|| format!("{} said {line:?}", self.which.name()))? {
            Answer::Failed(reason) => bail!(reason),
            answer => Ok(answer),
        }
    }

    fn expect_ready(&mut self, order: &Order) -> Result<()> {
        match self.ask(order)? {
            Answer::Ready => Ok(()),
            other => bail!("{} answered {other:?}", self.which.name()),
        }
    }

    /// Pays `count` invoices at the most.
    pub fn pay(&mut self, count: usize, amount_sat: u64, in_flight: usize, seconds: f64) -> Result<Ran> {
        self.run(count, amount_sat, Order::Run { in_flight, seconds, count_syncs: false })
    }

    /// As [`Self::pay`], counting syncs, which makes every payment slower by a tenth or more: its other
    /// figures are good for nothing.
    pub fn pay_counting(&mut self, count: usize, amount_sat: u64, in_flight: usize, seconds: f64) -> Result<Ran> {
        self.run(count, amount_sat, Order::Run { in_flight, seconds, count_syncs: true })
    }

    fn run(&mut self, count: usize, amount_sat: u64, order: Order) -> Result<Ran> {
        self.expect_ready(&Order::Prepare { count, amount_sat })?;
        match self.ask(&order)? {
            Answer::Ran(ran) => Ok(ran),
            other => bail!("{} answered {other:?}", self.which.name()),
        }
    }

    /// Restarts the payer: the seconds until it runs, and until it can pay.
    pub fn restart(&mut self) -> Result<(f64, f64)> {
        match self.ask(&Order::Restart)? {
            Answer::Restarted { started_s, can_pay_s } => Ok((started_s, can_pay_s)),
            other => bail!("{} answered {other:?}", self.which.name()),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // With its orders at an end it leaves, and takes its folder with it.
        drop(self.orders.take());
        let _ = self.process.wait();
    }
}
