//! Transactions of the sidechain.

use crate::claim::{ClaimError, DepositClaim};
use crate::nonces::NONCE_WINDOW;
use crate::state::{StateError, encode};
use crate::wire;
use bitcoin::Amount;
use bitcoin::secp256k1::{Keypair, Message, Secp256k1, schnorr};
use borsh::{BorshDeserialize, BorshSerialize};
use windlass_types::{AccountId, ChainId, Digest, SideHeight};

/// Longest memo of a transfer.
pub const MAX_MEMO_BYTES: usize = 80;
/// Most outputs of a transfer.
pub const MAX_TRANSFER_OUTPUTS: usize = 256;

/// What a transaction does.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum TxBody {
    /// Moves bitcoin from one account to others (L11).
    Transfer {
        /// Who pays, and signs.
        from: AccountId,
        /// The account's nonce.
        nonce: u64,
        /// Whom to, and how much.
        #[borsh(serialize_with = "wire::outputs::write", deserialize_with = "wire::outputs::read")]
        outputs: Vec<(AccountId, Amount)>,
        /// Into the pot of fees.
        #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
        fee: Amount,
        /// Any bytes, at most [`MAX_MEMO_BYTES`].
        memo: Vec<u8>,
        /// The last sidechain block that may have it.
        expiry: Option<SideHeight>,
    } = 0,
    /// Burns bitcoin here to be paid on Bitcoin (L12).
    PegOut {
        /// Who pays, and signs.
        from: AccountId,
        /// The account's nonce.
        nonce: u64,
        /// The Bitcoin script to pay.
        script: Vec<u8>,
        /// What is burned; the share of Bitcoin's fee comes out of it.
        #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
        amount: Amount,
        /// The most that the share of Bitcoin's fee may be.
        #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
        fee_max: Amount,
        /// Into the pot of fees, on top of `amount`.
        #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
        fee: Amount,
        /// The last sidechain block that may have it.
        expiry: Option<SideHeight>,
    } = 1,
    /// Shows a deposit on Bitcoin (L21). Anyone may send it: the address says whom it credits.
    Claim(DepositClaim) = 2,
}

/// A transaction.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Transaction {
    /// The sidechain that it is for.
    pub chain: ChainId,
    /// What it does.
    pub body: TxBody,
    /// BIP340, by the key of `from`, over [`Self::id`]. All zero for a claim.
    pub signature: [u8; 64],
}

/// Why a transaction can't enter a block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TxError {
    /// State could not be read: says nothing about the transaction.
    #[error(transparent)]
    State(#[from] StateError),
    /// The block is full; try the next.
    #[error("the block is full")]
    BlockFull,
    /// For another sidechain.
    #[error("the transaction is for the sidechain {found}, this is {expected}")]
    ForeignChain {
        /// This sidechain.
        expected: ChainId,
        /// The transaction's.
        found: ChainId,
    },
    /// Larger than a transaction may be.
    #[error("the transaction has {bytes} bytes, at most {max} are allowed")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// What is allowed.
        max: usize,
    },
    /// `from` is not an account that signs.
    #[error("account {} has no key to sign with", hex::encode(.0.to_bytes()))]
    NoKey(AccountId),
    /// The signature is not the account's.
    #[error("the signature is not valid for account {}", hex::encode(.0.to_bytes()))]
    Signature(AccountId),
    /// The nonce was used.
    #[error("nonce {found} was used; the account's next is {next}")]
    NonceUsed {
        /// The lowest unused nonce.
        next: u64,
        /// The transaction's.
        found: u64,
    },
    /// The nonce is beyond the account's window.
    #[error("nonce {found} is too far ahead; the account's next is {next}, and {NONCE_WINDOW} are open from there")]
    NonceAhead {
        /// The lowest unused nonce.
        next: u64,
        /// The transaction's.
        found: u64,
    },
    /// Past its expiry.
    #[error("expired after block {expiry}, this is block {height}")]
    Expired {
        /// The last block that could have it.
        expiry: SideHeight,
        /// The block.
        height: SideHeight,
    },
    /// The account has less than it would spend.
    #[error("the account has {have}, the transaction needs {need}")]
    Insufficient {
        /// Its balance.
        have: Amount,
        /// Amounts and fee.
        need: Amount,
    },
    /// The fee of the sidechain is below the minimum.
    #[error("the fee is {fee}, at least {min} is needed")]
    FeeTooLow {
        /// The fee.
        fee: Amount,
        /// The minimum.
        min: Amount,
    },
    /// No outputs, or too many.
    #[error("{0} outputs; a transfer has 1 to {MAX_TRANSFER_OUTPUTS}")]
    Outputs(usize),
    /// An output of nothing.
    #[error("output {0} carries nothing")]
    ZeroOutput(usize),
    /// An output that nobody could spend.
    #[error("output {index} goes to {}, which nobody can spend from", hex::encode(.account.to_bytes()))]
    Recipient {
        /// The output.
        index: usize,
        /// The account.
        account: AccountId,
    },
    /// The memo is too long.
    #[error("the memo has {0} bytes, at most {MAX_MEMO_BYTES} are allowed")]
    Memo(usize),
    /// Amounts beyond all bitcoin.
    #[error("the amounts add up to more than all bitcoin there will ever be")]
    Overflow,
    /// The peg-out is smaller or larger than allowed.
    #[error("a peg-out of {amount}; allowed are {min} to {max}")]
    PegOutAmount {
        /// What was asked for.
        amount: Amount,
        /// The smallest.
        min: Amount,
        /// The largest.
        max: Amount,
    },
    /// The script is no address that every node relays to.
    #[error("{0:?} is no standard Bitcoin address (P2PKH, P2SH, P2WPKH, P2WSH or P2TR)")]
    Script(bitcoin::ScriptBuf),
    /// The script is the federation's own: the coins would not come back to anyone.
    #[error("{0:?} is the federation's own")]
    OwnScript(bitcoin::ScriptBuf),
    /// The fee that the batch may cost is above what the request allows.
    #[error("Bitcoin's fee may be {fee}, the request allows {fee_max}")]
    FeeMax {
        /// The most that the share can be.
        fee: Amount,
        /// What the request allows.
        fee_max: Amount,
    },
    /// After Bitcoin's fee the output would be dust.
    #[error("{amount} less Bitcoin's fee of {fee} is below the dust limit of {dust}")]
    Dust {
        /// What was asked for.
        amount: Amount,
        /// The most that the share can be.
        fee: Amount,
        /// The limit.
        dust: Amount,
    },
    /// The rest of the treasury would be a dust coin (L14).
    #[error("{rest} would remain on the sidechain: leave nothing, or at least {min}")]
    DustLeft {
        /// The supply that would remain.
        rest: Amount,
        /// The least that may remain.
        min: Amount,
    },
    /// A claim with a signature field that isn't zero.
    #[error("a claim carries no signature: the field must be zero")]
    ClaimSigned,
    /// The deposit is refused.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// The treasury was spent by something that is no batch: the peg is closed (L44).
    #[error("the peg is closed: the treasury was spent by {0}, which is no batch")]
    Breached(bitcoin::Txid),
}

