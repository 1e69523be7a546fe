//! Amounts for people: bitcoin with eight decimals on the chains, satoshis on Lightning.

use bitcoin::Amount;
use windlass_types::{Msat, format_btc};

/// `1.00000000 BTC`.
pub fn btc(amount: Amount) -> String {
    format!("{} BTC", format_btc(amount))
}

/// `1.00000000`, or a dash where there is none.
pub fn btc_or_dash(amount: Option<Amount>) -> String {
    amount.map_or_else(|| "-".into(), format_btc)
}

/// `700,000`.
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

/// Whole satoshis: `700,000`.
pub fn sat(amount: Amount) -> String {
    grouped(amount.to_sat())
}

/// Millisatoshis as satoshis: `700,000`, and `1,000.500` where there is a rest.
pub fn msat(amount: Msat) -> String {
    let whole = grouped(amount.get() / 1000);
    match amount.get() % 1000 {
        0 => whole,
        rest => format!("{whole}.{rest:03}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1,000");
        assert_eq!(grouped(2_100_000_000_000_000), "2,100,000,000,000,000");
        assert_eq!(msat(Msat::new(1_000_500)), "1,000.500");
        assert_eq!(msat(Msat::new(1_000)), "1");
        assert_eq!(btc(Amount::from_sat(1)), "0.00000001 BTC");
        assert_eq!(btc_or_dash(None), "-");
    }
}
