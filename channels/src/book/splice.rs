//! What the book knows of splices: transactions that spend a channel's funding output and make another one.
//!
//! LDK tells of a splice by an event, a moment after it has handed out the transaction; and tells it again
//! after a crash. The transaction is noted where it is handed out, so both are in one commit, and a block
//! that holds it may come before or after the event.

use super::{Book, Facts, Pages, Row};
use crate::ChannelId;
use bitcoin::consensus::encode::{deserialize_hex, serialize_hex};
use bitcoin::{OutPoint, ScriptBuf, Transaction, Txid};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use windlass_types::BtcHeight;

/// Transactions that are kept for a channel until it is clear what they are.
const SPENDING_MAX: usize = 4;

/// What we ask of a splice.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Asked {
    /// From the wallet into the channel.
    pub(crate) in_sat: u64,
    /// The wallet's coins for that.
    pub(crate) coins: Vec<OutPoint>,
    /// What the wallet pays to miners.
    pub(crate) wallet_fee_sat: u64,
    /// From the channel to `script`.
    pub(crate) out_sat: u64,
    pub(crate) script: Option<ScriptBuf>,
    /// The script is the wallet's.
    pub(crate) to_wallet: bool,
}

impl Asked {
    /// True if the transaction does what was asked.
    fn is_in(&self, transaction: &Transaction) -> bool {
        let spends = |coin: &OutPoint| transaction.input.iter().any(|input| input.previous_output == *coin);
        let pays = |script: &ScriptBuf| {
            let right =
                |output: &bitcoin::TxOut| output.script_pubkey == *script && output.value.to_sat() == self.out_sat;
            transaction.output.iter().any(right)
        };
        self.coins.iter().all(spends) && self.script.iter().all(pays)
    }
}

/// A splice that both have signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Splice {
    /// What we asked for; nothing if it is the peer's.
    pub(crate) asked: Asked,
    /// The funding output that it spends.
    pub(crate) from: OutPoint,
    pub(crate) from_sat: u64,
    /// The funding output that it makes.
    pub(crate) to: OutPoint,
    pub(crate) to_sat: u64,
    /// What our balance in the channel pays to miners.
    pub(crate) fee_sat: u64,
    /// The transaction in hex.
    pub(crate) transaction: String,
    /// Its block.
    pub(crate) height: Option<BtcHeight>,
    /// The channel was closed without it.
    #[serde(default)]
    pub(crate) dead: bool,
}

impl Splice {
    fn new(facts: &Facts, asked: Asked, to: OutPoint, transaction: &Transaction) -> Option<Self> {
        let of_channel = |spent: OutPoint| {
            let later = facts.splices.iter().map(|splice| (splice.to, splice.to_sat));
            later.chain([facts.first_funding()]).find(|(outpoint, _)| *outpoint == spent)
        };
        let (from, from_sat) = transaction.input.iter().find_map(|input| of_channel(input.previous_output))?;
        let to_sat = transaction.output.get(usize::try_from(to.vout).ok()?)?.value.to_sat();
        // Who takes out pays the fee out of its balance; who adds, with what it adds.
        let left = from_sat.saturating_sub(to_sat);
        let fee_sat = if asked.out_sat > 0 { left.saturating_sub(asked.out_sat) } else { 0 };
        let transaction = serialize_hex(transaction);
        Some(Self { asked, from, from_sat, to, to_sat, fee_sat, transaction, height: None, dead: false })
    }

    /// It may still come into a block.
    pub(crate) const fn is_waiting(&self) -> bool {
        self.height.is_none() && !self.dead
    }
}

impl Facts {
    /// The first funding output, and its value.
    pub(crate) fn first_funding(&self) -> (OutPoint, u64) {
        self.splices.first().map_or((self.funding, self.capacity_sat), |splice| (splice.from, splice.from_sat))
    }

    /// A splice is in a block: the funding output is another one from here on.
    pub(super) fn splice_confirmed(&mut self, spent: OutPoint, txid: Txid, height: BtcHeight) -> Option<OutPoint> {
        let splice = self.splices.iter_mut().find(|splice| splice.from == spent && splice.to.txid == txid)?;
        splice.height = Some(height);
        splice.dead = false;
        (self.funding, self.capacity_sat) = (splice.to, splice.to_sat);
        Some(splice.to)
    }

    /// The funding output was spent by a close: what else would have spent it never will. Gives back the
    /// wallet's coins in it.
    pub(super) fn splices_end(&mut self) -> Vec<OutPoint> {
        let mut coins = Vec::new();
        for splice in self.splices.iter_mut().filter(|splice| splice.is_waiting()) {
            splice.dead = true;
            coins.extend(&splice.asked.coins);
        }
        coins
    }

