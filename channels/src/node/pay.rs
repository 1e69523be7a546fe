//! Paying.

use super::Node;
use crate::book::now;
use crate::{
    Direction, Obstacle, PayError, PayLimits, Payment, PaymentFailure, PaymentHash, PaymentKind, PaymentState,
};
use lightning::ln::channel_state::ChannelDetails;
use lightning::ln::channelmanager::{Bolt11PaymentError, PaymentId, RecentPaymentDetails, RetryableSendFailure};
use lightning::routing::router::PaymentParameters;
use lightning_invoice::{Bolt11Invoice, Bolt11InvoiceDescriptionRef};
use std::time::Duration;
use tokio::time::Instant;
use windlass_types::Msat;

/// How long a payment waits for money that is about to be there, and how often it looks.
const ROOM_TIMEOUT: Duration = Duration::from_secs(3);
const ROOM_POLL: Duration = Duration::from_millis(10);

/// An invoice, checked, and what to pay.
pub(super) struct Checked {
    pub(super) invoice: Bolt11Invoice,
    pub(super) hash: PaymentHash,
    pub(super) amount: Msat,
    /// For LDK: only if the invoice leaves it open.
    given: Option<Msat>,
}

impl Node {
    /// As [`Self::pay_within`], with the usual limits.
    ///
    /// # Errors
    /// See [`PayError`]; nothing was sent then.
    pub async fn pay(&self, invoice: &str, amount: Option<Msat>) -> Result<PaymentHash, PayError> {
        self.pay_within(invoice, amount, &PayLimits::default()).await
    }

    /// Starts to pay a BOLT 11 invoice; `amount` only if the invoice leaves it open. Returns at once,
    /// [`Self::wait_payment`] tells how it ends. The payment is on the disk before it leaves the node.
    ///
    /// # Errors
    /// See [`PayError`]; nothing was sent then.
    pub async fn pay_within(
        &self,
        invoice: &str,
        amount: Option<Msat>,
        limits: &PayLimits,
    ) -> Result<PaymentHash, PayError> {
        let Checked { invoice, hash, amount, given } = self.check_invoice(invoice, amount)?;
        let payee = PaymentParameters::from_bolt11_invoice(&invoice);
        self.check_room(Some(&payee), amount, limits).await?;
        self.book.put_payment(Payment {
            invoice: Some(invoice.to_string()),
            memo: memo(&invoice),
            payee: Some(invoice.get_payee_pub_key()),
            expires_at: invoice.expires_at().map(|at| at.as_secs()),
            ..Payment::begun(hash, Direction::Out, PaymentKind::Invoice, Some(amount), now())
        });
        let sent = self.channel_manager.pay_for_bolt11_invoice(
            &invoice,
            PaymentId(hash.0),
            given.map(Msat::get),
            limits.config(amount),
            limits.retry(),
        );
        let sent = sent.map_err(|error| match error {
            Bolt11PaymentError::SendingFailed(failure) => failure,
            // Checked before.
            Bolt11PaymentError::InvalidAmount => RetryableSendFailure::OnionPacketSizeExceeded,
        });
        self.started(hash, &payee, amount, limits, sent)
    }

    /// What LDK said to a payment that is written down.
    pub(super) fn started(
        &self,
        hash: PaymentHash,
        payee: &PaymentParameters,
        amount: Msat,
        limits: &PayLimits,
        sent: Result<(), RetryableSendFailure>,
    ) -> Result<PaymentHash, PayError> {
        let failed = |reason: PaymentFailure| {
            self.book.payment_failed(hash, reason.clone());
            PayError::Failed { hash, reason }
        };
        match sent {
            Ok(()) => {
                self.peer_manager.process_events();
                Ok(hash)
            }
            Err(RetryableSendFailure::DuplicatePayment) => Err(PayError::InFlight(hash)),
            Err(RetryableSendFailure::RouteNotFound) => {
                self.book.payment_failed(hash, PaymentFailure::NoRoute);
                Err(PayError::NoRoute { hash: Some(hash), obstacle: self.obstacle(payee, amount, limits) })
            }
            Err(RetryableSendFailure::PaymentExpired) => Err(failed(PaymentFailure::Expired)),
            Err(RetryableSendFailure::OnionPacketSizeExceeded) => {
                Err(failed(PaymentFailure::Other("the way is too long for an onion".into())))
            }
        }
    }

    /// Waits a little for money that is about to be there; then says what is missing. The payee of an
    /// offer is known only once its invoice is there.
    pub(super) async fn check_room(
        &self,
        payee: Option<&PaymentParameters>,
        amount: Msat,
        limits: &PayLimits,
    ) -> Result<(), PayError> {
        self.wait_room(amount).await;
        let have = self.info().can_send;
        if have >= amount {
            return Ok(());
        }
        if let Some(obstacle @ Obstacle::Offline { .. }) = self.no_channel() {
            return Err(PayError::NoRoute { hash: None, obstacle });
        }
        let largest = payee.and_then(|payee| self.largest_sendable(payee, have, limits));
        Err(PayError::InsufficientBalance { have, need: amount, largest, away: self.away() })
    }

    /// A payment that was just received can be spent some messages later, and a channel works some
    /// moments after a restart: if that is all that is missing, waits for it a little.
    async fn wait_room(&self, amount: Msat) {
        let end = Instant::now() + ROOM_TIMEOUT;
        while Instant::now() < end && self.info().can_send < amount && self.could_soon_send() >= amount {
            tokio::time::sleep(ROOM_POLL).await;
        }
    }

