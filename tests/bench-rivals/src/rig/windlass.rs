//! Nodes of ours.

use super::{Rig, SPARE_COINS};
use crate::load::Recorder;
use crate::protocol::Shape;
use anyhow::{Context as _, Result};
use bitcoin::Amount;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use windlass_interop::chain::Chain;
use windlass_interop::wait::{DEADLINE, until};
use windlass_interop::windlass::Windlass;
use windlass_types::Msat;

/// As many as ldk-node's runtime takes on a machine of two cores, so that neither has more.
const THREADS: usize = 2;

const CAPACITY: Amount = Amount::from_int_btc(4);

/// The nodes, in the line's order.
pub struct Nodes {
    shape: Shape,
    nodes: Vec<Windlass>,
    no_store: bool,
}

impl Nodes {
    /// Starts them; with `no_store`, their stores are switched off once the channels are open.
    pub fn start(shape: Shape, dir: &Path, chain: &Chain, no_store: bool) -> Result<Self> {
        let start = |at: usize| {
            let name = format!("w{at}");
            Windlass::start(&name, &dir.join(&name), chain, THREADS)
        };
        Ok(Self { shape, nodes: (0..=shape.hops).map(start).collect::<Result<_>>()?, no_store })
    }

    fn first(&self) -> Result<&Windlass> {
        self.nodes.first().context("no nodes")
    }

    fn last(&self) -> Result<&Windlass> {
        self.nodes.last().context("no nodes")
    }
}

impl Rig for Nodes {
    fn needs(&self) -> Result<Vec<String>> {
        let mut addresses = Vec::new();
        for (at, node) in self.nodes.iter().enumerate() {
            let coins = if at == self.shape.hops { SPARE_COINS } else { self.shape.channels + SPARE_COINS };
            for _ in 0..coins {
                addresses.push(node.new_address()?.to_string());
            }
        }
        Ok(addresses)
    }

    fn open(&mut self, chain: &Chain) -> Result<()> {
        for node in &self.nodes {
            node.sync()?;
        }
        let mut fundings = Vec::new();
        for pair in self.nodes.windows(2) {
            let [from, to] = pair else { continue };
            for _ in 0..self.shape.channels {
                fundings.push((from, to, from.open(to.peer_address()?, CAPACITY, Msat::ZERO, true)?));
                chain.mempool(1)?;
                chain.mine(1)?;
                from.sync()?;
                to.sync()?;
            }
        }
        chain.mine(6)?;
        for node in &self.nodes {
            node.sync()?;
        }
        for (from, to, funding) in fundings {
            from.wait_usable(funding)?;
            to.wait_usable(funding)?;
        }
        let all = self.shape.hops * self.shape.channels;
        let payer = self.first()?;
        until("the payer knows all channels", || {
            let known = payer.node()?.info().known_channels;
            Ok((self.shape.hops == 1 || usize::try_from(known)? >= all).then_some(()))
        })?;
        until("a payment arrives", || {
            let invoice = self.invoices(1, 1)?.pop().context("an invoice")?;
            Ok(payer.pay(&invoice).ok())
        })?;
        for node in self.nodes.iter().filter(|_| self.no_store) {
            node.node()?.forget_everything();
        }
        Ok(())
    }

    fn invoices(&self, count: usize, amount_sat: u64) -> Result<Vec<String>> {
        /// Made at a time: each waits for the disk.
        const AT_A_TIME: usize = 64;
        let amount = Msat::new(amount_sat * 1000);
        let payee = self.last()?;
        payee.on(move |node| async move {
            let mut texts = Vec::new();
            while texts.len() < count {
                let tasks: Vec<_> = (0..AT_A_TIME.min(count - texts.len()))
                    .map(|_| {
                        let node = Arc::clone(&node);
                        tokio::spawn(async move { node.create_invoice(Some(amount), "", DEADLINE * 60).await })
                    })
                    .collect();
                for task in tasks {
                    texts.push(task.await??.invoice.context("an invoice without a text")?);
                }
            }
            anyhow::Ok(texts)
        })
    }

    fn load(&self, in_flight: usize, recorder: &Arc<Recorder>) -> Result<()> {
        let recorder = Arc::clone(recorder);
        self.first()?.on(move |node| async move {
            let payers: Vec<_> = (0..in_flight)
                .map(|_| {
                    let (node, recorder) = (Arc::clone(&node), Arc::clone(&recorder));
                    tokio::spawn(async move {
                        while let Some(invoice) = recorder.next() {
                            let start = Instant::now();
                            let hash = node.pay(&invoice, None).await?;
                            node.wait_payment(hash, DEADLINE).await?;
                            recorder.paid(start);
                        }
                        anyhow::Ok(())
                    })
                })
                .collect();
            for payer in payers {
                payer.await??;
            }
            anyhow::Ok(())
        })
    }

    fn balance(&self) -> Result<()> {
        // A channel of four bitcoin lasts for any bench.
        Ok(())
    }

    fn restart(&mut self) -> Result<(f64, f64)> {
        let payer = self.nodes.first_mut().context("no nodes")?;
        payer.stop();
        let start = Instant::now();
        payer.run(THREADS)?;
        let started = start.elapsed().as_secs_f64();
        until("it can pay again", || Ok((payer.node()?.info().usable_channels > 0).then_some(())))?;
        Ok((started, start.elapsed().as_secs_f64()))
    }
}