    /// Blocks above `height` are gone; `closed` says if the close is still in one. True if it changed anything.
    pub(super) fn forget_splices_above(&mut self, height: BtcHeight, closed: bool) -> bool {
        let before = self.clone();
        for splice in &mut self.splices {
            splice.dead &= closed;
        }
        let above = |splice: &Splice| splice.height.is_some_and(|at| at > height);
        if let Some(first) = self.splices.iter().position(above) {
            for splice in &mut self.splices[first..] {
                splice.height = None;
            }
            (self.funding, self.capacity_sat) = (self.splices[first].from, self.splices[first].from_sat);
        }
        *self != before
    }

    fn is_funding(&self, outpoint: OutPoint) -> bool {
        self.funding == outpoint || self.splices.iter().any(|splice| splice.to == outpoint)
    }
}

/// BOLT 3: the upper byte of the sequence of a commitment's input.
const COMMITMENT_SEQUENCE: u32 = 0x80;

impl Pages {
    /// Notes a splice that LDK tells of; false if it is known already.
    pub(crate) fn add_splice(&mut self, id: ChannelId, to: OutPoint) -> Result<bool, &'static str> {
        let facts = self.facts.get_mut(&id).ok_or("its channel is unknown")?;
        if facts.splices.iter().any(|splice| splice.to == to) {
            return Ok(false);
        }
        let read = facts.spending.iter().filter_map(|hex| deserialize_hex::<Transaction>(hex).ok());
        let transaction = read.into_iter().find(|transaction| transaction.compute_txid() == to.txid);
        let transaction = transaction.ok_or("its transaction is unknown")?;
        let ours = facts.splicing.take_if(|asked| asked.is_in(&transaction));
        let splice = Splice::new(facts, ours.unwrap_or_default(), to, &transaction);
        facts.splices.push(splice.ok_or("it spends no funding output of its channel")?);
        facts.spending.clear();
        // A block that held it came before this word.
        if let Some(trace) = self.traces.get_mut(&id)
            && let Some(close) = trace.close.take_if(|close| close.txid == to.txid)
        {
            facts.splice_confirmed(facts.funding, to.txid, close.height);
        }
        Ok(true)
    }

    /// The wallet's coins that splices have, agreed on or not.
    pub(crate) fn coins_of_splices(&self) -> Vec<OutPoint> {
        let agreed = |facts: &'_ Facts| -> Vec<OutPoint> {
            let waiting = facts.splices.iter().filter(|splice| splice.is_waiting()).map(|splice| &splice.asked);
            waiting.chain(&facts.splicing).flat_map(|asked| asked.coins.iter().copied()).collect()
        };
        self.facts.values().flat_map(agreed).collect()
    }

    /// Transactions of splices that wait for a block.
    pub(crate) fn waiting_splices(&self) -> Vec<Transaction> {
        let waiting = self.facts.values().flat_map(|facts| &facts.splices).filter(|splice| splice.is_waiting());
        waiting.filter_map(|splice| deserialize_hex(&splice.transaction).ok()).collect()
    }
}

/// Who notes transactions that LDK hands out.
pub(crate) trait FundingNotes: Send + Sync {
    /// LDK has handed this out.
    fn note(&self, transaction: &Transaction);
}

impl FundingNotes for Arc<Book> {
    /// Keeps it if it spends a funding output and is no commitment.
    fn note(&self, transaction: &Transaction) {
        let together = transaction.input.iter().filter(|input| input.sequence.0 >> 24 != COMMITMENT_SEQUENCE);
        let spent: Vec<OutPoint> = together.map(|input| input.previous_output).collect();
        let channel = {
            let pages = self.read();
            let known = pages.facts.iter().find(|(_, facts)| spent.iter().any(|coin| facts.is_funding(*coin)));
            known.map(|(id, _)| *id)
        };
        let Some(id) = channel else { return };
        let hex = serialize_hex(transaction);
        self.write(|pages| {
            let Some(facts) = pages.facts.get_mut(&id) else { return vec![] };
            let known = facts.spending.contains(&hex) || facts.splices.iter().any(|splice| splice.transaction == hex);
            if known {
                return vec![];
            }
            facts.spending.push(hex);
            let surplus = facts.spending.len().saturating_sub(SPENDING_MAX);
            facts.spending.drain(..surplus);
            vec![Row::Facts(id)]
        });
    }
}
