//! The hub's API: what the command line asks and what it gets, verb by verb.
//!
//! Each verb is `POST /v1/<path>` with a JSON body (`{}` where a verb takes nothing). The answer
//! is a stream of JSON lines ([`Line`]): progress as it happens, then one result or one error.
//! Amounts are satoshis; nodes go by name (`alice`), members too (`f1`). With `?no_wait=true` a verb
//! returns as soon as its action is under way: it neither mines nor waits for the effect.
//!
//! | path | body | result |
//! |---|---|---|
//! | `up` | `{}` | [`Started`] (starts what does not run; what the command line asks after it started the hub) |
//! | `status` | `{}` | [`Status`] |
//! | `mine` | [`Mine`] | [`Mined`] |
//! | `faucet` | [`Faucet`] | [`FaucetDone`] |
//! | `address` | [`Address`] | `AddressAnswer` |
//! | `balance` | [`Balances`] | `Vec<NodeBalance>` |
//! | `send` | [`Send`] | [`Sent`] |
//! | `transfer` | [`Transfer`] | `TransferAnswer` |
//! | `policy/show` | [`PolicyText`] | [`PolicyShown`] |
//! | `policy/spend`, `policy/sign` | [`PolicySpend`], [`PolicySign`] | `DraftAnswer` |
//! | `policy/submit` | [`PolicySubmit`] | `TransferAnswer` |
//! | `policy/preimage` | [`PolicyPreimage`] | `PreimageAnswer` |
//! | `asset/issue` | [`AssetIssue`] | `IssueAnswer` |
//! | `asset/reissue`, `asset/burn` | [`AssetUnits`] | `TransferAnswer` |
//! | `asset/send` | [`AssetSend`] | `TransferAnswer` |
//! | `asset/list` | [`AssetList`] | [`AssetListed`] |
//! | `asset/verify` | [`AssetVerify`] | [`AssetVerdict`] |
//! | `node/info` | [`OneNode`] | `NodeInfo` |
//! | `node/events` | [`NodeEvents`] | `JournalInfo` |
//! | `node/stop`, `node/start` | [`OneNode`] | [`ProcessStatus`] |
//! | `peer/list` | [`OneNode`] | `Vec<NodePeer>` |
//! | `peer/add` | [`OnePeer`] | [`NodePeer`] |
//! | `peer/remove` | [`OnePeer`] | `ForgetAnswer` |
//! | `channel/batch` | [`ChannelBatch`] | `Vec<ChannelInfo>` (usable) |
//! | `node/words` | [`NodeWords`] | [`Words`] (shown once) |
//! | `node/backup` | [`OneNode`] | `BackupAnswer` |
//! | `node/restore` | [`NodeRestore`] | [`Restored`] (started again) |
//! | `channel/open` | [`ChannelOpen`] | `ChannelInfo` |
//! | `channel/list` | [`ChannelList`] | `Vec<NodeChannel>` |
//! | `channel/splice` | [`ChannelSplice`] | `ChannelInfo` (locked in) |
//! | `channel/close` | [`ChannelClose`] | `ChannelInfo` (closed, all money back on chain) |
//! | `invoice` | [`Invoice`] | `InvoiceAnswer` |
//! | `invoice/hold` | [`Hold`] | `HoldAnswer` |
//! | `invoice/list` | [`HoldList`] | `Vec<HoldInfo>`: hold invoices, newest first |
//! | `invoice/settle`, `invoice/cancel` | [`HoldSettle`], [`HoldCancel`] | `HoldInfo` |
//! | `pay` | [`Pay`] | `PaymentInfo` |
//! | `keysend` | [`Keysend`] | `PaymentInfo` |
//! | `probe` | [`Probe`] | `ProbeInfo` |
//! | `offer`, `offer/list` | [`Offer`], [`OneNode`] | `OfferInfo`, `Vec<OfferInfo>` |
//! | `refund`, `refund/claim` | [`Refund`], [`RefundClaim`] | `RefundInfo`, `PaymentInfo` (paid) |
//! | `channel/policy` | [`ChannelPolicy`] | `PolicyInfo` |
//! | `payment/forwards` | [`OneNode`] | `Vec<ForwardInfo>` |
//! | `payment/list` | [`OneNode`] | `Vec<PaymentInfo>` |
//! | `peg/address` | [`OneNode`] | `PegInInfo` |
//! | `peg/in` | [`PegIn`] | `PegInInfo` (minted) |
//! | `peg/out` | [`PegOut`] | `PegOutRecord` (paid) |
//! | `peg/quote` | [`PegQuoteOf`] | `PegQuote` (nothing is sent) |
//! | `peg/receipt` | [`PegShow`] | `ReceiptFile` |
//! | `peg/list` | [`PegList`] | [`Pegs`] |
//! | `peg/show`, `peg/reclaim` | [`PegShow`] | [`Peg`] |
//! | `anchors` | `{}` | [`AnchorsReport`](windlass_peg::anchors::AnchorsReport) |
//! | `federation/show` | `{}` | [`Federation`] |
//! | `federation/reserves` | [`Reserves`] | [`ReservesReport`] |
//! | `federation/member/stop`, `federation/member/start` | [`OneMember`] | [`ProcessStatus`] |
//! | `statement` | [`OneNode`] | `Statement` |
//! | `down` | [`Down`] | `{}` (the hub stops everything, then itself) |

