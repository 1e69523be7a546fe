//! Asking to be paid.

use super::Node;
use crate::book::now;
use crate::{Direction, HoldRequest, InvoiceError, Payment, PaymentHash, PaymentKind};
use lightning::ln::channel_state::ChannelDetails;
use lightning::ln::channelmanager::Bolt11InvoiceParameters;
use lightning::types::payment::PaymentHash as LdkPaymentHash;
use lightning_invoice::{Bolt11InvoiceDescription, Description};
use std::time::Duration;
use tokio::time::Instant;
use windlass_types::Msat;

/// What BOLT 11 holds of a description.
const MEMO_BYTES_MAX: usize = 639;

/// LDK writes so many blocks more into the invoice than it is told, and then asks for what it was told.
const LDK_CLTV_BUFFER: u16 = 3;

/// How long an invoice waits for what its hints need, and how often it looks.
const HINT_TIMEOUT: Duration = Duration::from_secs(1);
const HINT_POLL: Duration = Duration::from_millis(10);

impl Node {
    /// Makes an invoice. Without `amount`, the payer chooses.
    ///
    /// # Errors
    /// See [`InvoiceError`].
    pub async fn create_invoice(
        &self,
        amount: Option<Msat>,
        memo: &str,
        expiry: Duration,
    ) -> Result<Payment, InvoiceError> {
        let payment = self.make_invoice(amount, memo, expiry, None).await?;
        self.book.put_payment(payment.clone());
        if self.kv.durable().await { Ok(payment) } else { Err(InvoiceError::NotDurable) }
    }

    /// Makes an invoice, or a hold invoice, and writes nothing down.
    pub(super) async fn make_invoice(
        &self,
        amount: Option<Msat>,
        memo: &str,
        expiry: Duration,
        hold: Option<&HoldRequest>,
    ) -> Result<Payment, InvoiceError> {
        if amount == Some(Msat::ZERO) {
            return Err(InvoiceError::Zero);
        }
        if let Some(need) = amount {
            let have = self.can_ever_receive();
            if need > have {
                return Err(InvoiceError::InsufficientInbound { have, need });
            }
        }
        let too_long = InvoiceError::MemoTooLong { found: memo.len(), most: MEMO_BYTES_MAX };
        let description = Description::new(memo.to_owned()).map_err(|_| too_long)?;
        self.wait_hints().await;
        let expiry_seconds = u32::try_from(expiry.as_secs()).unwrap_or(u32::MAX);
        let invoice = self
            .channel_manager
            .create_bolt11_invoice(Bolt11InvoiceParameters {
                amount_msats: amount.map(Msat::get),
                description: Bolt11InvoiceDescription::Direct(description),
                invoice_expiry_delta_secs: Some(expiry_seconds),
                min_final_cltv_expiry_delta: hold.map(|hold| hold.final_cltv_delta.saturating_sub(LDK_CLTV_BUFFER)),
                payment_hash: hold.map(|hold| LdkPaymentHash(hold.hash.0)),
            })
            .map_err(|error| InvoiceError::Refused(error.to_string()))?;
        let created_at = now();
        Ok(Payment {
            invoice: Some(invoice.to_string()),
            memo: memo.to_owned(),
            payee: Some(self.node_id()),
            expires_at: Some(created_at.saturating_add(u64::from(expiry_seconds))),
            ..Payment::begun(
                PaymentHash(*invoice.payment_hash().as_ref()),
                Direction::In,
                PaymentKind::Invoice,
                amount,
                created_at,
            )
        })
    }

    /// A private channel can be hinted at only once the peer has told its fees, which it does right
    /// after the channel became usable.
    async fn wait_hints(&self) {
        let end = Instant::now() + HINT_TIMEOUT;
        let hintless = |channel: &ChannelDetails| {
            channel.is_usable && !channel.is_announced && channel.counterparty.forwarding_info.is_none()
        };
        while self.channel_manager.list_channels().iter().any(hintless) && Instant::now() < end {
            tokio::time::sleep(HINT_POLL).await;
        }
    }

    /// What all channels together could take in, connected or not, once our payments in flight are
    /// through.
    fn can_ever_receive(&self) -> Msat {
        let room = |channel: &ChannelDetails| {
            let leaving: u64 = channel.pending_outbound_htlcs.iter().map(|htlc| htlc.amount_msat).sum();
            channel.inbound_capacity_msat.saturating_add(leaving)
        };
        Msat::new(self.channel_manager.list_channels().iter().map(room).sum())
    }
}
