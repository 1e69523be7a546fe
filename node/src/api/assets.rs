//! Assets other than bitcoin: what members say of them, and what a wallet node does with them.
//!
//! Members and followers: GET `/v1/assets` ([`AssetInfo`] each), GET `/v1/assets/{id}`,
//! GET `/v1/accounts/{address}/assets` ([`AssetBalance`] each).
//!
//! Wallet nodes: GET `/v1/assets` (what its account has), POST `/v1/assets` ([`IssueRequest`], answers [`IssueAnswer`]), POST
//! `/v1/assets/{id}/reissue` and `/v1/assets/{id}/burn` ([`UnitsRequest`]), POST `/v1/assets/{id}/transfers`
//! ([`AssetTransferRequest`]); these answer `TransferAnswer`, once it is final.

use bitcoin::Amount;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use windlass_ledger::AssetTerms;
use windlass_types::{AssetId, Digest, SideHeight};

/// An asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AssetInfo {
    /// Its id: the hash of chain, issuer, nonce and terms.
    #[schema(value_type = String)]
    pub asset: AssetId,
    /// The issuer's address.
    pub issuer: String,
    /// The nonce of the issuance.
    pub nonce: u64,
    /// The terms.
    #[schema(schema_with = super::schema::asset_terms)]
    pub terms: AssetTerms,
    /// Units that all accounts have together.
    pub supply: u64,
    /// The sidechain block that issued it.
    #[schema(value_type = u64)]
    pub issued: SideHeight,
}

/// What an account has of an asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AssetBalance {
    /// Which.
    #[schema(value_type = String)]
    pub asset: AssetId,
    /// Its ticker; others may have the same.
    pub ticker: String,
    /// How many digits stand behind the point.
    pub decimals: u8,
    /// How many units.
    pub units: u64,
}

/// Issue an asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IssueRequest {
    /// The terms, for ever.
    #[schema(schema_with = super::schema::asset_terms)]
    pub terms: AssetTerms,
    /// At most so much for the sidechain's fee.
    #[serde(with = "super::sat_opt", rename = "max_fee_sat", default)]
    #[schema(value_type = Option<u64>)]
    pub max_fee: Option<Amount>,
}

/// An asset is issued, and final.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IssueAnswer {
    /// The asset's id.
    #[schema(value_type = String)]
    pub asset: AssetId,
    /// The sidechain transaction.
    #[schema(value_type = String)]
    pub id: Digest,
    /// In this block.
    #[schema(value_type = u64)]
    pub height: SideHeight,
    /// Its fee.
    #[serde(with = "super::sat", rename = "fee_sat")]
    #[schema(value_type = u64)]
    pub fee: Amount,
}

/// Make or burn units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UnitsRequest {
    /// How many.
    pub units: u64,
    /// At most so much for the sidechain's fee.
    #[serde(with = "super::sat_opt", rename = "max_fee_sat", default)]
    #[schema(value_type = Option<u64>)]
    pub max_fee: Option<Amount>,
}

/// Send units to one or many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AssetTransferRequest {
    /// To whom how many.
    pub to: Vec<UnitsTo>,
    /// At most 80 bytes of UTF-8.
    #[serde(default)]
    pub memo: String,
    /// At most so much for the sidechain's fee.
    #[serde(with = "super::sat_opt", rename = "max_fee_sat", default)]
    #[schema(value_type = Option<u64>)]
    pub max_fee: Option<Amount>,
}

/// One payment of several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UnitsTo {
    /// A sidechain address.
    pub address: String,
    /// How many units.
    pub units: u64,
}
