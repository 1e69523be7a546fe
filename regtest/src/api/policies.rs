//! Policy accounts.

use bitcoin::Amount;
use serde::{Deserialize, Serialize};
use windlass_node::api::policies::SpendDraft;
use windlass_node::api::{sat, sat_opt};
use windlass_types::Digest;

/// A policy; its keys may be nodes' names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyText {
    /// As people write it.
    pub policy: String,
}

/// A policy and its account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyShown {
    /// The account's address.
    pub address: String,
    /// The policy with its keys in hex: nodes' names mean other keys elsewhere.
    pub policy: String,
    /// What the account has.
    #[serde(with = "sat", rename = "balance_sat")]
    pub balance: Amount,
}

/// Make a spending from a policy account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicySpend {
    /// This node signs.
    pub node: String,
    /// The policy; its keys may be nodes' names.
    pub policy: String,
    /// To nodes' names or sidechain addresses: satoshis each.
    pub to: Vec<(String, u64)>,
    /// For the others to read.
    #[serde(default)]
    pub memo: String,
    /// What is known of them.
    #[serde(default)]
    pub preimages: Vec<Digest>,
    /// At most so much for the sidechain's fee.
    #[serde(with = "sat_opt", rename = "max_fee_sat", default)]
    pub max_fee: Option<Amount>,
}

/// Add to a draft what a node can.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicySign {
    /// This node signs.
    pub node: String,
    /// The draft.
    pub draft: SpendDraft,
    /// What is known of them.
    #[serde(default)]
    pub preimages: Vec<Digest>,
}

/// Hand a complete draft in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicySubmit {
    /// Through this node.
    pub node: String,
    /// The draft.
    pub draft: SpendDraft,
}

/// Ask for the preimage of a hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyPreimage {
    /// Its SHA-256.
    pub hash: Digest,
}
