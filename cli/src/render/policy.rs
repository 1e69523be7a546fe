//! Policy accounts and drafts.

use super::money;
use bitcoin::Amount;
use windlass_node::api::policies::DraftAnswer;
use windlass_regtest::api::PolicyShown;

/// A policy, its account and what that has.
pub fn shown(shown: &PolicyShown) -> String {
    format!("{}\n  has     {}\n  policy  {}", shown.address, money::btc(shown.balance), shown.policy)
}

/// What a draft says, and what is not there yet.
pub fn draft(answer: &DraftAnswer) -> String {
    let mut lines = vec![format!("transaction {} from {}", answer.id, answer.from)];
    for payment in &answer.pays {
        let what = if payment.asset.is_btc() {
            money::btc(Amount::from_sat(payment.units))
        } else {
            format!("{} units of {}", payment.units, payment.asset)
        };
        lines.push(format!("  pays     {what} to {}", payment.address));
    }
    lines.push(format!("  fee      {}", money::btc(answer.fee)));
    lines.push(format!("  signed   by {}", answer.draft.signatures.len()));
    if answer.complete {
        lines.push("  complete: hand it in with windlass policy submit".into());
    } else {
        lines.extend(answer.missing.iter().map(|leaf| format!("  missing  {leaf}")));
    }
    lines.join("\n")
}
