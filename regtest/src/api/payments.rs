//! Lightning payments.

use serde::{Deserialize, Serialize};
use windlass_node::api::payments::{Limits, PolicyRequest};
use windlass_types::Msat;

/// Ask to be paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invoice {
    /// Who is to be paid.
    pub node: String,
    /// How much; none leaves it to the payer.
    pub amount_msat: Option<Msat>,
    /// What for.
    #[serde(default)]
    pub memo: String,
    /// Valid for so long (3600 where none is given).
    #[serde(default)]
    pub expiry_seconds: Option<u32>,
}

/// Pay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pay {
    /// Who pays.
    pub node: String,
    /// A BOLT11 invoice, a BOLT12 offer, a `bitcoin:` URI with one of them, or a name (`₿alice@example.com`).
    pub what: String,
    /// For what names no amount.
    #[serde(default)]
    pub amount_msat: Option<Msat>,
    /// For who made the offer to read.
    #[serde(default)]
    pub note: Option<String>,
    /// What it may cost and take.
    #[serde(default, flatten)]
    pub limits: Limits,
}

/// Pay a node that has asked for nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keysend {
    /// Who pays.
    pub node: String,
    /// A node's name, or a public key in hex.
    pub to: String,
    /// How much.
    pub amount_msat: Msat,
    /// What it may cost and take.
    #[serde(default, flatten)]
    pub limits: Limits,
}

/// Would a payment get there?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Who would pay.
    pub node: String,
    /// A BOLT11 invoice, a node's name, or a public key in hex.
    pub to: String,
    /// For what names no amount.
    #[serde(default)]
    pub amount_msat: Option<Msat>,
    /// What it may cost and take.
    #[serde(default, flatten)]
    pub limits: Limits,
}

/// Make an offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Who is to be paid.
    pub node: String,
    /// How much; none leaves it to the payer.
    #[serde(default)]
    pub amount_msat: Option<Msat>,
    /// What for.
    #[serde(default)]
    pub description: String,
    /// Good for so long (for ever where none is given).
    #[serde(default)]
    pub expiry_seconds: Option<u64>,
}

/// Make a refund.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    /// Who will pay.
    pub node: String,
    /// How much.
    pub amount_msat: Msat,
    /// What for.
    #[serde(default)]
    pub description: String,
    /// Good for so long (a day where none is given).
    #[serde(default)]
    pub expiry_seconds: Option<u64>,
    /// What it may cost and take.
    #[serde(default, flatten)]
    pub limits: Limits,
}

/// Claim a refund.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundClaim {
    /// Who is to be paid.
    pub node: String,
    /// BOLT12 text.
    pub refund: String,
}

/// Show a channel's policy, or change what is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelPolicy {
    /// A channel's id or a unique prefix.
    pub id: String,
    /// By which end.
    pub node: String,
    /// What changes.
    #[serde(flatten)]
    pub change: PolicyRequest,
}

/// Ask to be paid, but keep the payment back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Who is to be paid.
    pub node: String,
    /// What the payment is locked to, in hex; none: the node makes a preimage and tells it once.
    #[serde(default)]
    pub payment_hash: Option<String>,
    /// How much; none leaves it to the payer.
    pub amount_msat: Option<Msat>,
    /// What for.
    #[serde(default)]
    pub memo: String,
    /// Valid for so long (3600 where none is given).
    #[serde(default)]
    pub expiry_seconds: Option<u32>,
    /// Blocks from the payment to its timeout (144 where none is given).
    #[serde(default)]
    pub final_cltv_delta: Option<u16>,
}

/// Hold invoices of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldList {
    /// Whose.
    pub node: String,
    /// Only those that are paid and wait.
    #[serde(default)]
    pub held: bool,
}

/// Take what is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldSettle {
    /// Who holds it.
    pub node: String,
    /// The invoice's, or a unique prefix.
    pub payment_hash: String,
    /// In hex.
    pub preimage: String,
}

/// Give back what is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldCancel {
    /// Who holds it.
    pub node: String,
    /// The invoice's, or a unique prefix.
    pub payment_hash: String,
}
