//! Sidechain accounts and their addresses.

use bech32::{Bech32m, Hrp};
use bitcoin::{Network, XOnlyPublicKey};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What the 32 bytes of an account id are.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
#[serde(rename_all = "snake_case")]
pub enum AccountKind {
    /// An x-only public key (BIP340): its holder signs.
    Key = 0,
    /// The hash of a spending policy: whoever satisfies it spends.
    Policy = 1,
    /// Owned by the rules, not by a key: bytes 0 is the pot of fees.
    System = 2,
}

/// A sidechain account: 33 bytes, the kind and 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct AccountId {
    /// What `bytes` is.
    pub kind: AccountKind,
    /// The key, policy hash or number.
    pub bytes: [u8; 32],
}

/// The Bitcoin network that a sidechain is pegged to; it decides the prefix of addresses.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
#[serde(rename_all = "snake_case")]
pub enum ChainNetwork {
    /// Bitcoin's main network.
    Bitcoin = 0,
    /// The public signet.
    Signet = 1,
    /// A private regtest.
    Regtest = 2,
}

impl ChainNetwork {
    /// The same network in `rust-bitcoin`'s words.
    pub const fn bitcoin(self) -> Network {
        match self {
            Self::Bitcoin => Network::Bitcoin,
            Self::Signet => Network::Signet,
            Self::Regtest => Network::Regtest,
        }
    }

    /// The human-readable part of a sidechain address: `wl`, `wls` or `wlrt`.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Bitcoin => "wl",
            Self::Signet => "wls",
            Self::Regtest => "wlrt",
        }
    }

    /// The human-readable part of a policy account's address: `wlp`, `wlsp` or `wlrtp`. So that nobody takes one
    /// for an account with a key.
    pub const fn policy_prefix(self) -> &'static str {
        match self {
            Self::Bitcoin => "wlp",
            Self::Signet => "wlsp",
            Self::Regtest => "wlrtp",
        }
    }
}

impl fmt::Display for ChainNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.bitcoin(), f)
    }
}

/// Why a text isn't an address of this sidechain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccountParseError {
    /// The prefix belongs to another chain.
    #[error("{text:?} is an address with the prefix {found:?}; this sidechain's addresses start with \"{expected}1\"")]
    ForeignPrefix {
        /// The text as given.
        text: String,
        /// The prefix that it carries.
        found: String,
        /// The prefix of this sidechain.
        expected: &'static str,
    },
    /// Not bech32m, or a typing error.
    #[error("{text:?} is not a sidechain address: {reason}")]
    Malformed {
        /// The text as given.
        text: String,
        /// What the decoder says.
        reason: String,
    },
}

impl AccountId {
    /// The account of an x-only public key.
    pub fn from_key(key: &XOnlyPublicKey) -> Self {
        Self { kind: AccountKind::Key, bytes: key.serialize() }
    }

    /// The pot that fees are paid into.
    pub const FEES: Self = Self { kind: AccountKind::System, bytes: [0; 32] };

    /// The key that signs for this account, or `None` if its kind has none or the bytes are no
    /// point of the curve.
    pub fn key(&self) -> Option<XOnlyPublicKey> {
        match self.kind {
            AccountKind::Key => XOnlyPublicKey::from_slice(&self.bytes).ok(),
            AccountKind::Policy | AccountKind::System => None,
        }
    }

    /// Whether somebody could spend from it: a key of the curve, or a policy (what it says, its hash hides).
    pub fn is_payable(&self) -> bool {
        match self.kind {
            AccountKind::Key => self.key().is_some(),
            AccountKind::Policy => true,
            AccountKind::System => false,
        }
    }

    /// The 33 bytes: kind, then the 32.
    pub fn to_bytes(&self) -> [u8; 33] {
        let mut out = [0; 33];
        out[0] = self.kind as u8;
        out[1..].copy_from_slice(&self.bytes);
        out
    }

