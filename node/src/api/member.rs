//! The sidechain's API, spoken by members and followers.
//!
//! GET `/v1/openapi.json` describes it (also `docs/api/sidechain.json`): made from the code of the routes and of these types.
//! Lists come by pages ([`Page`](super::Page)); GET `/v1/events` is a stream of server-sent events ([`BlockEvent`]).

use bitcoin::{Amount, OutPoint, Txid};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use windlass_ledger::{DialChange, Genesis, Membership, ParamsRecord};
use windlass_types::{BlockRef, BtcHeight, ChainId, ChainNetwork, Digest, SideHeight};

/// At most so many transactions in one request.
pub const BATCH_MAX: usize = 2_000;

/// The tip of the sidechain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChainInfo {
    /// Which chain.
    #[schema(value_type = String)]
    pub chain: ChainId,
    /// The Bitcoin network that it is pegged to.
    #[schema(value_type = String)]
    pub network: ChainNetwork,
    /// Height of the newest final block.
    #[schema(value_type = u64)]
    pub height: SideHeight,
    /// Its hash.
    #[schema(value_type = String)]
    pub block: Digest,
    /// The Bitcoin block that it has consumed.
    #[schema(schema_with = super::schema::block_ref)]
    pub anchor: BlockRef,
    /// Satoshis on the sidechain.
    #[serde(with = "super::sat", rename = "supply_sat")]
    #[schema(value_type = u64)]
    pub supply: Amount,
    /// Satoshis burned and not yet paid out, as of the anchor.
    #[serde(with = "super::sat", rename = "owed_sat")]
    #[schema(value_type = u64)]
    pub owed: Amount,
    /// Root of the state.
    #[schema(value_type = String)]
    pub state_root: Digest,
    /// Transactions that wait in this process's mempool.
    pub mempool: usize,
    /// From where on this process has validated the chain itself.
    #[serde(default)]
    pub begun: Begun,
}

/// Where a process began.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum Begun {
    /// It has validated every block.
    #[default]
    Genesis,
    /// It began from the state after a block, on the word of those who signed that block: blocks up to it were not
    /// validated here, and are not here.
    Snapshot {
        /// The block's height.
        #[schema(value_type = u64)]
        height: SideHeight,
        /// Its hash.
        #[schema(value_type = String)]
        block: Digest,
        /// The members that signed it, by name.
        signers: Vec<String>,
    },
}

/// The chain's genesis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GenesisAnswer {
    /// Its hash.
    #[schema(value_type = String)]
    pub chain: ChainId,
    /// The canonical encoding, in hex: what the chain id is the hash of.
    pub hex: String,
    /// The same to read.
    #[schema(value_type = Object)]
    pub genesis: serde_json::Value,
}

impl GenesisAnswer {
    /// The genesis, if this is one and of the chain that it names.
    pub fn read(&self) -> Option<Genesis> {
        let genesis: Genesis = borsh::from_slice(&hex::decode(&self.hex).ok()?).ok()?;
        (genesis.chain_id() == self.chain && genesis.validate().is_ok()).then_some(genesis)
    }
}

/// A final block and what proves that it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BlockAnswer {
    /// Its height.
    #[schema(value_type = u64)]
    pub height: SideHeight,
    /// Its hash.
    #[schema(value_type = String)]
    pub block: Digest,
    /// The canonical encoding, in hex.
    pub hex: String,
    /// The members' certificate, in hex; empty for the genesis block.
    pub certificate: String,
}

/// A final block, as the stream of events tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BlockEvent {
    /// Its height, which is also the event's id.
    #[schema(value_type = u64)]
    pub height: SideHeight,
    /// Its hash.
    #[schema(value_type = String)]
    pub block: Digest,
    /// The Bitcoin block that it has consumed.
    #[schema(schema_with = super::schema::block_ref)]
    pub anchor: BlockRef,
    /// Satoshis on the sidechain.
    #[serde(with = "super::sat", rename = "supply_sat")]
    #[schema(value_type = u64)]
    pub supply: Amount,
    /// Its transactions, by their ids.
    #[schema(value_type = Vec<String>)]
    pub transactions: Vec<Digest>,
    /// What it did: transfers, mints, peg-outs, refunds.
    #[schema(schema_with = super::schema::receipts)]
    pub receipts: serde_json::Value,
}

/// A signed sidechain transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SubmitRequest {
    /// The canonical encoding, in hex.
    pub hex: String,
}

/// The transaction was accepted into the mempool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SubmitAnswer {
    /// Its id.
    #[schema(value_type = String)]
    pub id: Digest,
}

/// Signed sidechain transactions. Each is taken or refused by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SubmitBatchRequest {
    /// The canonical encodings, in hex.
    pub hex: Vec<String>,
}

