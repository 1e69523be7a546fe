//! [`WalletClient`]'s calls of [`crate::api::payments`].

use super::{SHORT, WalletClient};
use crate::api::ApiError;
use crate::api::payments::{
    CancelRequest, ClaimRequest, ForwardInfo, HoldAnswer, HoldInfo, HoldRequest, KeysendRequest, OfferInfo,
    OfferRequest, PolicyInfo, PolicyRequest, ProbeInfo, ProbeRequest, RefundInfo, RefundRequest, SettleRequest,
};
use crate::api::wallet::PaymentInfo;
use std::time::Duration;

/// A probe tries some ways, one after the other.
const PROBE: Duration = Duration::from_secs(120);

impl WalletClient {
    /// Makes a hold invoice.
    ///
    /// # Errors
    /// See [`super::Http::post`]; so for all below.
    pub async fn new_hold(&self, request: &HoldRequest) -> Result<HoldAnswer, ApiError> {
        self.0.post("/holds", request, SHORT).await
    }

    /// Its hold invoices, newest first.
    ///
    /// # Errors
    /// See [`super::Http::get`].
    pub async fn holds(&self) -> Result<Vec<HoldInfo>, ApiError> {
        self.0.get("/holds", SHORT).await
    }

    /// A hold invoice.
    ///
    /// # Errors
    /// See [`super::Http::get`].
    pub async fn hold(&self, hash: &str) -> Result<HoldInfo, ApiError> {
        self.0.get(&format!("/holds/{hash}"), SHORT).await
    }

    /// Takes what is held.
    ///
    /// # Errors
    /// See [`super::Http::post`].
    pub async fn settle_hold(&self, hash: &str, request: &SettleRequest) -> Result<HoldInfo, ApiError> {
        self.0.post(&format!("/holds/{hash}/settle"), request, SHORT).await
    }

    /// Gives back what is held.
    ///
    /// # Errors
    /// See [`super::Http::post`].
    pub async fn cancel_hold(&self, hash: &str) -> Result<HoldInfo, ApiError> {
        self.0.post(&format!("/holds/{hash}/cancel"), &CancelRequest {}, SHORT).await
    }

    /// Pays a node that has asked for nothing, and waits for the end.
    ///
    /// # Errors
    /// See [`super::Http::post`].
    pub async fn keysend(&self, request: &KeysendRequest) -> Result<PaymentInfo, ApiError> {
        self.0.post("/keysends", request, Duration::from_secs(request.timeout_seconds)).await
    }

    /// Asks whether a payment would get there.
    ///
    /// # Errors
    /// See [`super::Http::post`].
    pub async fn probe(&self, request: &ProbeRequest) -> Result<ProbeInfo, ApiError> {
        self.0.post("/probes", request, PROBE).await
    }

    /// Makes an offer.
    ///
    /// # Errors
    /// See [`super::Http::post`].
    pub async fn new_offer(&self, request: &OfferRequest) -> Result<OfferInfo, ApiError> {
        self.0.post("/offers", request, SHORT).await
    }

    /// Its offers, newest first.
    ///
    /// # Errors
    /// See [`super::Http::get`].
    pub async fn offers(&self) -> Result<Vec<OfferInfo>, ApiError> {
        self.0.get("/offers", SHORT).await
    }

    /// Makes a refund.
    ///
    /// # Errors
    /// See [`super::Http::post`].
    pub async fn new_refund(&self, request: &RefundRequest) -> Result<RefundInfo, ApiError> {
        self.0.post("/refunds", request, SHORT).await
    }

    /// Claims a refund, and waits for the money.
    ///
    /// # Errors
    /// See [`super::Http::post`].
    pub async fn claim_refund(&self, request: &ClaimRequest) -> Result<PaymentInfo, ApiError> {
        self.0.post("/refunds/claim", request, Duration::from_secs(request.timeout_seconds)).await
    }

    /// A channel's policy.
    ///
    /// # Errors
    /// See [`super::Http::get`].
    pub async fn policy(&self, id: &str) -> Result<PolicyInfo, ApiError> {
        self.0.get(&format!("/channels/{id}/policy"), SHORT).await
    }

    /// Changes a channel's policy.
    ///
    /// # Errors
    /// See [`super::Http::post`].
    pub async fn set_policy(&self, id: &str, request: &PolicyRequest) -> Result<PolicyInfo, ApiError> {
        self.0.post(&format!("/channels/{id}/policy"), request, SHORT).await
    }

    /// Payments of others that went through, newest first.
    ///
    /// # Errors
    /// See [`super::Http::get`].
    pub async fn forwards(&self) -> Result<Vec<ForwardInfo>, ApiError> {
        self.0.get("/forwards", SHORT).await
    }
}
