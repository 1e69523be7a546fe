//! Assets other than bitcoin.

use bitcoin::Amount;
use serde::{Deserialize, Serialize};
use windlass_ledger::{AssetTerms, Likeness};
use windlass_node::api::assets::{AssetBalance, AssetInfo};
use windlass_node::api::sat_opt;
use windlass_types::AssetId;

/// Issue an asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssetIssue {
    /// By this node's account.
    pub node: String,
    /// The terms, for ever.
    pub terms: AssetTerms,
    /// At most so much for the sidechain's fee.
    #[serde(with = "sat_opt", rename = "max_fee_sat", default)]
    pub max_fee: Option<Amount>,
}

/// How many units: exactly, or as people write them, with a point before the asset's decimals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quantity(pub String);

/// Make or burn units of an asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssetUnits {
    /// By this node's account.
    pub node: String,
    /// Which.
    pub asset: AssetId,
    /// How much, in the asset's decimals.
    pub quantity: Quantity,
    /// At most so much for the sidechain's fee.
    #[serde(with = "sat_opt", rename = "max_fee_sat", default)]
    pub max_fee: Option<Amount>,
}

/// Send an asset to one or many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssetSend {
    /// From this node.
    pub from: String,
    /// Which.
    pub asset: AssetId,
    /// To nodes' names or sidechain addresses: how much each.
    pub to: Vec<(String, Quantity)>,
    /// For the others to read.
    #[serde(default)]
    pub memo: String,
    /// At most so much for the sidechain's fee.
    #[serde(with = "sat_opt", rename = "max_fee_sat", default)]
    pub max_fee: Option<Amount>,
}

/// List assets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssetList {
    /// What this node has; none: all assets that there are.
    pub node: Option<String>,
}

/// Assets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AssetListed {
    /// All that there are.
    All(Vec<AssetInfo>),
    /// What a node has.
    Of(Vec<AssetBalance>),
}

/// Is an asset what it is said to be?
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssetVerify {
    /// The id.
    pub asset: AssetId,
    /// The issuer's address that it should have, if one is known.
    pub issuer: Option<String>,
    /// The ticker that it should have, if one is known.
    pub ticker: Option<String>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssetVerdict {
    /// The asset.
    pub asset: AssetInfo,
    /// Whether the id is the hash of chain, issuer, nonce and terms, and all is as expected.
    pub ok: bool,
    /// What is not as it should be.
    pub faults: Vec<String>,
    /// Whether its ticker or name could be taken for bitcoin's.
    pub resembles_bitcoin: bool,
    /// Other assets that it could be taken for, or that could be taken for it.
    pub alike: Vec<Alike>,
}

/// An asset that looks like another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alike {
    /// The other one.
    pub asset: AssetId,
    /// Its ticker.
    pub ticker: String,
    /// Its name.
    pub name: String,
    /// Its issuer's address.
    pub issuer: String,
    /// In what they are alike.
    pub likeness: Likeness,
}
