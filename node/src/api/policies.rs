//! Policy accounts: multisig, hash locks, vaults (docs/spec/policies.md).
//!
//! Members and followers: GET `/v1/preimages/{hash}` ([`PreimageAnswer`]).
//!
//! Wallet nodes: POST `/v1/policies/drafts` ([`SpendRequest`]) makes a spending and signs it as far as this node can, POST
//! `/v1/policies/signatures` ([`SignRequest`]) adds what this node can, both answer [`DraftAnswer`]; POST `/v1/policies/spends` ([`SpendDraft`])
//! hands a complete one in and answers `TransferAnswer`, once it is final.

use bitcoin::Amount;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use windlass_types::{AssetId, Digest, SideHeight};

/// What a draft says that it is.
pub const DRAFT_FORMAT: &str = "windlass-spend";
/// The version of drafts that this reads and writes.
pub const DRAFT_VERSION: u32 = 1;

/// A preimage that somebody showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PreimageAnswer {
    /// Its SHA-256.
    #[schema(value_type = String)]
    pub hash: Digest,
    /// The 32 bytes.
    #[schema(value_type = String)]
    pub preimage: Digest,
    /// The first transaction that showed it.
    #[schema(value_type = String)]
    pub id: Digest,
    /// In this block.
    #[schema(value_type = u64)]
    pub height: SideHeight,
}

/// One payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payee {
    /// A sidechain address.
    pub address: String,
    /// How much.
    #[serde(with = "super::sat", rename = "amount_sat")]
    pub amount: Amount,
}

/// Spend from a policy account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpendRequest {
    /// The policy; keys in hex, or addresses of key accounts.
    pub policy: String,
    /// To whom how much.
    pub to: Vec<Payee>,
    /// At most 80 bytes of UTF-8.
    #[serde(default)]
    pub memo: String,
    /// Preimages, in hex.
    #[serde(default)]
    pub preimages: Vec<Digest>,
    /// At most so much for the sidechain's fee, which the policy account pays.
    #[serde(with = "super::sat_opt", rename = "max_fee_sat", default)]
    pub max_fee: Option<Amount>,
}

/// Add to a draft what this node can.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignRequest {
    /// The draft.
    pub draft: SpendDraft,
    /// Preimages, in hex.
    #[serde(default)]
    pub preimages: Vec<Digest>,
}

/// A spending that is passed from signer to signer, as a file. It holds no secret but preimages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpendDraft {
    /// [`DRAFT_FORMAT`].
    pub format: String,
    /// [`DRAFT_VERSION`].
    pub version: u32,
    /// The policy, keys in hex.
    pub policy: String,
    /// The transaction's canonical encoding, without witness.
    #[serde(with = "hex::serde")]
    pub transaction: Vec<u8>,
    /// Signatures of its id.
    pub signatures: Vec<DraftSignature>,
    /// Preimages.
    pub preimages: Vec<Digest>,
}

/// A signature of a draft.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DraftSignature {
    /// By this x-only key.
    pub key: Digest,
    /// BIP340, 64 bytes.
    #[serde(with = "hex::serde")]
    pub signature: [u8; 64],
}

/// A draft, and what it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DraftAnswer {
    /// The draft.
    pub draft: SpendDraft,
    /// The transaction's id: it stays, whoever signs.
    pub id: Digest,
    /// The policy account's address.
    pub from: String,
    /// What it pays.
    pub pays: Vec<DraftPayment>,
    /// The sidechain's fee.
    #[serde(with = "super::sat", rename = "fee_sat")]
    pub fee: Amount,
    /// Whether the policy is satisfied, at the height that the sidechain is anchored at now.
    pub complete: bool,
    /// The leaves of the policy that nothing is there for yet; some of them, if it is not complete.
    pub missing: Vec<String>,
}

/// A payment of a draft.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DraftPayment {
    /// Whom to.
    pub address: String,
    /// Of what.
    pub asset: AssetId,
    /// Satoshis, or the asset's units.
    pub units: u64,
}
