//! The wallet node's API: Lightning, Bitcoin and sidechain from one seed.
//!
//! A POST may carry the header `Idempotency-Key` (1 to 64 visible ASCII characters): asked again with the same key and body, also after a
//! restart, the node answers what it answered before (`Idempotency-Replayed: true`) and does nothing. 10,000 keys are remembered.
//!
//! | method and path | body | answer |
//! |---|---|---|
//! | GET `/v1/info` | | [`NodeInfo`] |
//! | POST `/v1/sync` | [`SyncRequest`] | [`NodeInfo`], once the node has seen that Bitcoin block |
//! | GET `/v1/balance` | | [`Balance`] |
//! | POST `/v1/addresses` | [`AddressRequest`] | [`AddressAnswer`] |
//! | POST `/v1/sends` | [`SendRequest`] | [`SendAnswer`] |
//! | POST `/v1/transfers` | [`TransferRequest`] | [`TransferAnswer`], once it is final |
//! | GET `/v1/peers` | | `Vec<PeerInfo>` |
//! | POST `/v1/peers` | [`ConnectRequest`] | `{}` |
//! | POST `/v1/peers/persistent` | [`ConnectRequest`] | [`PeerInfo`] (remembered, connected or not) |
//! | POST `/v1/peers/{id}/forget` | | [`ForgetAnswer`] |
//! | POST `/v1/channels/batch` | [`BatchRequest`] | `Vec<ChannelInfo>` (one funding transaction) |
//! | GET `/v1/backup` | | [`BackupAnswer`] |
//! | GET, POST `/v1/channels` | [`OpenRequest`] | `Vec<ChannelInfo>`, [`ChannelInfo`] |
//! | GET `/v1/channels/{id}` | | [`ChannelInfo`] |
//! | POST `/v1/channels/{id}/splice` | [`super::splice::SpliceRequest`] | [`ChannelInfo`], once it is broadcast |
//! | POST `/v1/channels/{id}/close` | [`CloseRequest`] | [`ChannelInfo`], once the closing transaction is broadcast |
//! | POST `/v1/invoices` | [`InvoiceRequest`] | [`InvoiceAnswer`] |
//! | GET, POST `/v1/payments` | [`PayRequest`] | `Vec<PaymentInfo>`, [`PaymentInfo`] once it is done |
//! | GET, POST `/v1/deposits` | [`DepositRequest`] | `Vec<PegInInfo>`, [`PegInInfo`] with a fresh address |
//! | GET `/v1/deposits/{id}` | | [`PegInInfo`] |
//! | POST `/v1/deposits/{id}/reclaim` | [`ReclaimRequest`] | [`PegInInfo`], once the reclaim is broadcast |
//! | GET, POST `/v1/peg-outs` | [`PegOutRequest`] | `Vec<PegOutRecord>`, [`PegOutRecord`] once it is burned |
//! | GET `/v1/peg-outs/{id}` | | [`PegOutRecord`] |
//! | POST `/v1/peg-quotes` | [`PegQuoteRequest`] | [`PegQuote`]; nothing is sent |
//! | POST `/v1/receipts` | [`ReceiptRequest`] | [`ReceiptFile`], signed by the members |
//! | GET `/v1/statement` | | [`Statement`] |
//!
//! Where an id stands in a path, a unique prefix is enough.

mod pegs;
mod statement;

pub use pegs::*;
pub use statement::*;

use bitcoin::{Amount, OutPoint, Txid};
use serde::{Deserialize, Serialize};
use windlass_types::{BlockRef, BtcHeight, Digest, Msat, SideHeight};

/// Who and where a node is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeInfo {
    /// Its name.
    pub name: String,
    /// Lightning public key, in hex.
    pub node_id: String,
    /// Where its peers reach it: `host:port`.
    pub lightning: String,
    /// Its sidechain address.
    pub account: String,
    /// The newest Bitcoin block that its Lightning node, its wallet and its peg watcher have all seen.
    pub synced: BlockRef,
    /// Connected Lightning peers (node ids in hex).
    pub peers: Vec<String>,
    /// Channels, all and usable.
    pub channels: usize,
    /// Channels that can send or forward now.
    pub channels_usable: usize,
    /// Where the journal of its Lightning events is.
    pub journal: super::events::JournalInfo,
    /// The API's version.
    pub version: String,
}

