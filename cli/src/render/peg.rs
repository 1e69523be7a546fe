//! Peg-ins and peg-outs.

use super::{
    money, short,
    table::{Align, Table},
};
use windlass_node::api::member::{DepositState, PegOutState};
use windlass_node::api::wallet::{PegInInfo, PegInState, PegOutRecord, PegQuote, PegWay};
use windlass_regtest::api::{NodePegIn, NodePegOut, Peg, Pegs};

/// Where a peg-in stands, in a few words.
pub fn in_state(state: &PegInState) -> String {
    match state {
        PegInState::Address => "waits for a deposit".into(),
        PegInState::Confirming { needed } => format!("confirming, {needed} needed"),
        PegInState::NotEligible { reason } => format!("will not be minted: {reason}"),
        PegInState::OnSidechain(DepositState::Claimed) => "claimed, waits for its sweep".into(),
        PegInState::OnSidechain(DepositState::Sweeping { confirmations, .. }) => {
            format!("swept, {confirmations} confirmations")
        }
        PegInState::OnSidechain(DepositState::Minted { height, .. }) => format!("minted in side block {height}"),
        PegInState::OnSidechain(DepositState::Reclaimed { .. }) => "reclaimed".into(),
        PegInState::OnSidechain(DepositState::Lapsed { .. }) => "not swept in time: yours to reclaim".into(),
        PegInState::Reclaiming { confirmations: 0, .. } => "reclaim broadcast".into(),
        PegInState::Reclaiming { .. } => "reclaimed".into(),
    }
}

/// Where a peg-out stands, in a few words.
pub fn out_state(state: &PegOutState) -> String {
    match state {
        PegOutState::Pending => "burned, waits for its payment".into(),
        PegOutState::Paying { confirmations, .. } => format!("being paid, {confirmations} confirmations"),
        PegOutState::Paid { height, .. } => format!("paid, settled in side block {height}"),
        PegOutState::Refunded { reason, .. } => format!("refunded: {reason}"),
    }
}

/// `windlass peg list`.
pub fn list(pegs: &Pegs) -> String {
    if pegs.ins.is_empty() && pegs.outs.is_empty() {
        return "no pegs".into();
    }
    let mut table = Table::new(&[
        ("Peg", Align::Left),
        ("", Align::Left),
        ("Node", Align::Left),
        ("BTC", Align::Right),
        ("State", Align::Left),
    ]);
    for entry in &pegs.ins {
        table.row([
            short(&entry.peg.id),
            "in",
            &entry.node,
            &money::btc_or_dash(entry.peg.amount),
            &in_state(&entry.peg.state),
        ]);
    }
    for entry in &pegs.outs {
        table.row([
            short(&entry.peg.info.id.to_string()),
            "out",
            &entry.node,
            &windlass_types::format_btc(entry.peg.info.amount),
            &out_state(&entry.peg.info.state),
        ]);
    }
    table.text("")
}

/// `windlass peg show`.
pub fn show(peg: &Peg) -> String {
    match peg {
        Peg::In(entry) => show_in(entry),
        Peg::Out(entry) => show_out(entry),
    }
}

fn show_in(NodePegIn { node, peg }: &NodePegIn) -> String {
    let mut table = Table::bare(&[Align::Left, Align::Left]);
    table.row(["peg-in", &peg.id]);
    table.row(["of", node]);
    table.row(["address", &peg.address]);
    table.row(["state", &in_state(&peg.state)]);
    if let (Some(outpoint), Some(amount)) = (peg.outpoint, peg.amount) {
        table.row(["deposit", &format!("{} in {outpoint}", money::btc(amount))]);
        let at = peg.bitcoin_height.map_or_else(
            || "not in a block yet".into(),
            |height| format!("Bitcoin block {height}, {} confirmations", peg.confirmations),
        );
        table.row(["in", &at]);
    }
    match &peg.state {
        PegInState::OnSidechain(DepositState::Sweeping { txid, .. }) => table.row(["sweep", &txid.to_string()]),
        PegInState::OnSidechain(DepositState::Minted { txid, minted, fee, .. }) => {
            table.row(["sweep", &txid.to_string()]);
            table.row(["minted", &format!("{} (fee {})", money::btc(*minted), money::btc(*fee))]);
        }
        PegInState::OnSidechain(DepositState::Reclaimed { txid }) => table.row(["reclaim", &txid.to_string()]),
        PegInState::Reclaiming { txid, fee, .. } => {
            table.row(["reclaim", &format!("{txid} (fee {})", money::btc(*fee))]);
        }
        _ => {}
    }
    if matches!(
        peg.state,
        PegInState::Address
            | PegInState::Confirming { .. }
            | PegInState::NotEligible { .. }
            | PegInState::OnSidechain(DepositState::Claimed | DepositState::Lapsed { .. })
    ) {
        table.row(["deadline", &deadline(peg)]);
    }
    table.text("")
}

