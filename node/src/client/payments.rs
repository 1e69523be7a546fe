//! [`WalletClient`]'s calls of [`crate::api::payments`].

use super::{SHORT, WalletClient};
use crate::api::ApiError;
use crate::api::payments::{CancelRequest, HoldAnswer, HoldInfo, HoldRequest, SettleRequest};

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
}
