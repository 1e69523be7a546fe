//! The calls of [`crate::api::member`].

use super::{Http, SHORT};
use crate::api::member::*;
use crate::api::{ApiError, Page, WAIT_SECONDS_MAX};
use bitcoin::OutPoint;
use std::time::Duration;
use windlass_ledger::{Genesis, Policy};
use windlass_light::{EpochLink, Epochs, ProofFile};
use windlass_types::{AssetId, Digest, SideHeight};

/// Speaks to a member or a follower.
#[derive(Debug, Clone)]
pub struct MemberClient(pub(super) Http);

impl MemberClient {
    /// Speaks to the member at `base`.
    pub fn new(base: impl Into<String>) -> Self {
        Self(Http::new(base))
    }

    /// Where it speaks to.
    pub fn base(&self) -> &str {
        self.0.base()
    }

    /// The tip.
    ///
    /// # Errors
    /// See [`Http::get`]; so for all below.
    pub async fn chain(&self) -> Result<ChainInfo, ApiError> {
        self.0.get("/chain", SHORT).await
    }

    /// The genesis.
    ///
    /// # Errors
    /// See [`Http::get`].
    pub async fn genesis(&self) -> Result<GenesisAnswer, ApiError> {
        self.0.get("/genesis", SHORT).await
    }

    /// Blocks from a height on, at most `limit`.
    ///
    /// # Errors
    /// See [`Http::get`].
    pub async fn blocks(&self, from: SideHeight, limit: usize) -> Result<Vec<BlockAnswer>, ApiError> {
        let page: Page<BlockAnswer> = self.0.get(&format!("/blocks?from={from}&limit={limit}"), SHORT).await?;
        Ok(page.items)
    }

    /// Hands in a signed transaction.
    ///
    /// # Errors
    /// See [`Http::post`].
    pub async fn submit(&self, hex: String) -> Result<SubmitAnswer, ApiError> {
        self.0.post("/transactions", &SubmitRequest { hex }, SHORT).await
    }

    /// Hands in signed transactions, at most [`BATCH_MAX`]; the outcomes are in the same order.
    ///
    /// # Errors
    /// See [`Http::post`].
    pub async fn submit_batch(&self, hex: Vec<String>) -> Result<Vec<SubmitOutcome>, ApiError> {
        self.0.post("/transactions/batch", &SubmitBatchRequest { hex }, SHORT).await
    }

    /// Where a transaction stands; waits up to `wait` for it to be final.
    ///
    /// # Errors
    /// See [`Http::get`].
    pub async fn transaction(&self, id: Digest, wait: Duration) -> Result<TransactionStatus, ApiError> {
        let seconds = wait.as_secs().min(WAIT_SECONDS_MAX);
        self.0.get(&format!("/transactions/{id}?wait={seconds}"), wait).await
    }

    /// An account.
    ///
    /// # Errors
    /// See [`Http::get`].
    pub async fn account(&self, address: &str) -> Result<AccountInfo, ApiError> {
        self.0.get(&format!("/accounts/{address}"), SHORT).await
    }

    /// What an account has, or that there is none, as a file that anyone can check.
    ///
    /// # Errors
    /// See [`Http::get`].
    pub async fn prove_account(&self, address: &str) -> Result<ProofFile, ApiError> {
        self.0.get(&format!("/proofs/accounts/{address}"), SHORT).await
    }

    /// How many units of an asset an account has, or that it has none, as a file that anyone can check.
    ///
    /// # Errors
    /// See [`Http::get`].
    pub async fn prove_units(&self, address: &str, asset: AssetId) -> Result<ProofFile, ApiError> {
        self.0.get(&format!("/proofs/accounts/{address}/assets/{asset}"), SHORT).await
    }

    /// That a transaction is in a final block, as a file that anyone can check.
    ///
    /// # Errors
    /// See [`Http::get`].
    pub async fn prove_transaction(&self, id: Digest) -> Result<ProofFile, ApiError> {
        self.0.get(&format!("/proofs/transactions/{id}"), SHORT).await
    }

