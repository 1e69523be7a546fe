//! The calls of [`crate::api::assets`], to members and to wallet nodes.

use super::{MemberClient, SHORT, WalletClient};
use crate::api::assets::{AssetBalance, AssetInfo, AssetTransferRequest, IssueAnswer, IssueRequest, UnitsRequest};
use crate::api::wallet::TransferAnswer;
use crate::api::{ApiError, WAIT_SECONDS_MAX};
use std::time::Duration;
use windlass_types::AssetId;

/// Until a transaction is final.
const FINAL: Duration = Duration::from_secs(WAIT_SECONDS_MAX);

impl MemberClient {
    /// All assets but bitcoin.
    ///
    /// # Errors
    /// See [`super::Http::get`].
    pub async fn assets(&self) -> Result<Vec<AssetInfo>, ApiError> {
        self.0.list("/assets").await
    }

    /// An asset.
    ///
    /// # Errors
    /// See [`super::Http::get`].
    pub async fn asset(&self, asset: AssetId) -> Result<AssetInfo, ApiError> {
        self.0.get(&format!("/assets/{asset}"), SHORT).await
    }

    /// What an account has of assets other than bitcoin.
    ///
    /// # Errors
    /// See [`super::Http::get`].
    pub async fn asset_balances(&self, address: &str) -> Result<Vec<AssetBalance>, ApiError> {
        self.0.list(&format!("/accounts/{address}/assets")).await
    }
}

impl WalletClient {
    /// What it has of assets other than bitcoin.
    ///
    /// # Errors
    /// See [`super::Http::get`].
    pub async fn assets(&self) -> Result<Vec<AssetBalance>, ApiError> {
        self.0.get("/assets", SHORT).await
    }

    /// Issues an asset and waits until it is final.
    ///
    /// # Errors
    /// See [`super::Http::post`].
    pub async fn issue(&self, request: &IssueRequest) -> Result<IssueAnswer, ApiError> {
        self.0.post("/assets", request, FINAL).await
    }

    /// Makes more of an asset and waits until it is final.
    ///
    /// # Errors
    /// See [`super::Http::post`].
    pub async fn reissue(&self, asset: AssetId, request: &UnitsRequest) -> Result<TransferAnswer, ApiError> {
        self.0.post(&format!("/assets/{asset}/reissue"), request, FINAL).await
    }

    /// Burns units of an asset and waits until it is final.
    ///
    /// # Errors
    /// See [`super::Http::post`].
    pub async fn burn(&self, asset: AssetId, request: &UnitsRequest) -> Result<TransferAnswer, ApiError> {
        self.0.post(&format!("/assets/{asset}/burn"), request, FINAL).await
    }

    /// Sends units of an asset and waits until it is final.
    ///
    /// # Errors
    /// See [`super::Http::post`].
    pub async fn transfer_asset(
        &self,
        asset: AssetId,
        request: &AssetTransferRequest,
    ) -> Result<TransferAnswer, ApiError> {
        self.0.post(&format!("/assets/{asset}/transfers"), request, FINAL).await
    }
}
