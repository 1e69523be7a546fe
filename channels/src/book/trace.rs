//! What the chain did with the money of each channel.
//!
//! [`Tracer`] reads every block. It knows the funding outputs from the facts of the channels, and
//! which outputs are ours to claim from LDK's events, and notes the transactions that spend them.
//! All notes are keyed by transaction or output: seeing a block twice changes nothing, and a block
//! that is reorganised away takes its notes with it.

use super::{Book, Facts, Pages, Row};
use crate::{ArrivalKind, ChannelId, CloseKind};
use bitcoin::{Block, OutPoint, Transaction, Txid, Witness};
use lightning::chain::{BestBlock, Listen, transaction::TransactionData};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use windlass_chain::Wallet;
use windlass_types::{BlockRef, BtcHeight};

/// The value of an anchor output (BOLT 3).
pub(crate) const ANCHOR_SAT: u64 = 330;

/// Blocks without any news between two notes of the position.
const SAVE_EVERY_BLOCKS: u32 = 50;

/// What kind of output is ours to claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ClaimKind {
    /// Our anchor.
    Anchor,
    /// Our own balance on our own commitment, or a second-stage output: behind a timelock.
    Delayed,
    /// Our balance on the peer's commitment.
    Remote,
    /// A payment in flight.
    Htlc,
}

/// An output that is ours to claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Claim {
    pub(crate) outpoint: OutPoint,
    pub(crate) value_sat: u64,
    pub(crate) kind: ClaimKind,
}

/// An output of the closing transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CloseOutput {
    pub(crate) value_sat: u64,
    /// It pays the wallet.
    pub(crate) mine: bool,
}

/// The transaction that spends the funding output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CloseTx {
    pub(crate) txid: Txid,
    pub(crate) height: BtcHeight,
    pub(crate) outputs: Vec<CloseOutput>,
}

/// A transaction that spends what is ours to claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spend {
    pub(crate) kind: ArrivalKind,
    pub(crate) height: BtcHeight,
    pub(crate) spent: Vec<OutPoint>,
    pub(crate) gross_sat: u64,
    pub(crate) fee_sat: u64,
}

/// An output that would have been ours, taken by the peer with the revocation key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Taken {
    pub(crate) txid: Txid,
    pub(crate) height: BtcHeight,
    pub(crate) value_sat: u64,
}

/// The output of a transaction that moved a payment in flight on (BOLT 3's second stage).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SecondStage {
    pub(crate) height: BtcHeight,
    pub(crate) value_sat: u64,
}

/// What the chain did with one channel's money.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trace {
    pub(crate) funded_at: Option<BtcHeight>,
    pub(crate) close: Option<CloseTx>,
    /// The tip at which LDK had nothing more to wait for on the chain. What it then calls spendable is
    /// known as a claim only some moments later: so nothing is settled before the next tip.
    #[serde(default)]
    pub(crate) resolved_at: Option<BtcHeight>,
    /// Of a restored channel: what its close left for us is among the claims.
    #[serde(default)]
    pub(crate) searched: bool,
    pub(crate) claims: Vec<Claim>,
    pub(crate) spends: BTreeMap<Txid, Spend>,
    /// What the peer took because we had published a revoked state.
    #[serde(default)]
    pub(crate) taken: BTreeMap<OutPoint, Taken>,
    /// Where payments in flight went: a revoked one can still be taken from there.
    #[serde(default)]
    pub(crate) second_stage: BTreeMap<OutPoint, SecondStage>,
}

impl Trace {
    /// Claims that no block has spent yet.
    pub(crate) fn open_claims(&self) -> impl Iterator<Item = &Claim> {
        let spent: BTreeSet<OutPoint> = self.spends.values().flat_map(|spend| spend.spent.iter().copied()).collect();
        self.claims
            .iter()
            .filter(move |claim| !spent.contains(&claim.outpoint) && !self.taken.contains_key(&claim.outpoint))
    }

    /// We took a revoked state's outputs.
    pub(crate) fn punished_peer(&self) -> bool {
        self.spends.values().any(|spend| spend.kind == ArrivalKind::Penalty)
    }

    fn forget_above(&mut self, height: BtcHeight) -> bool {
        let before = self.clone();
        self.funded_at = self.funded_at.filter(|at| *at <= height);
        self.close = self.close.take().filter(|close| close.height <= height);
        self.resolved_at = self.resolved_at.filter(|at| *at <= height);
        self.searched &= self.close.is_some();
        self.spends.retain(|_, spend| spend.height <= height);
        self.taken.retain(|_, taken| taken.height <= height);
        self.second_stage.retain(|_, output| output.height <= height);
        *self != before
    }
}

