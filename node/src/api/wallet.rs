//! The wallet node's API: Lightning, Bitcoin and sidechain from one seed.
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
//! | GET `/v1/statement` | | [`Statement`] |
//!
//! Where an id stands in a path, a unique prefix is enough.

use super::member::{DepositState, PegOutInfo};
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
    /// At most 80 bytes of UTF-8.
    #[serde(default)]
    pub memo: String,
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
    #[serde(with = "super::sat", rename = "min_sat")]
    pub min: Amount,
    /// Largest deposit that is minted.
    #[serde(with = "super::sat", rename = "max_sat")]
    pub max: Amount,
    /// The coin, once seen.
    pub outpoint: Option<OutPoint>,
    /// Its value.
    #[serde(with = "super::sat_opt", rename = "amount_sat", default)]
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
        #[serde(with = "super::sat", rename = "fee_sat")]
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
    #[serde(with = "super::sat", rename = "amount_sat")]
    pub amount: Amount,
    /// A Bitcoin address; none takes a fresh one of the node's own wallet.
    pub to: Option<String>,
    /// The most that the Bitcoin fee may be; none takes a tenth of the amount.
    #[serde(with = "super::sat_opt", rename = "fee_sat_max", default)]
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

/// The report that the project exists for: what went off the chain, what came back, and the
/// transactions that prove it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// Whose.
    pub name: String,
    /// As of this Bitcoin block.
    pub at: BlockRef,
    /// Each channel, open or closed.
    pub channels: Vec<ChannelStatement>,
    /// Each peg-in.
    pub peg_ins: Vec<PegStatement>,
    /// Each peg-out.
    pub peg_outs: Vec<PegStatement>,
    /// The sidechain account: pegged in + received - sent - fees - pegged out = balance.
    pub sidechain: Option<SidechainStatement>,
    /// Every movement of money in the on-chain wallet and in each channel.
    #[serde(default)]
    pub entries: Vec<StatementEntry>,
    /// What it cost and what it brought.
    #[serde(default)]
    pub income: Income,
    /// Does every line add up, and is every transaction named above on the chain as it says?
    pub ok: bool,
    /// What does not.
    pub faults: Vec<String>,
}

/// What an entry of a statement is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// Bitcoin from outside.
    Deposit,
    /// Bitcoin to somebody else.
    Withdrawal,
    /// To the federation, or back from it before it was minted.
    PegIn,
    /// From the federation.
    PegOut,
    /// From the wallet into a channel.
    ChannelOpen,
    /// Given by the funder when the channel opened.
    Pushed,
    /// What happened in a channel before its node was restored from a backup: that is lost.
    BeforeRestore,
    /// Payments of others to us.
    Received,
    /// Our payments, the routing fees left out.
    Sent,
    /// What the nodes on the way got.
    RoutingFee,
    /// Payments of others that came in to be forwarded, our fee included.
    ForwardedIn,
    /// Payments of others that were sent on.
    ForwardedOut,
    /// From the wallet into a channel that goes on.
    SpliceIn,
    /// From a channel that goes on to the wallet or an address.
    SpliceOut,
    /// From a channel to the wallet, by the closing transaction.
    ChannelClose,
    /// From a channel to the wallet, after a timelock.
    Sweep,
    /// A payment in flight that was resolved on the chain.
    Htlc,
    /// An anchor: given by the funder, or spent to lift a fee.
    Anchor,
    /// A revoked state of the peer's, taken.
    Penalty,
    /// Taken by the peer because we had published a revoked state.
    Taken,
    /// The miners' part.
    OnchainFee,
    /// Too small for an output.
    Rounding,
    /// Payments in flight that a close cut off.
    CutOff,
}

impl std::fmt::Display for EntryKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Deposit => "deposit",
            Self::Withdrawal => "withdrawal",
            Self::PegIn => "peg_in",
            Self::PegOut => "peg_out",
            Self::ChannelOpen => "channel_open",
            Self::Pushed => "pushed",
            Self::BeforeRestore => "before_restore",
            Self::Received => "received",
            Self::Sent => "sent",
            Self::RoutingFee => "routing_fee",
            Self::ForwardedIn => "forwarded_in",
            Self::ForwardedOut => "forwarded_out",
            Self::SpliceIn => "splice_in",
            Self::SpliceOut => "splice_out",
            Self::ChannelClose => "channel_close",
            Self::Sweep => "sweep",
            Self::Htlc => "htlc",
            Self::Anchor => "anchor",
            Self::Penalty => "penalty",
            Self::Taken => "taken",
            Self::OnchainFee => "onchain_fee",
            Self::Rounding => "rounding",
            Self::CutOff => "cut_off",
        })
    }
}

/// One movement of money: into an account (credit) or out of it (debit).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatementEntry {
    /// `wallet`, or a channel's id.
    pub account: String,
    /// What for.
    pub kind: EntryKind,
    /// What came in.
    pub credit_msat: Msat,
    /// What went out.
    pub debit_msat: Msat,
    /// The Bitcoin transaction; none for what moved in a channel.
    pub txid: Option<Txid>,
    /// Its block; none while unconfirmed.
    pub height: Option<BtcHeight>,
}