/// What became of one transaction of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum SubmitOutcome {
    /// It was accepted into the mempool.
    Taken {
        /// Its id.
        #[schema(value_type = String)]
        id: Digest,
    },
    /// It was refused.
    Refused {
        /// Why.
        error: super::ApiError,
    },
}

/// Where a sidechain transaction stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum TransactionStatus {
    /// In the mempool.
    Pending,
    /// In a final block.
    Final {
        /// The block's height.
        #[schema(value_type = u64)]
        height: SideHeight,
    },
    /// Not known here: never seen, dropped, or refused.
    Unknown,
}

/// A sidechain account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccountInfo {
    /// Its address.
    pub address: String,
    /// What it holds.
    #[serde(with = "super::sat", rename = "balance_sat")]
    #[schema(value_type = u64)]
    pub balance: Amount,
    /// The lowest nonce that it has not used. It and the 63 after it are open.
    pub next_nonce: u64,
    /// Those above it that are used.
    pub used_nonces: Vec<u64>,
    /// As of this sidechain block.
    #[schema(value_type = u64)]
    pub height: SideHeight,
}

/// A member's part in a receipt (`docs/spec/receipts.md`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PromiseAnswer {
    /// Its name.
    pub member: String,
    /// The promise's canonical encoding, in hex.
    pub promise: String,
    /// The signature by its identity, in hex.
    pub signature: String,
}

/// A claimed deposit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DepositInfo {
    /// The coin on Bitcoin.
    #[schema(value_type = String)]
    pub outpoint: OutPoint,
    /// The account that it is for.
    pub account: String,
    /// The coin's value.
    #[serde(with = "super::sat", rename = "amount_sat")]
    #[schema(value_type = u64)]
    pub amount: Amount,
    /// The Bitcoin block that holds it.
    #[schema(value_type = u32)]
    pub bitcoin_height: BtcHeight,
    /// From this Bitcoin height on it is the user's alone again, if it was not swept.
    #[schema(value_type = u32)]
    pub reclaim_height: BtcHeight,
    /// Where it stands.
    pub state: DepositState,
}

/// Where a deposit stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum DepositState {
    /// Claimed; waits for a treasury transaction.
    Claimed,
    /// In the treasury transaction in flight.
    Sweeping {
        /// That transaction.
        #[schema(value_type = String)]
        txid: Txid,
        /// Its confirmations as this process's bitcoind sees them.
        confirmations: u32,
    },
    /// Swept, buried and minted.
    Minted {
        /// The treasury transaction.
        #[schema(value_type = String)]
        txid: Txid,
        /// What was credited.
        #[serde(with = "super::sat", rename = "minted_sat")]
        #[schema(value_type = u64)]
        minted: Amount,
        /// Its share of the Bitcoin fee.
        #[serde(with = "super::sat", rename = "fee_sat")]
        #[schema(value_type = u64)]
        fee: Amount,
        /// The sidechain block that minted.
        #[schema(value_type = u64)]
        height: SideHeight,
    },
    /// The user took it back before it was swept.
    Reclaimed {
        /// By this transaction.
        #[schema(value_type = String)]
        txid: Txid,
    },
    /// It came too close to its reclaim height before it was swept: nothing is minted, and it is
    /// the user's to take back.
    Lapsed {
        /// The sidechain block that let go of it.
        #[schema(value_type = u64)]
        height: SideHeight,
    },
}

/// A peg-out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PegOutInfo {
    /// The sidechain transaction that asked for it.
    #[schema(value_type = String)]
    pub id: Digest,
    /// Who asked.
    pub account: String,
    /// The Bitcoin address, or the script in hex where it has none.
    pub to: String,
    /// What was burned.
    #[serde(with = "super::sat", rename = "amount_sat")]
    #[schema(value_type = u64)]
    pub amount: Amount,
    /// The sidechain block that burned it.
    #[schema(value_type = u64)]
    pub burned_height: SideHeight,
    /// Where it stands.
    pub state: PegOutState,
}

/// Where a peg-out stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum PegOutState {
    /// Burned; waits for a treasury transaction.
    Pending,
    /// In the treasury transaction in flight.
    Paying {
        /// That transaction.
        #[schema(value_type = String)]
        txid: Txid,
        /// The output that pays it.
        vout: u32,
        /// What arrives.
        #[serde(with = "super::sat", rename = "paid_sat")]
        #[schema(value_type = u64)]
        paid: Amount,
        /// Its share of the Bitcoin fee.
        #[serde(with = "super::sat", rename = "fee_sat")]
        #[schema(value_type = u64)]
        fee: Amount,
        /// Confirmations as this process's bitcoind sees them; 0 also before the broadcast.
        confirmations: u32,
    },
    /// Paid and buried.
    Paid {
        /// The treasury transaction.
        #[schema(value_type = String)]
        txid: Txid,
        /// The output that paid it.
        vout: u32,
        /// What arrived.
        #[serde(with = "super::sat", rename = "paid_sat")]
        #[schema(value_type = u64)]
        paid: Amount,
        /// Its share of the Bitcoin fee.
        #[serde(with = "super::sat", rename = "fee_sat")]
        #[schema(value_type = u64)]
        fee: Amount,
        /// The sidechain block that settled it.
        #[schema(value_type = u64)]
        height: SideHeight,
    },
    /// It can't be paid (its fee would be above the user's maximum, or it would be dust): the
    /// amount went back to the account, once.
    Refunded {
        /// The sidechain block that refunded.
        #[schema(value_type = u64)]
        height: SideHeight,
        /// Why.
        reason: String,
    },
}

