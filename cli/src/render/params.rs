//! The sidechain's parameters in words: in force, to come, fixed.

use super::{
    money,
    table::{Align, Table},
};
use bitcoin::Amount;
use std::path::Path;
use windlass_ledger::Params;
use windlass_node::{
    api::member::ParamsInfo,
    member::{Enrolment, ProposalFile},
};
use windlass_types::SideHeight;

/// Those that are amounts of bitcoin.
const AMOUNTS: [&str; 5] = ["min_deposit", "max_deposit", "min_peg_out", "max_peg_out", "transfer_fee_min"];

/// A dial's value with its unit.
fn value(name: &str, value: u64) -> String {
    match name {
        name if AMOUNTS.contains(&name) => money::btc(Amount::from_sat(value)),
        "fee_rate_sat_per_kvb" => format!("{value} sat/kvB"),
        "anchor_depth" | "reclaim_blocks" | "reclaim_buffer" | "emergency_blocks" => format!("{value} Bitcoin blocks"),
        "change_delay_blocks" => format!("{value} sidechain blocks"),
        _ => value.to_string(),
    }
}

/// `windlass chain params`.
pub fn params(info: &ParamsInfo) -> String {
    let record = &info.record;
    let since = match record.since.get() {
        0 => "since the genesis".to_owned(),
        since => format!("since block {since}"),
    };
    let mut table = Table::new(&[("Parameter", Align::Left), ("In force", Align::Right), ("", Align::Left)]);
    for (name, now) in record.params.dials() {
        let note = if info.fixed.iter().any(|fixed| fixed == name) { "fixed" } else { "" };
        table.row([name.to_owned(), value(name, now), note.to_owned()]);
    }
    let mut text = format!("block {}, in force {since}\n\n{}", info.height, table.text(""));
    match &record.pending {
        Some(pending) => {
            let name = |index: &u16| info.members.get(usize::from(*index)).cloned();
            let members: Vec<String> = pending.members.iter().filter_map(name).collect();
            let left = pending.height.get().saturating_sub(info.height.get());
            text.push_str(&format!(
                "\nA change comes at block {}, {left} blocks from now; proposed in block {} by {}:\n",
                pending.height,
                pending.proposed,
                members.join(", ")
            ));
            for change in &info.changes {
                let (from, to) = (value(&change.name, change.from), value(&change.name, change.to));
                text.push_str(&format!("  {}  {from} -> {to}\n", change.name));
            }
        }
        None => text.push_str("\nNo change is pending.\n"),
    }
    text.push_str(&format!(
        "A change takes the signatures of {} of the {} members, and {} blocks.\n",
        info.signatures,
        info.members.len(),
        record.params.change_delay_blocks
    ));
    text.push_str(&members(info));
    text
}

/// The members by epochs.
fn members(info: &ParamsInfo) -> String {
    let membership = &info.membership;
    let mut table = Table::new(&[("Member", Align::Left), ("Identity", Align::Left)]);
    for (name, identity) in info.members.iter().zip(&membership.in_force.identities) {
        table.row([name.clone(), hex::encode(identity)]);
    }
    let since = match membership.in_force.number {
        0 => "since the genesis".to_owned(),
        _ => format!("since block {}", membership.in_force.first),
    };
    let mut text = format!("\nMembers, epoch {}, {since}\n\n{}", membership.in_force.number, table.text(""));
    if let Some((next, origin)) = membership.next.as_ref().and_then(|next| Some((next, next.origin.as_ref()?))) {
        let place = usize::from(origin.member);
        let name = info.members.get(place).cloned().unwrap_or_else(|| format!("member {place}"));
        let identity = next.identities.get(place).map(hex::encode).unwrap_or_default();
        text.push_str(&format!("\nFrom block {} on (epoch {}), {name} is {identity}.\n", next.first, next.number));
    }
    text
}

/// A new identity's word.
pub fn enrolment(path: &Path, enrolment: &Enrolment) -> String {
    let identity = hex::encode(enrolment.identity);
    format!("{identity} takes the place of {} if the members propose it\n{}\n", enrolment.member, path.display())
}

/// What a proposal would do, and who has signed it.
pub fn proposal(path: &Path, file: &ProposalFile, info: &ParamsInfo) -> String {
    let mut text = match file.height {
        Some(height) => format!("proposal {}: from block {height} on\n", file.number),
        None => format!("proposal {}: the pending change does not come\n", file.number),
    };
    if let Some(enrolment) = &file.replace {
        text.push_str(&format!("  {} is {}\n", enrolment.member, hex::encode(enrolment.identity)));
    }
    for change in file.changes(info) {
        let (from, to) = (value(change.name, change.from), value(change.name, change.to));
        text.push_str(&format!("  {}  {from} -> {to}\n", change.name));
    }
    let signed: Vec<&str> = file.signatures.iter().map(|by| by.member.as_str()).collect();
    let signed = if signed.is_empty() { "nobody yet".to_owned() } else { signed.join(", ") };
    text.push_str(&format!("signed by {signed}; it takes {}\n{}\n", info.signatures, path.display()));
    text
}

/// A proposal that was handed in.
pub fn submitted(number: u64, height: Option<SideHeight>, block: Option<SideHeight>) -> String {
    let taken = block.map_or_else(|| "handed in".to_owned(), |block| format!("taken in block {block}"));
    match height {
        Some(height) => format!("proposal {number} is {taken}: the change comes at block {height}"),
        None => format!("proposal {number} is {taken}: the pending change does not come"),
    }
}

/// The parameters with one more `NAME=VALUE`.
///
/// # Errors
/// No parameter has this name, or the value is none of it.
pub fn set(params: &Params, text: &str) -> Result<Params, String> {
    let (name, given) = text.split_once('=').ok_or_else(|| format!("{text:?}: write NAME=VALUE"))?;
    let names: Vec<&str> = params.dials().iter().map(|(name, _)| *name).collect();
    if !names.contains(&name) {
        return Err(format!("no parameter is called {name:?}; there are {}", names.join(", ")));
    }
    let number = if AMOUNTS.contains(&name) {
        windlass_types::parse_sat(given).map_err(|error| format!("{name}: {error}"))?.to_sat()
    } else {
        given.parse::<u64>().map_err(|_| format!("{name}: {given:?} is no whole number"))?
    };
    // Each parameter is a number in JSON, under its name.
    let mut json = serde_json::to_value(params).map_err(|error| error.to_string())?;
    json[name] = number.into();
    serde_json::from_value(json).map_err(|_| format!("{name}: {given} is out of range"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_parameter_is_set_by_its_name() {
        let params = Params::default();
        for (name, before) in params.dials() {
            let text = if AMOUNTS.contains(&name) { format!("{}sat", before + 1) } else { (before + 1).to_string() };
            let changed = set(&params, &format!("{name}={text}")).expect("a value");
            let changes = params.changes_to(&changed);
            assert_eq!(changes.len(), 1, "{name}");
            assert_eq!((changes[0].name, changes[0].from, changes[0].to), (name, before, before + 1));
        }
        for wrong in ["min_deposit", "min_deposit=5", "x=1", "max_block_txs=1btc", "max_batch_deposits=70000"] {
            assert!(set(&params, wrong).is_err(), "{wrong}");
        }
    }
}
