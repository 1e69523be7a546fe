//! The wallet node's API, beyond plain invoices and payments: hold invoices.
//!
//! | method and path | body | answer |
//! |---|---|---|
//! | GET, POST `/v1/holds` | [`HoldRequest`] | `Vec<HoldInfo>`, [`HoldAnswer`] |
//! | GET `/v1/holds/{hash}` | | [`HoldInfo`] |
//! | POST `/v1/holds/{hash}/settle` | [`SettleRequest`] | [`HoldInfo`], once the claim is durable |
//! | POST `/v1/holds/{hash}/cancel` | [`CancelRequest`] | [`HoldInfo`] |
//!
//! Where a hash stands in a path, a unique prefix is enough.

use serde::{Deserialize, Serialize};
use windlass_types::{BtcHeight, Msat};

/// Ask to be paid, but keep the payment back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldRequest {
    /// What the payment is locked to, in hex; none: the node makes a preimage and tells it once.
    #[serde(default)]
    pub payment_hash: Option<String>,
    /// How much; none leaves it to the payer.
    pub amount_msat: Option<Msat>,
    /// What for.
    #[serde(default)]
    pub memo: String,
    /// Valid for so long.
    pub expiry_seconds: u32,
    /// Blocks from the payment to its timeout; none: 144.
    #[serde(default)]
    pub final_cltv_delta: Option<u16>,
}

/// A hold invoice, and its preimage if the node made it: it is not kept, and not told again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldAnswer {
    /// The invoice.
    #[serde(flatten)]
    pub hold: HoldInfo,
    /// What settles it, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_preimage: Option<String>,
}

/// Where a hold invoice stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldState {
    /// Nobody has paid it.
    Open,
    /// It was not paid in time.
    Expired,
    /// Paid, and waiting.
    Held,
    /// Being claimed.
    Settling,
    /// Ours.
    Settled,
    /// Called off.
    Cancelled,
    /// Held for too long; it went back.
    TimedOut,
}

/// A hold invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldInfo {
    /// The payment hash, in hex.
    pub payment_hash: String,
    /// BOLT11 text.
    pub invoice: String,
    /// Where it stands.
    pub state: HoldState,
    /// What it asks for.
    pub amount_msat: Option<Msat>,
    /// What is held, or was settled.
    pub held_msat: Option<Msat>,
    /// The channels over which it is held.
    pub channels: Vec<String>,
    /// From this Bitcoin height on it can't be claimed.
    pub claim_deadline: Option<BtcHeight>,
    /// At this Bitcoin height the node gives it back: settle before.
    pub cancel_height: Option<BtcHeight>,
    /// Blocks from the payment to its timeout.
    pub final_cltv_delta: u16,
    /// What for.
    pub memo: String,
    /// The preimage, in hex, once it was used.
    pub preimage: Option<String>,
    /// Seconds since 1970.
    pub created_at: u64,
    /// Until when it may be paid, in seconds since 1970.
    pub expires_at: u64,
}

/// Take what is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettleRequest {
    /// In hex.
    pub preimage: String,
}

/// Give back what is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelRequest {}
