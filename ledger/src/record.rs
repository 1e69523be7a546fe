//! What the state holds, one type an entry.

use crate::Params;
use crate::nonces::Nonces;
use crate::script::DepositTerms;
use crate::treasury::Batch;
use crate::wire;
use bitcoin::{Amount, OutPoint, ScriptBuf, Txid};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::Serialize;
use windlass_types::{AccountId, BlockRef, BtcHeight, Digest, Epoch, SideHeight};

/// An account's balance and its nonces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Account {
    /// What it owns.
    #[serde(with = "bitcoin::amount::serde::as_sat")]
    #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
    pub balance: Amount,
    /// Which nonces it has used.
    pub nonces: Nonces,
}

/// A Bitcoin block that the sidechain has consumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Anchor {
    /// Height and hash.
    pub block: BlockRef,
    /// How many transactions it has: fixes the depth of its Merkle tree, so that no inner node can
    /// pass for a transaction nor a transaction for an inner node (rule L24).
    pub transactions: u32,
}

/// Sums and sequence numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Totals {
    /// What all accounts own together.
    #[serde(with = "bitcoin::amount::serde::as_sat")]
    #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
    pub supply: Amount,
    /// Burned for peg-outs that are not settled on Bitcoin yet.
    #[serde(with = "bitcoin::amount::serde::as_sat")]
    #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
    pub owed: Amount,
    /// How many deposits were ever claimed: the next one's sequence number.
    pub deposits: u64,
    /// How many peg-outs were ever asked for: the next one's sequence number.
    pub peg_outs: u64,
    /// How many batches were ever fixed: the next one's id.
    pub batches: u64,
}

/// The federation's one coin at the anchor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct TreasuryCoin {
    /// Where it is.
    #[borsh(serialize_with = "wire::outpoint::write", deserialize_with = "wire::outpoint::read")]
    pub outpoint: OutPoint,
    /// Its value.
    #[serde(with = "bitcoin::amount::serde::as_sat")]
    #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
    pub amount: Amount,
    /// The batch that made it.
    pub batch: u64,
    /// The epoch of its key.
    pub epoch: Epoch,
    /// The hidden node of its script.
    #[serde(with = "hex::serde")]
    pub hidden: [u8; 32],
    /// The Bitcoin block that has it.
    pub block: BlockRef,
}

/// A treasury coin was spent by a transaction that is no batch: the emergency leaf, or a stolen
/// key. From here on nothing is minted and nothing is paid (rule L44).
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct Breach {
    /// The coin.
    #[borsh(serialize_with = "wire::outpoint::write", deserialize_with = "wire::outpoint::read")]
    pub outpoint: OutPoint,
    /// Its value.
    #[serde(with = "bitcoin::amount::serde::as_sat")]
    #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
    pub amount: Amount,
    /// What spent it.
    #[borsh(serialize_with = "wire::txid::write", deserialize_with = "wire::txid::read")]
    pub txid: Txid,
    /// The Bitcoin block.
    pub block: BlockRef,
}

/// A deposit that was claimed.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct DepositRecord {
    /// The coin.
    #[borsh(serialize_with = "wire::outpoint::write", deserialize_with = "wire::outpoint::read")]
    pub outpoint: OutPoint,
    /// Its value.
    #[serde(with = "bitcoin::amount::serde::as_sat")]
    #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
    pub amount: Amount,
    /// What its address says.
    pub terms: DepositTerms,
    /// The height of its Bitcoin block.
    pub height: BtcHeight,
    /// The sidechain block that took the claim.
    pub claimed: SideHeight,
    /// Its place among all claims.
    pub sequence: u64,
    /// The highest rate of Bitcoin's fee that it pays for: the one in force for its Bitcoin block (L86).
    pub fee_rate_sat_per_kvb: u32,
    /// What became of it.
    pub state: DepositState,
}

impl DepositRecord {
    /// The first Bitcoin block that can have the user's reclaim.
    pub fn reclaim_height(&self, params: &Params) -> Option<BtcHeight> {
        self.height.checked_add(params.reclaim_blocks)
    }

