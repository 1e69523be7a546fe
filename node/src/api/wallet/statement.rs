//! The statement: what everything opened with, did and closed with.

use super::ChannelState;
use bitcoin::{Amount, Txid};
use serde::{Deserialize, Serialize};
use windlass_types::{BlockRef, BtcHeight, Msat};

/// The report that the project exists for: what went off the chain, what came back, and the
/// transactions that prove it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// Whose.
    pub name: String,
    /// As of this Bitcoin block.
    pub at: BlockRef,
    /// Each channel, open or closed.
    pub channels: Vec<ChannelStatement>,
    /// Each peg-in.
    pub peg_ins: Vec<PegStatement>,
    /// Each peg-out.
    pub peg_outs: Vec<PegStatement>,
    /// The sidechain account: pegged in + received - sent - fees - pegged out = balance.
    pub sidechain: Option<SidechainStatement>,
    /// Every movement of money in the on-chain wallet and in each channel.
    #[serde(default)]
    pub entries: Vec<StatementEntry>,
    /// What it cost and what it brought.
    #[serde(default)]
    pub income: Income,
    /// Does every line add up, and is every transaction named above on the chain as it says?
    pub ok: bool,
    /// What does not.
    pub faults: Vec<String>,
}

/// What an entry of a statement is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// Bitcoin from outside.
    Deposit,
    /// Bitcoin to somebody else.
    Withdrawal,
    /// To the federation, or back from it before it was minted.
    PegIn,
    /// From the federation.
    PegOut,
    /// From the wallet into a channel.
    ChannelOpen,
    /// Given by the funder when the channel opened.
    Pushed,
    /// What happened in a channel before its node was restored from a backup: that is lost.
    BeforeRestore,
    /// Payments of others to us.
    Received,
    /// Our payments, the routing fees left out.
    Sent,
    /// What the nodes on the way got.
    RoutingFee,
    /// Payments of others that came in to be forwarded, our fee included.
    ForwardedIn,
    /// Payments of others that were sent on.
    ForwardedOut,
    /// From the wallet into a channel that goes on.
    SpliceIn,
    /// From a channel that goes on to the wallet or an address.
    SpliceOut,
    /// From a channel to the wallet, by the closing transaction.
    ChannelClose,
    /// From a channel to the wallet, after a timelock.
    Sweep,
    /// A payment in flight that was resolved on the chain.
    Htlc,
    /// An anchor: given by the funder, or spent to lift a fee.
    Anchor,
    /// A revoked state of the peer's, taken.
    Penalty,
    /// Taken by the peer because we had published a revoked state.
    Taken,
    /// The miners' part.
    OnchainFee,
    /// Too small for an output.
    Rounding,
    /// Payments in flight that a close cut off.
    CutOff,
}

impl std::fmt::Display for EntryKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Deposit => "deposit",
            Self::Withdrawal => "withdrawal",
            Self::PegIn => "peg_in",
            Self::PegOut => "peg_out",
            Self::ChannelOpen => "channel_open",
            Self::Pushed => "pushed",
            Self::BeforeRestore => "before_restore",
            Self::Received => "received",
            Self::Sent => "sent",
            Self::RoutingFee => "routing_fee",
            Self::ForwardedIn => "forwarded_in",
            Self::ForwardedOut => "forwarded_out",
            Self::SpliceIn => "splice_in",
            Self::SpliceOut => "splice_out",
            Self::ChannelClose => "channel_close",
            Self::Sweep => "sweep",
            Self::Htlc => "htlc",
            Self::Anchor => "anchor",
            Self::Penalty => "penalty",
            Self::Taken => "taken",
            Self::OnchainFee => "onchain_fee",
            Self::Rounding => "rounding",
            Self::CutOff => "cut_off",
        })
    }
}

/// One movement of money: into an account (credit) or out of it (debit).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatementEntry {
    /// `wallet`, or a channel's id.
    pub account: String,
    /// What for.
    pub kind: EntryKind,
    /// What came in.
    pub credit_msat: Msat,
    /// What went out.
    pub debit_msat: Msat,
    /// The Bitcoin transaction; none for what moved in a channel.
    pub txid: Option<Txid>,
    /// Its block; none while unconfirmed.
    pub height: Option<BtcHeight>,
}

/// What the channels cost and brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Income {
    /// Paid to miners.
    pub onchain_fees_msat: Msat,
    /// Paid to the nodes on the way.
    pub routing_fees_msat: Msat,
    /// Earned by forwarding.
    pub forwards_earned_msat: Msat,
    /// Taken from peers that had published a revoked state.
    pub penalties_msat: Msat,
    /// Taken from us for the same.
    pub taken_msat: Msat,
    /// Received in payments.
    pub received_msat: Msat,
    /// Sent in payments, fees left out.
    pub sent_msat: Msat,
}