/// The chain's parameters: in force, to come, and who may change them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ParamsInfo {
    /// Which chain.
    #[schema(value_type = String)]
    pub chain: ChainId,
    /// As of this block.
    #[schema(value_type = u64)]
    pub height: SideHeight,
    /// As the state has them: in force, since when, and what is pending.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub record: ParamsRecord,
    /// The members by epochs: in force, to come, and former identities.
    #[schema(value_type = Object)]
    pub membership: Membership,
    /// What the pending change changes.
    #[schema(value_type = Vec<Object>)]
    pub changes: Vec<DialChange<String>>,
    /// Those that no proposal changes.
    pub fixed: Vec<String>,
    /// How many members sign a proposal.
    pub signatures: usize,
    /// The members, by index.
    pub members: Vec<String>,
}

/// The federation as one member sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FederationInfo {
    /// This process's name (`f1`), or the follower's.
    pub name: String,
    /// Signatures that the treasury needs.
    pub threshold: u16,
    /// The x-only group key of the treasury, untweaked, in hex.
    pub treasury_key: String,
    /// The members.
    pub members: Vec<MemberInfo>,
    /// The newest treasury coin that is settled on the sidechain.
    pub treasury: Option<CoinInfo>,
    /// The treasury transaction in flight.
    pub batch: Option<BatchInfo>,
    /// What keeps this member from its work.
    #[serde(default)]
    pub health: MemberHealth,
}

/// What keeps a member from its work; of a follower nothing is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MemberHealth {
    /// Two blocks are final at one height, and where the proof is: it signs nothing on Bitcoin until a person has
    /// looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fork: Option<String>,
    /// Why its chain stands still.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// What its recount found wrong: it signs nothing on Bitcoin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recount: Option<String>,
    /// The newest block that its recount has counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u64>)]
    pub recounted: Option<SideHeight>,
    /// Which members it caught signing what no honest member signs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub misbehaviour: Vec<String>,
}

impl MemberHealth {
    /// What a person should know, a sentence each.
    pub fn complaints(&self) -> Vec<String> {
        let silent = "signs nothing on Bitcoin:";
        let fork = self.fork.iter().map(|fork| format!("{silent} {fork}"));
        let recount = self.recount.iter().map(|fault| format!("{silent} its recount of the chain fails: {fault}"));
        let trouble = self.trouble.iter().map(|trouble| format!("stands still: {trouble}"));
        let caught = self.misbehaviour.iter().map(|what| format!("has proof that {what}"));
        fork.chain(recount).chain(trouble).chain(caught).collect()
    }
}

/// A member as another one sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MemberInfo {
    /// Its name in the genesis.
    pub name: String,
    /// Its ed25519 identity, in hex.
    pub identity: String,
    /// Is there a link to it now (always true for itself)?
    pub connected: bool,
}

/// A coin of the treasury.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CoinInfo {
    /// Where it is.
    #[schema(value_type = String)]
    pub outpoint: OutPoint,
    /// Its value.
    #[serde(with = "super::sat", rename = "value_sat")]
    #[schema(value_type = u64)]
    pub value: Amount,
    /// Its script, in hex.
    pub script: String,
}

/// A treasury transaction in flight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BatchInfo {
    /// Its number.
    pub id: u64,
    /// The one Bitcoin transaction that it is.
    #[schema(value_type = String)]
    pub txid: Txid,
    /// Deposits that it sweeps.
    pub deposits: usize,
    /// Peg-outs that it pays.
    pub peg_outs: usize,
    /// Its fee.
    #[serde(with = "super::sat", rename = "fee_sat")]
    #[schema(value_type = u64)]
    pub fee: Amount,
    /// Is it signed, as far as this member knows?
    pub signed: bool,
    /// Who signed it, as far as this member knows (names).
    pub signers: Vec<String>,
    /// The signing attempt under way, from 0.
    pub attempt: u32,
    /// Confirmations as this process's bitcoind sees them.
    pub confirmations: u32,
}

/// Bitcoin as this process sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BitcoinInfo {
    /// The tip, or none while bitcoind does not answer.
    #[schema(schema_with = super::schema::block_ref_opt)]
    pub tip: Option<BlockRef>,
    /// Why there is none.
    pub error: Option<String>,
}