impl Book {
    /// An output is ours to claim.
    pub(crate) fn claim(&self, channel: ChannelId, claims: impl IntoIterator<Item = Claim>) {
        self.write(|pages| {
            let trace = pages.traces.entry(channel).or_default();
            for claim in claims {
                if !trace.claims.iter().any(|known| known.outpoint == claim.outpoint) {
                    trace.claims.push(claim);
                }
            }
            [Row::Trace(channel)]
        });
    }
}

/// Reads blocks for the book.
pub(crate) struct Tracer {
    pub(crate) book: Arc<Book>,
    pub(crate) wallet: Arc<Wallet>,
}

/// What is looked for in a block.
struct Watched {
    fundings: BTreeMap<OutPoint, ChannelId>,
    funding_txids: BTreeMap<Txid, Vec<ChannelId>>,
    /// Outputs of closing transactions, and claims elsewhere, with their values.
    coins: BTreeMap<OutPoint, (ChannelId, u64, Option<ClaimKind>)>,
}

/// So many blocks after its end a channel is no longer looked for: no reorganisation is deeper.
const BURIED_BLOCKS: u32 = 144;

impl Pages {
    /// The channel's money came back long ago.
    pub(crate) fn is_buried(&self, id: &ChannelId, facts: &Facts, tip: BtcHeight) -> bool {
        let (Some(closed), Some(trace)) = (&facts.closed, self.traces.get(id)) else { return false };
        let old = |at: BtcHeight| at.get().saturating_add(BURIED_BLOCKS) <= tip.get();
        let over = match closed.kind {
            CloseKind::Cooperative => trace.close.as_ref().is_some_and(|close| old(close.height)),
            _ => trace.resolved_at.is_some_and(old),
        };
        let waits = |claim: &Claim| matches!(claim.kind, ClaimKind::Delayed | ClaimKind::Remote);
        over && trace.spends.values().all(|spend| old(spend.height)) && !trace.open_claims().any(waits)
    }
}

impl Watched {
    fn new(pages: &Pages, height: BtcHeight) -> Self {
        let mut watched = Self { fundings: BTreeMap::new(), funding_txids: BTreeMap::new(), coins: BTreeMap::new() };
        for (id, facts) in pages.facts.iter().filter(|(id, facts)| !pages.is_buried(id, facts, height)) {
            let trace = pages.traces.get(id);
            watched.fundings.insert(facts.funding, *id);
            watched.funding_txids.entry(facts.first_funding().0.txid).or_default().push(*id);
            let Some(trace) = trace else { continue };
            if let Some(close) = &trace.close {
                watched.add_close(*id, close);
            }
            for (outpoint, output) in &trace.second_stage {
                watched.coins.insert(*outpoint, (*id, output.value_sat, None));
            }
            for claim in &trace.claims {
                watched.coins.insert(claim.outpoint, (*id, claim.value_sat, Some(claim.kind)));
            }
        }
        watched
    }

    fn add_close(&mut self, id: ChannelId, close: &CloseTx) {
        for (vout, output) in (0..).zip(&close.outputs) {
            if !output.mine {
                let outpoint = OutPoint::new(close.txid, vout);
                self.coins.entry(outpoint).or_insert((id, output.value_sat, None));
            }
        }
    }
}

impl Tracer {
    /// The block up to which everything was read, if any was.
    pub(crate) fn tip(&self) -> Option<BlockRef> {
        self.book.read().tip
    }

    fn read_transaction(
        &self,
        tx: &Transaction,
        height: BtcHeight,
        pages: &mut Pages,
        watched: &mut Watched,
    ) -> Vec<Row> {
        let mut touched = Vec::new();
        let txid = tx.compute_txid();
        for id in watched.funding_txids.get(&txid).into_iter().flatten() {
            pages.traces.entry(*id).or_default().funded_at = Some(height);
            touched.push(Row::Trace(*id));
        }
        for input in &tx.input {
            let Some(id) = watched.fundings.get(&input.previous_output).copied() else { continue };
            if let Some(facts) = pages.facts.get_mut(&id) {
                touched.push(Row::Facts(id));
                if let Some(to) = facts.splice_confirmed(input.previous_output, txid, height) {
                    watched.fundings.insert(to, id);
                    continue;
                }
                // Their coins are the wallet's to spend again.
                self.wallet.release_coins(facts.splices_end());
            }
            let outputs = tx.output.iter();
            let outputs = outputs.map(|output| CloseOutput {
                value_sat: output.value.to_sat(),
                mine: self.wallet.is_mine(&output.script_pubkey),
            });
            let close = CloseTx { txid, height, outputs: outputs.collect() };
            watched.add_close(id, &close);
            pages.traces.entry(id).or_default().close = Some(close);
            touched.push(Row::Trace(id));
        }
        touched.extend(self.read_spend(tx, txid, height, pages, watched));
        touched
    }