/// A Bitcoin transaction that a statement names, as the chain has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainedTransaction {
    /// It.
    pub txid: Txid,
    /// What it was for: `funding`, `splice`, `closing`, `sweep`, `deposit`, `treasury`, `reclaim`.
    pub purpose: String,
    /// The block that holds it; none while unconfirmed.
    pub height: Option<BtcHeight>,
    /// What it brought us (or, for a funding, took from us).
    #[serde(with = "super::super::sat", rename = "amount_sat")]
    pub amount: Amount,
    /// The fee that we bore.
    #[serde(with = "super::super::sat", rename = "fee_sat")]
    pub fee: Amount,
}

/// One channel, from its opening balance to what came back on chain:
/// `opening + received + spliced in - sent - spliced out - splices' fees = closing`, and
/// `closing = returned + fees + rounding` once it is closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelStatement {
    /// Its id.
    pub id: String,
    /// The other node (a name where known, else its id).
    pub peer: String,
    /// Where it stands.
    pub state: ChannelState,
    /// Ours when it opened.
    pub opening_msat: Msat,
    /// Received over it (payments to us and forwards in).
    pub received_msat: Msat,
    /// Sent over it (payments by us and forwards out, routing fees included).
    pub sent_msat: Msat,
    /// Added to it by splices, from the wallet.
    #[serde(with = "super::super::sat", rename = "spliced_in_sat", default)]
    pub spliced_in: Amount,
    /// Taken out of it by splices.
    #[serde(with = "super::super::sat", rename = "spliced_out_sat", default)]
    pub spliced_out: Amount,
    /// What those splices paid to miners out of it.
    #[serde(with = "super::super::sat", rename = "splice_fees_sat", default)]
    pub splice_fees: Amount,
    /// Ours when it closed, or now.
    pub closing_msat: Msat,
    /// What came back on chain.
    #[serde(with = "super::super::sat", rename = "returned_sat")]
    pub returned: Amount,
    /// On-chain fees of the closing and the sweeps that we bore.
    #[serde(with = "super::super::sat", rename = "fees_sat")]
    pub fees: Amount,
    /// Of what was received: what the peer lost by publishing a revoked state.
    #[serde(default)]
    pub penalty_msat: Msat,
    /// What the peer took because we had published a revoked state.
    #[serde(with = "super::super::sat", rename = "taken_sat", default)]
    pub taken: Amount,
    /// Millisatoshis and dust that no output could carry.
    pub rounding_msat: Msat,
    /// Its transactions.
    pub transactions: Vec<ChainedTransaction>,
    /// `adds up`, or what does not.
    pub fault: Option<String>,
}

/// One peg-in or peg-out: `opening = closing + fee`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PegStatement {
    /// Its id.
    pub id: String,
    /// What went in: bitcoin deposited, or sidechain bitcoin burned.
    #[serde(with = "super::super::sat", rename = "opening_sat")]
    pub opening: Amount,
    /// What came out: minted, paid, or reclaimed; zero while under way.
    #[serde(with = "super::super::sat", rename = "closing_sat")]
    pub closing: Amount,
    /// The difference: the share of the Bitcoin fee.
    #[serde(with = "super::super::sat", rename = "fee_sat")]
    pub fee: Amount,
    /// Where it stands, in a word: `minted`, `paid`, `reclaimed`, `confirming`, …
    pub state: String,
    /// Is it over?
    pub settled: bool,
    /// Its transactions.
    pub transactions: Vec<ChainedTransaction>,
    /// What does not add up.
    pub fault: Option<String>,
}

/// The sidechain account over its life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SidechainStatement {
    /// Its address.
    pub account: String,
    /// Minted to it.
    #[serde(with = "super::super::sat", rename = "minted_sat")]
    pub minted: Amount,
    /// Received by transfer.
    #[serde(with = "super::super::sat", rename = "received_sat")]
    pub received: Amount,
    /// Sent by transfer.
    #[serde(with = "super::super::sat", rename = "sent_sat")]
    pub sent: Amount,
    /// Fees paid on the sidechain.
    #[serde(with = "super::super::sat", rename = "fees_sat")]
    pub fees: Amount,
    /// Burned by peg-outs (refunds taken off).
    #[serde(with = "super::super::sat", rename = "burned_sat")]
    pub burned: Amount,
    /// What it holds.
    #[serde(with = "super::super::sat", rename = "balance_sat")]
    pub balance: Amount,
}
