//! What happened to a channel's money, from its funding to the last satoshi back on the chain.

use crate::ChannelId;
use bitcoin::secp256k1::PublicKey;
use bitcoin::{Amount, OutPoint, Txid};
use serde::{Deserialize, Serialize};
use windlass_types::{BtcHeight, Msat};

/// How a channel ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseKind {
    /// Both signed.
    Cooperative,
    /// We published our commitment.
    ForcedByUs,
    /// The peer published its commitment.
    ForcedByPeer,
    /// It never had a confirmed funding.
    NeverFunded,
}

/// What a transaction did with a channel's money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArrivalKind {
    /// An output of the closing transaction that pays the wallet.
    Close,
    /// Our anchor, spent to lift the commitment's fee.
    Anchor,
    /// An output that had to wait for its timelock.
    Sweep,
    /// A payment that was in flight, resolved on the chain (its own output is swept later).
    Htlc,
    /// The outputs of a revoked state that the peer had published, taken with the revocation key.
    Penalty,
}

/// Money of a channel in a confirmed transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    /// What it is.
    pub kind: ArrivalKind,
    /// The transaction.
    pub txid: Txid,
    /// The block that holds it.
    pub height: BtcHeight,
    /// The channel's money that went in.
    pub gross: Amount,
    /// The transaction's fee, the channel's share of it, as far as its own money paid it.
    pub fee: Amount,
    /// What the wallet got of it: `gross - fee`.
    pub net: Amount,
    /// What the wallet paid on top from its own coins, to have it confirmed.
    pub wallet_fee: Amount,
}

/// The funding transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Funding {
    /// The funding output.
    pub outpoint: OutPoint,
    /// The block, once confirmed.
    pub height: Option<BtcHeight>,
    /// The fee that our wallet paid for it; zero if the peer funded.
    pub fee: Amount,
    /// The output's value: the channel's capacity at the opening.
    pub value: Amount,
}

/// A transaction that made the channel larger or smaller while it went on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpliceRecord {
    /// The transaction.
    pub txid: Txid,
    /// The funding output that it spends.
    pub from: OutPoint,
    /// The funding output that it makes.
    pub to: OutPoint,
    /// The new output's value.
    pub value: Amount,
    /// Its block, once confirmed.
    pub height: Option<BtcHeight>,
    /// From our wallet into the channel.
    pub added: Amount,
    /// From our balance in the channel to an address; nothing of a peer's splice.
    pub removed: Amount,
    /// That address is our wallet's.
    pub to_wallet: bool,
    /// The fee that came out of our balance.
    pub fee: Amount,
    /// The fee that our wallet paid.
    pub wallet_fee: Amount,
}

/// The end of a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    /// How.
    pub kind: CloseKind,
    /// Why, in LDK's words.
    pub reason: String,
    /// Our balance when it ended, as LDK has it.
    pub balance: Msat,
    /// The transaction that spends the funding output, once confirmed.
    pub txid: Option<Txid>,
    /// Its block.
    pub height: Option<BtcHeight>,
    /// The transaction's fee as a whole.
    pub transaction_fee: Amount,
    /// The part of it that came out of our balance.
    pub fee: Amount,
    /// Value of the two anchors, which the funder gives.
    pub anchors: Amount,
    /// Below a satoshi, or too small for an output: it went to the miner.
    pub rounding: Msat,
    /// The value of payments in flight that the close cut off, and the fees of resolving them,
    /// as far as they came out of our balance.
    pub in_flight: Msat,
    /// What the peer took of our balance because we had published a revoked state.
    pub taken: Amount,
}

/// An output that would have been ours, taken by the peer with the revocation key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// The peer's justice transaction.
    pub txid: Txid,
    /// The block that holds it.
    pub height: BtcHeight,
    /// What it took.
    pub value: Amount,
}

