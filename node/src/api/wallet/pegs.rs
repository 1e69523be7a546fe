//! Pegs: deposit addresses, coins on their way in, peg-outs.

use crate::api::member::{DepositState, PegOutInfo};
use bitcoin::{Amount, OutPoint, Txid};
use serde::{Deserialize, Serialize};
pub use windlass_light::ReceiptFile;
use windlass_types::{BtcHeight, SideHeight};

/// A fresh deposit address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DepositRequest {}

/// A peg-in, from the address to the mint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PegInInfo {
    /// Names it: a short hex id of the address's terms; a second coin to the address gets `id.1`.
    pub id: String,
    /// Where to send bitcoin.
    pub address: String,
    /// Blocks after a deposit's confirmation until it is the user's alone again.
    pub reclaim_blocks: u32,
    /// Smallest deposit that is minted.
    #[serde(with = "super::super::sat", rename = "min_sat")]
    pub min: Amount,
    /// Largest deposit that is minted.
    #[serde(with = "super::super::sat", rename = "max_sat")]
    pub max: Amount,
    /// The coin, once seen.
    pub outpoint: Option<OutPoint>,
    /// Its value.
    #[serde(with = "super::super::sat_opt", rename = "amount_sat", default)]
    pub amount: Option<Amount>,
    /// Its height, once in a block.
    pub bitcoin_height: Option<BtcHeight>,
    /// From this height on the user can reclaim it, if it was not swept.
    pub reclaim_height: Option<BtcHeight>,
    /// Confirmations of the deposit.
    pub confirmations: u32,
    /// Where it stands.
    pub state: PegInState,
}

/// Where a peg-in stands, as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum PegInState {
    /// An address that no coin came to yet.
    Address,
    /// The coin is seen, and gathers confirmations.
    Confirming {
        /// Confirmations needed before it can be claimed.
        needed: u32,
    },
    /// It will not be minted (below the minimum, above the maximum, too late): the owner reclaims it.
    NotEligible {
        /// Why.
        reason: String,
    },
    /// Claimed on the sidechain; what the members say of it.
    OnSidechain(DepositState),
    /// The owner's reclaim transaction is broadcast.
    Reclaiming {
        /// It.
        txid: Txid,
        /// Its fee.
        #[serde(with = "super::super::sat", rename = "fee_sat")]
        fee: Amount,
        /// Its confirmations; from 1 on the coin is back.
        confirmations: u32,
    },
}

/// Reclaim a deposit that was not swept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReclaimRequest {}

/// Leave the sidechain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PegOutRequest {
    /// How much to burn; the Bitcoin fee goes off it.
    #[serde(with = "super::super::sat", rename = "amount_sat")]
    pub amount: Amount,
    /// A Bitcoin address; none takes a fresh one of the node's own wallet.
    pub to: Option<String>,
    /// The most that the Bitcoin fee may be; none takes a tenth of the amount.
    #[serde(with = "super::super::sat_opt", rename = "fee_sat_max", default)]
    pub fee_max: Option<Amount>,
}

/// A peg-out in the owner's journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PegOutRecord {
    /// What the members say of it.
    #[serde(flatten)]
    pub info: PegOutInfo,
    /// Did it go to this node's own wallet?
    pub own: bool,
}

/// A receipt of a peg, signed by the members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptRequest {
    /// The peg-in's or peg-out's id, or a unique prefix.
    pub id: String,
}

/// Which way over the peg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PegWay {
    /// Onto the sidechain.
    In,
    /// Back to Bitcoin.
    Out,
}

/// What would a peg cost, and how long would it take? Nothing is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PegQuoteRequest {
    /// Which way.
    pub way: PegWay,
    /// How much.
    #[serde(with = "super::super::sat", rename = "amount_sat")]
    pub amount: Amount,
    /// Of a peg-out, as in [`PegOutRequest`].
    #[serde(default)]
    pub to: Option<String>,
}

/// What a peg would cost and how long it would take. The fees and limits are bounds of the rules, by parameters that a
/// quorum of the members has signed; the blocks are a forecast.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PegQuote {
    /// Which way.
    pub way: PegWay,
    /// How much.
    #[serde(with = "super::super::sat", rename = "amount_sat")]
    pub amount: Amount,
    /// The most that goes off for the federation's Bitcoin transaction. Shared with others it is less.
    #[serde(with = "super::super::sat", rename = "peg_fee_sat_max")]
    pub peg_fee_max: Amount,
    /// What the node's own Bitcoin transaction, the deposit, costs on top; none for a peg-out, and while the wallet has too little.
    #[serde(with = "super::super::sat_opt", rename = "deposit_fee_sat", default)]
    pub deposit_fee: Option<Amount>,
    /// The sidechain's own fee of a peg-out, on top.
    #[serde(with = "super::super::sat", rename = "side_fee_sat")]
    pub side_fee: Amount,
    /// The least that arrives.
    #[serde(with = "super::super::sat", rename = "arrives_sat_min")]
    pub arrives_min: Amount,
    /// What the federation's transactions pay.
    pub peg_rate_sat_per_kvb: u64,
    /// What bitcoind thinks that a transaction needs to be in a block soon; none while it can't say.
    pub bitcoin_rate_sat_per_kvb: Option<u64>,
    /// Bitcoin blocks until it has arrived, if each transaction is in the next block: minted, or paid with one confirmation.
    pub blocks: u32,
    /// The same if another batch comes just before.
    pub blocks_max: u32,
    /// Of a peg-in that is in the next block: from this height on the coin is the user's alone again, if it was not swept.
    pub reclaim_height: Option<BtcHeight>,
    /// From this anchor on the federation leaves it alone.
    pub lapse_height: Option<BtcHeight>,
    /// The sidechain block whose parameters these are.
    pub params_height: SideHeight,
    /// Bitcoin's tip.
    pub bitcoin_height: BtcHeight,
    /// What else to know before sending.
    pub warnings: Vec<String>,
}
