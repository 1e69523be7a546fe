//! Lightning payments.

use super::{
    money, short,
    table::{Align, Table},
};
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
