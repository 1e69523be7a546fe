//! Millisatoshis, and amounts as people type them.

use bitcoin::Amount;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Millisatoshis (BOLT 2): the unit of Lightning's balances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Msat(u64);

impl Msat {
    /// None.
    pub const ZERO: Self = Self(0);

    /// Wraps a count of millisatoshis.
    pub const fn new(msat: u64) -> Self {
        Self(msat)
    }

    /// The count of millisatoshis.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The same in millisatoshis, or `None` on overflow.
    pub fn from_sat(amount: Amount) -> Option<Self> {
        amount.to_sat().checked_mul(1000).map(Self)
    }

    /// Whole satoshis, the remainder dropped: what an on-chain output can carry.
    pub const fn floor_sat(self) -> Amount {
        Amount::from_sat(self.0 / 1000)
    }

    /// The sum, or `None` on overflow.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference, or `None` below zero.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }
}

/// In satoshis, as [`parse_msat`] reads it: `1,000 sat`, `1,000.500 sat`.
impl fmt::Display for Msat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&grouped(self.0 / 1000))?;
        match self.0 % 1000 {
            0 => f.write_str(" sat"),
            rest => write!(f, ".{rest:03} sat"),
        }
    }
}

/// A number with its thousands apart: `700,000`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Why a text isn't an amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AmountParseError {
    /// A bare number: it could be bitcoin or satoshis, and guessing costs money.
    #[error("{0:?} has no unit: write {0}sat, {0}btc or {0}msat")]
    NoUnit(String),
    /// Not a number with one of the units.
    #[error("{0:?} is not an amount: write for example 50000sat, 0.5btc or 1000msat")]
    Malformed(String),
    /// Below the unit that is asked for.
    #[error("{0:?} is not a whole number of {1}")]
    TooPrecise(String, &'static str),
    /// More than 21 million bitcoin.
    #[error("{0:?} is more than all bitcoin there will ever be")]
    TooLarge(String),
}

/// All bitcoin that there will ever be, in millisatoshis.
const MAX_MSAT: u64 = 2_100_000_000_000_000_000;

/// Reads `1btc`, `50000sat` or `1000msat` (an underscore or comma may group digits).
///
/// # Errors
/// The unit is missing, it is no number, it is finer than a millisatoshi or above 21 million BTC.
pub fn parse_msat(text: &str) -> Result<Msat, AmountParseError> {
    let clean: String = text.trim().to_lowercase().chars().filter(|c| !matches!(c, '_' | ',' | ' ')).collect();
    let (number, msat_per_unit_digits, unit) = if let Some(n) = clean.strip_suffix("msat") {
        (n, 0, "millisatoshis")
    } else if let Some(n) = clean.strip_suffix("sats").or_else(|| clean.strip_suffix("sat")) {
        (n, 3, "millisatoshis")
    } else if let Some(n) = clean.strip_suffix("btc") {
        (n, 11, "millisatoshis")
    } else if !clean.is_empty() && clean.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return Err(AmountParseError::NoUnit(text.trim().into()));
    } else {
        return Err(AmountParseError::Malformed(text.into()));
    };
    let malformed = || AmountParseError::Malformed(text.into());
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits_only = |s: &str| s.chars().all(|c| c.is_ascii_digit());
    if whole.is_empty() || !digits_only(whole) || !digits_only(fraction) || number.ends_with('.') {
        return Err(malformed());
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > msat_per_unit_digits {
        return Err(AmountParseError::TooPrecise(text.into(), unit));
    }
    let padded = format!("{whole}{fraction:0<msat_per_unit_digits$}");
    let msat = padded.parse::<u64>().map_err(|_| AmountParseError::TooLarge(text.into()))?;
    if msat > MAX_MSAT {
        return Err(AmountParseError::TooLarge(text.into()));
    }
    Ok(Msat(msat))
}

/// As [`parse_msat`], but only whole satoshis.
///
/// # Errors
/// As [`parse_msat`]; also a remainder below one satoshi.
pub fn parse_sat(text: &str) -> Result<Amount, AmountParseError> {
    let msat = parse_msat(text)?;
    if !msat.get().is_multiple_of(1000) {
        return Err(AmountParseError::TooPrecise(text.into(), "satoshis"));
    }
    Ok(msat.floor_sat())
}

/// Bitcoin with all eight decimals, without the unit: `0.24998600`.
pub fn format_btc(amount: Amount) -> String {
    let sat = amount.to_sat();
    format!("{}.{:08}", sat / 100_000_000, sat % 100_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        assert_eq!(parse_sat("1btc"), Ok(Amount::ONE_BTC));
        assert_eq!(parse_sat("0.00000001btc"), Ok(Amount::from_sat(1)));
        assert_eq!(parse_sat("50_000sat"), Ok(Amount::from_sat(50_000)));
        assert_eq!(parse_msat("1500msat"), Ok(Msat::new(1500)));
        assert_eq!(parse_msat("1.5sat"), Ok(Msat::new(1500)));
        assert_eq!(parse_sat("21000000btc"), Ok(Amount::MAX_MONEY));
    }

    #[test]
    fn refusals_name_the_culprit() {
        assert_eq!(parse_sat("5"), Err(AmountParseError::NoUnit("5".into())));
        assert_eq!(parse_sat("1500msat"), Err(AmountParseError::TooPrecise("1500msat".into(), "satoshis")));
        assert!(matches!(parse_sat("21000001btc"), Err(AmountParseError::TooLarge(_))));
        assert!(matches!(parse_sat("99999999999999999999sat"), Err(AmountParseError::TooLarge(_))));
        for junk in ["", "btc", "-1sat", "1e3sat", "1.sat", ".5btc", "1 eur", "1.2.3btc"] {
            assert!(parse_msat(junk).is_err(), "{junk}");
        }
    }

    #[test]
    fn millisatoshis_are_shown_as_satoshis_and_read_back() {
        for (msat, text) in [
            (0, "0 sat"),
            (1, "0.001 sat"),
            (999_000, "999 sat"),
            (1_000_000, "1,000 sat"),
            (1_000_500, "1,000.500 sat"),
            (MAX_MSAT, "2,100,000,000,000,000 sat"),
        ] {
            assert_eq!(Msat::new(msat).to_string(), text);
            assert_eq!(parse_msat(text), Ok(Msat::new(msat)));
        }
    }

    #[test]
    fn btc_has_eight_decimals() {
        assert_eq!(format_btc(Amount::from_sat(24_998_600)), "0.24998600");
    }
}
