//! Lightning payments.

use serde::{Deserialize, Serialize};
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
    /// A BOLT11 invoice.
    pub what: String,
    /// For an invoice without an amount.
    #[serde(default)]
    pub amount_msat: Option<Msat>,
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