    /// The prefix of its address.
    const fn prefix(&self, network: ChainNetwork) -> &'static str {
        match self.kind {
            AccountKind::Policy => network.policy_prefix(),
            AccountKind::Key | AccountKind::System => network.prefix(),
        }
    }

    /// The address: bech32m (BIP350's checksum) over the 33 bytes, under our own prefix, which tells a policy from
    /// a key.
    pub fn address(&self, network: ChainNetwork) -> String {
        let hrp = Hrp::parse_unchecked(self.prefix(network));
        bech32::encode::<Bech32m>(hrp, &self.to_bytes()).expect("33 bytes are within bech32's length")
    }

    /// Reads an address of the sidechain pegged to `network`.
    ///
    /// # Errors
    /// The prefix is another chain's, the checksum fails, or the length or kind is unknown.
    pub fn from_address(text: &str, network: ChainNetwork) -> Result<Self, AccountParseError> {
        let malformed = |reason: String| AccountParseError::Malformed { text: text.into(), reason };
        if let Some((found, _)) = text.rsplit_once('1') {
            let found = found.to_lowercase();
            if !found.is_empty()
                && found != network.prefix()
                && found != network.policy_prefix()
                && found.chars().all(|c| c.is_ascii_alphanumeric())
                && found.len() <= 10
            {
                return Err(AccountParseError::ForeignPrefix { text: text.into(), found, expected: network.prefix() });
            }
        }
        let checked =
            bech32::primitives::decode::CheckedHrpstring::new::<Bech32m>(text).map_err(|e| malformed(e.to_string()))?;
        let bytes: Vec<u8> = checked.byte_iter().collect();
        let [kind, rest @ ..] = bytes.as_slice() else {
            return Err(malformed("it is empty".into()));
        };
        let kind = match kind {
            0 => AccountKind::Key,
            1 => AccountKind::Policy,
            2 => AccountKind::System,
            other => return Err(malformed(format!("unknown kind {other}"))),
        };
        let bytes = rest.try_into().map_err(|_| malformed(format!("{} bytes instead of 33", bytes.len())))?;
        let account = Self { kind, bytes };
        let prefix = account.prefix(network);
        if !checked.hrp().as_str().eq_ignore_ascii_case(prefix) {
            return Err(malformed(format!("the address of such an account begins with \"{prefix}1\"")));
        }
        Ok(account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: AccountId = AccountId { kind: AccountKind::Key, bytes: [7; 32] };

    #[test]
    fn address_round_trips() {
        for network in [ChainNetwork::Bitcoin, ChainNetwork::Signet, ChainNetwork::Regtest] {
            let text = ID.address(network);
            assert!(text.starts_with(network.prefix()));
            assert_eq!(AccountId::from_address(&text, network), Ok(ID));
        }
    }

    #[test]
    fn a_policy_has_a_prefix_of_its_own() {
        let policy = AccountId { kind: AccountKind::Policy, ..ID };
        for network in [ChainNetwork::Bitcoin, ChainNetwork::Signet, ChainNetwork::Regtest] {
            let text = policy.address(network);
            assert!(text.starts_with(&format!("{}1", network.policy_prefix())), "{text}");
            assert_eq!(AccountId::from_address(&text, network), Ok(policy));
            assert_eq!(AccountId::from_address(&text.to_uppercase(), network), Ok(policy));
            // One address for one account: neither kind under the other's prefix.
            for (account, prefix) in [(policy, network.prefix()), (ID, network.policy_prefix())] {
                let hrp = Hrp::parse_unchecked(prefix);
                let crossed = bech32::encode::<Bech32m>(hrp, &account.to_bytes()).expect("short");
                let error = AccountId::from_address(&crossed, network).expect_err("crossed");
                assert!(matches!(error, AccountParseError::Malformed { .. }), "{error}");
            }
        }
    }

    #[test]
    fn foreign_addresses_are_refused_by_prefix() {
        for text in ["bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080".to_owned(), ID.address(ChainNetwork::Signet)] {
            let error = AccountId::from_address(&text, ChainNetwork::Regtest).expect_err("foreign");
            assert!(matches!(error, AccountParseError::ForeignPrefix { .. }), "{error}");
        }
    }

    #[test]
    fn one_wrong_letter_is_seen() {
        let mut text = ID.address(ChainNetwork::Regtest);
        let last = text.pop().expect("not empty");
        text.push(if last == 'q' { 'p' } else { 'q' });
        assert!(AccountId::from_address(&text, ChainNetwork::Regtest).is_err());
    }
}