/// Wait until the node has seen the Bitcoin block at this height.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncRequest {
    /// The block.
    pub block: BlockRef,
    /// For at most so long.
    pub timeout_seconds: u64,
}

/// What a node has, in its three places.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// On chain, confirmed or its own change.
    #[serde(with = "super::sat", rename = "bitcoin_sat")]
    pub bitcoin: Amount,
    /// On chain, from others and unconfirmed.
    #[serde(with = "super::sat", rename = "bitcoin_pending_sat")]
    pub bitcoin_pending: Amount,
    /// On chain, kept back so that a channel can be closed by force.
    #[serde(with = "super::sat", rename = "bitcoin_reserved_sat")]
    pub bitcoin_reserved: Amount,
    /// On the sidechain; none while no member answers.
    #[serde(with = "super::sat_opt", rename = "sidechain_sat", default)]
    pub sidechain: Option<Amount>,
    /// In channels, ours.
    pub lightning_msat: Msat,
    /// What can be sent now over Lightning.
    pub lightning_send_msat: Msat,
    /// What can be received now over Lightning.
    pub lightning_receive_msat: Msat,
    /// Closed channels' money on its way back to the chain.
    #[serde(with = "super::sat", rename = "lightning_closing_sat")]
    pub lightning_closing: Amount,
}

/// Which address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AddressRequest {
    /// A fresh Bitcoin address.
    Bitcoin,
    /// The sidechain address.
    Sidechain,
}

/// An address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressAnswer {
    /// It.
    pub address: String,
}

/// Send on chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendRequest {
    /// A Bitcoin address.
    pub to: String,
    /// How much.
    #[serde(with = "super::sat", rename = "amount_sat")]
    pub amount: Amount,
}

/// A transaction was broadcast.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendAnswer {
    /// It.
    pub txid: Txid,
    /// Its fee.
    #[serde(with = "super::sat", rename = "fee_sat")]
    pub fee: Amount,
}

/// Send on the sidechain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferRequest {
    /// A sidechain address.
    pub to: String,
    /// How much.
    #[serde(with = "super::sat", rename = "amount_sat")]
    pub amount: Amount,
    /// To others, in the same transaction.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more: Vec<super::policies::Payee>,
    /// At most 80 bytes of UTF-8.
    #[serde(default)]
    pub memo: String,
    /// At most so much for the sidechain's fee.
    #[serde(with = "super::sat_opt", rename = "max_fee_sat", default)]
    pub max_fee: Option<Amount>,
}

/// A transfer is final.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferAnswer {
    /// The sidechain transaction.
    pub id: Digest,
    /// In this block.
    pub height: SideHeight,
    /// Its fee.
    #[serde(with = "super::sat", rename = "fee_sat")]
    pub fee: Amount,
}

/// Connect to a Lightning peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectRequest {
    /// Its node id, in hex.
    pub node_id: String,
    /// `host:port`.
    pub address: String,
}

/// Open a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenRequest {
    /// The peer.
    pub peer: ConnectRequest,
    /// The channel's capacity, paid by us.
    #[serde(with = "super::sat", rename = "amount_sat")]
    pub amount: Amount,
    /// A gift to the peer, out of the capacity.
    #[serde(default)]
    pub push_msat: Msat,
    /// Announce it to the network, so that others route over it.
    pub announce: bool,
}

/// Where a channel stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChannelState {
    /// Being negotiated, or its funding transaction waits for confirmations.
    Opening,
    /// Ready and the peer is connected.
    Usable,
    /// Ready, but the peer is away.
    PeerAway,
    /// A closing transaction is agreed or broadcast; money is on its way back.
    Closing,
    /// Closed, and every satoshi is back on chain.
    Closed,
}

