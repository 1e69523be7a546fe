//! The hold invoices of the API.

use super::errors;
use super::node::WalletNode;
use crate::api::ApiError;
use crate::api::payments::{CancelRequest, HoldAnswer, HoldInfo, HoldRequest, HoldState, SettleRequest};
use std::time::Duration;
use windlass_channels::{self as channels, HoldInvoice, PaymentHash, Preimage};

impl WalletNode {
    /// POST `/v1/holds`
    pub(super) async fn new_hold(&self, request: HoldRequest) -> Result<HoldAnswer, ApiError> {
        let (hash, new) = match request.payment_hash {
            Some(hash) => (hash.trim().parse::<PaymentHash>().map_err(ApiError::usage)?, None),
            None => {
                let preimage = self.lightning.new_preimage();
                (preimage.hash(), Some(preimage.reveal()))
            }
        };
        let ask = channels::HoldRequest {
            hash,
            amount: request.amount_msat,
            memo: request.memo,
            expiry: Duration::from_secs(u64::from(request.expiry_seconds.max(1))),
            final_cltv_delta: request.final_cltv_delta.unwrap_or(channels::FINAL_CLTV_DELTA_USUAL),
        };
        let made = self.lightning.create_hold_invoice(&ask).await;
        let made = made.map_err(|error| errors::invoice(&self.config.name, error))?;
        Ok(HoldAnswer { hold: info(made), new_preimage: new })
    }

    /// GET `/v1/holds`, newest first.
    pub(super) fn holds(&self) -> Vec<HoldInfo> {
        self.lightning.holds().into_iter().rev().map(info).collect()
    }

    /// GET `/v1/holds/{hash}`
    pub(super) fn hold(&self, hash: &str) -> Result<HoldInfo, ApiError> {
        let hash = self.hold_hash(hash)?;
        self.lightning.hold(hash).map(info).ok_or_else(|| errors::hold(channels::HoldError::Unknown(hash)))
    }

    /// POST `/v1/holds/{hash}/settle`
    pub(super) async fn settle(&self, hash: &str, request: &SettleRequest) -> Result<HoldInfo, ApiError> {
        let preimage: Preimage = request.preimage.trim().parse().map_err(|_| {
            // Its text is not repeated: a mistyped preimage is nearly one.
            ApiError::usage("the preimage is not 32 bytes in hex")
        })?;
        let hash = self.hold_hash(hash)?;
        self.lightning.settle_hold(hash, preimage).await.map(info).map_err(errors::hold)
    }

    /// POST `/v1/holds/{hash}/cancel`
    pub(super) async fn cancel(&self, hash: &str, _: &CancelRequest) -> Result<HoldInfo, ApiError> {
        let hash = self.hold_hash(hash)?;
        self.lightning.cancel_hold(hash).await.map(info).map_err(errors::hold)
    }

    /// By a unique prefix.
    fn hold_hash(&self, text: &str) -> Result<PaymentHash, ApiError> {
        let wanted = text.trim().to_lowercase();
        let all = self.lightning.holds();
        let mut found =
            all.iter().map(|hold| hold.hash).filter(|hash| !wanted.is_empty() && hash.to_string().starts_with(&wanted));
        match (found.next(), found.next()) {
            (Some(hash), None) => Ok(hash),
            (Some(_), Some(_)) => {
                Err(ApiError::usage(format!("several hold invoices start with {text:?}: give more of the hash")))
            }
            (None, _) => Err(ApiError::not_found(format!("{} has no hold invoice {text:?}", self.config.name))
                .hint("list them", format!("windlass invoice list {}", self.config.name))),
        }
    }
}

fn info(hold: HoldInvoice) -> HoldInfo {
    let held = hold.held().cloned();
    let (state, preimage, taken) = match &hold.state {
        channels::HoldState::Open => (HoldState::Open, None, None),
        channels::HoldState::Expired => (HoldState::Expired, None, None),
        channels::HoldState::Held(_) => (HoldState::Held, None, None),
        channels::HoldState::Settling { preimage, .. } => (HoldState::Settling, Some(preimage.reveal()), None),
        channels::HoldState::Settled { amount, preimage } => {
            (HoldState::Settled, Some(preimage.reveal()), Some(*amount))
        }
        channels::HoldState::Cancelled => (HoldState::Cancelled, None, None),
        channels::HoldState::TimedOut { .. } => (HoldState::TimedOut, None, None),
    };
    HoldInfo {
        payment_hash: hold.hash.to_string(),
        invoice: hold.invoice,
        state,
        amount_msat: hold.amount,
        held_msat: held.as_ref().map(|held| held.amount).or(taken),
        channels: held.iter().flat_map(|held| &held.channels).map(ToString::to_string).collect(),
        claim_deadline: held.as_ref().map(|held| held.claim_deadline),
        cancel_height: held.as_ref().map(|held| held.cancel_height),
        final_cltv_delta: hold.final_cltv_delta,
        memo: hold.memo,
        preimage,
        created_at: hold.created_at,
        expires_at: hold.expires_at,
    }
}
