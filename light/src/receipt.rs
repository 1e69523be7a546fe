//! Receipts: what members of the federation promised, signed by their own keys, as a file that anyone checks with the
//! genesis and no connection. `docs/spec/receipts.md`.
//!
//! A promise is no rule: a receipt proves who gave it. Whether it was kept, Bitcoin shows.

use bitcoin::{Amount, OutPoint, ScriptBuf, Txid};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};
use windlass_ledger::{DepositTerms, Genesis, ScriptError, endorsed, wire};
use windlass_types::{AccountId, BlockRef, Blocks, BtcHeight, ChainId, Digest, SideHeight};

/// What a receipt says that it is.
pub const RECEIPT_FORMAT: &str = "windlass-receipt";
/// The version of receipts that this reads and writes.
pub const RECEIPT_VERSION: u32 = 1;
/// A peg-out is promised to be in a Bitcoin block at most so many after the anchor of the sidechain block that took it.
pub const PEG_OUT_BLOCKS: Blocks = Blocks::new(144);
/// No promise is longer: a transfer's largest script is far below.
pub const MAX_PROMISE_BYTES: usize = 1024;

/// What is promised.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Promise {
    /// Deposits to an address are credited as its terms say.
    Address(AddressPromise),
    /// A deposit was minted.
    Mint(MintPromise),
    /// A peg-out will be paid.
    PegOut(PegOutPromise),
}

/// Deposits to this script are credited to the account of the terms.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct AddressPromise {
    /// What the address commits to.
    pub terms: DepositTerms,
    /// The output to pay.
    #[borsh(serialize_with = "wire::script::write", deserialize_with = "wire::script::read")]
    pub script: ScriptBuf,
    /// The smallest deposit that is minted.
    #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
    pub min: Amount,
    /// The largest.
    #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
    pub max: Amount,
    /// The most that goes off for Bitcoin's fee.
    #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
    pub fee_max: Amount,
    /// So many blocks after it is in a block, a deposit that was not swept is the user's alone.
    pub reclaim_blocks: Blocks,
    /// These parameters are in force from this sidechain block on.
    pub since: SideHeight,
}

/// This deposit was swept and minted.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct MintPromise {
    /// The deposit.
    #[borsh(serialize_with = "wire::outpoint::write", deserialize_with = "wire::outpoint::read")]
    pub outpoint: OutPoint,
    /// Who was credited.
    pub account: AccountId,
    /// What was deposited.
    #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
    pub deposited: Amount,
    /// What was credited.
    #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
    pub minted: Amount,
    /// What swept it.
    #[borsh(serialize_with = "wire::txid::write", deserialize_with = "wire::txid::read")]
    pub sweep: Txid,
    /// The Bitcoin block that has the sweep.
    pub block: BlockRef,
    /// The sidechain block that minted.
    pub height: SideHeight,
}

/// This peg-out was taken, and will be paid.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct PegOutPromise {
    /// The request.
    pub id: Digest,
    /// Who asked.
    pub account: AccountId,
    /// Where to.
    #[borsh(serialize_with = "wire::script::write", deserialize_with = "wire::script::read")]
    pub script: ScriptBuf,
    /// What was burned.
    #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
    pub amount: Amount,
    /// The most that goes off for Bitcoin's fee.
    #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
    pub fee_max: Amount,
    /// The sidechain block that took it.
    pub height: SideHeight,
    /// The Bitcoin block that this one had consumed: the payment is in a later one.
    pub anchor: BtcHeight,
    /// The last Bitcoin block that the payment may be in.
    pub deadline: BtcHeight,
}

/// A receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptFile {
    /// [`RECEIPT_FORMAT`].
    pub format: String,
    /// [`RECEIPT_VERSION`].
    pub version: u32,
    /// The chain.
    pub chain: ChainId,
    /// The promise's canonical encoding.
    #[serde(with = "hex::serde")]
    pub promise: Vec<u8>,
    /// Who signed it.
    pub signatures: Vec<ReceiptSignature>,
}

/// A member's signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptSignature {
    /// Its name.
    pub member: String,
    /// By its identity, over [`Promise::digest`].
    #[serde(with = "hex::serde")]
    pub signature: [u8; 64],
}

/// What a receipt showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promised {
    /// What.
    pub promise: Promise,
    /// By whom: the members' names, in the order of the file.
    pub members: Vec<String>,
}

