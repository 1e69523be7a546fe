//! Assets that anyone issues on the sidechain: their terms, the id that the terms are bound to, and what could be taken
//! for another one.

use crate::state::encode;
use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};
use windlass_types::{AccountId, AssetId, ChainId, Digest, SideHeight};

/// Longest ticker, in bytes.
pub const MAX_TICKER_BYTES: usize = 8;
/// Longest name of an asset, in bytes.
pub const MAX_ASSET_NAME_BYTES: usize = 64;
/// Most decimals.
pub const MAX_DECIMALS: u8 = 18;

/// What an issuer promises once and for all (L60).
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct AssetTerms {
    /// A short name in capitals: `A` to `Z` and digits, a letter first. Not unique: the id is.
    pub ticker: String,
    /// A name for people, in printable ASCII.
    pub name: String,
    /// How many digits stand behind the point when its units are shown.
    pub decimals: u8,
    /// The units that the issuance makes.
    pub units: u64,
    /// Whether the issuer may make more later.
    pub reissuable: bool,
}

/// What is wrong with an asset's terms (L60).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TermsError {
    /// Not 1 to 8 capitals and digits, a letter first.
    #[error("the ticker {0:?} is not 1 to {MAX_TICKER_BYTES} of A to Z and 0 to 9, a letter first")]
    Ticker(String),
    /// Empty, too long, or not plain.
    #[error("the name {0:?} is not 1 to {MAX_ASSET_NAME_BYTES} printable ASCII characters without spaces around them")]
    Name(String),
    /// Too many decimals.
    #[error("{0} decimals; at most {MAX_DECIMALS} are shown")]
    Decimals(u8),
    /// Nothing is issued, ever.
    #[error("an asset of no units that is not reissuable would never be anything")]
    Nothing,
}

/// An asset, as the state has it.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize)]
pub struct AssetRecord {
    /// Whose key issued it and may reissue it.
    #[serde(with = "crate::wire::account_hex")]
    pub issuer: AccountId,
    /// The nonce of the issuance: with issuer and terms it makes the id.
    pub nonce: u64,
    /// The terms.
    pub terms: AssetTerms,
    /// The units that all accounts own together.
    pub supply: u64,
    /// The sidechain block that issued it.
    pub issued: SideHeight,
}

impl AssetTerms {
    /// L60.
    ///
    /// # Errors
    /// The first field that is out of range.
    pub fn validate(&self) -> Result<(), TermsError> {
        let ticker = self.ticker.as_bytes();
        let is_plain = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
        if ticker.len() > MAX_TICKER_BYTES
            || !ticker.iter().all(is_plain)
            || !ticker.first().is_some_and(u8::is_ascii_uppercase)
        {
            return Err(TermsError::Ticker(self.ticker.clone()));
        }
        let name = self.name.as_bytes();
        let is_printable = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ';
        if name.is_empty()
            || name.len() > MAX_ASSET_NAME_BYTES
            || !name.iter().all(is_printable)
            || self.name.trim() != self.name
        {
            return Err(TermsError::Name(self.name.clone()));
        }
        if self.decimals > MAX_DECIMALS {
            return Err(TermsError::Decimals(self.decimals));
        }
        if self.units == 0 && !self.reissuable {
            return Err(TermsError::Nothing);
        }
        Ok(())
    }

    /// L61: the id of the asset that `issuer` issues on `chain` with `nonce` under these terms. A change of any of
    /// them is another asset.
    pub fn id(&self, chain: ChainId, issuer: &AccountId, nonce: u64) -> AssetId {
        let parts = [encode(&chain), encode(issuer), encode(&nonce), encode(self)];
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        AssetId::from(Digest::tagged("Windlass/asset", &parts))
    }
}

/// What another asset has that this one could be taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Likeness {
    /// The same ticker.
    SameTicker,
    /// A ticker that looks the same at a glance.
    ConfusableTicker,
    /// The same name, but for case, spaces and characters that look the same.
    ConfusableName,
}

/// Tickers that people read as the pegged bitcoin.
const BITCOIN_TICKERS: [&str; 6] = ["BTC", "XBT", "SAT", "SATS", "LBTC", "BITCOIN"];

/// Whether the terms could be taken for the pegged bitcoin.
pub fn resembles_bitcoin(terms: &AssetTerms) -> bool {
    let (ticker, name) = (skeleton(&terms.ticker), skeleton(&terms.name));
    BITCOIN_TICKERS.iter().any(|known| skeleton(known) == ticker || skeleton(known) == name)
}

/// Whether `other`, of another id, could be taken for `terms`.
pub fn likeness(terms: &AssetTerms, other: &AssetTerms) -> Option<Likeness> {
    if terms.ticker == other.ticker {
        Some(Likeness::SameTicker)
    } else if skeleton(&terms.ticker) == skeleton(&other.ticker) {
        Some(Likeness::ConfusableTicker)
    } else if skeleton(&terms.name) == skeleton(&other.name) {
        Some(Likeness::ConfusableName)
    } else {
        None
    }
}

/// What a text comes down to at a glance: capitals, each character as the one that it is taken for, nothing but
/// letters and digits. Terms are ASCII, so there are no look-alikes from other scripts.
fn skeleton(text: &str) -> String {
    let text = text.replace("rn", "m").replace("cl", "d").to_ascii_uppercase().replace("VV", "W");
    let plain = text.chars().filter(char::is_ascii_alphanumeric);
    plain
        .map(|c| match c {
            '0' | 'Q' => 'O',
            '1' | 'L' => 'I',
            '2' => 'Z',
            '5' => 'S',
            '6' => 'G',
            '8' => 'B',
            'V' => 'U',
            other => other,
        })
        .collect()
}

#[cfg(test)]
#[path = "asset_tests.rs"]
mod tests;
