//! The Lightning verbs of the API.

use super::errors;
use super::node::WalletNode;
use crate::api::payments::PaymentKind;
use crate::api::splice::SpliceInfo;
use crate::api::wallet::{
    BackupAnswer, ChannelInfo, ChannelState, CloseRequest, ConnectRequest, Direction, InvoiceAnswer, InvoiceRequest,
    OpenRequest, PayRequest, PaymentInfo, PaymentState,
};
use crate::api::{ApiError, Code};
use std::time::Duration;
use tokio::time::Instant;
use windlass_channels::{self as channels, Channel, ChannelId, ChannelRecord, PaymentHash, PeerAddress};
use windlass_types::Msat;

/// The longest that a payment is waited for.
const PAY_SECONDS_MAX: u64 = 600;

/// How long a closing transaction may take to be agreed on and broadcast.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(30);

/// How often it is looked for.
const CLOSE_STEP: Duration = Duration::from_millis(20);

pub(super) fn peer(request: &ConnectRequest) -> Result<PeerAddress, ApiError> {
    format!("{}@{}", request.node_id.trim(), request.address.trim()).parse().map_err(ApiError::usage)
}

impl WalletNode {
    /// POST `/v1/peers`
    pub(super) async fn connect(&self, request: &ConnectRequest) -> Result<serde_json::Value, ApiError> {
        self.lightning.connect(&peer(request)?).await.map_err(errors::connect)?;
        Ok(serde_json::json!({}))
    }

    /// GET `/v1/backup`
    pub(super) fn backup(&self) -> Result<BackupAnswer, ApiError> {
        let bytes = self.lightning.backup().map_err(ApiError::failed)?;
        Ok(BackupAnswer { hex: hex::encode(bytes) })
    }

    /// GET `/v1/channels`: the open ones, then the closed ones.
    pub(super) fn channels(&self) -> Vec<ChannelInfo> {
        let records = self.lightning.records();
        let open = self.lightning.channels();
        let record_of = |id: ChannelId| records.iter().find(|record| record.id == id);
        let mut list: Vec<ChannelInfo> = open.iter().map(|channel| of_open(channel, record_of(channel.id))).collect();
        let gone = records.iter().filter(|record| !open.iter().any(|channel| channel.id == record.id));
        list.extend(gone.map(of_closed));
        list
    }

    /// GET `/v1/channels/{id}`: a unique prefix is enough.
    pub(super) fn channel(&self, id: &str) -> Result<ChannelInfo, ApiError> {
        let wanted = id.trim().to_lowercase();
        let list = self.channels();
        let mut found = list.into_iter().filter(|channel| windlass_types::id_fits(&channel.id, &wanted));
        match (found.next(), found.next()) {
            (Some(one), None) => Ok(one),
            (Some(_), Some(_)) => {
                Err(ApiError::usage(format!("{id:?} could be several channels: give more of the id")))
            }
            (None, _) => Err(ApiError::not_found(format!("{} has no channel {id:?}", self.config.name))
                .hint("list them", "windlass channel list")),
        }
    }

    /// POST `/v1/channels`
    pub(super) async fn open_channel(&self, request: &OpenRequest) -> Result<ChannelInfo, ApiError> {
        let open = channels::OpenRequest {
            peer: peer(&request.peer)?,
            amount: request.amount,
            push: request.push_msat,
            announce: request.announce,
        };
        let opened = self.lightning.open_channel(&open).await;
        let opened = opened.map_err(|error| errors::open(&self.config.name, error))?;
        Ok(of_open(&opened, self.lightning.record(opened.id).as_ref()))
    }

    /// POST `/v1/channels/{id}/close`
    pub(super) async fn close_channel(&self, id: &str, request: &CloseRequest) -> Result<ChannelInfo, ApiError> {
        let before = self.channel(id)?;
        if before.state == ChannelState::Closed || (before.state == ChannelState::Closing && !request.force) {
            return Ok(before);
        }
        let channel = self.lightning.find_channel(&before.id).map_err(errors::find)?.id;
        self.lightning.close_channel(channel, request.force).await.map_err(errors::close)?;
        let deadline = Instant::now() + CLOSE_TIMEOUT;
        // A close together takes some messages; the channel leaves the list when the transaction is out.
        while self.lightning.channel(channel).is_some() {
            if Instant::now() >= deadline {
                let message = format!("channel {channel} is closing; its transaction is not broadcast yet");
                return Err(ApiError::timeout(message).hint("look again", "windlass channel list"));
            }
            tokio::time::sleep(CLOSE_STEP).await;
        }
        self.lightning.broadcasts().await;
        self.channel(&channel.to_string())
    }