    fn could_soon_send(&self) -> Msat {
        let room = |channel: &ChannelDetails| {
            let arriving: u64 = channel.pending_inbound_htlcs.iter().map(|htlc| htlc.amount_msat).sum();
            channel.outbound_capacity_msat.saturating_add(arriving)
        };
        let channels = self.channel_manager.list_channels();
        Msat::new(channels.iter().filter(|channel| channel.is_channel_ready).map(room).sum())
    }

    /// Waits for the end of a payment of ours.
    ///
    /// # Errors
    /// [`PayError::Failed`], [`PayError::TimedOut`] while it is still on its way, or [`PayError::NotDurable`].
    pub async fn wait_payment(&self, hash: PaymentHash, timeout: Duration) -> Result<Payment, PayError> {
        let ended = |payment: &Payment| payment.state != PaymentState::Pending;
        let ended = self.book.wait_payment(Direction::Out, hash, Instant::now() + timeout, ended).await;
        if ended.is_some() && !self.book.durable(self.committer.failure()).await {
            return Err(PayError::NotDurable);
        }
        match ended {
            Some(Payment { state: PaymentState::Failed { reason }, .. }) => Err(PayError::Failed { hash, reason }),
            Some(payment) => Ok(payment),
            None => Err(PayError::TimedOut(hash)),
        }
    }

    /// Waits until an invoice of ours is paid; `None` if it isn't in time.
    pub async fn wait_received(&self, hash: PaymentHash, timeout: Duration) -> Option<Payment> {
        let paid = |payment: &Payment| matches!(payment.state, PaymentState::Succeeded { .. });
        self.book.wait_payment(Direction::In, hash, Instant::now() + timeout, paid).await
    }

    /// A payment or invoice.
    pub fn payment(&self, direction: Direction, hash: PaymentHash) -> Option<Payment> {
        self.book.payment(direction, hash)
    }

    /// All payments and invoices, oldest first.
    pub fn payments(&self) -> Vec<Payment> {
        let mut payments: Vec<Payment> = self.book.read().payments.values().cloned().collect();
        payments.sort_by_key(|payment| (payment.created_at, payment.hash));
        payments
    }

    pub(super) fn check_invoice(&self, text: &str, given: Option<Msat>) -> Result<Checked, PayError> {
        let clean = text.trim();
        let clean = match clean.get(..10) {
            Some(scheme) if scheme.eq_ignore_ascii_case("lightning:") => &clean[10..],
            _ => clean,
        };
        let malformed = |reason: String| PayError::Malformed { text: text.into(), reason };
        let invoice: Bolt11Invoice =
            clean.parse().map_err(|error: lightning_invoice::ParseOrSemanticError| malformed(error.to_string()))?;
        let found = invoice.network();
        if found != self.config.network {
            return Err(PayError::WrongNetwork { found: network_name(found), expected: self.config.network });
        }
        let hash = PaymentHash(*invoice.payment_hash().as_ref());
        match self.payment(Direction::Out, hash).map(|payment| payment.state) {
            Some(PaymentState::Succeeded { .. }) => return Err(PayError::AlreadyPaid(hash)),
            Some(PaymentState::Pending) => return Err(PayError::InFlight(hash)),
            Some(PaymentState::Failed { .. }) | None => {}
        }
        if invoice.get_payee_pub_key() == self.node_id() {
            return Err(PayError::OwnInvoice);
        }
        if invoice.would_expire(Duration::from_secs(now())) {
            let at = invoice.expires_at().map_or(0, |at| at.as_secs());
            return Err(PayError::Expired { seconds_ago: now().saturating_sub(at) });
        }
        let stated = invoice.amount_milli_satoshis().map(Msat::new);
        let (amount, given) = match (stated, given) {
            (Some(invoice), Some(given)) if invoice != given => {
                return Err(PayError::AmountMismatch { invoice, given });
            }
            (Some(invoice), _) => (invoice, None),
            (None, Some(given)) if given > Msat::ZERO => (given, Some(given)),
            (None, _) => return Err(PayError::AmountMissing),
        };
        Ok(Checked { invoice, hash, amount, given })
    }

    /// At the start: payments that we had written down but that LDK has never heard of were not sent.
    pub(super) fn mark_unsent_payments(&self) {
        let known: Vec<[u8; 32]> = self
            .channel_manager
            .list_recent_payments()
            .into_iter()
            .map(|payment| match payment {
                RecentPaymentDetails::AwaitingInvoice { payment_id }
                | RecentPaymentDetails::Pending { payment_id, .. }
                | RecentPaymentDetails::Fulfilled { payment_id, .. }
                | RecentPaymentDetails::Abandoned { payment_id, .. } => payment_id.0,
            })
            .collect();
        let unsent: Vec<PaymentHash> = self
            .book
            .read()
            .payments
            .values()
            .filter(|payment| payment.direction == Direction::Out && payment.state == PaymentState::Pending)
            .map(|payment| payment.hash)
            .filter(|hash| !known.contains(&hash.0))
            .collect();
        for hash in unsent {
            self.book.payment_failed(hash, PaymentFailure::NotSent);
        }
    }
}

pub(super) fn memo(invoice: &Bolt11Invoice) -> String {
    match invoice.description() {
        Bolt11InvoiceDescriptionRef::Direct(text) => text.as_inner().0.clone(),
        Bolt11InvoiceDescriptionRef::Hash(_) => String::new(),
    }
}

/// A network in words: "bitcoin" alone could mean all of them.
pub(super) fn network_name(network: bitcoin::Network) -> String {
    match network {
        bitcoin::Network::Bitcoin => "Bitcoin's main network".into(),
        other => other.to_string(),
    }
}