    fn read_spend(
        &self,
        tx: &Transaction,
        txid: Txid,
        height: BtcHeight,
        pages: &mut Pages,
        watched: &mut Watched,
    ) -> Vec<Row> {
        let coins = watched.coins_in(tx);
        if coins.is_empty() {
            return Vec::new();
        }
        let pays_us = tx.output.iter().any(|output| self.wallet.is_mine(&output.script_pubkey));
        // An anchor may be taken by anyone after 16 blocks, a payment in flight by the peer.
        let ours = pays_us
            || coins
                .iter()
                .any(|coin| !coin.revoked && matches!(coin.kind, Some(ClaimKind::Delayed | ClaimKind::Remote)))
            || pages.fees.contains_key(&txid);
        let mut touched = note_second_stage(tx, txid, height, &coins, pages, watched);
        if !ours {
            for coin in coins.iter().filter(|coin| coin.revoked) {
                let taken = Taken { txid, height, value_sat: coin.value_sat };
                pages.traces.entry(coin.channel).or_default().taken.insert(coin.outpoint, taken);
                touched.push(Row::Trace(coin.channel));
            }
            return touched;
        }
        let wallet_joins = coins.len() < tx.input.len();
        let gross: u64 = coins.iter().map(|coin| coin.value_sat).sum();
        let out: u64 = tx.output.iter().map(|output| output.value.to_sat()).sum();
        // With coins of the wallet in it, the wallet pays; what the channel's coins bring in, arrives.
        let fee = if wallet_joins { 0 } else { gross.saturating_sub(out) };
        let shares = share(fee, coins.len());
        let mut by_channel: BTreeMap<ChannelId, Spend> = BTreeMap::new();
        for (coin, fee_share) in coins.into_iter().zip(shares) {
            let kind = coin.arrival();
            // A second-stage transaction only moves the payment to an output that is swept later.
            let moved_on = kind == ArrivalKind::Htlc;
            let spend = by_channel.entry(coin.channel).or_insert(Spend {
                kind,
                height,
                spent: Vec::new(),
                gross_sat: 0,
                fee_sat: 0,
            });
            spend.spent.push(coin.outpoint);
            spend.gross_sat += if moved_on { 0 } else { coin.value_sat };
            spend.fee_sat += if moved_on { 0 } else { fee_share };
        }
        for (id, spend) in by_channel {
            pages.traces.entry(id).or_default().spends.insert(txid, spend);
            touched.push(Row::Trace(id));
        }
        touched
    }
}

/// An output of a channel that a transaction spends.
struct Coin {
    /// Which input of the transaction spends it.
    input: usize,
    outpoint: OutPoint,
    channel: ChannelId,
    value_sat: u64,
    kind: Option<ClaimKind>,
    /// It is spent with the revocation key.
    revoked: bool,
    /// It is spent by a transaction that both signed beforehand: the second stage of a payment in flight.
    second_stage: bool,
}

impl Coin {
    const fn arrival(&self) -> ArrivalKind {
        match self.kind {
            _ if self.revoked => ArrivalKind::Penalty,
            Some(ClaimKind::Anchor) => ArrivalKind::Anchor,
            Some(ClaimKind::Htlc) => ArrivalKind::Htlc,
            Some(ClaimKind::Delayed | ClaimKind::Remote) | None => ArrivalKind::Sweep,
        }
    }
}

impl Watched {
    fn coins_in(&self, tx: &Transaction) -> Vec<Coin> {
        let known = tx.input.iter().enumerate();
        known
            .filter_map(|(input, spent)| {
                let outpoint = spent.previous_output;
                let (channel, value_sat, kind) = self.coins.get(&outpoint).copied()?;
                let revoked = is_revocation(&spent.witness);
                let second_stage = spent.witness.len() == SECOND_STAGE_ITEMS;
                Some(Coin { input, outpoint, channel, value_sat, kind, revoked, second_stage })
            })
            .collect()
    }
}

/// Items in the witness of a payment's second stage: a zero, two signatures, a preimage or nothing, the
/// script (BOLT 3).
const SECOND_STAGE_ITEMS: usize = 5;

/// The witness is a justice transaction's: a signature, the choice of the revocation key (1, or for a
/// payment in flight the key itself), the script (BOLT 3).
fn is_revocation(witness: &Witness) -> bool {
    witness.len() == 3 && witness.nth(1).is_some_and(|choice| choice == [1] || choice.len() == 33)
}

