//! Why a transaction is refused.

use crate::asset::TermsError;
use crate::claim::ClaimError;
use crate::nonces::NONCE_WINDOW;
use crate::proposal::ProposalError;
use crate::state::StateError;
use crate::transaction::{MAX_MEMO_BYTES, MAX_TRANSFER_OUTPUTS};
use crate::witness::PolicyWitnessError;
use bitcoin::Amount;
use windlass_types::{AccountId, AssetId, BtcHeight, ChainId, SideHeight};

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
    /// A key account signs, a policy account shows its policy.
    #[error("the witness is not of the kind that account {} needs", hex::encode(.0.to_bytes()))]
    WitnessKind(AccountId),
    /// The policy of the account is not satisfied.
    #[error(transparent)]
    Policy(#[from] PolicyWitnessError),
    /// A height of the policy is not reached.
    #[error("the policy allows this from Bitcoin block {after} on; the sidechain is anchored at {anchor}")]
    NotYet {
        /// The policy's height.
        after: BtcHeight,
        /// The anchor's height.
        anchor: BtcHeight,
    },
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
    /// The account has less of an asset than it would spend.
    #[error("the account has {have} units of the asset {asset}, the transaction needs {need}")]
    InsufficientAsset {
        /// The asset.
        asset: AssetId,
        /// Its balance, in units.
        have: u64,
        /// The units that leave it.
        need: u64,
    },
    /// The terms of an asset are out of range.
    #[error(transparent)]
    Terms(#[from] TermsError),
    /// No asset has this id.
    #[error("there is no asset {0}")]
    NoAsset(AssetId),
    /// Only the issuer makes more of an asset.
    #[error("the asset {asset} is issued by {}, nobody else may make more of it", hex::encode(.issuer.to_bytes()))]
    NotIssuer {
        /// The asset.
        asset: AssetId,
        /// Its issuer.
        issuer: AccountId,
    },
    /// The terms forbid more.
    #[error("by its terms the asset {0} is not reissued")]
    NotReissuable(AssetId),
    /// Nothing would be made or burned.
    #[error("a reissue or burn of no units")]
    ZeroUnits,
    /// The pegged bitcoin is made by deposits and burned by peg-outs alone.
    #[error("bitcoin is not issued or burned here: ask for a peg-out")]
    Pegged,
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
    /// A claim or a proposal with a witness.
    #[error("a claim or a proposal carries no witness: no account pays")]
    ClaimSigned,
    /// The deposit is refused.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// The proposal is refused.
    #[error(transparent)]
    Proposal(#[from] ProposalError),
    /// The treasury was spent by something that is no batch: the peg is closed (L44).
    #[error("the peg is closed: the treasury was spent by {0}, which is no batch")]
    Breached(bitcoin::Txid),
}

impl TxError {
    /// Whether the same transaction may be good later: a mempool keeps it.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::State(_) | Self::BlockFull | Self::NonceAhead { .. } | Self::NotYet { .. } => true,
            Self::Insufficient { .. } | Self::InsufficientAsset { .. } => true,
            Self::Claim(error) => error.is_transient(),
            _ => false,
        }
    }
}
