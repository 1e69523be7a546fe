//! The verbs of `peg`.

use bitcoin::Amount;
use serde::{Deserialize, Serialize};
use windlass_node::api::sat;
use windlass_node::api::wallet::{PegInInfo, PegOutRecord, PegWay};

/// Peg in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PegIn {
    /// Who.
    pub node: String,
    /// How much bitcoin.
    #[serde(with = "sat", rename = "amount_sat")]
    pub amount: Amount,
}

/// Peg out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PegOut {
    /// Who.
    pub node: String,
    /// How much sidechain bitcoin.
    #[serde(with = "sat", rename = "amount_sat")]
    pub amount: Amount,
    /// A node's name or a Bitcoin address; none: the own wallet.
    #[serde(default)]
    pub to: Option<String>,
    /// The most that the Bitcoin fee may be.
    #[serde(with = "windlass_node::api::sat_opt", rename = "fee_sat_max", default)]
    pub fee_max: Option<Amount>,
}

/// What a peg would cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PegQuoteOf {
    /// Who.
    pub node: String,
    /// Which way.
    pub way: PegWay,
    /// How much.
    #[serde(with = "sat", rename = "amount_sat")]
    pub amount: Amount,
    /// Of a peg-out: a node's name or a Bitcoin address; none: the own wallet.
    #[serde(default)]
    pub to: Option<String>,
}

/// Peg-ins and peg-outs of all nodes, or of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PegList {
    /// Whose.
    #[serde(default)]
    pub node: Option<String>,
}

/// A peg-in or a peg-out by id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PegShow {
    /// Its id or a unique prefix.
    pub id: String,
}

/// Peg-ins and peg-outs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pegs {
    /// In.
    pub ins: Vec<NodePegIn>,
    /// Out.
    pub outs: Vec<NodePegOut>,
}

/// A peg-in and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodePegIn {
    /// Whose.
    pub node: String,
    /// It.
    #[serde(flatten)]
    pub peg: PegInInfo,
}

/// A peg-out and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodePegOut {
    /// Whose.
    pub node: String,
    /// It.
    #[serde(flatten)]
    pub peg: PegOutRecord,
}

/// One of either kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Peg {
    /// In.
    In(NodePegIn),
    /// Out.
    Out(NodePegOut),
}