/// Notes where payments in flight went: each input's payment is in the output of the same number.
fn note_second_stage(
    tx: &Transaction,
    txid: Txid,
    height: BtcHeight,
    coins: &[Coin],
    pages: &mut Pages,
    watched: &mut Watched,
) -> Vec<Row> {
    let mut touched = Vec::new();
    for coin in coins.iter().filter(|coin| coin.second_stage) {
        let (Some(output), Ok(vout)) = (tx.output.get(coin.input), u32::try_from(coin.input)) else { continue };
        let (outpoint, value_sat) = (OutPoint::new(txid, vout), output.value.to_sat());
        pages.traces.entry(coin.channel).or_default().second_stage.insert(outpoint, SecondStage { height, value_sat });
        watched.coins.entry(outpoint).or_insert((coin.channel, value_sat, None));
        touched.push(Row::Trace(coin.channel));
    }
    touched
}

/// `total` in `parts` equal parts; the first ones carry the remainder.
fn share(total: u64, parts: usize) -> Vec<u64> {
    let count = parts as u64;
    (0..count).map(|part| total / count + u64::from(part < total % count)).collect()
}

impl Listen for Tracer {
    fn block_connected(&self, block: &Block, height: u32) {
        let at = BlockRef::new(BtcHeight::new(height), block.block_hash());
        self.book.write(|pages| {
            let mut watched = Watched::new(pages, at.height);
            let mut touched = Vec::new();
            if !watched.fundings.is_empty() {
                for tx in &block.txdata {
                    touched.extend(self.read_transaction(tx, at.height, pages, &mut watched));
                }
            }
            pages.tip = Some(at);
            if !touched.is_empty() || height.is_multiple_of(SAVE_EVERY_BLOCKS) {
                touched.push(Row::Tip);
            }
            touched
        });
    }

    fn filtered_block_connected(&self, _: &bitcoin::block::Header, _: &TransactionData<'_>, _: u32) {
        debug_assert!(false, "our block source gives whole blocks");
    }

    fn blocks_disconnected(&self, fork: BestBlock) {
        let height = BtcHeight::new(fork.height);
        self.book.write(|pages| {
            let mut touched = vec![Row::Tip];
            for (id, trace) in &mut pages.traces {
                if trace.forget_above(height) {
                    touched.push(Row::Trace(*id));
                }
            }
            for (id, facts) in pages.facts.iter_mut().filter(|(_, facts)| !facts.splices.is_empty()) {
                let closed = pages.traces.get(id).is_some_and(|trace| trace.close.is_some());
                if facts.forget_splices_above(height, closed) {
                    touched.push(Row::Facts(*id));
                }
            }
            pages.tip = Some(BlockRef::new(height, fork.block_hash));
            touched
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up() {
        for total in 0..50 {
            for parts in 1..6 {
                let shares = share(total, parts);
                assert_eq!(shares.iter().sum::<u64>(), total);
                assert!(shares.iter().max() <= shares.iter().min().map(|least| least + 1).as_ref());
            }
        }
    }

    #[test]
    fn a_justice_transaction_is_known_by_its_witness() {
        let witness = |items: &[&[u8]]| Witness::from_slice(items);
        assert!(is_revocation(&witness(&[&[0x30; 71], &[1], &[0x63; 77]])), "of the balance");
        assert!(is_revocation(&witness(&[&[0x30; 71], &[2; 33], &[0x76; 136]])), "of a payment in flight");
        assert!(!is_revocation(&witness(&[&[0x30; 71], &[], &[0x63; 77]])), "after the delay");
        assert!(!is_revocation(&witness(&[&[0x30; 71], &[7; 32], &[0x76; 136]])), "with the preimage");
        assert!(!is_revocation(&witness(&[&[0x30; 71], &[0x21; 37]])), "the balance at the peer's commitment");
    }

    #[test]
    fn a_reorganisation_takes_its_notes_away() {
        let txid: Txid = "4a5e1e4baab89f3a32518a88c31bc87f618f76673e2cc77ab2127b7afdeda33b".parse().expect("a txid");
        let height = BtcHeight::new(10);
        let close = CloseTx { txid, height, outputs: vec![] };
        let mut trace = Trace { funded_at: Some(BtcHeight::new(9)), close: Some(close), ..Trace::default() };
        assert!(!trace.forget_above(BtcHeight::new(10)));
        assert!(trace.forget_above(BtcHeight::new(9)));
        assert_eq!((trace.funded_at, trace.close), (Some(BtcHeight::new(9)), None));
    }
}