/// What the channels cost and brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Income {
    /// Paid to miners.
    pub onchain_fees_msat: Msat,
    /// Paid to the nodes on the way.
    pub routing_fees_msat: Msat,
    /// Earned by forwarding.
    pub forwards_earned_msat: Msat,
    /// Taken from peers that had published a revoked state.
    pub penalties_msat: Msat,
    /// Taken from us for the same.
    pub taken_msat: Msat,
    /// Received in payments.
    pub received_msat: Msat,
    /// Sent in payments, fees left out.
    pub sent_msat: Msat,
}

/// A Bitcoin transaction that a statement names, as the chain has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainedTransaction {
    /// It.
    pub txid: Txid,
    /// What it was for: `funding`, `splice`, `closing`, `sweep`, `deposit`, `treasury`, `reclaim`.
    pub purpose: String,
    /// The block that holds it; none while unconfirmed.
    pub height: Option<BtcHeight>,
    /// What it brought us (or, for a funding, took from us).
    #[serde(with = "super::sat", rename = "amount_sat")]
    pub amount: Amount,
    /// The fee that we bore.
    #[serde(with = "super::sat", rename = "fee_sat")]
    pub fee: Amount,
}

/// One channel, from its opening balance to what came back on chain:
/// `opening + received + spliced in - sent - spliced out - splices' fees = closing`, and
/// `closing = returned + fees + rounding` once it is closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelStatement {
    /// Its id.
    pub id: String,
    /// The other node (a name where known, else its id).
    pub peer: String,
    /// Where it stands.
    pub state: ChannelState,
    /// Ours when it opened.
    pub opening_msat: Msat,
    /// Received over it (payments to us and forwards in).
    pub received_msat: Msat,
    /// Sent over it (payments by us and forwards out, routing fees included).
    pub sent_msat: Msat,
    /// Added to it by splices, from the wallet.
    #[serde(with = "super::sat", rename = "spliced_in_sat", default)]
    pub spliced_in: Amount,
    /// Taken out of it by splices.
    #[serde(with = "super::sat", rename = "spliced_out_sat", default)]
    pub spliced_out: Amount,
    /// What those splices paid to miners out of it.
    #[serde(with = "super::sat", rename = "splice_fees_sat", default)]
    pub splice_fees: Amount,
    /// Ours when it closed, or now.
    pub closing_msat: Msat,
    /// What came back on chain.
    #[serde(with = "super::sat", rename = "returned_sat")]
    pub returned: Amount,
    /// On-chain fees of the closing and the sweeps that we bore.
    #[serde(with = "super::sat", rename = "fees_sat")]
    pub fees: Amount,
    /// Of what was received: what the peer lost by publishing a revoked state.
    #[serde(default)]
    pub penalty_msat: Msat,
    /// What the peer took because we had published a revoked state.
    #[serde(with = "super::sat", rename = "taken_sat", default)]
    pub taken: Amount,
    /// Millisatoshis and dust that no output could carry.
    pub rounding_msat: Msat,
    /// Its transactions.
    pub transactions: Vec<ChainedTransaction>,
    /// `adds up`, or what does not.
    pub fault: Option<String>,
}

/// One peg-in or peg-out: `opening = closing + fee`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PegStatement {
    /// Its id.
    pub id: String,
    /// What went in: bitcoin deposited, or sidechain bitcoin burned.
    #[serde(with = "super::sat", rename = "opening_sat")]
    pub opening: Amount,
    /// What came out: minted, paid, or reclaimed; zero while under way.
    #[serde(with = "super::sat", rename = "closing_sat")]
    pub closing: Amount,
    /// The difference: the share of the Bitcoin fee.
    #[serde(with = "super::sat", rename = "fee_sat")]
    pub fee: Amount,
    /// Where it stands, in a word: `minted`, `paid`, `reclaimed`, `confirming`, …
    pub state: String,
    /// Is it over?
    pub settled: bool,
    /// Its transactions.
    pub transactions: Vec<ChainedTransaction>,
    /// What does not add up.
    pub fault: Option<String>,
}

/// The sidechain account over its life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SidechainStatement {
    /// Its address.
    pub account: String,
    /// Minted to it.
    #[serde(with = "super::sat", rename = "minted_sat")]
    pub minted: Amount,
    /// Received by transfer.
    #[serde(with = "super::sat", rename = "received_sat")]
    pub received: Amount,
    /// Sent by transfer.
    #[serde(with = "super::sat", rename = "sent_sat")]
    pub sent: Amount,
    /// Fees paid on the sidechain.
    #[serde(with = "super::sat", rename = "fees_sat")]
    pub fees: Amount,
    /// Burned by peg-outs (refunds taken off).
    #[serde(with = "super::sat", rename = "burned_sat")]
    pub burned: Amount,
    /// What it holds.
    #[serde(with = "super::sat", rename = "balance_sat")]
    pub balance: Amount,
}