mod assets;
mod federation;
mod payments;
mod pegs;
mod policies;

pub use assets::*;
pub use federation::*;
pub use payments::*;
pub use pegs::*;
pub use policies::*;

use bitcoin::{Amount, Txid};
use serde::{Deserialize, Serialize};
use windlass_node::api::ApiError;
use windlass_node::api::member::ChainInfo;
use windlass_node::api::sat;
use windlass_node::api::wallet::{Balance, ChannelInfo, PeerInfo};
use windlass_types::{BlockRef, BtcHeight, Msat};

/// One line of a verb's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// Something happened on the way.
    Progress(Progress),
    /// Done: the verb's result.
    Result(serde_json::Value),
    /// Not done.
    Error(ApiError),
}

/// A step of a verb that takes time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// This step, from 1.
    pub step: u32,
    /// Of so many.
    pub of: u32,
    /// In a word: `address`, `sent`, `swept`, `minted`.
    pub label: String,
    /// The rest of the line.
    pub detail: String,
    /// Within the step: done and total (confirmations), for a bar.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bar: Option<(u64, u64)>,
}

/// The hub's own file, `hub.json`: where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HubFile {
    /// Its process id.
    pub pid: u32,
    /// `http://127.0.0.1:21021`.
    pub api: String,
}

/// Does a process run?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessStatus {
    /// `bitcoind`, `f1`, `alice`.
    pub name: String,
    /// `bitcoin`, `member`, `node`.
    pub kind: String,
    /// Its process id; none while it does not run.
    pub pid: Option<u32>,
    /// Does it answer?
    pub ready: bool,
    /// Where it listens: (`api`, `127.0.0.1:18884`), (`lightning`, `127.0.0.1:9735`).
    pub ports: Vec<(String, String)>,
    /// Resident memory, in kB.
    pub memory_kb: Option<u64>,
    /// How it ended, if it did without being told to.
    pub exit: Option<String>,
    /// Its log.
    pub log: String,
}

/// The whole network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The network's name.
    pub name: String,
    /// Where it lives.
    pub dir: String,
    /// The hub's API.
    pub api: String,
    /// Which bitcoind, and its version.
    pub bitcoind: String,
    /// Bitcoin's tip.
    pub bitcoin: Option<BlockRef>,
    /// The sidechain's tip.
    pub sidechain: Option<ChainInfo>,
    /// How many members run and how many sign.
    pub members_running: usize,
    /// Members in all.
    pub members: usize,
    /// Signatures needed.
    pub threshold: u16,
    /// Everything that runs or should.
    pub processes: Vec<ProcessStatus>,
    /// The wallets.
    pub wallets: Vec<NodeBalance>,
    /// Bytes on disk.
    pub disk_bytes: u64,
    /// Healthy: every process is ready and the tips agree.
    pub healthy: bool,
    /// What is not healthy, each a sentence.
    pub troubles: Vec<String>,
}

/// One node's balance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeBalance {
    /// Whose.
    pub name: String,
    /// None while it does not answer.
    pub balance: Option<Balance>,
}

/// One part of the start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// `bitcoin`, `federation`, `lightning`.
    pub name: String,
    /// What came up.
    pub what: String,
    /// Where it listens.
    pub at: String,
    /// How long it took.
    pub seconds: f64,
}

/// The network is up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Started {
    /// Part by part.
    pub stages: Vec<Stage>,
    /// All in all.
    pub seconds: f64,
    /// The network now.
    pub status: Status,
}

/// Mine blocks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mine {
    /// So many.
    pub blocks: u32,
}

/// Blocks were mined and every process has seen them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mined {
    /// So many.
    pub blocks: u32,
    /// The new tip.
    pub tip: BlockRef,
}

/// Coins for a node or a Bitcoin address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faucet {
    /// A node's name or a Bitcoin address.
    pub to: String,
    /// How much.
    #[serde(with = "sat", rename = "amount_sat")]
    pub amount: Amount,
}

/// The coins are there, confirmed once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaucetDone {
    /// By this transaction.
    pub txid: Txid,
    /// To this address.
    pub address: String,
    /// In this block.
    pub height: BtcHeight,
}

/// A fresh address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// Whose.
    pub node: String,
    /// On the sidechain?
    #[serde(default)]
    pub side: bool,
}

/// Balances of all nodes, or of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balances {
    /// Whose.
    #[serde(default)]
    pub node: Option<String>,
}

