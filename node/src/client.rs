//! Typed clients of the HTTP APIs: [`MemberClient`] for members and followers, [`WalletClient`]
//! for wallet nodes. Every error comes back as the [`ApiError`] that the other side gave, or as
//! [`Code::NotRunning`](crate::api::Code) with the address where nothing answers.

mod assets;
mod member;
mod payments;
mod policies;
mod snapshot;

pub use member::MemberClient;

use crate::api::events::{AcknowledgeRequest, EventsAnswer, GiveUpRequest, JournalInfo};
use crate::api::wallet::*;
use crate::api::{ApiError, PAGE_MAX, PREFIX, Page, WAIT_SECONDS_MAX};
use crate::handshake;
use serde::{Serialize, de::DeserializeOwned};
use std::time::Duration;

/// How long a request may take beyond what it asks the other side to wait.
const GRACE: Duration = Duration::from_secs(30);
/// A list of more pages is of no use in one piece.
const PAGES_MAX: usize = 1_000;
/// How long to wait for a connection: the other side is on this machine or near.
const CONNECT: Duration = Duration::from_secs(3);

/// What all clients share: a base address and a connection pool.
#[derive(Debug, Clone)]
pub struct Http {
    base: String,
    client: reqwest::Client,
}

impl Http {
    /// Speaks to `base`, for example `http://127.0.0.1:18884`.
    pub fn new(base: impl Into<String>) -> Self {
        let base = base.into().trim_end_matches('/').to_owned();
        let client = handshake::client(&base, CONNECT);
        Self { base, client }
    }

    /// Where it speaks to.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// GET `path` (with its query), within `wait` and some grace.
    ///
    /// # Errors
    /// What the other side answered, or that it does not.
    pub async fn get<T: DeserializeOwned>(&self, path: &str, wait: Duration) -> Result<T, ApiError> {
        self.send(self.client.get(self.url(path)), wait).await
    }

    /// POST `body` as JSON to `path`, within `wait` and some grace.
    ///
    /// # Errors
    /// What the other side answered, or that it does not.
    pub async fn post<B: Serialize + ?Sized, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
        wait: Duration,
    ) -> Result<T, ApiError> {
        self.send(self.client.post(self.url(path)).json(body), wait).await
    }

    /// GET all pages of the list at `path` (with its query, if it has one).
    ///
    /// # Errors
    /// As [`Self::get`]; also a list that does not end.
    pub async fn list<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, ApiError> {
        let with = if path.contains('?') { '&' } else { '?' };
        let mut all = Vec::new();
        let mut from = String::new();
        for _ in 0..PAGES_MAX {
            let cursor = if from.is_empty() { String::new() } else { format!("&from={from}") };
            let page: Page<T> = self.get(&format!("{path}{with}limit={PAGE_MAX}{cursor}"), SHORT).await?;
            all.extend(page.items);
            match page.next {
                // Hex, or a number: nothing else goes into the next path.
                Some(next) if next.bytes().all(|byte| byte.is_ascii_alphanumeric()) => from = next,
                Some(next) => return Err(ApiError::failed(format!("{}: {next:?} is no cursor", self.base))),
                None => return Ok(all),
            }
        }
        Err(ApiError::failed(format!("{}{path} does not end", self.base)))
    }

    fn url(&self, path: &str) -> String {
        format!("{}{PREFIX}{path}", self.base)
    }

    async fn send<T: DeserializeOwned>(&self, request: reqwest::RequestBuilder, wait: Duration) -> Result<T, ApiError> {
        let response = request.timeout(wait + GRACE).send().await.map_err(|e| self.unreachable(&e))?;
        handshake::check(&self.base, response.headers())?;
        let status = response.status();
        let body = response.bytes().await.map_err(|e| self.unreachable(&e))?;
        if status.is_success() {
            return serde_json::from_slice(&body)
                .map_err(|e| ApiError::failed(format!("{} gave an answer that can't be read: {e}", self.base)));
        }
        Err(serde_json::from_slice(&body).unwrap_or_else(|_| {
            ApiError::failed(format!("{} answered {status}: {}", self.base, String::from_utf8_lossy(&body).trim()))
        }))
    }

    fn unreachable(&self, error: &reqwest::Error) -> ApiError {
        if error.is_connect() {
            ApiError::not_running(format!("nothing answers at {}", self.base)).hint("see what runs", "windlass status")
        } else if error.is_timeout() {
            ApiError::timeout(format!("{} did not answer in time", self.base)).hint("see what runs", "windlass status")
        } else {
            ApiError::not_running(format!("{} broke off: {error}", self.base)).hint("see what runs", "windlass status")
        }
    }
}

const SHORT: Duration = Duration::ZERO;

/// Speaks to a wallet node.
#[derive(Debug, Clone)]
pub struct WalletClient(Http);

impl WalletClient {
    /// Speaks to the node at `base`.
    pub fn new(base: impl Into<String>) -> Self {
        Self(Http::new(base))
    }

