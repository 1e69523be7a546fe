//! `invoice`, `pay` and `payment list`.

use crate::{
    api::{Invoice, OneNode, Pay},
    hub::Call,
};
use std::time::{Duration, Instant};
use windlass_node::api::{
    ApiError, Code,
    wallet::{ChannelState, InvoiceAnswer, InvoiceRequest, PayRequest, PaymentInfo, PaymentState},
};

/// Where no expiry is given.
const EXPIRY_SECONDS: u32 = 3600;
/// How long a payment may take; an HTLC that hangs longer ends on chain anyway.
const PAY_SECONDS: u64 = 60;
/// A channel that was opened a moment ago may not have come round by gossip yet.
const ROUTE_PATIENCE: Duration = Duration::from_secs(20);
const ROUTE_POLL: Duration = Duration::from_millis(250);
/// How long the other nodes may take to see that a payment is through.
const SETTLE_PATIENCE: Duration = Duration::from_secs(5);
const SETTLE_POLL: Duration = Duration::from_millis(10);

/// A fresh invoice.
pub async fn invoice(call: Call, ask: Invoice) -> Result<InvoiceAnswer, ApiError> {
    let wallet = call.hub.wallet(&ask.node)?;
    let expiry_seconds = ask.expiry_seconds.unwrap_or(EXPIRY_SECONDS);
    wallet.invoice(&InvoiceRequest { amount_msat: ask.amount_msat, memo: ask.memo, expiry_seconds }).await
}

/// Pays; done once the preimage is there.
pub async fn pay(call: Call, ask: Pay) -> Result<PaymentInfo, ApiError> {
    let wallet = call.hub.wallet(&ask.node)?;
    let timeout_seconds = if call.no_wait { 0 } else { PAY_SECONDS };
    let request = PayRequest { invoice: ask.what, amount_msat: ask.amount_msat, timeout_seconds };
    let deadline = Instant::now() + ROUTE_PATIENCE;
    let payment = loop {
        match wallet.pay(&request).await {
            Err(error) if is_no_route(&error) && Instant::now() < deadline => {
                call.step(1, 1, "routing", "no route yet: waiting for gossip");
                tokio::time::sleep(ROUTE_POLL).await;
            }
            other => break other?,
        }
    };
    match payment.state {
        PaymentState::Failed => {
            let why = payment.error.as_deref().unwrap_or("no reason is known");
            Err(ApiError::failed(format!("the payment failed: {why}"))
                .hint("see what can be sent", format!("windlass balance {}", ask.node)))
        }
        PaymentState::Pending => Ok(payment),
        PaymentState::Succeeded => {
            settled(&call, &payment).await;
            Ok(payment)
        }
    }
}

/// The payer has the preimage a moment before every channel on the way has dropped the HTLC. Waits
/// until each running node shows the payment in its balances; other payments that are under way
/// may keep HTLCs there, so it does not wait for ever, and the payment is done in any case.
async fn settled(call: &Call, payment: &PaymentInfo) {
    let deadline = Instant::now() + SETTLE_PATIENCE;
    for (_, wallet) in call.hub.running_wallets() {
        while Instant::now() < deadline {
            let (Ok(channels), Ok(payments)) = (wallet.channels().await, wallet.payments().await) else { break };
            let in_flight = channels.iter().filter(|c| c.state == ChannelState::Usable).any(|channel| {
                let known = channel.local_msat.get().saturating_add(channel.remote_msat.get());
                known < channel.capacity.to_sat().saturating_mul(1000)
            });
            let same = |p: &&PaymentInfo| p.payment_hash == payment.payment_hash;
            let open = payments.iter().filter(same).any(|p| p.state == PaymentState::Pending);
            if !in_flight && !open {
                break;
            }
            tokio::time::sleep(SETTLE_POLL).await;
        }
    }
}

fn is_no_route(error: &ApiError) -> bool {
    error.code == Code::Failed && error.message.to_lowercase().contains("no route")
}

/// A node's payments.
pub async fn list(call: Call, ask: OneNode) -> Result<Vec<PaymentInfo>, ApiError> {
    call.hub.wallet(&ask.node)?.payments().await
}
