//! Names of channels, payments and peers.

use bitcoin::hashes::{Hash, sha256};
use bitcoin::secp256k1::PublicKey;
use lightning::ln::msgs::SocketAddress;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// 32 bytes were expected in hex.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not 32 bytes in hex")]
pub struct HexError {
    /// The text as given.
    pub text: String,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 32]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = HexError;

            fn from_str(text: &str) -> Result<Self, HexError> {
                let mut bytes = [0; 32];
                hex::decode_to_slice(text, &mut bytes).map_err(|_| HexError { text: text.into() })?;
                Ok(Self(bytes))
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(
    /// A funded channel; both ends know it by the same id (BOLT 2).
    ChannelId
);
id!(
    /// A BOLT 12 offer: a hash of its content.
    OfferId
);
id!(
    /// The hash that a payment is locked to. It names the payment, too: an invoice is paid once.
    PaymentHash
);

/// What a payment's hash is the hash of: who has it can take the payment, and proves that it was made.
/// Not shown by `Debug`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Preimage(pub [u8; 32]);

impl Preimage {
    /// Its SHA-256.
    pub fn hash(&self) -> PaymentHash {
        PaymentHash(sha256::Hash::hash(&self.0).to_byte_array())
    }

    /// In hex, for who may see it.
    pub fn reveal(&self) -> String {
        hex::encode(self.0)
    }
}

impl fmt::Debug for Preimage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Preimage(…)")
    }
}

impl FromStr for Preimage {
    type Err = HexError;

    fn from_str(text: &str) -> Result<Self, HexError> {
        text.parse().map(|PaymentHash(bytes)| Self(bytes))
    }
}

impl Serialize for Preimage {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.reveal())
    }
}

impl<'de> Deserialize<'de> for Preimage {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A node and where to reach it: `<public key>@<host>:<port>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerAddress {
    /// The node's key.
    pub node_id: PublicKey,
    /// `host:port`.
    pub address: String,
}

/// Why a text names no peer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no peer: write <public key>@<host>:<port>")]
pub struct PeerAddressError {
    /// The text as given.
    pub text: String,
}

impl FromStr for PeerAddress {
    type Err = PeerAddressError;

    fn from_str(text: &str) -> Result<Self, PeerAddressError> {
        let error = || PeerAddressError { text: text.into() };
        let (key, address) = text.trim().split_once('@').ok_or_else(error)?;
        let (host, port) = address.rsplit_once(':').ok_or_else(error)?;
        if host.is_empty() || port.parse::<u16>().is_err() {
            return Err(error());
        }
        // Tor's names of version 3 are checked here: a slip of the pen would only show as a timeout.
        let onion = host.to_ascii_lowercase().ends_with(".onion");
        if onion && SocketAddress::from_str(address).is_err() {
            return Err(error());
        }
        Ok(Self { node_id: key.parse().map_err(|_| error())?, address: address.into() })
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.node_id, self.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_round_trip() {
        let id = ChannelId([7; 32]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!("07".parse::<ChannelId>().is_err());
    }

    #[test]
    fn a_preimage_is_not_printed() {
        let preimage = Preimage([0; 32]);
        assert!(!format!("{preimage:?}").contains("00"));
        assert_eq!(preimage.reveal().parse(), Ok(preimage));
        let hash = "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925";
        assert_eq!(preimage.hash().to_string(), hash);
    }

    #[test]
    fn peers_need_a_key_and_a_port() {
        let key = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
        let text = format!("{key}@127.0.0.1:9735");
        assert_eq!(text.parse::<PeerAddress>().expect("well formed").to_string(), text);
        let onion = format!("{key}@2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion:9735");
        assert_eq!(onion.parse::<PeerAddress>().expect("a Tor address").to_string(), onion);
        assert!(onion.replace("2gzy", "2g").parse::<PeerAddress>().is_err(), "too short");
        for bad in [key.to_owned(), format!("{key}@127.0.0.1"), format!("{key}@:1"), "x@127.0.0.1:1".into()] {
            assert!(bad.parse::<PeerAddress>().is_err(), "{bad}");
        }
    }
}
