//! The channel backup: what a node that has lost its store needs, beside its seed, to get its money back.
//!
//! It can't bring channels back to life: an old state must never be published. It names each channel's
//! peer and funding output, and from which number its keys follow. A restored node connects to the
//! peers and says that it has lost the channel; they close by force, and our balance lies in an output
//! that the seed alone can spend. Payments that were in flight are not in it.
//!
//! The file: [`MAGIC`], 24 bytes of nonce, and the content as JSON under XChaCha20-Poly1305 with a key
//! from the seed. Without the seed it tells nothing but its length.

use crate::ChannelId;
use bitcoin::hashes::{Hash, HashEngine, sha256};
use bitcoin::secp256k1::PublicKey;
use bitcoin::{Amount, Network, OutPoint};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};
use windlass_types::{BlockRef, BtcHeight};

/// The head of the file, its version in it.
const MAGIC: &[u8] = b"windlass channel backup 1\n";

/// Bytes of a nonce.
const NONCE_LEN: usize = 24;

/// Why a backup can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BackupError {
    /// It has no head of ours.
    #[error("it is no channel backup of Windlass, or of a newer version")]
    Unknown,
    /// It was made with another seed, or is damaged.
    #[error("it can't be opened with this seed: it belongs to another node, or is damaged")]
    WrongSeed,
    /// What is in it can't be read.
    #[error("its content can't be read: {0}")]
    Malformed(String),
    /// It is of another network.
    #[error("it is of a node on {found}, this one is on {expected}")]
    WrongNetwork {
        /// The backup's.
        found: Network,
        /// The node's.
        expected: Network,
    },
    /// The store is in use already.
    #[error("the node has channels of its own: a backup is restored into an empty node only")]
    NotEmpty,
    /// The store or bitcoind failed.
    #[error("it can't be restored: {0}")]
    Failed(String),
}

/// A channel in a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackedUpChannel {
    /// Its id.
    pub id: ChannelId,
    /// The node at the other end.
    pub peer: PublicKey,
    /// Where that was reached last.
    pub address: Option<String>,
    /// The funding output.
    pub funding: OutPoint,
    /// Its value.
    #[serde(with = "bitcoin::amount::serde::as_sat", rename = "capacity_sat")]
    pub capacity: Amount,
    /// What our wallet paid to miners for it.
    #[serde(with = "bitcoin::amount::serde::as_sat", rename = "funding_fee_sat")]
    pub funding_fee: Amount,
    /// The block of the funding, if it had one.
    pub funded_at: Option<BtcHeight>,
    /// We funded it.
    pub we_funded: bool,
    /// It was announced in gossip.
    pub announced: bool,
    /// The number that its keys follow from, in hex.
    pub keys: String,
    /// A splice of it that waits for a block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub splice: Option<BackedUpSplice>,
}

/// The funding output that a splice makes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackedUpSplice {
    /// Where.
    pub funding: OutPoint,
    /// Its value.
    #[serde(with = "bitcoin::amount::serde::as_sat", rename = "capacity_sat")]
    pub capacity: Amount,
}

/// A backup's content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// The network.
    pub network: Network,
    /// Whose it is.
    pub node_id: PublicKey,
    /// The last block that the node had seen.
    pub at: BlockRef,
    /// Addresses of the on-chain wallet that were given out, outer and change.
    pub addresses: [u32; 2],
    /// All channels whose money is not back yet.
    pub channels: Vec<BackedUpChannel>,
}

fn cipher(seed: &[u8; 32]) -> XChaCha20Poly1305 {
    // As BIP 340 does it, so that no other use of the seed gives the same key.
    let tag = sha256::Hash::hash(b"Windlass/channel-backup").to_byte_array();
    let mut engine = sha256::Hash::engine();
    for part in [&tag, &tag, seed] {
        engine.input(part);
    }
    let key = sha256::Hash::from_engine(engine).to_byte_array();
    XChaCha20Poly1305::new(&key.into())
}

/// A file with this content.
pub(crate) fn seal_bytes(text: &[u8], seed: &[u8; 32], nonce: [u8; NONCE_LEN]) -> Result<Vec<u8>, BackupError> {
    let payload = Payload { msg: text, aad: MAGIC };
    let sealed = cipher(seed).encrypt(&XNonce::from(nonce), payload);
    let sealed = sealed.map_err(|_| BackupError::Malformed("it is too long to be encrypted".into()))?;
    Ok([MAGIC, &nonce, &sealed].concat())
}

impl Backup {
    /// The file's bytes. `nonce` must be random.
    pub(crate) fn seal(&self, seed: &[u8; 32], nonce: [u8; NONCE_LEN]) -> Result<Vec<u8>, BackupError> {
        let text = serde_json::to_vec(self).map_err(|error| BackupError::Malformed(error.to_string()))?;
        seal_bytes(&text, seed, nonce)
    }

    /// Opens a file's bytes with the seed of [`crate::Config`].
    ///
    /// # Errors
    /// See [`BackupError`].
    pub fn open(bytes: &[u8], seed: &[u8; 32]) -> Result<Self, BackupError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(BackupError::Unknown)?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_LEN>().ok_or(BackupError::WrongSeed)?;
        let payload = Payload { msg: sealed, aad: MAGIC };
        let text = cipher(seed).decrypt(&XNonce::from(*nonce), payload).map_err(|_| BackupError::WrongSeed)?;
        serde_json::from_slice(&text).map_err(|error| BackupError::Malformed(error.to_string()))
    }
}

impl BackedUpChannel {
    /// The number that its keys follow from.
    pub(crate) fn user_id(&self) -> Result<u128, BackupError> {
        u128::from_str_radix(&self.keys, 16)
            .map_err(|_| BackupError::Malformed(format!("the keys of channel {}", self.id)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitcoin::BlockHash;

    fn backup() -> Backup {
        let key = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
        Backup {
            network: Network::Regtest,
            node_id: key.parse().expect("a key"),
            at: BlockRef::new(BtcHeight::new(7), BlockHash::all_zeros()),
            addresses: [3, 1],
            channels: vec![],
        }
    }

    #[test]
    fn only_its_seed_opens_it() {
        let sealed = backup().seal(&[1; 32], [9; NONCE_LEN]).expect("sealed");
        assert_eq!(Backup::open(&sealed, &[1; 32]), Ok(backup()));
        assert_eq!(Backup::open(&sealed, &[2; 32]), Err(BackupError::WrongSeed));
        assert!(!String::from_utf8_lossy(&sealed).contains("regtest"));
    }

    #[test]
    fn damage_is_found_wherever_it_is() {
        let sealed = backup().seal(&[1; 32], [9; NONCE_LEN]).expect("sealed");
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] ^= 1;
            assert!(Backup::open(&damaged, &[1; 32]).is_err(), "byte {at}");
            assert!(Backup::open(&sealed[..at], &[1; 32]).is_err(), "cut at {at}");
        }
    }
}
