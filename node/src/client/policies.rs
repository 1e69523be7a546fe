//! The calls of [`crate::api::policies`], to members and to wallet nodes.

use super::{MemberClient, SHORT, WalletClient};
use crate::api::policies::{DraftAnswer, PreimageAnswer, SignRequest, SpendDraft, SpendRequest};
use crate::api::wallet::TransferAnswer;
use crate::api::{ApiError, WAIT_SECONDS_MAX};
use std::time::Duration;
use windlass_types::Digest;

impl MemberClient {
    /// The preimage of a hash, once a policy account was spent from by it.
    ///
    /// # Errors
    /// See [`super::Http::get`].
    pub async fn preimage(&self, hash: Digest) -> Result<PreimageAnswer, ApiError> {
        self.0.get(&format!("/preimages/{hash}"), SHORT).await
    }
}

impl WalletClient {
    /// Makes a spending from a policy account, signed as far as the node can.
    ///
    /// # Errors
    /// See [`super::Http::post`].
    pub async fn draft_spend(&self, request: &SpendRequest) -> Result<DraftAnswer, ApiError> {
        self.0.post("/policies/drafts", request, SHORT).await
    }

    /// Adds what the node can.
    ///
    /// # Errors
    /// See [`super::Http::post`].
    pub async fn sign_draft(&self, request: &SignRequest) -> Result<DraftAnswer, ApiError> {
        self.0.post("/policies/signatures", request, SHORT).await
    }

    /// Hands a complete one in and waits until it is final.
    ///
    /// # Errors
    /// See [`super::Http::post`].
    pub async fn submit_draft(&self, draft: &SpendDraft) -> Result<TransferAnswer, ApiError> {
        self.0.post("/policies/spends", draft, Duration::from_secs(WAIT_SECONDS_MAX)).await
    }
}
