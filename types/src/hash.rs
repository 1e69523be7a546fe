//! The sidechain's 32-byte hashes, all SHA-256, all tagged as in BIP340.

use bitcoin::hashes::{Hash as _, HashEngine as _, sha256};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr};

/// The tagged hash of BIP340: `SHA256(SHA256(tag) || SHA256(tag) || parts…)`.
///
/// The parts are hashed as they stand: where a part has no fixed length, encode its length first.
pub fn tagged_hash(tag: &str, parts: &[&[u8]]) -> [u8; 32] {
    let tag = sha256::Hash::hash(tag.as_bytes());
    let mut engine = sha256::Hash::engine();
    engine.input(tag.as_ref());
    engine.input(tag.as_ref());
    for part in parts {
        engine.input(part);
    }
    sha256::Hash::from_engine(engine).to_byte_array()
}

/// A hash of the sidechain: of a block, a transaction, a state root. Shown in plain (not
/// reversed) hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, BorshSerialize, BorshDeserialize)]
pub struct Digest(pub [u8; 32]);

/// What is wrong with a text that should be a 32-byte hash in hex.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a 32-byte hash in hex (64 digits)")]
pub struct DigestParseError(pub String);

impl Digest {
    /// The tagged hash of `parts`.
    pub fn tagged(tag: &str, parts: &[&[u8]]) -> Self {
        Self(tagged_hash(tag, parts))
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = DigestParseError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| DigestParseError(text.into()))?;
        Ok(Self(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        <String as Deserialize>::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Names a sidechain: the hash of its genesis file. A transaction carries it, so that it can't be
/// replayed on another chain.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct ChainId(pub Digest);

impl fmt::Display for ChainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tag_separates() {
        assert_ne!(tagged_hash("a", &[b"x"]), tagged_hash("b", &[b"x"]));
    }

    #[test]
    fn tagged_hash_is_bip340s() {
        // The BIP340 challenge tag, computed with rust-bitcoin's own engine.
        use bitcoin::hashes::{HashEngine, sha256t_hash_newtype};
        sha256t_hash_newtype! {
            struct ProbeTag = hash_str("Windlass/probe");
            struct ProbeHash(_);
        }
        let mut engine = ProbeHash::engine();
        engine.input(b"anchor");
        assert_eq!(ProbeHash::from_engine(engine).to_byte_array(), tagged_hash("Windlass/probe", &[b"anch", b"or"]));
    }

    #[test]
    fn digest_text_round_trips_and_refuses_junk() {
        let digest = Digest::tagged("t", &[]);
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert!("00".parse::<Digest>().is_err());
        assert!("zz".repeat(32).parse::<Digest>().is_err());
    }
}
