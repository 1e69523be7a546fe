//! Assets of the sidechain.

use crate::Digest;
use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr};

/// Which asset: 32 zero bytes are the pegged bitcoin, others are the hash of an issuance. Shown as `btc` or in hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, BorshSerialize, BorshDeserialize)]
pub struct AssetId(pub [u8; 32]);

/// A text that names no asset.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no asset: write its id (64 hex digits), or btc for the pegged bitcoin")]
pub struct AssetParseError(pub String);

impl AssetId {
    /// The pegged bitcoin.
    pub const BTC: Self = Self([0; 32]);

    /// Whether it is the pegged bitcoin.
    pub fn is_btc(&self) -> bool {
        *self == Self::BTC
    }
}

impl From<Digest> for AssetId {
    fn from(digest: Digest) -> Self {
        Self(digest.0)
    }
}

impl fmt::Display for AssetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_btc() { f.write_str("btc") } else { f.write_str(&hex::encode(self.0)) }
    }
}

impl fmt::Debug for AssetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for AssetId {
    type Err = AssetParseError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "btc" {
            return Ok(Self::BTC);
        }
        let digest: Digest = text.parse().map_err(|_| AssetParseError(text.into()))?;
        let asset = Self::from(digest);
        // The pegged bitcoin has one text.
        if asset.is_btc() { Err(AssetParseError(text.into())) } else { Ok(asset) }
    }
}

impl Serialize for AssetId {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AssetId {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        <String as Deserialize>::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_asset_has_one_text() {
        let other = AssetId([7; 32]);
        for asset in [AssetId::BTC, other] {
            assert_eq!(asset.to_string().parse(), Ok(asset));
        }
        for text in ["", "BTC", "00", &"00".repeat(32), &"07".repeat(31)] {
            assert!(text.parse::<AssetId>().is_err(), "{text}");
        }
    }
}