    /// Where it speaks to.
    pub fn base(&self) -> &str {
        self.0.base()
    }

    /// Who and where it is.
    ///
    /// # Errors
    /// See [`Http::get`]; so for all below.
    pub async fn info(&self) -> Result<NodeInfo, ApiError> {
        self.0.get("/info", SHORT).await
    }

    /// Waits until it has seen a Bitcoin block.
    ///
    /// # Errors
    /// See [`Http::post`].
    pub async fn sync(&self, request: &SyncRequest) -> Result<NodeInfo, ApiError> {
        self.0.post("/sync", request, Duration::from_secs(request.timeout_seconds)).await
    }

    /// What it has.
    ///
    /// # Errors
    /// See [`Http::get`].
    pub async fn balance(&self) -> Result<Balance, ApiError> {
        self.0.get("/balance", SHORT).await
    }

    /// An address.
    ///
    /// # Errors
    /// See [`Http::post`].
    pub async fn address(&self, request: &AddressRequest) -> Result<AddressAnswer, ApiError> {
        self.0.post("/addresses", request, SHORT).await
    }

    /// Sends on chain.
    ///
    /// # Errors
    /// See [`Http::post`].
    pub async fn send(&self, request: &SendRequest) -> Result<SendAnswer, ApiError> {
        self.0.post("/sends", request, SHORT).await
    }

    /// Sends on the sidechain and waits until it is final.
    ///
    /// # Errors
    /// See [`Http::post`].
    pub async fn transfer(&self, request: &TransferRequest) -> Result<TransferAnswer, ApiError> {
        self.0.post("/transfers", request, Duration::from_secs(WAIT_SECONDS_MAX)).await
    }

    /// Connects to a Lightning peer.
    ///
    /// # Errors
    /// See [`Http::post`].
    pub async fn connect(&self, request: &ConnectRequest) -> Result<serde_json::Value, ApiError> {
        self.0.post("/peers", request, SHORT).await
    }

    /// Its peers.
    ///
    /// # Errors
    /// See [`Http::get`].
    pub async fn peers(&self) -> Result<Vec<PeerInfo>, ApiError> {
        self.0.get("/peers", SHORT).await
    }

    /// Makes a peer persistent.
    ///
    /// # Errors
    /// See [`Http::post`].
    pub async fn keep_peer(&self, request: &ConnectRequest) -> Result<PeerInfo, ApiError> {
        self.0.post("/peers/persistent", request, SHORT).await
    }

    /// Makes a peer an ordinary one.
    ///
    /// # Errors
    /// See [`Http::post`].
    pub async fn forget_peer(&self, node_id: &str) -> Result<ForgetAnswer, ApiError> {
        self.0.post(&format!("/peers/{node_id}/forget"), &serde_json::json!({}), SHORT).await
    }

    /// Opens several channels with one transaction.
    ///
    /// # Errors
    /// See [`Http::post`].
    pub async fn open_channels(&self, request: &BatchRequest) -> Result<Vec<ChannelInfo>, ApiError> {
        self.0.post("/channels/batch", request, SHORT).await
    }

    /// Its channel backup.
    ///
    /// # Errors
    /// See [`Http::get`].
    pub async fn backup(&self) -> Result<BackupAnswer, ApiError> {
        self.0.get("/backup", SHORT).await
    }

    /// Its channels.
    ///
    /// # Errors
    /// See [`Http::get`].
    pub async fn channels(&self) -> Result<Vec<ChannelInfo>, ApiError> {
        self.0.get("/channels", SHORT).await
    }

    /// One channel.
    ///
    /// # Errors
    /// See [`Http::get`].
    pub async fn channel(&self, id: &str) -> Result<ChannelInfo, ApiError> {
        self.0.get(&format!("/channels/{id}"), SHORT).await
    }

    /// Opens a channel; the funding transaction is broadcast when this returns.
    ///
    /// # Errors
    /// See [`Http::post`].
    pub async fn open_channel(&self, request: &OpenRequest) -> Result<ChannelInfo, ApiError> {
        self.0.post("/channels", request, SHORT).await
    }

    /// Splices a channel; the splice is broadcast when this returns.
    ///
    /// # Errors
    /// See [`Http::post`].
    pub async fn splice_channel(
        &self,
        id: &str,
        request: &crate::api::splice::SpliceRequest,
    ) -> Result<ChannelInfo, ApiError> {
        self.0.post(&format!("/channels/{id}/splice"), request, SHORT).await
    }

    /// Closes a channel; the closing transaction is broadcast when this returns.
    ///
    /// # Errors
    /// See [`Http::post`].
    pub async fn close_channel(&self, id: &str, request: &CloseRequest) -> Result<ChannelInfo, ApiError> {
        self.0.post(&format!("/channels/{id}/close"), request, SHORT).await
    }