impl TxError {
    /// Whether the same transaction may be good later: a mempool keeps it.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::State(_) | Self::BlockFull | Self::NonceAhead { .. } | Self::Insufficient { .. } => true,
            Self::Claim(error) => error.is_transient(),
            _ => false,
        }
    }
}

impl Transaction {
    /// Makes and signs a transaction. `keypair` is the key of the body's `from`; for a claim use
    /// [`Self::claim`].
    pub fn signed(chain: ChainId, body: TxBody, keypair: &Keypair) -> Self {
        let mut transaction = Self { chain, body, signature: [0; 64] };
        let message = Message::from_digest(transaction.id().0);
        // Without auxiliary randomness: the ledger has none, and BIP340 is safe without.
        let signature = Secp256k1::signing_only().sign_schnorr_no_aux_rand(&message, keypair);
        transaction.signature = signature.serialize();
        transaction
    }

    /// A claim, which needs no signature.
    pub fn claim(chain: ChainId, claim: DepositClaim) -> Self {
        Self { chain, body: TxBody::Claim(claim), signature: [0; 64] }
    }

    /// The id, and the message that is signed: the hash of chain and body. The signature is not in
    /// it, so nobody can change an id; a block commits to the signatures apart.
    pub fn id(&self) -> Digest {
        Digest::tagged("Windlass/transaction", &[&encode(&self.chain), &encode(&self.body)])
    }

    /// Who pays: `None` for a claim.
    pub fn from(&self) -> Option<AccountId> {
        match &self.body {
            TxBody::Transfer { from, .. } | TxBody::PegOut { from, .. } => Some(*from),
            TxBody::Claim(_) => None,
        }
    }

    /// The nonce: `None` for a claim.
    pub fn nonce(&self) -> Option<u64> {
        match &self.body {
            TxBody::Transfer { nonce, .. } | TxBody::PegOut { nonce, .. } => Some(*nonce),
            TxBody::Claim(_) => None,
        }
    }

    /// The canonical encoding.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads a canonical encoding; trailing bytes are refused.
    ///
    /// # Errors
    /// It is larger than a transaction may be, or not canonical.
    pub fn decode(bytes: &[u8]) -> Result<Self, crate::DecodeError> {
        crate::block::decode_bounded(bytes, crate::block::MAX_TRANSACTION_BYTES)
    }

    /// Checks the signature (L10).
    ///
    /// # Errors
    /// `from` has no key, or the signature is not its; a claim's must be zero.
    pub fn verify_signature(&self) -> Result<(), TxError> {
        let Some(from) = self.from() else {
            return if self.signature == [0; 64] { Ok(()) } else { Err(TxError::ClaimSigned) };
        };
        let key = from.key().ok_or(TxError::NoKey(from))?;
        let signature = schnorr::Signature::from_slice(&self.signature).map_err(|_| TxError::Signature(from))?;
        crate::script::secp()
            .verify_schnorr(&signature, &Message::from_digest(self.id().0), &key)
            .map_err(|_| TxError::Signature(from))
    }
}
