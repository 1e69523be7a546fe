//! The federation and its reserve.

use super::{
    money, short,
    table::{Align, Table},
};
use crate::color::Paint;
use bitcoin::Amount;
use windlass_regtest::api::{Federation, ReservesReport};

/// `windlass federation show`.
pub fn show(federation: &Federation, paint: Paint) -> String {
    let mut text = format!("{}\n\n", federation.trust);
    let mut table = Table::new(&[
        ("Member", Align::Left),
        ("", Align::Left),
        ("Pid", Align::Right),
        ("Block", Align::Right),
        ("Hash", Align::Left),
    ]);
    for member in &federation.members {
        let lamp = if member.process.ready { paint.green("runs") } else { paint.red("down") };
        table.row([
            member.process.name.clone(),
            lamp,
            member.process.pid.map_or_else(|| "-".into(), |pid| pid.to_string()),
            member.height.map_or_else(|| "-".into(), |height| height.to_string()),
            member.block.map_or_else(|| "-".into(), |block| short(&block.to_string()).to_owned()),
        ]);
    }
    text.push_str(&table.text(""));
    for member in &federation.members {
        for complaint in member.health.complaints() {
            text.push_str(&format!("{} {} {complaint}\n", paint.mark(false), member.process.name));
        }
    }
    text.push('\n');
    let mut facts = Table::bare(&[Align::Left, Align::Left]);
    facts.row(["key", &federation.view.treasury_key]);
    match &federation.view.treasury {
        Some(coin) => facts.row(["treasury", &format!("{} in {}", money::btc(coin.value), coin.outpoint)]),
        None => facts.row(["treasury", "empty"]),
    }
    match &federation.batch {
        Some(batch) => {
            let signed = if batch.signed {
                format!("signed by {}", batch.signers.join(" "))
            } else {
                format!("not signed yet (attempt {})", batch.attempt)
            };
            facts.row([
                "in flight",
                &format!(
                    "{} sweeps {} deposits, pays {} peg-outs, {signed}, {} confirmations",
                    short(&batch.txid.to_string()),
                    batch.deposits,
                    batch.peg_outs,
                    batch.confirmations
                ),
            ]);
        }
        None => facts.row(["in flight", "nothing"]),
    }
    text + &facts.text("")
}

/// `windlass federation reserves`.
pub fn reserves(report: &ReservesReport, paint: Paint) -> String {
    let mut text = format!(
        "sidechain {}\nrecounted from side blocks 0 to {} and from Bitcoin at block {}\n",
        report.chain, report.height, report.tip.height
    );
    for coin in &report.coins {
        text.push_str(&format!(
            "  coin {}  {}  {} confirmations\n",
            coin.outpoint,
            money::btc(coin.value),
            coin.confirmations
        ));
    }
    let mut table = Table::bare(&[Align::Left, Align::Right, Align::Left]);
    table.row(["supply", &windlass_types::format_btc(report.supply), "BTC on the sidechain"]);
    table.row(["owed", &windlass_types::format_btc(report.owed_peg_outs), "BTC burned, not yet paid on Bitcoin"]);
    table.row(["", &windlass_types::format_btc(report.owed_deposits), "BTC swept, not yet minted"]);
    table.row(["reserve", &windlass_types::format_btc(report.reserve), "BTC in the federation's coins"]);
    text.push_str(&table.text("  "));
    if report.waiting_deposits != Amount::ZERO {
        text.push_str(&format!(
            "  ({} more is claimed and not swept yet: on neither side)\n",
            money::btc(report.waiting_deposits)
        ));
    }
    text.push_str(&equation(report, paint));
    text.push('\n');
    for fault in &report.faults {
        text.push_str(&format!("  {} {fault}\n", paint.mark(false)));
    }
    text
}

/// `reserve 13.5 BTC = supply 13.25 + owed 0.25 ✓`, or what is missing or left over.
pub fn equation(report: &ReservesReport, paint: Paint) -> String {
    let owed = report.owed_peg_outs.checked_add(report.owed_deposits);
    let liabilities = owed.and_then(|owed| owed.checked_add(report.supply));
    let owed = money::btc_or_dash(owed);
    let (relation, gap) = match liabilities {
        Some(sum) if sum == report.reserve => ("=", String::new()),
        Some(sum) => match sum.checked_sub(report.reserve) {
            Some(missing) => ("<", format!(": {} are missing", money::btc(missing))),
            None => {
                (">", format!(": {} too many", money::btc(report.reserve.checked_sub(sum).unwrap_or(Amount::ZERO))))
            }
        },
        None => ("?", ": the sum is beyond all bitcoin".into()),
    };
    format!(
        "reserve {} {relation} supply {} + owed {owed} {}{gap}",
        money::btc(report.reserve),
        windlass_types::format_btc(report.supply),
        paint.mark(report.ok)
    )
}