/// A channel's account.
///
/// `opening + received + forwarded_in - sent - forwarded_out = balance`, with what splices added, less
/// what they removed and the fees of that (as soon as both have signed). Once [`Self::settled`],
/// `balance + gift + penalty = closing.fee + closing.anchors + closing.rounding + closing.in_flight +
/// closing.taken + gross of all arrivals`, where an arrival's `gross = net + fee`.
/// [`Self::difference_msat`] is what is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelRecord {
    /// Its id.
    pub id: ChannelId,
    /// The node at the other end.
    pub peer: PublicKey,
    /// We funded it.
    pub we_funded: bool,
    /// It was announced in gossip.
    pub announced: bool,
    /// The value of the funding output that holds it now, or did at its end.
    pub capacity: Amount,
    /// That output, after all splices that are in blocks.
    pub outpoint: OutPoint,
    /// The funding transaction.
    pub funding: Funding,
    /// Its splices, oldest first. Those that a close has made impossible are left out.
    pub splices: Vec<SpliceRecord>,
    /// It was restored from a backup: what happened in it before is lost, and `opening` is what came back.
    pub restored: bool,
    /// Our balance at the opening, after what was pushed.
    pub opening: Msat,
    /// What others paid us over it.
    pub received: Msat,
    /// What we paid over it, the fees of the nodes on the way included.
    pub sent: Msat,
    /// Of `sent`, the fees of the nodes on the way.
    pub routing_fees_paid: Msat,
    /// What came in over it to be forwarded elsewhere, our fee included.
    pub forwarded_in: Msat,
    /// What went out over it, forwarded from elsewhere.
    pub forwarded_out: Msat,
    /// Our balance by this account.
    pub balance: Msat,
    /// The end, once it has begun.
    pub closing: Option<Closing>,
    /// Where our money went on the chain.
    pub arrivals: Vec<Arrival>,
    /// What we got beyond our balance because the peer had published a revoked state.
    pub penalty: Msat,
    /// What the peer took because we had published a revoked state.
    pub losses: Vec<Loss>,
    /// Money that is still on the way: behind a timelock, or not yet swept.
    pub pending: Amount,
    /// When the last of it can be claimed, as far as a timelock or confirmations decide it.
    pub claimable_at: Option<BtcHeight>,
    /// Closed, and all that will come back has come back.
    pub settled: bool,
    /// Balance, gift and penalty less all that is accounted for; zero once settled. After a revoked state
    /// of the peer's: what of the channel's value did not come to us.
    pub difference_msat: i64,
}

impl ChannelRecord {
    /// What the wallet got back, in all.
    pub fn arrived(&self) -> Amount {
        self.arrivals.iter().map(|arrival| arrival.net).sum()
    }

    /// The funder's money that a fundee got by spending its own anchor.
    pub fn gift(&self) -> Amount {
        let anchors = self.arrivals.iter().filter(|arrival| arrival.kind == ArrivalKind::Anchor && !self.we_funded);
        anchors.map(|arrival| arrival.gross).sum()
    }

    /// What splices added to our balance.
    pub fn spliced_in(&self) -> Amount {
        self.splices.iter().map(|splice| splice.added).sum()
    }

    /// What splices took out of our balance, the fees left out, and those fees.
    pub fn spliced_out(&self) -> (Amount, Amount) {
        let removed = self.splices.iter().map(|splice| splice.removed).sum();
        (removed, self.splices.iter().map(|splice| splice.fee).sum())
    }

    /// What the chain cost us in all: funding, splices, close, sweeps, and what the wallet paid on top.
    pub fn chain_fees(&self) -> Amount {
        let arrivals: Amount = self.arrivals.iter().map(|arrival| arrival.fee + arrival.wallet_fee).sum();
        let closing = self.closing.as_ref().map_or(Amount::ZERO, |closing| closing.fee + closing.anchors);
        let splices: Amount = self.splices.iter().map(|splice| splice.fee + splice.wallet_fee).sum();
        self.funding.fee + splices + closing + arrivals
    }
}
