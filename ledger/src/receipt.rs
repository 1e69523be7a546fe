//! What a block did, as events: for logs, pages and statements. Not part of the state root.

use bitcoin::{Amount, OutPoint, Txid};
use serde::Serialize;
use windlass_types::{AccountId, AssetId, BlockRef, Digest, SideHeight};

/// One thing that a block did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Receipt {
    /// A Bitcoin block was consumed.
    Anchored {
        /// The block.
        block: BlockRef,
    },
    /// A transfer.
    Transferred {
        /// The transaction.
        id: Digest,
        /// Who paid.
        #[serde(with = "crate::wire::account_hex")]
        from: AccountId,
        /// The sum of the outputs in bitcoin.
        #[serde(with = "bitcoin::amount::serde::as_sat")]
        amount: Amount,
    },
    /// A transfer moved an asset that is not bitcoin.
    Moved {
        /// The transaction.
        id: Digest,
        /// Who paid.
        #[serde(with = "crate::wire::account_hex")]
        from: AccountId,
        /// The asset.
        asset: AssetId,
        /// The sum of its outputs.
        units: u64,
    },
    /// A proposal of the members was taken.
    Proposed {
        /// The transaction.
        id: Digest,
        /// The proposal's number.
        number: u64,
        /// The first block that its change is in force for; none: it drops a pending change.
        height: Option<SideHeight>,
    },
    /// A change of the parameters came into force, from this block on.
    ParamsChanged {
        /// How many proposals had been taken by then.
        number: u64,
    },
    /// An epoch of the members began with this block: one of them has another identity.
    EpochBegan {
        /// Its number.
        epoch: u64,
    },
    /// An asset was issued, or more of it.
    Issued {
        /// The transaction.
        id: Digest,
        /// The issuer, who got them.
        #[serde(with = "crate::wire::account_hex")]
        issuer: AccountId,
        /// The asset.
        asset: AssetId,
        /// How many units were made.
        units: u64,
    },
    /// Units of an asset were burned.
    AssetBurned {
        /// The transaction.
        id: Digest,
        /// Whose they were.
        #[serde(with = "crate::wire::account_hex")]
        from: AccountId,
        /// The asset.
        asset: AssetId,
        /// How many units are gone.
        units: u64,
    },
    /// A policy account was spent from by the preimage of a hash: whoever waits for it can read it here.
    Revealed {
        /// The transaction.
        id: Digest,
        /// The policy account.
        #[serde(with = "crate::wire::account_hex")]
        from: AccountId,
        /// The hash.
        hash: Digest,
        /// The 32 bytes with that SHA-256.
        preimage: Digest,
    },
    /// A peg-out was asked for and its amount burned.
    Burned {
        /// The request.
        id: Digest,
        /// Who asked.
        #[serde(with = "crate::wire::account_hex")]
        from: AccountId,
        /// What left the supply.
        #[serde(with = "bitcoin::amount::serde::as_sat")]
        amount: Amount,
    },
    /// A deposit was claimed.
    Claimed {
        /// The coin.
        outpoint: OutPoint,
        /// Whom it will be minted to.
        #[serde(with = "crate::wire::account_hex")]
        account: AccountId,
        /// The coin's value.
        #[serde(with = "bitcoin::amount::serde::as_sat")]
        amount: Amount,
    },
    /// A batch was fixed: members sign it now.
    BatchFixed {
        /// The batch.
        batch: u64,
        /// Its Bitcoin transaction.
        txid: Txid,
    },
    /// A batch was seen on Bitcoin.
    BatchSettled {
        /// The batch.
        batch: u64,
        /// Its Bitcoin transaction.
        txid: Txid,
        /// The Bitcoin block.
        block: BlockRef,
    },
    /// A batch can never confirm.
    BatchVoided {
        /// The batch.
        batch: u64,
        /// The input that another transaction spent.
        outpoint: OutPoint,
        /// That transaction.
        txid: Txid,
    },
    /// A deposit was minted.
    Minted {
        /// The coin.
        outpoint: OutPoint,
        /// Whom to.
        #[serde(with = "crate::wire::account_hex")]
        account: AccountId,
        /// What was minted: the coin's value less its share of the batch's fee.
        #[serde(with = "bitcoin::amount::serde::as_sat")]
        amount: Amount,
    },
    /// A peg-out was paid.
    Paid {
        /// The request.
        id: Digest,
        /// The output that pays.
        outpoint: OutPoint,
        /// What it carries.
        #[serde(with = "bitcoin::amount::serde::as_sat")]
        amount: Amount,
    },
    /// A claimed deposit was spent by its user before it was swept.
    Reclaimed {
        /// The coin.
        outpoint: OutPoint,
        /// What spent it.
        txid: Txid,
    },
    /// A claimed deposit came too close to its reclaim height.
    Lapsed {
        /// The coin.
        outpoint: OutPoint,
    },
    /// The treasury's coin was spent by a transaction that is no batch.
    Breached {
        /// The coin.
        outpoint: OutPoint,
        /// What spent it.
        txid: Txid,
    },
}
