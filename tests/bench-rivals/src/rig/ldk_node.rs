//! Nodes of ldk-node.

use super::{Rig, SPARE_COINS};
use crate::load::Recorder;
use crate::protocol::Shape;
use anyhow::{Context as _, Result, anyhow, bail, ensure};
use ldk_node::lightning::ln::msgs::SocketAddress;
use ldk_node::lightning_invoice::{Bolt11Invoice, Bolt11InvoiceDescription, Description};
use ldk_node::{Event, Node};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};
use windlass_bench_rivals::{build, failed};
use windlass_interop::chain::{Access, Chain, free_port};
use windlass_interop::wait::{DEADLINE, until};

/// It takes channels of up to 2^24 - 1 satoshis, which can't be set.
const CAPACITY_SAT: u64 = 16_000_000;

/// It takes 50 payments in flight per channel, which can't be set either, and a place is free only some
/// messages after the payer has the preimage. More than this wait in line; the wait counts.
const ROOM: usize = 40;

/// Sent back when this much has gone over, in payments of this size: a channel takes a tenth at a time.
const BACK_AT_SAT: u64 = 5_000_000;
const BACK_SAT: u64 = 1_000_000;

const EXPIRY_SECONDS: u32 = 24 * 3600;

/// How long to wait when it says that there is no way at the moment.
const AGAIN: Duration = Duration::from_millis(5);

type Waiting = Arc<Mutex<HashMap<[u8; 32], SyncSender<bool>>>>;

/// The nodes, in the line's order.
pub struct Nodes {
    shape: Shape,
    dir: PathBuf,
    access: Access,
    nodes: Vec<Arc<Node>>,
    /// Who waits for the end of a payment of the first or last node.
    waiting: Waiting,
}

impl Nodes {
    pub fn start(shape: Shape, dir: &Path, chain: &Chain) -> Result<Self> {
        let mut nodes =
            Self { shape, dir: dir.into(), access: chain.access()?, nodes: Vec::new(), waiting: Waiting::default() };
        for at in 0..=shape.hops {
            let node = nodes.launch(at, free_port()?)?;
            nodes.nodes.push(node);
        }
        Ok(nodes)
    }

    fn launch(&self, at: usize, port: u16) -> Result<Arc<Node>> {
        let node = Arc::new(build(&format!("ldk{at}"), port, &self.dir, &self.access)?);
        node.start().map_err(failed)?;
        follow(&node, &self.waiting);
        Ok(node)
    }

    fn first(&self) -> Result<&Arc<Node>> {
        self.nodes.first().context("no nodes")
    }

    fn last(&self) -> Result<&Arc<Node>> {
        self.nodes.last().context("no nodes")
    }

    fn sync(&self) -> Result<()> {
        self.nodes.iter().try_for_each(|node| node.sync_wallets().map_err(failed))
    }

    /// Pays from `from` and waits for the end: whether it arrived.
    fn pay(&self, from: &Node, text: &str, recorder: Option<&Recorder>) -> Result<bool> {
        let invoice: Bolt11Invoice = text.parse().map_err(failed)?;
        let (tell, told) = sync_channel(1);
        let hash: [u8; 32] = *invoice.payment_hash().as_ref();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(hash, tell);
        let end = Instant::now() + DEADLINE;
        while let Err(error) = from.bolt11_payment().send(&invoice, None) {
            if Instant::now() > end {
                bail!("ldk-node can't send: {error:?}");
            }
            if let Some(recorder) = recorder {
                recorder.refused();
            }
            std::thread::sleep(AGAIN);
        }
        told.recv_timeout(DEADLINE).context("no event about a payment")
    }
}

/// Takes a node's events, as its user must, and tells who waits. The thread lasts as long as the
/// process: ldk-node has no way to end the wait for an event.
fn follow(node: &Arc<Node>, waiting: &Waiting) {
    let (node, waiting) = (Arc::clone(node), Arc::clone(waiting));
    std::thread::spawn(move || {
        loop {
            let (hash, paid) = match node.wait_next_event() {
                Event::PaymentSuccessful { payment_hash, .. } => (Some(payment_hash), true),
                Event::PaymentFailed { payment_hash, .. } => (payment_hash, false),
                _ => (None, false),
            };
            if node.event_handled().is_err() {
                return;
            }
            let waits = hash.and_then(|hash| waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&hash.0));
            if let Some(tell) = waits {
                // Who gave up waiting has said so.
                let _ = tell.send(paid);
            }
        }
    });
}

/// Places; who comes late waits.
struct Gate {
    free: Mutex<usize>,
    changed: Condvar,
}

impl Gate {
    fn pass<T>(&self, work: impl FnOnce() -> T) -> T {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        while *free == 0 {
            free = self.changed.wait(free).unwrap_or_else(PoisonError::into_inner);
        }
        *free -= 1;
        drop(free);
        let done = work();
        *self.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.changed.notify_one();
        done
    }
}