/// A channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelInfo {
    /// Its id here: stable from the first moment to the last.
    pub id: String,
    /// The other node's id.
    pub peer: String,
    /// Where it stands.
    pub state: ChannelState,
    /// The funding output, once known.
    pub funding: Option<OutPoint>,
    /// Confirmations of the funding transaction.
    pub confirmations: u32,
    /// Capacity.
    #[serde(with = "super::sat", rename = "capacity_sat")]
    pub capacity: Amount,
    /// Ours.
    pub local_msat: Msat,
    /// Theirs.
    pub remote_msat: Msat,
    /// What can be sent over it now.
    pub send_msat: Msat,
    /// What can be received over it now.
    pub receive_msat: Msat,
    /// Announced?
    pub announced: bool,
    /// Did we fund it?
    pub funder: bool,
    /// The closing transaction.
    pub closing_txid: Option<Txid>,
    /// The height from which the money can be swept after a force close, if it waits for one.
    pub claimable_height: Option<BtcHeight>,
    /// A splice that is not locked in yet; the figures above are those without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub splice: Option<super::splice::SpliceInfo>,
}

/// Open several channels with one funding transaction: all or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchRequest {
    /// Them.
    pub channels: Vec<OpenRequest>,
}

/// Another Lightning node that this one knows how to reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerInfo {
    /// Its id.
    pub node_id: String,
    /// `host:port`, where it was reached last.
    pub address: Option<String>,
    /// There is a connection.
    pub connected: bool,
    /// It is connected to whenever it isn't, also without a channel.
    pub persistent: bool,
}

/// Was the peer a persistent one?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgetAnswer {
    /// It was, and is no longer.
    pub forgotten: bool,
}

/// A node's channel backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupAnswer {
    /// The file's bytes in hex; only the node's seed opens them.
    pub hex: String,
}

/// Close a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloseRequest {
    /// Without the peer, at once, with a timelock on our money.
    #[serde(default)]
    pub force: bool,
}

/// Ask to be paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvoiceRequest {
    /// How much; none leaves it to the payer.
    pub amount_msat: Option<Msat>,
    /// What for.
    #[serde(default)]
    pub memo: String,
    /// Valid for so long.
    pub expiry_seconds: u32,
}

/// A BOLT11 invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvoiceAnswer {
    /// BOLT11 text.
    pub invoice: String,
    /// In hex.
    pub payment_hash: String,
}

/// Pay.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayRequest {
    /// A BOLT11 invoice, a BOLT12 offer, a `bitcoin:` URI with one of them, or a name (`₿alice@example.com`).
    pub invoice: String,
    /// For what names no amount.
    pub amount_msat: Option<Msat>,
    /// For who made the offer to read.
    #[serde(default)]
    pub note: Option<String>,
    /// What it may cost and take.
    #[serde(default, flatten)]
    pub limits: super::payments::Limits,
    /// How long to wait for the end; 0 returns at once.
    pub timeout_seconds: u64,
}

/// Into or out of the node?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Received.
    In,
    /// Sent.
    Out,
}

/// Where a payment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentState {
    /// Under way, or an invoice that waits.
    Pending,
    /// Done.
    Succeeded,
    /// Given up.
    Failed,
}

/// A Lightning payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentInfo {
    /// The payment hash, in hex.
    pub payment_hash: String,
    /// Which way.
    pub direction: Direction,
    /// Where it stands.
    pub state: PaymentState,
    /// Amount, without fees; none for an unpaid invoice that names none.
    pub amount_msat: Option<Msat>,
    /// Routing fees paid.
    pub fee_msat: Msat,
    /// The preimage, in hex, once known.
    pub preimage: Option<String>,
    /// The invoice's text for people.
    pub memo: String,
    /// Why it failed.
    pub error: Option<String>,
    /// Seconds since 1970.
    pub created_at: u64,
    /// `invoice`, `keysend`, `offer`, `refund`: what it was asked for by.
    #[serde(default)]
    pub kind: super::payments::PaymentKind,
    /// The offer's id, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer: Option<String>,
    /// What the payer wrote to who made the offer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payer_note: Option<String>,
}
