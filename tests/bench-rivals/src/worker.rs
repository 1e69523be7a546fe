//! The process that holds the nodes of one make, and their load: so that what it uses is theirs.

use crate::protocol::{Answer, Impl, Order, Shape};
use crate::rig::Rig;
use crate::{disk, load, rig};
use anyhow::{Context as _, Result, bail};
use std::io::{BufRead as _, Write as _};
use std::path::Path;
use windlass_interop::chain::Chain;

/// Obeys the bench until it closes our standard input.
pub fn run(which: Impl, shape: Shape, parent: &Path, chain: &Chain) -> Result<()> {
    let dir = disk::durable(parent)?;
    let mut nodes = rig::start(which, shape, dir.path(), chain)?;
    let mut invoices = Vec::new();
    while let Some(order) = hear()? {
        let answer = match obey(order, nodes.as_mut(), &mut invoices, chain) {
            Ok(answer) => answer,
            Err(error) => Answer::Failed(format!("{}: {error:#}", which.name())),
        };
        say(&answer)?;
    }
    Ok(())
}

fn obey(order: Order, nodes: &mut dyn Rig, invoices: &mut Vec<String>, chain: &Chain) -> Result<Answer> {
    Ok(match order {
        Order::SetUp => {
            say(&Answer::NeedsFunds(nodes.needs()?))?;
            let Some(Order::Funded) = hear()? else { bail!("funds were to come") };
            nodes.open(chain)?;
            Answer::Ready
        }
        Order::Funded => bail!("nobody asked for funds"),
        Order::Prepare { count, amount_sat } => {
            nodes.balance()?;
            *invoices = nodes.invoices(count, amount_sat)?;
            Answer::Ready
        }
        Order::Run { in_flight, seconds, count_syncs } => {
            Answer::Ran(load::run(nodes, std::mem::take(invoices), in_flight, seconds, count_syncs)?)
        }
        Order::Restart => {
            let (started_s, can_pay_s) = nodes.restart()?;
            Answer::Restarted { started_s, can_pay_s }
        }
    })
}

fn hear() -> Result<Option<Order>> {
    let mut line = String::new();
    if std::io::stdin().lock().read_line(&mut line)? == 0 {
        return Ok(None);
    }
    Ok(Some(serde_json::from_str(&line).context("an order")?))
}

fn say(answer: &Answer) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", serde_json::to_string(answer)?)?;
    out.flush()?;
    Ok(())
}
