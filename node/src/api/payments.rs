//! The wallet node's API, beyond plain invoices and payments: hold invoices, keysend, probes, offers and
//! refunds, the fee policy of channels and what they earned.
//!
//! | method and path | body | answer |
//! |---|---|---|
//! | GET, POST `/v1/holds` | [`HoldRequest`] | `Vec<HoldInfo>`, [`HoldAnswer`] |
//! | GET `/v1/holds/{hash}` | | [`HoldInfo`] |
//! | POST `/v1/holds/{hash}/settle` | [`SettleRequest`] | [`HoldInfo`], once the claim is durable |
//! | POST `/v1/holds/{hash}/cancel` | [`CancelRequest`] | [`HoldInfo`] |
//! | POST `/v1/keysends` | [`KeysendRequest`] | `PaymentInfo` once it is done |
//! | POST `/v1/probes` | [`ProbeRequest`] | [`ProbeInfo`] |
//! | GET, POST `/v1/offers` | [`OfferRequest`] | `Vec<OfferInfo>`, [`OfferInfo`] |
//! | POST `/v1/refunds` | [`RefundRequest`] | [`RefundInfo`] |
//! | POST `/v1/refunds/claim` | [`ClaimRequest`] | `PaymentInfo` once it is paid |
//! | GET, POST `/v1/channels/{id}/policy` | [`PolicyRequest`] | [`PolicyInfo`] |
//! | GET `/v1/forwards` | | `Vec<ForwardInfo>`, newest first |
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

/// What a payment may cost and take. Where nothing is given: a hundredth and 50 sat, 1,008 blocks, ten parts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// The most that it may cost.
    #[serde(default)]
    pub max_fee_msat: Option<Msat>,
    /// The same in millionths of the amount.
    #[serde(default)]
    pub max_fee_ppm: Option<u32>,
    /// Blocks for which money may be locked on the way.
    #[serde(default)]
    pub max_cltv: Option<u32>,
    /// Parts that it may be split into.
    #[serde(default)]
    pub max_parts: Option<u8>,
    /// For how long new ways are tried after one has failed (20 s where nothing is given).
    #[serde(default)]
    pub retry_seconds: Option<u32>,
}

/// What a payment was asked for by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentKind {
    /// A BOLT11 invoice.
    #[default]
    Invoice,
    /// Nothing: the payer sent the preimage along.
    Keysend,
    /// A BOLT12 offer.
    Offer,
    /// A BOLT12 refund.
    Refund,
}

/// Pay a node that has asked for nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeysendRequest {
    /// Its public key, in hex.
    pub node_id: String,
    /// How much.
    pub amount_msat: Msat,
    /// What it may cost and take.
    #[serde(default, flatten)]
    pub limits: Limits,
    /// How long to wait for the end; 0 returns at once.
    pub timeout_seconds: u64,
}

/// Would a payment get there?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeRequest {
    /// A BOLT11 invoice, or a public key in hex.
    pub to: String,
    /// For what names no amount.
    pub amount_msat: Option<Msat>,
    /// What it may cost and take.
    #[serde(default, flatten)]
    pub limits: Limits,
}

/// What a probe found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeInfo {
    /// The payee's public key, in hex.
    pub node_id: String,
    /// The amount.
    pub amount_msat: Msat,
    /// Would it get there now?
    pub reaches: bool,
    /// What it would cost.
    pub fee_msat: Option<Msat>,
    /// Blocks for which money would be locked, at the most.
    pub cltv: Option<u32>,
    /// Parts that it would be split into.
    pub parts: usize,
    /// Ways that were tried.
    pub attempts: u32,
    /// The short id of the channel at which the last way ended.
    pub failed_at: Option<String>,
    /// What is in the way, and what would help.
    pub obstacle: Option<String>,
}

/// A fresh offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferRequest {
    /// How much; none leaves it to the payer.
    pub amount_msat: Option<Msat>,
    /// What for.
    #[serde(default)]
    pub description: String,
    /// Good for so long; none: for ever.
    #[serde(default)]
    pub expiry_seconds: Option<u64>,
}

/// A BOLT12 offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferInfo {
    /// Its id, in hex.
    pub id: String,
    /// BOLT12 text.
    pub offer: String,
    /// How much; none leaves it to the payer.
    pub amount_msat: Option<Msat>,
    /// What for.
    pub description: String,
    /// Payments that it brought.
    pub payments: usize,
    /// What they were worth.
    pub received_msat: Msat,
    /// Seconds since 1970.
    pub created_at: u64,
    /// Seconds since 1970.
    pub expires_at: Option<u64>,
}

/// A fresh refund: an offer to pay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundRequest {
    /// How much.
    pub amount_msat: Msat,
    /// What for.
    #[serde(default)]
    pub description: String,
    /// Good for so long.
    pub expiry_seconds: u64,
    /// What it may cost and take.
    #[serde(default, flatten)]
    pub limits: Limits,
}

/// A refund.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundInfo {
    /// BOLT12 text: who has it may claim the money once.
    pub refund: String,
    /// The name of the payment that it will be.
    pub payment: String,
}

/// Claim somebody's refund.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimRequest {
    /// BOLT12 text.
    pub refund: String,
    /// How long to wait for the money; 0 returns at once.
    pub timeout_seconds: u64,
}

/// Change what is given of a channel's policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyRequest {
    /// For each payment.
    #[serde(default)]
    pub base_msat: Option<Msat>,
    /// On top, so many millionths of the amount.
    #[serde(default)]
    pub ppm: Option<u32>,
    /// Blocks between the timeout that comes in and the one that goes out.
    #[serde(default)]
    pub cltv_delta: Option<u16>,
}

/// What a channel asks of payments that leave over it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyInfo {
    /// The channel, in hex.
    pub channel: String,
    /// For each payment.
    pub base_msat: Msat,
    /// On top, so many millionths of the amount.
    pub ppm: u32,
    /// Blocks between the timeout that comes in and the one that goes out.
    pub cltv_delta: u16,
}

/// A payment of others that went through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForwardInfo {
    /// The channel that it came in over, in hex.
    pub from: Option<String>,
    /// The channel that it went out over, in hex.
    pub to: Option<String>,
    /// What went out.
    pub amount_msat: Msat,
    /// What was earned.
    pub fee_msat: Msat,
    /// Claimed on the chain, after a close by force.
    pub on_chain: bool,
    /// Seconds since 1970.
    pub at: u64,
}
