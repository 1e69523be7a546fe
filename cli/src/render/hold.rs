//! Hold invoices.

use super::{
    money, short,
    table::{Align, Table},
};
use windlass_node::api::payments::{HoldAnswer, HoldInfo, HoldState};
use windlass_types::short_by_both_ends;

fn state(state: HoldState) -> &'static str {
    match state {
        HoldState::Open => "open",
        HoldState::Expired => "expired",
        HoldState::Held => "held",
        HoldState::Settling => "settling",
        HoldState::Settled => "settled",
        HoldState::Cancelled => "cancelled",
        HoldState::TimedOut => "timed out",
    }
}

fn amount(hold: &HoldInfo) -> String {
    hold.held_msat.or(hold.amount_msat).map_or_else(|| "any".into(), money::msat)
}

/// `windlass invoice list`.
pub fn list(holds: &[HoldInfo]) -> String {
    if holds.is_empty() {
        return "no hold invoices".into();
    }
    let mut table = Table::new(&[
        ("Invoice", Align::Left),
        ("State", Align::Left),
        ("Amount, sat", Align::Right),
        ("Channel", Align::Left),
        ("Settle before block", Align::Right),
        ("For", Align::Left),
    ]);
    for hold in holds {
        let channels: Vec<String> = hold.channels.iter().map(|id| short_by_both_ends(id)).collect();
        table.row([
            short(&hold.payment_hash).to_owned(),
            state(hold.state).into(),
            amount(hold),
            channels.join(" "),
            hold.cancel_height.map_or_else(String::new, |height| height.to_string()),
            hold.memo.clone(),
        ]);
    }
    table.text("")
}

/// One, as settling and cancelling leave it.
pub fn one(hold: &HoldInfo) -> String {
    let mut text = format!("hold invoice {}: {}, {} sat\n", short(&hold.payment_hash), state(hold.state), amount(hold));
    if let Some(deadline) = hold.claim_deadline {
        text.push_str(&format!("  claim deadline  Bitcoin block {deadline}\n"));
    }
    text
}

/// `windlass invoice --hold`: the invoice alone, or with the new preimage.
pub fn made(answer: &HoldAnswer) -> String {
    match &answer.new_preimage {
        None => answer.hold.invoice.clone(),
        Some(preimage) => format!(
            "{}\n  hash      {}\n  preimage  {preimage}  (told once: it settles the invoice)\n",
            answer.hold.invoice, answer.hold.payment_hash
        ),
    }
}
