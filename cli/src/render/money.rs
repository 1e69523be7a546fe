//! Amounts for people: bitcoin with eight decimals on the chains, satoshis on Lightning.

use bitcoin::Amount;
use windlass_types::{Msat, format_btc, grouped};

/// `1.00000000 BTC`.
pub fn btc(amount: Amount) -> String {
    format!("{} BTC", format_btc(amount))
}

/// `1.00000000`, or a dash where there is none.
pub fn btc_or_dash(amount: Option<Amount>) -> String {
    amount.map_or_else(|| "-".into(), format_btc)
}

/// Whole satoshis: `700,000`.
pub fn sat(amount: Amount) -> String {
    grouped(amount.to_sat())
}

/// Millisatoshis as satoshis: `700,000`, and `1,000.500` where there is a rest.
pub fn msat(amount: Msat) -> String {
    amount.to_string().trim_end_matches(" sat").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        assert_eq!(msat(Msat::new(1_000_500)), "1,000.500");
        assert_eq!(msat(Msat::new(1_000)), "1");
        assert_eq!(btc(Amount::from_sat(1)), "0.00000001 BTC");
        assert_eq!(btc_or_dash(None), "-");
    }
}