    /// POST `/v1/invoices`
    pub(super) async fn invoice(&self, request: InvoiceRequest) -> Result<InvoiceAnswer, ApiError> {
        let expiry = Duration::from_secs(u64::from(request.expiry_seconds.max(1)));
        let made = self.lightning.create_invoice(request.amount_msat, &request.memo, expiry).await;
        let made = made.map_err(|error| errors::invoice(&self.config.name, error))?;
        let invoice = made.invoice.ok_or_else(|| ApiError::failed("the invoice has no text"))?;
        Ok(InvoiceAnswer { invoice, payment_hash: made.hash.to_string() })
    }

    /// POST `/v1/payments`
    pub(super) async fn pay(&self, request: &PayRequest) -> Result<PaymentInfo, ApiError> {
        let limits = super::payments::limits(&request.limits)?;
        let (text, note) = (request.invoice.trim(), request.note.as_deref());
        let begun = self.lightning.pay_any(text, request.amount_msat, note, &limits).await;
        self.ended(begun.map_err(errors::pay)?, request.timeout_seconds).await
    }

    /// A payment that was begun, once it has ended or `timeout_seconds` are over.
    pub(super) async fn ended(&self, hash: PaymentHash, timeout_seconds: u64) -> Result<PaymentInfo, ApiError> {
        if timeout_seconds > 0 {
            let timeout = Duration::from_secs(timeout_seconds.min(PAY_SECONDS_MAX));
            return self.lightning.wait_payment(hash, timeout).await.map(of_payment).map_err(errors::pay);
        }
        let payment = self.lightning.payment(channels::Direction::Out, hash);
        payment.map(of_payment).ok_or_else(|| ApiError::new(Code::Failed, format!("payment {hash} is gone")))
    }

    /// GET `/v1/payments`, newest first.
    pub(super) fn payments(&self) -> Vec<PaymentInfo> {
        self.lightning.payments().into_iter().rev().map(of_payment).collect()
    }
}

pub(super) fn of_open(channel: &Channel, record: Option<&ChannelRecord>) -> ChannelInfo {
    ChannelInfo {
        id: channel.id.to_string(),
        peer: channel.peer.to_string(),
        state: match channel.state {
            channels::ChannelState::Pending => ChannelState::Opening,
            channels::ChannelState::Usable => ChannelState::Usable,
            channels::ChannelState::Offline => ChannelState::PeerAway,
            channels::ChannelState::Closing => ChannelState::Closing,
        },
        funding: channel.funding,
        confirmations: channel.confirmations,
        capacity: channel.capacity,
        local_msat: channel.ours,
        remote_msat: channel.theirs,
        send_msat: channel.can_send,
        receive_msat: channel.can_receive,
        announced: channel.announced,
        funder: channel.we_funded,
        closing_txid: record.and_then(|record| record.closing.as_ref()?.txid),
        claimable_height: record.and_then(|record| record.claimable_at),
        splice: channel.splice.as_ref().map(|splice| SpliceInfo {
            txid: splice.txid,
            capacity: splice.capacity,
            height: splice.height,
        }),
    }
}

fn of_closed(record: &ChannelRecord) -> ChannelInfo {
    ChannelInfo {
        id: record.id.to_string(),
        peer: record.peer.to_string(),
        state: if record.settled { ChannelState::Closed } else { ChannelState::Closing },
        funding: Some(record.outpoint),
        confirmations: 0,
        capacity: record.capacity,
        local_msat: record.balance,
        remote_msat: Msat::ZERO,
        send_msat: Msat::ZERO,
        receive_msat: Msat::ZERO,
        announced: record.announced,
        funder: record.we_funded,
        closing_txid: record.closing.as_ref().and_then(|closing| closing.txid),
        claimable_height: record.claimable_at,
        splice: None,
    }
}

pub(super) fn of_payment(payment: channels::Payment) -> PaymentInfo {
    let (state, preimage, error) = match payment.state {
        channels::PaymentState::Pending => (PaymentState::Pending, None, None),
        channels::PaymentState::Succeeded { preimage } => (PaymentState::Succeeded, preimage, None),
        channels::PaymentState::Failed { reason } => (PaymentState::Failed, None, Some(reason.to_string())),
    };
    PaymentInfo {
        payment_hash: payment.locked_to.unwrap_or(payment.hash).to_string(),
        direction: match payment.direction {
            channels::Direction::Out => Direction::Out,
            channels::Direction::In => Direction::In,
        },
        state,
        amount_msat: payment.amount,
        fee_msat: payment.fee.unwrap_or(Msat::ZERO),
        preimage,
        memo: payment.memo,
        error,
        created_at: payment.created_at,
        kind: match payment.asked_by {
            channels::PaymentKind::Invoice => PaymentKind::Invoice,
            channels::PaymentKind::Keysend => PaymentKind::Keysend,
            channels::PaymentKind::Offer { .. } => PaymentKind::Offer,
            channels::PaymentKind::Refund => PaymentKind::Refund,
        },
        offer: match payment.asked_by {
            channels::PaymentKind::Offer { id } => Some(id.to_string()),
            _ => None,
        },
        payer_note: payment.payer_note,
    }
}
