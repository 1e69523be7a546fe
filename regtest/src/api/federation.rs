//! The verbs of `federation`.

use super::ProcessStatus;
use bitcoin::{Amount, OutPoint};
use serde::{Deserialize, Serialize};
use windlass_node::api::member::{BatchInfo, FederationInfo, MemberHealth};
use windlass_node::api::sat;
use windlass_types::{BlockRef, ChainId, Digest, SideHeight};

/// The federation, as each running member sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Federation {
    /// One view of it (the first member that answers).
    pub view: FederationInfo,
    /// Member by member: its process and its tip.
    pub members: Vec<FederationMember>,
    /// The treasury transaction in flight.
    pub batch: Option<BatchInfo>,
    /// Who can steal and who can stop, in one sentence.
    pub trust: String,
}

/// A member's process and tip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FederationMember {
    /// Its process.
    pub process: ProcessStatus,
    /// Height of its tip; none while it does not answer.
    pub height: Option<SideHeight>,
    /// Hash of its tip.
    pub block: Option<Digest>,
    /// What keeps it from its work.
    #[serde(default)]
    pub health: MemberHealth,
}

/// Recount the reserve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reserves {}

/// The federation's coins against what it owes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservesReport {
    /// The sidechain.
    pub chain: ChainId,
    /// As of this sidechain block.
    pub height: SideHeight,
    /// Its anchor.
    pub anchor: BlockRef,
    /// Bitcoin's tip at the recount.
    pub tip: BlockRef,
    /// The federation's coins, found on Bitcoin at scripts recomputed from the genesis.
    pub coins: Vec<ReserveCoin>,
    /// Their sum.
    #[serde(with = "sat", rename = "reserve_sat")]
    pub reserve: Amount,
    /// On the sidechain.
    #[serde(with = "sat", rename = "supply_sat")]
    pub supply: Amount,
    /// Burned and not yet paid on Bitcoin.
    #[serde(with = "sat", rename = "owed_peg_outs_sat")]
    pub owed_peg_outs: Amount,
    /// Swept and not yet minted.
    #[serde(with = "sat", rename = "owed_deposits_sat")]
    pub owed_deposits: Amount,
    /// Claimed and not swept at Bitcoin's tip: on neither side of the sum.
    #[serde(with = "sat", rename = "waiting_deposits_sat")]
    pub waiting_deposits: Amount,
    /// `reserve = supply + owed`, and each coin is where and what it should be.
    pub ok: bool,
    /// What is not.
    pub faults: Vec<String>,
}

/// A coin of the federation, as Bitcoin has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReserveCoin {
    /// Where.
    pub outpoint: OutPoint,
    /// Its value.
    #[serde(with = "sat", rename = "value_sat")]
    pub value: Amount,
    /// Its confirmations.
    pub confirmations: u32,
}
