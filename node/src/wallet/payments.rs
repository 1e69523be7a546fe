//! Keysend, probes, offers, refunds, policies and forwards of the API.

use super::errors;
use super::lightning::of_payment;
use super::node::WalletNode;
use crate::api::ApiError;
use crate::api::payments::{
    ClaimRequest, ForwardInfo, KeysendRequest, Limits, OfferInfo, OfferRequest, PolicyInfo, PolicyRequest, ProbeInfo,
    ProbeRequest, RefundInfo, RefundRequest,
};
use crate::api::wallet::PaymentInfo;
use bitcoin::secp256k1::PublicKey;
use std::time::Duration;
use windlass_channels::{self as channels, MaxFee, Offer, PayLimits, PaymentKind, PaymentState};
use windlass_types::Msat;

/// The longest that a refund's money is waited for.
const CLAIM_SECONDS_MAX: u64 = 600;

/// What the user allows.
pub(super) fn limits(given: &Limits) -> Result<PayLimits, ApiError> {
    let max_fee = match (given.max_fee_msat, given.max_fee_ppm) {
        (Some(_), Some(_)) => {
            return Err(ApiError::usage(
                "the most that the payment may cost is given twice: as an amount and as a share",
            ));
        }
        (Some(most), None) => Some(MaxFee::Msat(most)),
        (None, ppm) => ppm.map(MaxFee::Ppm),
    };
    let usual = PayLimits::default();
    Ok(PayLimits {
        max_fee,
        max_cltv: given.max_cltv,
        max_parts: given.max_parts,
        retry_for: given.retry_seconds.map_or(usual.retry_for, |seconds| Duration::from_secs(u64::from(seconds))),
    })
}

fn node_id(text: &str) -> Result<PublicKey, ApiError> {
    text.trim().parse().map_err(|_| ApiError::usage(format!("{text:?} is not a node's public key in hex")))
}

impl WalletNode {
    /// POST `/v1/keysends`
    pub(super) async fn keysend(&self, request: &KeysendRequest) -> Result<PaymentInfo, ApiError> {
        let payee = node_id(&request.node_id)?;
        let begun = self.lightning.keysend(payee, request.amount_msat, &limits(&request.limits)?).await;
        self.ended(begun.map_err(errors::pay)?, request.timeout_seconds).await
    }

    /// POST `/v1/probes`
    pub(super) async fn probe(&self, request: &ProbeRequest) -> Result<ProbeInfo, ApiError> {
        let limits = limits(&request.limits)?;
        let probed = match (request.to.trim().parse::<PublicKey>(), request.amount_msat) {
            (Ok(node), Some(amount)) => self.lightning.probe_node(node, amount, &limits).await,
            (Ok(_), None) => return Err(ApiError::usage("say how much is to get there")),
            (Err(_), amount) => self.lightning.probe_invoice(&request.to, amount, &limits).await,
        };
        let probe = probed.map_err(errors::pay)?;
        Ok(ProbeInfo {
            node_id: probe.payee.to_string(),
            amount_msat: probe.amount,
            reaches: probe.reaches,
            fee_msat: probe.fee,
            cltv: probe.cltv,
            parts: probe.parts,
            attempts: probe.attempts,
            failed_at: probe.failed_at,
            obstacle: probe.obstacle.map(|obstacle| obstacle.to_string()),
        })
    }

    /// POST `/v1/offers`
    pub(super) async fn new_offer(&self, request: &OfferRequest) -> Result<OfferInfo, ApiError> {
        let expiry = request.expiry_seconds.map(Duration::from_secs);
        let made = self.lightning.create_offer(request.amount_msat, &request.description, expiry).await;
        made.map(|offer| self.offer_info(offer)).map_err(|error| errors::offer(&self.config.name, error))
    }

    /// GET `/v1/offers`, newest first.
    pub(super) fn offers(&self) -> Vec<OfferInfo> {
        self.lightning.offers().into_iter().rev().map(|offer| self.offer_info(offer)).collect()
    }