/// Send on chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Send {
    /// From this node.
    pub node: String,
    /// A node's name or a Bitcoin address.
    pub to: String,
    /// How much.
    #[serde(with = "sat", rename = "amount_sat")]
    pub amount: Amount,
}

/// Sent and confirmed once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// By this transaction.
    pub txid: Txid,
    /// Its fee.
    #[serde(with = "sat", rename = "fee_sat")]
    pub fee: Amount,
    /// In this block; none where nobody waited for it.
    pub height: Option<BtcHeight>,
}

/// Send on the sidechain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// From this node.
    pub from: String,
    /// A node's name or a sidechain address.
    pub to: String,
    /// How much.
    #[serde(with = "sat", rename = "amount_sat")]
    pub amount: Amount,
    /// To others in the same transaction: satoshis each.
    #[serde(default)]
    pub more: Vec<(String, u64)>,
    /// For the other one to read.
    #[serde(default)]
    pub memo: String,
    /// At most so much for the sidechain's fee.
    #[serde(with = "windlass_node::api::sat_opt", rename = "max_fee_sat", default)]
    pub max_fee: Option<Amount>,
}

/// A node, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OneNode {
    /// Its name.
    pub node: String,
}

/// A node's journal of Lightning events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeEvents {
    /// Whose.
    pub node: String,
    /// The application that acknowledged them is gone for good.
    #[serde(default)]
    pub give_up: bool,
}

/// A peer of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnePeer {
    /// Whose.
    pub node: String,
    /// By name, by key, or by `<public key>@<host>:<port>`.
    pub peer: String,
}

/// A peer of a node, with its name where it has one here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodePeer {
    /// Its name, if it is a node of this network.
    pub name: Option<String>,
    /// It.
    #[serde(flatten)]
    pub peer: PeerInfo,
}

/// Open several channels with one transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelBatch {
    /// Who funds them.
    pub from: String,
    /// Them.
    pub channels: Vec<BatchPart>,
    /// Not announced.
    #[serde(default)]
    pub private: bool,
}

/// One of several channels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchPart {
    /// The other side.
    pub to: String,
    /// Its capacity.
    #[serde(with = "bitcoin::amount::serde::as_sat", rename = "amount_sat")]
    pub amount: Amount,
}

/// A node's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeWords {
    /// Whose.
    pub node: String,
    /// Although they were shown before.
    #[serde(default)]
    pub again: bool,
}

/// A seed as words (BIP 39).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Words {
    /// 24 of them, with a space between.
    pub words: String,
}

/// Restore a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRestore {
    /// Which node becomes the restored one.
    pub node: String,
    /// Its words; none keeps the seed that it has.
    #[serde(default)]
    pub words: Option<String>,
    /// The channel backup, in hex.
    pub backup_hex: String,
}

/// A node that was restored and gets its money back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// Channels in the backup.
    pub channels: usize,
    /// Their capacity: what comes back is the node's part of it.
    #[serde(with = "bitcoin::amount::serde::as_sat", rename = "capacity_sat")]
    pub capacity: Amount,
    /// Where the state that was there lies now.
    pub put_aside: Option<String>,
}

/// A member, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OneMember {
    /// Its name.
    pub member: String,
}

/// Open a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelOpen {
    /// Who funds it.
    pub from: String,
    /// The other side: a node's name.
    pub to: String,
    /// Capacity.
    #[serde(with = "sat", rename = "amount_sat")]
    pub amount: Amount,
    /// A gift to the other side.
    #[serde(default)]
    pub push_msat: Msat,
    /// Not announced to the network.
    #[serde(default)]
    pub private: bool,
}

/// Channels of all nodes, or of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelList {
    /// Whose.
    #[serde(default)]
    pub node: Option<String>,
}

/// A channel as one of its ends sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeChannel {
    /// Which end.
    pub node: String,
    /// The other end's name, where known.
    pub peer_name: Option<String>,
    /// The channel.
    #[serde(flatten)]
    pub channel: ChannelInfo,
}

/// Splice a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelSplice {
    /// Which end does it.
    pub node: String,
    /// A channel's id or a unique prefix.
    pub id: String,
    /// Into the channel or out of it.
    pub way: windlass_node::api::splice::SpliceWay,
    /// How much; the fee comes on top.
    #[serde(with = "sat", rename = "amount_sat")]
    pub amount: Amount,
    /// A Bitcoin address or a node's name, for what goes out; the own wallet without.
    #[serde(default)]
    pub to: Option<String>,
    /// In sat/vB; the usual rate without.
    #[serde(default)]
    pub fee_rate: Option<u64>,
}

/// Close a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelClose {
    /// A channel's id or a unique prefix, as either end shows it.
    pub id: String,
    /// By which end (needed only where both ends know the prefix).
    #[serde(default)]
    pub node: Option<String>,
    /// Without the other side.
    #[serde(default)]
    pub force: bool,
}

/// Stop the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Down {}