    /// Who the members are at each height, as far as this member knows: each epoch's hand on to the next one's, from
    /// the genesis.
    ///
    /// # Errors
    /// See [`Http::get`]; or its links hand nothing on.
    pub async fn epochs(&self, genesis: &Genesis) -> Result<Epochs, ApiError> {
        let mut epochs = Epochs::of_genesis(genesis).map_err(ApiError::failed)?;
        for link in self.0.get::<Vec<EpochLink>>("/epochs", SHORT).await? {
            epochs.cross(&link).map_err(ApiError::failed)?;
        }
        Ok(epochs)
    }

    /// The state of a hash lock, as a file that anyone can check.
    ///
    /// # Errors
    /// See [`Http::get`].
    pub async fn prove_lock(&self, policy: &Policy) -> Result<ProofFile, ApiError> {
        // A policy's text has nothing in it that a path would not carry.
        self.0.get(&format!("/proofs/locks/{policy}"), SHORT).await
    }

    /// The chain's parameters.
    ///
    /// # Errors
    /// See [`Http::get`].
    pub async fn params(&self) -> Result<ParamsInfo, ApiError> {
        self.0.get("/params", SHORT).await
    }

    /// The chain's parameters, as a file that anyone can check.
    ///
    /// # Errors
    /// See [`Http::get`].
    pub async fn prove_params(&self) -> Result<ProofFile, ApiError> {
        self.0.get("/proofs/params", SHORT).await
    }

    /// A claimed deposit.
    ///
    /// # Errors
    /// See [`Http::get`].
    pub async fn deposit(&self, outpoint: OutPoint) -> Result<DepositInfo, ApiError> {
        self.0.get(&format!("/deposits/{outpoint}"), SHORT).await
    }

    /// The claimed deposits of an account.
    ///
    /// # Errors
    /// See [`Http::get`].
    pub async fn deposits(&self, address: &str) -> Result<Vec<DepositInfo>, ApiError> {
        self.0.list(&format!("/deposits?account={address}")).await
    }

    /// A peg-out.
    ///
    /// # Errors
    /// See [`Http::get`].
    pub async fn peg_out(&self, id: Digest) -> Result<PegOutInfo, ApiError> {
        self.0.get(&format!("/peg-outs/{id}"), SHORT).await
    }

    /// The peg-outs of an account.
    ///
    /// # Errors
    /// See [`Http::get`].
    pub async fn peg_outs(&self, address: &str) -> Result<Vec<PegOutInfo>, ApiError> {
        self.0.list(&format!("/peg-outs?account={address}")).await
    }

    /// Its promise that deposits to the address of these terms (hex) are credited.
    ///
    /// # Errors
    /// See [`Http::get`].
    pub async fn promise_address(&self, terms: &str) -> Result<PromiseAnswer, ApiError> {
        self.0.get(&format!("/promises/addresses/{terms}"), SHORT).await
    }

    /// Its word that this deposit was minted.
    ///
    /// # Errors
    /// See [`Http::get`].
    pub async fn promise_mint(&self, outpoint: OutPoint) -> Result<PromiseAnswer, ApiError> {
        self.0.get(&format!("/promises/deposits/{outpoint}"), SHORT).await
    }

    /// Its promise that this peg-out is paid in time.
    ///
    /// # Errors
    /// See [`Http::get`].
    pub async fn promise_peg_out(&self, id: Digest) -> Result<PromiseAnswer, ApiError> {
        self.0.get(&format!("/promises/peg-outs/{id}"), SHORT).await
    }

    /// The federation as this member sees it.
    ///
    /// # Errors
    /// See [`Http::get`].
    pub async fn federation(&self) -> Result<FederationInfo, ApiError> {
        self.0.get("/federation", SHORT).await
    }

    /// Bitcoin as this member sees it.
    ///
    /// # Errors
    /// See [`Http::get`].
    pub async fn bitcoin(&self) -> Result<BitcoinInfo, ApiError> {
        self.0.get("/bitcoin", SHORT).await
    }
}