impl Rig for Nodes {
    fn needs(&self) -> Result<Vec<String>> {
        let mut addresses = Vec::new();
        for (at, node) in self.nodes.iter().enumerate() {
            let coins = if at == self.shape.hops { SPARE_COINS } else { self.shape.channels + SPARE_COINS };
            for _ in 0..coins {
                addresses.push(node.onchain_payment().new_address().map_err(failed)?.to_string());
            }
        }
        Ok(addresses)
    }

    fn open(&mut self, chain: &Chain) -> Result<()> {
        self.sync()?;
        for pair in self.nodes.windows(2) {
            let [from, to] = pair else { continue };
            let address = to.listening_addresses().and_then(|all| all.into_iter().next()).context("no address")?;
            for _ in 0..self.shape.channels {
                let before = from.list_channels().iter().filter(|channel| channel.funding_txo.is_some()).count();
                from.open_announced_channel(to.node_id(), address.clone(), CAPACITY_SAT, None, None).map_err(failed)?;
                until("ldk-node funds its channel", || {
                    let now = from.list_channels().iter().filter(|channel| channel.funding_txo.is_some()).count();
                    Ok((now > before).then_some(()))
                })?;
                chain.mempool(1)?;
                chain.mine(1)?;
                self.sync()?;
            }
        }
        chain.mine(6)?;
        self.sync()?;
        until("ldk-node's channels are usable", || {
            let usable = |node: &Arc<Node>| node.list_channels().iter().all(|channel| channel.is_usable);
            Ok(self.nodes.iter().all(usable).then_some(()))
        })?;
        let all = self.shape.hops * self.shape.channels;
        let graph = self.first()?.network_graph();
        until("ldk-node's payer knows all channels", || {
            let ready = |id: &u64| {
                graph.channel(*id).is_some_and(|channel| channel.one_to_two.is_some() && channel.two_to_one.is_some())
            };
            let known = graph.list_channels().iter().filter(|id| ready(id)).count();
            Ok((self.shape.hops == 1 || known >= all).then_some(()))
        })?;
        let invoice = self.invoices(1, 1)?.pop().context("an invoice")?;
        ensure!(self.pay(self.first()?, &invoice, None)?, "ldk-node's first payment failed");
        Ok(())
    }

    fn invoices(&self, count: usize, amount_sat: u64) -> Result<Vec<String>> {
        let words = Bolt11InvoiceDescription::Direct(Description::new(String::new()).map_err(failed)?);
        let receive = self.last()?.bolt11_payment();
        (0..count)
            .map(|_| Ok(receive.receive(amount_sat * 1000, &words, EXPIRY_SECONDS).map_err(failed)?.to_string()))
            .collect()
    }

    fn load(&self, in_flight: usize, recorder: &Arc<Recorder>) -> Result<()> {
        let gate = Gate { free: Mutex::new(ROOM * self.shape.channels), changed: Condvar::new() };
        let payer = self.first()?;
        std::thread::scope(|scope| {
            let one = || {
                while let Some(invoice) = recorder.next() {
                    let start = Instant::now();
                    if gate.pass(|| self.pay(payer, &invoice, Some(recorder)))? {
                        recorder.paid(start);
                    } else {
                        recorder.failed();
                    }
                }
                anyhow::Ok(())
            };
            let payers: Vec<_> = (0..in_flight).map(|_| scope.spawn(one)).collect();
            for payer in payers {
                payer.join().map_err(|_| anyhow!("a payer panicked"))??;
            }
            Ok(())
        })
    }

    fn balance(&self) -> Result<()> {
        let theirs = |node: &Node| -> u64 {
            node.list_channels().iter().map(|channel| channel.outbound_capacity_msat / 1000).sum()
        };
        let (first, last) = (self.first()?, self.last()?);
        let words = Bolt11InvoiceDescription::Direct(Description::new(String::new()).map_err(failed)?);
        if theirs(last) < BACK_AT_SAT {
            return Ok(());
        }
        while theirs(last) > 2 * BACK_SAT {
            let invoice = first.bolt11_payment().receive(BACK_SAT * 1000, &words, EXPIRY_SECONDS).map_err(failed)?;
            ensure!(self.pay(last, &invoice.to_string(), None)?, "ldk-node can't send money back");
        }
        Ok(())
    }

    fn restart(&mut self) -> Result<(f64, f64)> {
        let old = self.first()?;
        let port = match old.listening_addresses().and_then(|all| all.into_iter().next()) {
            Some(SocketAddress::TcpIpV4 { port, .. }) => port,
            other => bail!("an address that was not given: {other:?}"),
        };
        old.stop().map_err(failed)?;
        let start = Instant::now();
        let payer = self.launch(0, port)?;
        let started = start.elapsed().as_secs_f64();
        until("it can pay again", || Ok(payer.list_channels().iter().any(|c| c.is_usable).then_some(())))?;
        let can_pay = start.elapsed().as_secs_f64();
        if let Some(place) = self.nodes.first_mut() {
            *place = payer;
        }
        Ok((started, can_pay))
    }
}