    fn offer_info(&self, offer: Offer) -> OfferInfo {
        let is_its = |payment: &channels::Payment| {
            payment.asked_by == PaymentKind::Offer { id: offer.id }
                && payment.direction == channels::Direction::In
                && matches!(payment.state, PaymentState::Succeeded { .. })
        };
        let paid: Vec<u64> =
            self.lightning.payments().iter().filter(|p| is_its(p)).map(|p| p.amount.map_or(0, Msat::get)).collect();
        OfferInfo {
            id: offer.id.to_string(),
            offer: offer.text,
            amount_msat: offer.amount,
            description: offer.description,
            payments: paid.len(),
            received_msat: Msat::new(paid.iter().copied().fold(0, u64::saturating_add)),
            created_at: offer.created_at,
            expires_at: offer.expires_at,
        }
    }

    /// POST `/v1/refunds`
    pub(super) async fn new_refund(&self, request: &RefundRequest) -> Result<RefundInfo, ApiError> {
        let expiry = Duration::from_secs(request.expiry_seconds);
        let limits = limits(&request.limits)?;
        let made = self.lightning.create_refund(request.amount_msat, &request.description, expiry, &limits).await;
        let made = made.map_err(|error| errors::offer(&self.config.name, error))?;
        let refund = made.invoice.ok_or_else(|| ApiError::failed("the refund has no text"))?;
        Ok(RefundInfo { refund, payment: made.hash.to_string() })
    }

    /// POST `/v1/refunds/claim`
    pub(super) async fn claim_refund(&self, request: &ClaimRequest) -> Result<PaymentInfo, ApiError> {
        let claimed = self
            .lightning
            .claim_refund(&request.refund)
            .await
            .map_err(|error| errors::offer(&self.config.name, error))?;
        if request.timeout_seconds == 0 {
            return Ok(of_payment(claimed));
        }
        let timeout = Duration::from_secs(request.timeout_seconds.min(CLAIM_SECONDS_MAX));
        let paid = self.lightning.wait_received(claimed.hash, timeout).await;
        paid.map(of_payment).ok_or_else(|| {
            ApiError::timeout(format!(
                "the refund's money did not come within {} s; it may yet come: its maker was asked, and may lack a way to \
                 {} or money in its channels",
                timeout.as_secs(),
                self.config.name
            ))
            .hint("see its maker's side", "windlass payment list NODE")
        })
    }

    /// GET `/v1/channels/{id}/policy`
    pub(super) fn policy(&self, id: &str) -> Result<PolicyInfo, ApiError> {
        let channel = self.lightning.find_channel(id).map_err(errors::find)?.id;
        let policy = self.lightning.policy(channel);
        policy
            .map(|policy| policy_info(channel, policy))
            .ok_or_else(|| errors::policy(channels::PolicyError::Unknown(channel)))
    }

    /// POST `/v1/channels/{id}/policy`
    pub(super) async fn set_policy(&self, id: &str, request: &PolicyRequest) -> Result<PolicyInfo, ApiError> {
        let channel = self.lightning.find_channel(id).map_err(errors::find)?.id;
        let unknown = || errors::policy(channels::PolicyError::Unknown(channel));
        let mut policy = self.lightning.policy(channel).ok_or_else(unknown)?;
        policy.base = request.base_msat.unwrap_or(policy.base);
        policy.ppm = request.ppm.unwrap_or(policy.ppm);
        policy.cltv_delta = request.cltv_delta.unwrap_or(policy.cltv_delta);
        let set = self.lightning.set_policy(channel, policy).await.map_err(errors::policy)?;
        Ok(policy_info(channel, set))
    }

    /// GET `/v1/forwards`, newest first.
    pub(super) fn forwards(&self) -> Vec<ForwardInfo> {
        let info = |forward: channels::Forward| ForwardInfo {
            from: forward.from.map(|id| id.to_string()),
            to: forward.to.map(|id| id.to_string()),
            amount_msat: forward.amount,
            fee_msat: forward.fee,
            on_chain: forward.on_chain,
            at: forward.at,
        };
        self.lightning.forwards().into_iter().rev().map(info).collect()
    }
}

fn policy_info(channel: channels::ChannelId, policy: channels::Policy) -> PolicyInfo {
    PolicyInfo { channel: channel.to_string(), base_msat: policy.base, ppm: policy.ppm, cltv_delta: policy.cltv_delta }
}
