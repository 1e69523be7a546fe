//! Assets other than bitcoin.

use super::money;
use super::table::{Align, Table};
use windlass_ledger::Likeness;
use windlass_node::api::wallet::TransferAnswer;
use windlass_regtest::api::{AssetListed, AssetVerdict};

/// Units with their decimals: 12500 of three is 12.500.
pub fn quantity(units: u64, decimals: u8) -> String {
    let decimals = usize::from(decimals);
    let digits = format!("{units:0>width$}", width = decimals + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
}

/// What was done, and by which transaction.
pub fn done(what: &str, answer: &TransferAnswer) -> String {
    format!("{what}, final in side block {} (fee {})\n  by {}", answer.height, money::btc(answer.fee), answer.id)
}

/// All assets, or what a node has.
pub fn list(listed: &AssetListed) -> String {
    let mut table;
    match listed {
        AssetListed::All(assets) => {
            table = Table::new(&[
                ("ticker", Align::Left),
                ("supply", Align::Right),
                ("more", Align::Left),
                ("asset", Align::Left),
                ("issuer", Align::Left),
            ]);
            for info in assets {
                let supply = quantity(info.supply, info.terms.decimals);
                let more = if info.terms.reissuable { "yes" } else { "never" };
                let (ticker, asset) = (info.terms.ticker.clone(), info.asset.to_string());
                table.row([ticker, supply, more.to_owned(), asset, info.issuer.clone()]);
            }
        }
        AssetListed::Of(balances) => {
            table = Table::new(&[("ticker", Align::Left), ("has", Align::Right), ("asset", Align::Left)]);
            for balance in balances {
                let has = quantity(balance.units, balance.decimals);
                table.row([balance.ticker.clone(), has, balance.asset.to_string()]);
            }
        }
    }
    table.text("").trim_end().to_owned()
}

/// What `asset verify` found.
pub fn verdict(verdict: &AssetVerdict) -> String {
    let (info, terms) = (&verdict.asset, &verdict.asset.terms);
    let mut lines = vec![
        format!(
            "{} ({}), {}",
            terms.ticker,
            terms.name,
            if verdict.ok { "its terms are its id's" } else { "NOT WHAT IT SHOULD BE" }
        ),
        format!("  asset   {}", info.asset),
        format!("  issuer  {}, with nonce {} in side block {}", info.issuer, info.nonce, info.issued),
        format!(
            "  supply  {} of {} issued at first; the issuer may {}make more",
            quantity(info.supply, terms.decimals),
            quantity(terms.units, terms.decimals),
            if terms.reissuable { "" } else { "never " },
        ),
    ];
    lines.extend(verdict.faults.iter().map(|fault| format!("  fault   {fault}")));
    if verdict.resembles_bitcoin {
        lines.push("  beware  it could be taken for bitcoin, and is not".into());
    }
    for other in &verdict.alike {
        let what = match other.likeness {
            Likeness::SameTicker => "has the same ticker",
            Likeness::ConfusableTicker => "has a ticker that looks the same",
            Likeness::ConfusableName => "has a name that looks the same",
        };
        lines.push(format!(
            "  beware  {} ({}) {what}: {}, issued by {}",
            other.ticker, other.name, other.asset, other.issuer
        ));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::quantity;

    #[test]
    fn units_are_shown_with_their_decimals() {
        assert_eq!(quantity(12_500, 3), "12.500");
        assert_eq!(quantity(5, 3), "0.005");
        assert_eq!(quantity(5, 0), "5");
        assert_eq!(quantity(u64::MAX, 18), "18.446744073709551615");
    }
}
