//! The statement: what went off the chain, what came back, and the transactions that prove it.

use super::{
    channel, money, short,
    table::{Align, Table},
};
use crate::color::Paint;
use bitcoin::Amount;
use windlass_node::api::wallet::{
    ChainedTransaction, ChannelState, ChannelStatement, Income, PegStatement, SidechainStatement, Statement,
};
use windlass_types::{Msat, short_by_both_ends};

/// `windlass statement NODE`.
pub fn statement(statement: &Statement, paint: Paint) -> String {
    let mut text = format!("{}\n", paint.bold(&format!("{} at Bitcoin block {}", statement.name, statement.at.height)));
    for entry in &statement.channels {
        text.push('\n');
        text.push_str(&channel_part(entry, paint));
    }
    for entry in &statement.peg_ins {
        text.push('\n');
        text.push_str(&peg_part("peg-in", ["deposited", "minted"], entry, paint));
    }
    for entry in &statement.peg_outs {
        text.push('\n');
        text.push_str(&peg_part("peg-out", ["burned", "received"], entry, paint));
    }
    if let Some(side) = &statement.sidechain {
        text.push('\n');
        text.push_str(&side_part(side));
    }
    if !statement.channels.is_empty() {
        text.push('\n');
        text.push_str(&income_part(&statement.income));
    }
    if statement.channels.is_empty() && statement.peg_ins.is_empty() && statement.peg_outs.is_empty() {
        text.push_str("\nno channels, no pegs\n");
    }
    text.push('\n');
    for fault in &statement.faults {
        text.push_str(&format!("{} {fault}\n", paint.mark(false)));
    }
    let verdict =
        if statement.ok { "adds up to the satoshi; each transaction is on the chain" } else { "does not add up" };
    text.push_str(&format!("{} {verdict}\n", paint.mark(statement.ok)));
    text
}

/// `windlass statement NODE --csv`: a line for each movement of money.
pub fn csv(statement: &Statement) -> String {
    let mut text = String::from("account,kind,credit_msat,debit_msat,txid,height\n");
    for entry in &statement.entries {
        let txid = entry.txid.map(|txid| txid.to_string()).unwrap_or_default();
        let height = entry.height.map(|height| height.to_string()).unwrap_or_default();
        let (credit, debit) = (entry.credit_msat.get(), entry.debit_msat.get());
        // No field can hold a comma or a quote: an account is `wallet` or hex.
        text.push_str(&format!("{},{},{credit},{debit},{txid},{height}\n", entry.account, entry.kind));
    }
    text
}

fn income_part(income: &Income) -> String {
    let mut sums = Table::bare(&[Align::Left, Align::Right, Align::Left]);
    sums.row(["received", &money::msat(income.received_msat), "sat"]);
    sums.row(["sent", &money::msat(income.sent_msat), "sat"]);
    sums.row(["routing fees paid", &money::msat(income.routing_fees_msat), "sat"]);
    sums.row(["forwards earned", &money::msat(income.forwards_earned_msat), "sat"]);
    sums.row(["fees on chain", &money::msat(income.onchain_fees_msat), "sat"]);
    for (label, amount) in [("penalties taken", income.penalties_msat), ("penalties lost", income.taken_msat)] {
        if amount > Msat::ZERO {
            sums.row([label, &money::msat(amount), "sat"]);
        }
    }
    format!("in all\n{}", sums.text("  "))
}

fn channel_part(entry: &ChannelStatement, paint: Paint) -> String {
    let mut text =
        format!("channel {} with {}, {}\n", short_by_both_ends(&entry.id), entry.peer, channel::state(entry.state));
    let mut sums = Table::bare(&[Align::Left, Align::Right, Align::Left]);
    sums.row(["opening balance", &money::msat(entry.opening_msat), "sat"]);
    sums.row(["+ received", &money::msat(entry.received_msat), "sat"]);
    if entry.penalty_msat > Msat::ZERO {
        sums.row(["  of it a penalty: a revoked state", &money::msat(entry.penalty_msat), "sat"]);
    }
    if entry.spliced_in > Amount::ZERO {
        sums.row(["+ spliced in", &money::sat(entry.spliced_in), "sat"]);
    }
    sums.row(["- sent", &money::msat(entry.sent_msat), "sat"]);
    for (label, amount) in [("- spliced out", entry.spliced_out), ("- fees of splices", entry.splice_fees)] {
        if amount > Amount::ZERO {
            sums.row([label, &money::sat(amount), "sat"]);
        }
    }
    let closing = if entry.state == ChannelState::Closed { "= closing balance" } else { "= balance now" };
    sums.row([closing, &money::msat(entry.closing_msat), "sat"]);
    if matches!(entry.state, ChannelState::Closing | ChannelState::Closed) {
        sums.row(["  returned on chain", &money::sat(entry.returned), "sat"]);
        sums.row(["  fees on chain", &money::sat(entry.fees), "sat"]);
        if entry.taken > Amount::ZERO {
            sums.row(["  taken by the peer: a revoked state", &money::sat(entry.taken), "sat"]);
        }
        sums.row(["  too small for an output", &money::msat(entry.rounding_msat), "sat"]);
    }
    text.push_str(&sums.text("  "));
    text.push_str(&transactions(&entry.transactions));
    text.push_str(&fault(entry.fault.as_deref(), paint));
    text
}

fn peg_part(kind: &str, words: [&str; 2], entry: &PegStatement, paint: Paint) -> String {
    let mut text = format!("{kind} {}, {}\n", short(&entry.id), entry.state);
    let came = if entry.state == "reclaimed" { "reclaimed" } else { words[1] };
    let mut sums = Table::bare(&[Align::Left, Align::Right, Align::Left]);
    sums.row([words[0], &windlass_types::format_btc(entry.opening), "BTC"]);
    sums.row(["- fee", &windlass_types::format_btc(entry.fee), "BTC"]);
    if entry.settled {
        sums.row([&format!("= {came}"), &windlass_types::format_btc(entry.closing), "BTC"]);
    } else {
        sums.row(["under way", "-", ""]);
    }
    text.push_str(&sums.text("  "));
    text.push_str(&transactions(&entry.transactions));
    text.push_str(&fault(entry.fault.as_deref(), paint));
    text
}

fn side_part(side: &SidechainStatement) -> String {
    let mut sums = Table::bare(&[Align::Left, Align::Right, Align::Left]);
    for (label, amount) in [
        ("pegged in", side.minted),
        ("+ received", side.received),
        ("- sent", side.sent),
        ("- fees", side.fees),
        ("- pegged out", side.burned),
        ("= balance", side.balance),
    ] {
        sums.row([label, &windlass_types::format_btc(amount), "BTC"]);
    }
    format!("sidechain account {}\n{}", side.account, sums.text("  "))
}

fn transactions(list: &[ChainedTransaction]) -> String {
    let mut table = Table::bare(&[Align::Left, Align::Left, Align::Left, Align::Right, Align::Right]);
    for transaction in list {
        table.row([
            transaction.purpose.clone(),
            transaction.txid.to_string(),
            transaction.height.map_or_else(|| "unconfirmed".into(), |height| format!("block {height}")),
            format!("{} sat", money::sat(transaction.amount)),
            format!("fee {} sat", money::sat(transaction.fee)),
        ]);
    }
    table.text("  ")
}

fn fault(fault: Option<&str>, paint: Paint) -> String {
    match fault {
        None => String::new(),
        Some(what) if what == "adds up" => format!("  {} {what}\n", paint.mark(true)),
        Some(what) => format!("  {} {what}\n", paint.mark(false)),
    }
}