    /// Makes an invoice.
    ///
    /// # Errors
    /// See [`Http::post`].
    pub async fn invoice(&self, request: &InvoiceRequest) -> Result<InvoiceAnswer, ApiError> {
        self.0.post("/invoices", request, SHORT).await
    }

    /// Pays an invoice and waits for the end.
    ///
    /// # Errors
    /// See [`Http::post`].
    pub async fn pay(&self, request: &PayRequest) -> Result<PaymentInfo, ApiError> {
        self.0.post("/payments", request, Duration::from_secs(request.timeout_seconds)).await
    }

    /// Its payments, newest first.
    ///
    /// # Errors
    /// See [`Http::get`].
    pub async fn payments(&self) -> Result<Vec<PaymentInfo>, ApiError> {
        self.0.get("/payments", SHORT).await
    }

    /// Lightning events from the position `from` on; waits at most `wait` seconds for the first.
    ///
    /// # Errors
    /// See [`Http::get`].
    pub async fn events(&self, from: u64, wait: u64) -> Result<EventsAnswer, ApiError> {
        let path = format!("/events?from={from}&wait_seconds={wait}");
        self.0.get(&path, Duration::from_secs(wait)).await
    }

    /// Lets go of all events before the position `before`.
    ///
    /// # Errors
    /// See [`Http::post`].
    pub async fn acknowledge(&self, before: u64) -> Result<serde_json::Value, ApiError> {
        self.0.post("/events/acknowledge", &AcknowledgeRequest { before }, SHORT).await
    }

    /// Where the journal of Lightning events is.
    ///
    /// # Errors
    /// See [`Http::get`].
    pub async fn journal(&self) -> Result<JournalInfo, ApiError> {
        self.0.get("/events/journal", SHORT).await
    }

    /// The application that acknowledged events is gone for good.
    ///
    /// # Errors
    /// See [`Http::post`].
    pub async fn give_up_reader(&self) -> Result<JournalInfo, ApiError> {
        self.0.post("/events/give-up", &GiveUpRequest {}, SHORT).await
    }

    /// A fresh deposit address.
    ///
    /// # Errors
    /// See [`Http::post`].
    pub async fn deposit_address(&self) -> Result<PegInInfo, ApiError> {
        self.0.post("/deposits", &DepositRequest {}, SHORT).await
    }

    /// Its peg-ins, newest first.
    ///
    /// # Errors
    /// See [`Http::get`].
    pub async fn deposits(&self) -> Result<Vec<PegInInfo>, ApiError> {
        self.0.get("/deposits", SHORT).await
    }

    /// One peg-in.
    ///
    /// # Errors
    /// See [`Http::get`].
    pub async fn deposit(&self, id: &str) -> Result<PegInInfo, ApiError> {
        self.0.get(&format!("/deposits/{id}"), SHORT).await
    }

    /// Takes a deposit back that was never swept; the transaction is broadcast when this returns.
    ///
    /// # Errors
    /// See [`Http::post`].
    pub async fn reclaim(&self, id: &str) -> Result<PegInInfo, ApiError> {
        self.0.post(&format!("/deposits/{id}/reclaim"), &ReclaimRequest {}, SHORT).await
    }

    /// Burns on the sidechain to be paid on Bitcoin; the burn is final when this returns.
    ///
    /// # Errors
    /// See [`Http::post`].
    pub async fn peg_out(&self, request: &PegOutRequest) -> Result<PegOutRecord, ApiError> {
        self.0.post("/peg-outs", request, Duration::from_secs(WAIT_SECONDS_MAX)).await
    }

    /// A receipt of one of its pegs, signed by the members.
    ///
    /// # Errors
    /// See [`Http::post`].
    pub async fn receipt(&self, id: &str) -> Result<ReceiptFile, ApiError> {
        self.0.post("/receipts", &ReceiptRequest { id: id.to_owned() }, SHORT).await
    }

    /// What a peg would cost and how long it would take.
    ///
    /// # Errors
    /// See [`Http::post`].
    pub async fn peg_quote(&self, request: &PegQuoteRequest) -> Result<PegQuote, ApiError> {
        self.0.post("/peg-quotes", request, SHORT).await
    }

    /// Its peg-outs, newest first.
    ///
    /// # Errors
    /// See [`Http::get`].
    pub async fn peg_outs(&self) -> Result<Vec<PegOutRecord>, ApiError> {
        self.0.get("/peg-outs", SHORT).await
    }

    /// One peg-out.
    ///
    /// # Errors
    /// See [`Http::get`].
    pub async fn peg_out_by_id(&self, id: &str) -> Result<PegOutRecord, ApiError> {
        self.0.get(&format!("/peg-outs/{id}"), SHORT).await
    }

    /// The statement.
    ///
    /// # Errors
    /// See [`Http::get`].
    pub async fn statement(&self) -> Result<Statement, ApiError> {
        self.0.get("/statement", SHORT).await
    }
}
