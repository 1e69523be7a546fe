//! Lightning payments.

use super::{
    money, short,
    table::{Align, Table},
};
use windlass_node::api::payments::{ForwardInfo, OfferInfo, ProbeInfo};
use windlass_node::api::wallet::{Direction, PaymentInfo, PaymentState};

fn state(state: PaymentState) -> &'static str {
    match state {
        PaymentState::Pending => "pending",
        PaymentState::Succeeded => "succeeded",
        PaymentState::Failed => "failed",
    }
}

/// `windlass payment list`.
pub fn list(payments: &[PaymentInfo]) -> String {
    if payments.is_empty() {
        return "no payments".into();
    }
    let mut table = Table::new(&[
        ("Payment", Align::Left),
        ("", Align::Left),
        ("State", Align::Left),
        ("Amount, sat", Align::Right),
        ("Fee, sat", Align::Right),
        ("For", Align::Left),
    ]);
    for payment in payments {
        let direction = match payment.direction {
            Direction::In => "in",
            Direction::Out => "out",
        };
        let why = payment.error.as_deref().map_or_else(String::new, |error| format!(" ({error})"));
        table.row([
            short(&payment.payment_hash).to_owned(),
            direction.into(),
            state(payment.state).into(),
            payment.amount_msat.map_or_else(|| "any".into(), money::msat),
            money::msat(payment.fee_msat),
            format!("{}{why}", payment.memo),
        ]);
    }
    table.text("")
}

/// `windlass pay`.
pub fn paid(payer: &str, payment: &PaymentInfo) -> String {
    let amount = payment.amount_msat.map_or_else(|| "?".into(), money::msat);
    match payment.state {
        PaymentState::Succeeded => {
            let proof = payment.preimage.as_deref().unwrap_or("-");
            format!("{payer} paid {amount} sat (fee {} sat)\n  preimage {proof}\n", money::msat(payment.fee_msat))
        }
        PaymentState::Pending => format!("{payer} is paying {amount} sat ({})\n", short(&payment.payment_hash)),
        PaymentState::Failed => format!("{payer} did not pay {amount} sat\n"),
    }
}

/// `windlass refund claim`.
pub fn received(payee: &str, payment: &PaymentInfo) -> String {
    let amount = payment.amount_msat.map_or_else(|| "?".into(), money::msat);
    match payment.state {
        PaymentState::Succeeded => format!("{payee} got {amount} sat\n"),
        PaymentState::Pending => format!("{payee} has asked for {amount} sat ({})\n", short(&payment.payment_hash)),
        PaymentState::Failed => format!("{payee} did not get {amount} sat\n"),
    }
}

/// `windlass probe`.
pub fn probe(probe: &ProbeInfo) -> String {
    let amount = money::msat(probe.amount_msat);
    let fee = probe.fee_msat.map_or_else(|| "?".into(), money::msat);
    if probe.reaches {
        let parts = if probe.parts == 1 { String::new() } else { format!(", in {} parts", probe.parts) };
        let blocks = probe.cltv.unwrap_or(0);
        return format!("{amount} sat would get there: fee {fee} sat, locked for up to {blocks} blocks{parts}\n");
    }
    let mut text = format!("{amount} sat would not get there now\n");
    if let Some(obstacle) = &probe.obstacle {
        text.push_str(&format!("  {obstacle}\n"));
    }
    if let Some(channel) = &probe.failed_at {
        let ways = if probe.attempts == 1 { "one way was".into() } else { format!("{} ways were", probe.attempts) };
        text.push_str(&format!("  {ways} tried; the last one ended at channel {channel}\n"));
    }
    text
}

/// `windlass offer list`.
pub fn offers(offers: &[OfferInfo]) -> String {
    if offers.is_empty() {
        return "no offers".into();
    }
    let mut table = Table::new(&[
        ("Offer", Align::Left),
        ("Amount, sat", Align::Right),
        ("Payments", Align::Right),
        ("Received, sat", Align::Right),
        ("For", Align::Left),
    ]);
    for offer in offers {
        table.row([
            short(&offer.id).to_owned(),
            offer.amount_msat.map_or_else(|| "any".into(), money::msat),
            offer.payments.to_string(),
            money::msat(offer.received_msat),
            offer.description.clone(),
        ]);
    }
    table.text("")
}

/// `windlass payment forwards`.
pub fn forwards(forwards: &[ForwardInfo]) -> String {
    if forwards.is_empty() {
        return "no forwards".into();
    }
    let mut table = Table::new(&[
        ("In over", Align::Left),
        ("Out over", Align::Left),
        ("Amount, sat", Align::Right),
        ("Earned, sat", Align::Right),
    ]);
    for forward in forwards {
        table.row([
            forward.from.as_deref().map_or("-", short).to_owned(),
            forward.to.as_deref().map_or("-", short).to_owned(),
            money::msat(forward.amount_msat),
            money::msat(forward.fee_msat),
        ]);
    }
    table.text("")
}