/// When the coin is the user's alone again.
fn deadline(peg: &PegInInfo) -> String {
    match peg.reclaim_height {
        Some(height) => format!("yours alone again from Bitcoin block {height}, if it is not swept"),
        None => format!("yours alone again {} blocks after it confirms, if it is not swept", peg.reclaim_blocks),
    }
}

fn show_out(NodePegOut { node, peg }: &NodePegOut) -> String {
    let info = &peg.info;
    let mut table = Table::bare(&[Align::Left, Align::Left]);
    table.row(["peg-out", &info.id.to_string()]);
    table.row(["of", node]);
    table.row(["to", &info.to]);
    table.row(["burned", &format!("{} in side block {}", money::btc(info.amount), info.burned_height)]);
    table.row(["state", &out_state(&info.state)]);
    if let PegOutState::Paying { txid, vout, paid, fee, .. } | PegOutState::Paid { txid, vout, paid, fee, .. } =
        &info.state
    {
        table.row(["paid by", &format!("{txid}:{vout}")]);
        table.row(["received", &format!("{} (fee {})", money::btc(*paid), money::btc(*fee))]);
    }
    table.text("")
}

/// `windlass peg address`.
pub fn address(peg: &PegInInfo) -> String {
    format!(
        "{}\n  peg-in   {}\n  takes    {} to {}\n  deadline {}\n",
        peg.address,
        peg.id,
        money::btc(peg.min),
        money::btc(peg.max),
        deadline(peg)
    )
}

/// `windlass peg in`.
pub fn pegged_in(node: &str, peg: &PegInInfo) -> String {
    match &peg.state {
        PegInState::OnSidechain(DepositState::Minted { minted, fee, height, .. }) => format!(
            "{node} has {} on the sidechain, in side block {height} (fee {})\n  peg-in {}\n",
            money::btc(*minted),
            money::btc(*fee),
            short(&peg.id)
        ),
        state => format!("peg-in {}: {}\n", short(&peg.id), in_state(state)),
    }
}

/// `windlass peg out`.
pub fn pegged_out(node: &str, to: Option<&str>, peg: &PegOutRecord) -> String {
    let id = peg.info.id.to_string();
    match &peg.info.state {
        PegOutState::Paying { txid, paid, fee, .. } | PegOutState::Paid { txid, paid, fee, .. } => format!(
            "{} received {} (fee {})\n  paid by {txid}\n  peg-out {}\n",
            to.unwrap_or(node),
            money::btc(*paid),
            money::btc(*fee),
            short(&id)
        ),
        state => format!("peg-out {}: {}\n", short(&id), out_state(state)),
    }
}

/// Minutes between two Bitcoin blocks, on average.
const BLOCK_MINUTES: u32 = 10;

/// `windlass peg quote`.
pub fn quote(quote: &PegQuote) -> String {
    let mut table = Table::bare(&[Align::Left, Align::Left]);
    let (what, where_to) = match quote.way {
        PegWay::In => ("peg-in", "minted on the sidechain"),
        PegWay::Out => ("peg-out", "on Bitcoin, in a block"),
    };
    table.row([what, &money::btc(quote.amount)]);
    let rate = format!("{} sat/kvB", windlass_types::grouped(quote.peg_rate_sat_per_kvb));
    table.row([
        "fee",
        &format!("{} at most, for the federation's transaction at {rate}", money::btc(quote.peg_fee_max)),
    ]);
    if let Some(fee) = quote.deposit_fee {
        table.row(["on top", &format!("{} for the deposit's own transaction", money::btc(fee))]);
    }
    if quote.side_fee > bitcoin::Amount::ZERO {
        table.row(["on top", &format!("{} on the sidechain", money::btc(quote.side_fee))]);
    }
    table.row(["arrives", &format!("{} at least, {where_to}", money::btc(quote.arrives_min))]);
    table.row(["takes", &takes(quote.blocks, quote.blocks_max)]);
    if let Some(height) = quote.reclaim_height {
        let next = quote.bitcoin_height.next().unwrap_or(quote.bitcoin_height);
        let deadline =
            format!("yours alone again from Bitcoin block {height}, if it is in block {next} and is not swept");
        table.row(["deadline", &deadline]);
    }
    table.row(["as of", &format!("sidechain block {}, Bitcoin block {}", quote.params_height, quote.bitcoin_height)]);
    for warning in &quote.warnings {
        table.row(["note", warning]);
    }
    table.text("")
}

fn takes(blocks: u32, max: u32) -> String {
    let time = |blocks: u32| {
        let minutes = blocks.saturating_mul(BLOCK_MINUTES);
        if minutes < 60 { format!("{minutes} min") } else { format!("{} h {:02} min", minutes / 60, minutes % 60) }
    };
    let until = if max > blocks { format!(", {max} if another batch comes before") } else { String::new() };
    format!("{blocks} Bitcoin blocks{until}: about {}", time(blocks))
}
