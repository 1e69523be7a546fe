//! Watches Bitcoin's blocks for the wallet's pegs: coins at deposit addresses, spends of them,
//! payments of peg-outs. What a block brought, its reorganisation takes back.

use super::journal::{Coin, Entry, Journal, Pages, Seen};
use bitcoin::{Block, OutPoint, ScriptBuf, Transaction};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use windlass_chain::{Bitcoind, Event, FollowError, Follower};
use windlass_store::StoreError;
use windlass_types::{BlockRef, Digest};

/// How often a new block is asked for, if nobody pokes.
const INTERVAL: Duration = Duration::from_millis(250);

/// Blocks without anything of ours between two writes of the position: so many are read again
/// after a crash.
const SAVE_EVERY_BLOCKS: u32 = 50;

/// Why the watch can't go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum WatchError {
    #[error(transparent)]
    Follow(#[from] FollowError),
    #[error("the journal can't be written")]
    Store(#[from] StoreError),
}

/// The watcher of one wallet.
#[derive(Debug)]
pub(super) struct Watch {
    journal: Arc<Journal>,
    bitcoind: Bitcoind,
    follower: Follower,
    unsaved: u32,
    at: watch::Sender<Option<BlockRef>>,
    poke: Arc<Notify>,
}

impl Watch {
    /// Goes on where it stood, or starts behind the block `start`.
    pub(super) fn new(
        journal: Arc<Journal>,
        bitcoind: Bitcoind,
        start: BlockRef,
        at: watch::Sender<Option<BlockRef>>,
        poke: Arc<Notify>,
    ) -> Result<Self, StoreError> {
        let follower = Follower::resume(bitcoind.clone(), journal.history()?)
            .unwrap_or_else(|| Follower::new(bitcoind.clone(), start));
        Ok(Self { journal, bitcoind, follower, unsaved: 0, at, poke })
    }

    /// Takes in blocks up to the tip.
    pub(super) async fn step(&mut self) -> Result<(), WatchError> {
        let mut moved = false;
        while let Some(event) = self.follower.poll().await? {
            moved = true;
            match event {
                Event::Connect { block, at } => self.connect(&block, at)?,
                Event::Disconnect { at, .. } => self.disconnect(at)?,
            }
        }
        if moved || self.at.borrow().is_none() {
            self.broadcast_reclaims().await;
            self.at.send_replace(Some(self.follower.at()));
        }
        Ok(())
    }

    fn connect(&mut self, block: &Block, at: BlockRef) -> Result<(), StoreError> {
        let found = self.journal.read(|pages| look(pages, block, at));
        self.unsaved += 1;
        if found.is_empty() && self.unsaved < SAVE_EVERY_BLOCKS {
            return Ok(());
        }
        self.unsaved = 0;
        let history: Vec<BlockRef> = self.follower.history().collect();
        self.journal.write_at(Some(&history), |pages| found.into_iter().flat_map(|fact| fact.note(pages)).collect())
    }

    fn disconnect(&mut self, lost: BlockRef) -> Result<(), StoreError> {
        tracing::info!(block = %lost, "a block was reorganised away");
        let history: Vec<BlockRef> = self.follower.history().collect();
        self.unsaved = 0;
        self.journal.write_at(Some(&history), |pages| forget(pages, lost))
    }

    /// A reclaim is the owner's own business, so it is offered to the network until it is in a block.
    async fn broadcast_reclaims(&self) {
        let open: Vec<String> = self.journal.read(|pages| {
            let waiting = pages.coins.values().filter(|coin| coin.spent.is_none());
            waiting.filter_map(|coin| coin.reclaim.as_ref().map(|reclaim| reclaim.hex.clone())).collect()
        });
        for hex in open {
            let Ok(transaction) = bitcoin::consensus::encode::deserialize_hex::<Transaction>(&hex) else { continue };
            if let Err(error) = self.bitcoind.broadcast(&transaction).await {
                tracing::warn!(%error, "a reclaim is not accepted now; it is tried again at the next block");
            }
        }
    }

    /// Steps until `stopping`.
    ///
    /// # Errors
    /// The chain is another one, or the disk fails.
    pub(super) async fn run(mut self, mut stopping: watch::Receiver<bool>) -> Result<(), WatchError> {
        let mut was_down = false;
        while !*stopping.borrow() {
            match self.step().await {
                Ok(()) => was_down = false,
                Err(WatchError::Follow(FollowError::Rpc(error))) => {
                    if !std::mem::replace(&mut was_down, true) {
                        tracing::warn!(%error, "the peg watcher waits for bitcoind");
                    }
                }
                Err(error) => return Err(error),
            }
            tokio::select! {
                () = tokio::time::sleep(INTERVAL) => {}
                () = self.poke.notified() => {}
                _ = stopping.changed() => {}
            }
        }
        let history: Vec<BlockRef> = self.follower.history().collect();
        Ok(self.journal.write_at(Some(&history), |_| Vec::new())?)
    }
}

/// Something in a block that concerns us.
#[derive(Debug)]
enum Fact {
    Coin(Box<Coin>),
    Spent { coin: OutPoint, by: Seen },
    Paid { peg_out: Digest, outpoint: OutPoint, seen: Seen },
}

fn look(pages: &Pages, block: &Block, at: BlockRef) -> Vec<Fact> {
    let addresses: HashMap<&ScriptBuf, u64> = pages.addresses.values().map(|a| (&a.script, a.terms.nonce)).collect();
    let mut payouts: HashMap<&ScriptBuf, Vec<Digest>> = HashMap::new();
    for peg_out in pages.peg_outs.values() {
        payouts.entry(&peg_out.script).or_default().push(peg_out.id);
    }
    let mut facts: Vec<Fact> = Vec::new();
    for transaction in &block.txdata {
        let seen = Seen { txid: transaction.compute_txid(), block: at };
        for input in &transaction.input {
            let coin = input.previous_output;
            let in_this_block = facts.iter().any(|fact| matches!(fact, Fact::Coin(known) if known.outpoint == coin));
            if in_this_block || pages.coins.contains_key(&coin) {
                facts.push(Fact::Spent { coin, by: seen });
            }
        }
        for (vout, output) in (0..).zip(&transaction.output) {
            let outpoint = OutPoint::new(seen.txid, vout);
            if let Some(nonce) = addresses.get(&output.script_pubkey) {
                facts.push(Fact::Coin(Box::new(Coin {
                    outpoint,
                    amount: output.value,
                    nonce: *nonce,
                    index: 0,
                    block: Some(at),
                    spent: None,
                    reclaim: None,
                    sidechain: None,
                })));
            }
            for peg_out in payouts.get(&output.script_pubkey).into_iter().flatten() {
                facts.push(Fact::Paid { peg_out: *peg_out, outpoint, seen });
            }
        }
    }
    facts
}

impl Fact {
    /// Writes it down. Safe to repeat: after a crash a block may come again.
    fn note(self, pages: &mut Pages) -> Option<Entry> {
        match self {
            Self::Coin(mut coin) => {
                let outpoint = coin.outpoint;
                let siblings = pages.coins.values().filter(|other| other.nonce == coin.nonce).count();
                match pages.coins.get_mut(&outpoint) {
                    Some(known) => known.block = coin.block,
                    None => {
                        coin.index = u32::try_from(siblings).unwrap_or(u32::MAX);
                        pages.coins.insert(outpoint, *coin);
                    }
                }
                Some(Entry::Coin(outpoint))
            }
            Self::Spent { coin, by } => {
                pages.coins.get_mut(&coin)?.spent = Some(by);
                Some(Entry::Coin(coin))
            }
            Self::Paid { peg_out, outpoint, seen } => {
                let known = pages.peg_outs.get_mut(&peg_out)?;
                known.seen.retain(|(other, _)| *other != outpoint);
                known.seen.push((outpoint, seen));
                Some(Entry::PegOut(peg_out))
            }
        }
    }
}

fn forget(pages: &mut Pages, lost: BlockRef) -> Vec<Entry> {
    let mut changed = Vec::new();
    for coin in pages.coins.values_mut() {
        let (lost_coin, lost_spend) = (coin.block == Some(lost), coin.spent.is_some_and(|spent| spent.block == lost));
        if lost_coin {
            coin.block = None;
        }
        if lost_spend {
            coin.spent = None;
        }
        if lost_coin || lost_spend {
            changed.push(Entry::Coin(coin.outpoint));
        }
    }
    for peg_out in pages.peg_outs.values_mut() {
        let before = peg_out.seen.len();
        peg_out.seen.retain(|(_, seen)| seen.block != lost);
        if peg_out.seen.len() != before {
            changed.push(Entry::PegOut(peg_out.id));
        }
    }
    changed
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