    /// The anchor from which the federation lets go of the deposit if no batch has it (L26).
    pub fn lapse_height(&self, params: &Params) -> Option<BtcHeight> {
        self.reclaim_height(params)?.checked_sub(params.reclaim_buffer)
    }
}

/// What became of a claimed deposit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum DepositState {
    /// It waits for a batch.
    Claimed,
    /// It is an input of the batch in flight.
    Batched {
        /// The batch.
        batch: u64,
    },
    /// Swept into the treasury, and minted.
    Minted {
        /// The batch that swept it.
        batch: u64,
        /// What the account got.
        #[serde(with = "bitcoin::amount::serde::as_sat")]
        #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
        amount: Amount,
        /// The sidechain block.
        minted: SideHeight,
    },
    /// Spent by another transaction before it was swept: the user took it back. Nothing was minted.
    Reclaimed {
        /// What spent it.
        #[borsh(serialize_with = "wire::txid::write", deserialize_with = "wire::txid::read")]
        txid: Txid,
        /// The Bitcoin block.
        block: BlockRef,
    },
    /// Too close to its reclaim height to be swept: it is the user's for ever.
    Lapsed {
        /// The sidechain block that let go of it.
        lapsed: SideHeight,
    },
}

/// A peg-out that was asked for; its amount left the supply in that block.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct PegOutRecord {
    /// The id of the request's transaction.
    pub id: Digest,
    /// Who asked.
    #[serde(with = "wire::account_hex")]
    pub from: AccountId,
    /// Where to.
    #[borsh(serialize_with = "wire::script::write", deserialize_with = "wire::script::read")]
    pub script: ScriptBuf,
    /// What was burned; Bitcoin's fee share comes out of it.
    #[serde(with = "bitcoin::amount::serde::as_sat")]
    #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
    pub amount: Amount,
    /// The most that Bitcoin's fee share may be.
    #[serde(with = "bitcoin::amount::serde::as_sat")]
    #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
    pub fee_max: Amount,
    /// The sidechain block that burned.
    pub requested: SideHeight,
    /// Its place among all peg-outs.
    pub sequence: u64,
    /// The highest rate of Bitcoin's fee that it pays for: the one in force when it was asked for (L86).
    pub fee_rate_sat_per_kvb: u32,
    /// What became of it.
    pub state: PegOutState,
}

/// What became of a peg-out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum PegOutState {
    /// It waits for a batch.
    Pending,
    /// It is an output of the batch in flight.
    Batched {
        /// The batch.
        batch: u64,
    },
    /// Paid on Bitcoin, and buried as deep as anchors are.
    Paid {
        /// The batch.
        batch: u64,
        /// The output that pays.
        #[borsh(serialize_with = "wire::outpoint::write", deserialize_with = "wire::outpoint::read")]
        outpoint: OutPoint,
        /// What the output carries.
        #[serde(with = "bitcoin::amount::serde::as_sat")]
        #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
        amount: Amount,
        /// The Bitcoin block.
        block: BlockRef,
        /// The sidechain block that saw it.
        settled: SideHeight,
    },
}

/// A batch and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct BatchRecord {
    /// The batch.
    pub batch: Batch,
    /// What became of it.
    pub state: BatchState,
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum BatchState {
    /// To be signed, broadcast or buried.
    InFlight,
    /// Buried as deep as anchors are.
    Settled {
        /// The Bitcoin block that has it.
        block: BlockRef,
        /// The sidechain block that saw it.
        settled: SideHeight,
    },
    /// One of its inputs was spent by another transaction: it can never confirm.
    Voided {
        /// The input.
        #[borsh(serialize_with = "wire::outpoint::write", deserialize_with = "wire::outpoint::read")]
        outpoint: OutPoint,
        /// What spent it.
        #[borsh(serialize_with = "wire::txid::write", deserialize_with = "wire::txid::read")]
        txid: Txid,
        /// The Bitcoin block.
        block: BlockRef,
    },
}

/// A preimage that a policy account was spent from by, the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Revealed {
    /// The 32 bytes.
    pub preimage: [u8; 32],
    /// The transaction.
    pub id: Digest,
    /// Its block.
    pub height: SideHeight,
}
