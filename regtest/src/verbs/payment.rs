//! `invoice`, `pay`, `keysend`, `probe`, offers, refunds and the lists of payments.

use crate::{
    api::{Invoice, Keysend, Offer, OneNode, Pay, Probe, Refund, RefundClaim},
    hub::Call,
};
use std::time::{Duration, Instant};
use windlass_node::api::{
    ApiError, Code,
    payments::{
        ClaimRequest, ForwardInfo, KeysendRequest, OfferInfo, OfferRequest, ProbeInfo, ProbeRequest, RefundInfo,
        RefundRequest,
    },
    wallet::{ChannelState, InvoiceAnswer, InvoiceRequest, PayRequest, PaymentInfo, PaymentState},
};

/// Where no expiry is given.
const EXPIRY_SECONDS: u32 = 3600;
const REFUND_SECONDS: u64 = 24 * 3600;
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
    let request = PayRequest {
        invoice: ask.what,
        amount_msat: ask.amount_msat,
        note: ask.note,
        limits: ask.limits,
        timeout_seconds,
    };
    let payment = with_gossip(&call, || wallet.pay(&request)).await?;
    ended(&call, &ask.node, payment).await
}

/// A payment as the caller is to hear of it.
async fn ended(call: &Call, payer: &str, payment: PaymentInfo) -> Result<PaymentInfo, ApiError> {
    match payment.state {
        PaymentState::Failed => {
            let why = payment.error.as_deref().unwrap_or("no reason is known");
            Err(ApiError::failed(format!("the payment failed: {why}"))
                .hint("see what can be sent", format!("windlass balance {payer}")))
        }
        PaymentState::Pending => Ok(payment),
        PaymentState::Succeeded => {
            settled(call, &payment).await;
            Ok(payment)
        }
    }
}

/// Pays a node that has asked for nothing.
pub async fn keysend(call: Call, ask: Keysend) -> Result<PaymentInfo, ApiError> {
    let wallet = call.hub.wallet(&ask.node)?;
    let node_id = node_id(&call, &ask.to).await?;
    let timeout_seconds = if call.no_wait { 0 } else { PAY_SECONDS };
    let request = KeysendRequest { node_id, amount_msat: ask.amount_msat, limits: ask.limits, timeout_seconds };
    let payment = with_gossip(&call, || wallet.keysend(&request)).await?;
    ended(&call, &ask.node, payment).await
}

/// Would a payment get there?
pub async fn probe(call: Call, ask: Probe) -> Result<ProbeInfo, ApiError> {
    let wallet = call.hub.wallet(&ask.node)?;
    let to = if call.hub.node_names().contains(&ask.to) { node_id(&call, &ask.to).await? } else { ask.to };
    wallet.probe(&ProbeRequest { to, amount_msat: ask.amount_msat, limits: ask.limits }).await
}

/// A fresh offer.
pub async fn offer(call: Call, ask: Offer) -> Result<OfferInfo, ApiError> {
    let request =
        OfferRequest { amount_msat: ask.amount_msat, description: ask.description, expiry_seconds: ask.expiry_seconds };
    call.hub.wallet(&ask.node)?.new_offer(&request).await
}

/// A node's offers.
pub async fn offers(call: Call, ask: OneNode) -> Result<Vec<OfferInfo>, ApiError> {
    call.hub.wallet(&ask.node)?.offers().await
}

/// A fresh refund.
pub async fn refund(call: Call, ask: Refund) -> Result<RefundInfo, ApiError> {
    let request = RefundRequest {
        amount_msat: ask.amount_msat,
        description: ask.description,
        expiry_seconds: ask.expiry_seconds.unwrap_or(REFUND_SECONDS),
        limits: ask.limits,
    };
    call.hub.wallet(&ask.node)?.new_refund(&request).await
}

/// Claims a refund; done once the money is there.
pub async fn claim(call: Call, ask: RefundClaim) -> Result<PaymentInfo, ApiError> {
    let timeout_seconds = if call.no_wait { 0 } else { PAY_SECONDS };
    let wallet = call.hub.wallet(&ask.node)?;
    let payment = wallet.claim_refund(&ClaimRequest { refund: ask.refund, timeout_seconds }).await?;
    ended(&call, &ask.node, payment).await
}

/// What a node earned by passing payments of others on.
pub async fn forwards(call: Call, ask: OneNode) -> Result<Vec<ForwardInfo>, ApiError> {
    call.hub.wallet(&ask.node)?.forwards().await
}

/// A node's public key, by its name here or as it is.
async fn node_id(call: &Call, to: &str) -> Result<String, ApiError> {
    if !call.hub.node_names().iter().any(|name| name == to) {
        return Ok(to.to_owned());
    }
    Ok(call.hub.wallet(to)?.info().await?.node_id)
}

/// Tries again for a while where gossip may still bring a way.
async fn with_gossip<T, F: Future<Output = Result<T, ApiError>>>(
    call: &Call,
    mut attempt: impl FnMut() -> F,
) -> Result<T, ApiError> {
    let deadline = Instant::now() + ROUTE_PATIENCE;
    loop {
        match attempt().await {
            Err(error) if is_no_route(&error) && Instant::now() < deadline => {
                call.step(1, 1, "routing", "no route yet: waiting for gossip");
                tokio::time::sleep(ROUTE_POLL).await;
            }
            other => return other,
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
