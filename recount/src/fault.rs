//! What a recount finds wrong, by name.

use bitcoin::{Amount, Txid};
use windlass_types::{AccountId, AssetId, BlockRef, SideHeight};

/// The blocks don't add up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// No block.
    #[error("what follows block {after} is no block: {reason}")]
    Unreadable {
        /// The block before.
        after: SideHeight,
        /// What the decoder says.
        reason: String,
    },
    /// Blocks come one by one.
    #[error("block {found} can't follow block {after}")]
    Gap {
        /// The block before.
        after: SideHeight,
        /// The block.
        found: SideHeight,
    },
    /// Of another chain.
    #[error("block {0} is of another chain")]
    OtherChain(SideHeight),
    /// Not on the block before.
    #[error("block {0} does not build on the block before it")]
    Parent(SideHeight),
    /// What it says of Bitcoin can't be.
    #[error("block {height}: {what}")]
    Bitcoin {
        /// The block.
        height: SideHeight,
        /// What can't be.
        what: &'static str,
    },
    /// A deposit can't be minted.
    #[error("block {height}: a deposit can't be credited: {fault}")]
    Minted {
        /// The block.
        height: SideHeight,
        /// Why.
        fault: TxFault,
    },
    /// A transaction moves what is not there.
    #[error("block {height}, transaction {index}: {fault}")]
    Transaction {
        /// The block.
        height: SideHeight,
        /// Its place, from 0.
        index: usize,
        /// What is wrong.
        fault: TxFault,
    },
    /// The transaction that is due can't be made.
    #[error("block {height}: {what}")]
    Batch {
        /// The block.
        height: SideHeight,
        /// Why.
        what: &'static str,
    },
    /// The header's supply is another one.
    #[error("block {height} says a supply of {said}; recounted it is {counted}")]
    Supply {
        /// The block.
        height: SideHeight,
        /// The header's.
        said: Amount,
        /// What the blocks add up to.
        counted: Amount,
    },
    /// What is owed is another sum.
    #[error("block {height} says that {said} are owed; recounted it is {counted}")]
    Owed {
        /// The block.
        height: SideHeight,
        /// The header's.
        said: Amount,
        /// What the blocks add up to.
        counted: Amount,
    },
    /// The anchor is another block.
    #[error("block {height} says that it has consumed Bitcoin up to {said}; its inputs end at {counted}")]
    Anchor {
        /// The block.
        height: SideHeight,
        /// The header's.
        said: BlockRef,
        /// What the inputs add up to.
        counted: BlockRef,
    },
    /// The treasury is not what stands against it.
    #[error("block {height}: the treasury holds {treasury}; {supply} of supply and {owed} owed stand against it")]
    Treasury {
        /// The block.
        height: SideHeight,
        /// The coin.
        treasury: Amount,
        /// The supply.
        supply: Amount,
        /// Burned and not settled.
        owed: Amount,
    },
}

/// What is wrong with a transaction.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TxFault {
    /// For another chain.
    #[error("it is for another chain")]
    OtherChain,
    /// Its account has used the nonce.
    #[error("{} has used the nonce {nonce} before", hex(.account))]
    Replay {
        /// The account.
        account: AccountId,
        /// The nonce.
        nonce: u64,
    },
    /// It gives what the account does not have.
    #[error("{} gives {wanted} of {asset} and has {has}", hex(.account))]
    Short {
        /// The account.
        account: AccountId,
        /// Of what.
        asset: AssetId,
        /// What it has.
        has: u64,
        /// What it gives.
        wanted: u64,
    },
    /// More than there can be.
    #[error("there would be more of {0} than can be counted")]
    Overflow(AssetId),
    /// A peg-out without its account's signature.
    #[error("the peg-out is not signed by {}", hex(.0))]
    Signature(AccountId),
    /// An asset that nobody issued, or that is issued again.
    #[error("the asset {0} can't be issued")]
    Issue(AssetId),
    /// Reissued by another one, or against its terms.
    #[error("the asset {0} is not this account's to reissue")]
    Reissue(AssetId),
    /// Bitcoin leaves by peg-outs alone.
    #[error("it burns bitcoin without a peg-out")]
    BurnsBitcoin,
    /// A claim of no deposit.
    #[error("the claim {0}")]
    Claim(&'static str),
    /// A proposal that can't change the dials.
    #[error("the proposal {0}")]
    Proposal(&'static str),
    /// The treasury was robbed: nothing goes in or out.
    #[error("the peg is closed")]
    Closed,
}

/// Why a transaction must not be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Objection {
    /// The blocks don't add up.
    #[error("the recount stopped: {0}")]
    Fault(#[from] Fault),
    /// The recount knows of no such batch (yet).
    #[error("batch {batch} is not due in the recount, which is at block {height}")]
    NotDue {
        /// The batch.
        batch: u64,
        /// The newest block that was counted.
        height: SideHeight,
    },
    /// Another transaction is due.
    #[error("batch {batch} is {counted} in the recount, not {asked}")]
    OtherTransaction {
        /// The batch.
        batch: u64,
        /// What is due.
        counted: Txid,
        /// What is to be signed.
        asked: Txid,
    },
    /// What is to be signed is not this transaction's message.
    #[error("batch {batch}: what is to be signed for input {input} is not this transaction's")]
    OtherMessage {
        /// The batch.
        batch: u64,
        /// The input.
        input: usize,
    },
    /// Bitcoin does not have a coin that is to be spent.
    #[error("Bitcoin does not have what batch {batch} spends: {reason}")]
    NoCoin {
        /// The batch.
        batch: u64,
        /// Which coin, and what is there instead.
        reason: String,
    },
}

fn hex(account: &AccountId) -> String {
    account.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}
