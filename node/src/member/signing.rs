//! Drives the signer over the links, for whatever batch the finalised chain has in flight, and
//! hands what is signed to Bitcoin until the chain says that it is settled.

use super::links::{self, Inbox, Topic};
use super::recount::Watch;
use crate::bitcoin_view::BitcoinView;
use bitcoin::Transaction;
use rand::rngs::OsRng;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tracing::{debug, error, info, warn};
use windlass_chain::BroadcastError;
use windlass_ledger::{Batch, query};
use windlass_peg::signing::{Job, Signer, SignerEvent, Status};
use windlass_sidechain::{Handle, LinkSender};

/// How often time is told to the signer.
const TICK: Duration = Duration::from_millis(200);
/// A signed transaction is handed to bitcoind again this often, until it is settled.
const REBROADCAST: Duration = Duration::from_secs(2);

/// The parts of a member that signing needs.
pub(super) struct Signing {
    pub(super) signer: Signer<OsRng>,
    pub(super) chain: Handle,
    pub(super) links: LinkSender,
    pub(super) names: Vec<String>,
    pub(super) recount: Arc<Watch>,
    pub(super) status: watch::Sender<Status>,
    pub(super) signed: watch::Sender<Option<Arc<Transaction>>>,
}

impl Signing {
    /// Runs until the links close.
    pub(super) async fn run(mut self, mut inbox: Inbox) {
        let start = Instant::now();
        let now_ms = || u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
        let mut heights = self.chain.subscribe();
        let mut permitted = self.recount.changes();
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.look(now_ms());
        loop {
            let events = tokio::select! {
                message = inbox.recv() => match message {
                    Some((from, bytes)) => self.signer.receive(from, &bytes, now_ms()),
                    None => return,
                },
                changed = heights.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.look(now_ms());
                    Vec::new()
                }
                changed = permitted.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.signer.tick(now_ms())
                }
                _ = tick.tick() => {
                    // The chain may have come to its end with the fork: no block would say so.
                    if self.chain.fork().is_some() {
                        self.look(now_ms());
                    }
                    self.signer.tick(now_ms())
                }
            };
            self.handle(events);
        }
    }

    /// Gives the signer what the finalised chain has in flight.
    fn look(&mut self, now_ms: u64) {
        let job = match query::batch(&*self.chain.view()) {
            // What is final means nothing any more.
            _ if self.chain.fork().is_some() => None,
            Ok(batch) => batch.and_then(|batch| self.job(&batch)),
            Err(error) => {
                error!(%error, "the state can't be read: signing nothing");
                None
            }
        };
        if job.is_none() {
            self.signed.send_if_modified(|signed| signed.take().is_some());
        }
        let events = self.signer.set_job(job, now_ms);
        self.handle(events);
    }

    fn job(&self, batch: &Batch) -> Option<Job> {
        match Job::from_batch(self.chain.genesis(), batch) {
            Ok(job) => Some(job),
            Err(error) => {
                error!(%error, batch = batch.id, "the batch in flight can't be signed");
                None
            }
        }
    }

    fn handle(&mut self, events: Vec<SignerEvent>) {
        for event in events {
            match event {
                SignerEvent::Send(to, bytes) => links::send(&self.links, Topic::Signing, to, &bytes),
                SignerEvent::Signed { batch, transaction } => {
                    info!(batch, txid = %transaction.compute_txid(), "the batch is signed");
                    self.signed.send_replace(Some(Arc::new(*transaction)));
                }
                SignerEvent::Fault { member, reason } => {
                    let name = self.names.get(usize::from(member)).map_or("?", String::as_str);
                    warn!(member = name, reason, "signing: a member is at fault");
                }
            }
        }
        let status = self.signer.status();
        self.status.send_if_modified(|known| {
            let changed = *known != status;
            *known = status;
            changed
        });
    }
}

/// Hands the signed transaction to bitcoind, at once and again, as long as there is one. All
/// members do; whoever is first, the others find it known.
pub(super) async fn broadcast(view: Arc<BitcoinView>, mut signed: watch::Receiver<Option<Arc<Transaction>>>) {
    let mut told = String::new();
    loop {
        let transaction = signed.borrow_and_update().clone();
        let Some(transaction) = transaction else {
            told.clear();
            if signed.changed().await.is_err() {
                return;
            }
            continue;
        };
        let outcome = hand_out(&view, &transaction).await;
        if outcome != told {
            info!(txid = %transaction.compute_txid(), "treasury transaction: {outcome}");
            told = outcome;
        }
        // Time is up, or there is another one; an error means that nobody signs any more.
        if let Ok(Err(_)) = timeout(REBROADCAST, signed.changed()).await {
            return;
        }
    }
}

/// Asks the mempool's opinion first, as the rule is for every signature of ours, then broadcasts.
async fn hand_out(view: &BitcoinView, transaction: &Transaction) -> String {
    match view.bitcoind().test_accept(transaction).await {
        Ok(Ok(())) => {}
        // It may be known already, in the mempool or in a block: the broadcast can tell.
        Ok(Err(reason)) => debug!(reason, "testmempoolaccept"),
        Err(error) => return format!("not broadcast: {error}"),
    }
    match view.bitcoind().broadcast(transaction).await {
        Ok(_) => "broadcast".into(),
        Err(BroadcastError::Rejected { reason, .. }) => format!("refused by bitcoind: {reason}"),
        Err(BroadcastError::Rpc(error)) => format!("not broadcast: {error}"),
    }
}