/// Why a receipt shows nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// No receipt, or damaged.
    #[error("this is no receipt: {0}")]
    Unreadable(String),
    /// Of another version.
    #[error("the receipt is of version {0}; this program reads version {RECEIPT_VERSION}")]
    Version(u32),
    /// Of another chain.
    #[error("the receipt is of the chain {found}; the genesis given is that of {expected}")]
    OtherChain {
        /// The genesis's chain.
        expected: ChainId,
        /// The receipt's.
        found: ChainId,
    },
    /// The promise does not decode.
    #[error("the promise is malformed: {0}")]
    Malformed(String),
    /// A signature of nobody.
    #[error("{0} is no member of this federation")]
    NotAMember(String),
    /// Who signs twice counts once: the file was made to look like more.
    #[error("{0} is named twice")]
    Twice(String),
    /// A signature that does not hold.
    #[error("the signature of {0} does not hold for this promise: it is forged, or the promise was changed")]
    Forged(String),
    /// Not enough of them.
    #[error("{} signed; a receipt takes {needed} members", if .members.is_empty() { "nobody".into() } else { .members.join(", ") })]
    TooFew {
        /// Who did.
        members: Vec<String>,
        /// How many it takes.
        needed: u16,
    },
    /// The address is not the one of the terms.
    #[error("the address of the receipt is not that of its terms: do not pay it")]
    Address,
    /// The address can't be computed.
    #[error(transparent)]
    Script(#[from] ScriptError),
}

impl Promise {
    /// The canonical encoding.
    pub fn encode(&self) -> Vec<u8> {
        borsh::to_vec(self).expect("writing to a vector does not fail and no length reaches u32")
    }

    /// Decodes it, strictly.
    ///
    /// # Errors
    /// Too long, or not exactly one promise.
    pub fn decode(bytes: &[u8]) -> Result<Self, ReceiptError> {
        if bytes.len() > MAX_PROMISE_BYTES {
            return Err(ReceiptError::Malformed(format!("{} bytes; at most {MAX_PROMISE_BYTES}", bytes.len())));
        }
        borsh::from_slice(bytes).map_err(|error| ReceiptError::Malformed(error.to_string()))
    }

    /// What a member signs: `H("Windlass/receipt", chain || promise)`.
    pub fn digest(&self, chain: ChainId) -> [u8; 32] {
        Digest::tagged("Windlass/receipt", &[chain.0.as_bytes(), &self.encode()]).0
    }

    /// What can be checked of it without asking anyone.
    fn check(&self, genesis: &Genesis) -> Result<(), ReceiptError> {
        match self {
            Self::Address(promise) if promise.terms.spend_info(genesis)?.script != promise.script => {
                Err(ReceiptError::Address)
            }
            Self::Address(_) | Self::Mint(_) | Self::PegOut(_) => Ok(()),
        }
    }
}

impl ReceiptFile {
    /// A receipt.
    pub fn new(chain: ChainId, promise: &Promise, signatures: Vec<ReceiptSignature>) -> Self {
        let (format, promise) = (RECEIPT_FORMAT.to_owned(), promise.encode());
        Self { format, version: RECEIPT_VERSION, chain, promise, signatures }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// It is none, or of another version.
    pub fn read(text: &str) -> Result<Self, ReceiptError> {
        #[derive(Deserialize)]
        struct Head {
            format: String,
            version: u32,
        }
        let unreadable = |error: serde_json::Error| ReceiptError::Unreadable(error.to_string());
        let head: Head = serde_json::from_str(text).map_err(unreadable)?;
        if head.format != RECEIPT_FORMAT {
            return Err(ReceiptError::Unreadable(format!("its format is {:?}, not {RECEIPT_FORMAT:?}", head.format)));
        }
        if head.version != RECEIPT_VERSION {
            return Err(ReceiptError::Version(head.version));
        }
        serde_json::from_str(text).map_err(unreadable)
    }

    /// Checks it against the chain's genesis: every signature holds, and as many members signed as sign on Bitcoin.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify(&self, genesis: &Genesis) -> Result<Promised, ReceiptError> {
        let (expected, found) = (genesis.chain_id(), self.chain);
        if found != expected {
            return Err(ReceiptError::OtherChain { expected, found });
        }
        let promise = Promise::decode(&self.promise)?;
        let digest = promise.digest(expected);
        let mut members: Vec<String> = Vec::new();
        for ReceiptSignature { member, signature } in &self.signatures {
            let known = genesis.members.iter().find(|known| known.name == *member);
            let known = known.ok_or_else(|| ReceiptError::NotAMember(member.clone()))?;
            if members.contains(member) {
                return Err(ReceiptError::Twice(member.clone()));
            }
            if !endorsed(&known.identity, &digest, signature) {
                return Err(ReceiptError::Forged(member.clone()));
            }
            members.push(member.clone());
        }
        let needed = genesis.threshold;
        if members.len() < usize::from(needed) {
            return Err(ReceiptError::TooFew { members, needed });
        }
        promise.check(genesis)?;
        Ok(Promised { promise, members })
    }
}

#[cfg(test)]
#[path = "receipt_tests.rs"]
mod tests;
