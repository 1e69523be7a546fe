//! LDK's transactions on their way to bitcoind.

use super::kv::Kv;
use crate::book::FundingNotes;
use bitcoin::Transaction;
use lightning::chain::chaininterface::BroadcasterInterface;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use windlass_chain::{Bitcoind, BroadcastError};

/// Packages that may wait for a bitcoind that is down. LDK sends what matters again, so the
/// newest may be dropped.
const QUEUE_LEN: usize = 1024;

/// How long to wait for a bitcoind that does not answer.
const RETRY: Duration = Duration::from_millis(500);

/// Queues what LDK wants broadcast; [`Relay::run`] sends it.
pub(crate) struct Broadcaster {
    queue: mpsc::Sender<Vec<Transaction>>,
    queued: AtomicU64,
    sent: watch::Sender<u64>,
    notes: Box<dyn FundingNotes>,
}

/// The other end of the queue.
#[derive(Debug)]
pub(crate) struct Relay {
    queue: mpsc::Receiver<Vec<Transaction>>,
    sent: watch::Sender<u64>,
    bitcoind: Bitcoind,
}

pub(crate) fn pair(bitcoind: Bitcoind, notes: impl FundingNotes + 'static) -> (Broadcaster, Relay) {
    let (sender, queue) = mpsc::channel(QUEUE_LEN);
    let sent = watch::Sender::new(0);
    let (notes, queued) = (Box::new(notes), AtomicU64::new(0));
    (Broadcaster { queue: sender, queued, sent: sent.clone(), notes }, Relay { queue, sent, bitcoind })
}

impl Broadcaster {
    /// Returns when bitcoind has answered to all that was queued before the call, or at `timeout`.
    pub(crate) async fn flushed(&self, timeout: Duration) {
        let queued = self.queued.load(Ordering::Acquire);
        let mut sent = self.sent.subscribe();
        let done = tokio::time::timeout(timeout, sent.wait_for(|sent| *sent >= queued)).await;
        if done.is_err() {
            tracing::info!("transactions still wait for bitcoind");
        }
    }
}

impl BroadcasterInterface for Broadcaster {
    fn broadcast_transactions(&self, transactions: &[&Transaction]) {
        // LDK names a splice's transaction only here, and hands it out once: it goes with the same commit.
        transactions.iter().for_each(|transaction| self.notes.note(transaction));
        let package = transactions.iter().map(|&transaction| transaction.clone()).collect();
        match self.queue.try_send(package) {
            Ok(()) => drop(self.queued.fetch_add(1, Ordering::AcqRel)),
            Err(_) => tracing::warn!("too many transactions wait for bitcoind; LDK will send this one again"),
        }
    }
}

impl Relay {
    /// Sends until the queue's other end is gone. A package's transactions go in order: a child
    /// that pays for its parent comes after it. What made LDK send it is on the disk before that.
    pub(crate) async fn run(mut self, kv: &Kv) {
        while let Some(package) = self.queue.recv().await {
            if !kv.durable().await {
                return;
            }
            if package.len() > 1 && self.send_together(&package).await {
                continue;
            }
            for transaction in package {
                self.send(&transaction).await;
            }
            self.sent.send_modify(|sent| *sent += 1);
        }
    }

    /// Sends a parent with the child that pays for it: alone the parent may pay less than any mempool asks.
    /// False if they are refused; then each is tried by itself.
    async fn send_together(&self, package: &[Transaction]) -> bool {
        loop {
            match self.bitcoind.broadcast_package(package).await {
                Ok(()) => return true,
                Err(BroadcastError::Rpc(error)) if error.is_unreachable() => tokio::time::sleep(RETRY).await,
                Err(error) => {
                    tracing::debug!(%error, "not broadcast together");
                    return false;
                }
            }
        }
    }

    async fn send(&self, transaction: &Transaction) {
        let txid = transaction.compute_txid();
        loop {
            match self.bitcoind.broadcast(transaction).await {
                Ok(_) => return tracing::debug!(%txid, "broadcast"),
                Err(BroadcastError::Rpc(error)) if error.is_unreachable() => tokio::time::sleep(RETRY).await,
                // Common and harmless: the other side's close came first, or ours is mined already.
                Err(error) => return tracing::info!(%error, "not broadcast"),
            }
        }
    }
}
