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
//! | `node/info` | [`OneNode`] | `NodeInfo` |
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
//! | `peg/list` | [`PegList`] | [`Pegs`] |
//! | `peg/show`, `peg/reclaim` | [`PegShow`] | [`Peg`] |
//! | `federation/show` | `{}` | [`Federation`] |
//! | `federation/reserves` | [`Reserves`] | [`ReservesReport`] |
//! | `federation/member/stop`, `federation/member/start` | [`OneMember`] | [`ProcessStatus`] |
//! | `statement` | [`OneNode`] | `Statement` |
//! | `down` | [`Down`] | `{}` (the hub stops everything, then itself) |

mod payments;

pub use payments::*;

use bitcoin::{Amount, OutPoint, Txid};
use serde::{Deserialize, Serialize};
use windlass_node::api::member::{BatchInfo, ChainInfo, FederationInfo};
use windlass_node::api::wallet::{Balance, ChannelInfo, PeerInfo, PegInInfo, PegOutRecord};
use windlass_node::api::{ApiError, sat};
use windlass_types::{BlockRef, BtcHeight, ChainId, Digest, Msat, SideHeight};

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
    /// For the other one to read.
    #[serde(default)]
    pub memo: String,
}

/// A node, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OneNode {
    /// Its name.
    pub node: String,
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

/// Stop the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Down {}
