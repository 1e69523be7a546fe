//! Pegs: deposit addresses, coins on their way in, peg-outs.

use crate::api::member::{DepositState, PegOutInfo};
use bitcoin::{Amount, OutPoint, Txid};
use serde::{Deserialize, Serialize};
use windlass_types::BtcHeight;

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
