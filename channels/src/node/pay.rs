//! Paying.

use super::Node;
use super::room::Sent;
use crate::book::now;
use crate::{Direction, PayError, PayLimits, Payment, PaymentFailure, PaymentHash, PaymentKind, PaymentState};
use bitcoin::secp256k1::PublicKey;
use lightning::ln::channelmanager::{PaymentId, RecentPaymentDetails, RecipientOnionFields, RetryableSendFailure};
use lightning::routing::router::{Payee, PaymentParameters};
use lightning::types::payment::PaymentHash as LdkPaymentHash;
use lightning_invoice::{Bolt11Invoice, Bolt11InvoiceDescriptionRef};
use std::time::Duration;
use tokio::time::Instant;
use windlass_types::Msat;

/// An invoice, checked, and what to pay.
pub(super) struct Checked {
    pub(super) invoice: Bolt11Invoice,
    pub(super) hash: PaymentHash,
    pub(super) amount: Msat,
    /// Recovered from the signature, which takes its time: once is enough.
    pub(super) payee: PublicKey,
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
        let Checked { invoice, hash, amount, payee } = self.check_invoice(invoice, amount)?;
        let parameters = payment_parameters(&invoice, payee);
        let payment = Payment {
            invoice: Some(invoice.to_string()),
            memo: memo(&invoice),
            payee: Some(payee),
            expires_at: invoice.expires_at().map(|at| at.as_secs()),
            ..Payment::begun(hash, Direction::Out, PaymentKind::Invoice, Some(amount), now())
        };
        let mut onion = RecipientOnionFields::secret_only(*invoice.payment_secret());
        onion.payment_metadata = invoice.payment_metadata().cloned();
        let send = || {
            self.book.put_payment(payment.clone());
            let route = limits.route(parameters.clone(), amount);
            let (ldk_hash, id) = (LdkPaymentHash(hash.0), PaymentId(hash.0));
            self.channel_manager.send_payment(ldk_hash, onion.clone(), id, route, limits.retry())
        };
        let sent = self.send_with_room(Some(&parameters), amount, limits, send).await?;
        self.started(hash, &parameters, amount, limits, sent)
    }

    /// What LDK said to a payment that is written down.
    pub(super) fn started(
        &self,
        hash: PaymentHash,
        payee: &PaymentParameters,
        amount: Msat,
        limits: &PayLimits,
        sent: Sent,
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
        let invoice = read_invoice(text, self.config.network)?;
        let hash = PaymentHash(*invoice.payment_hash().as_ref());
        match self.payment(Direction::Out, hash).map(|payment| payment.state) {
            Some(PaymentState::Succeeded { .. }) => return Err(PayError::AlreadyPaid(hash)),
            Some(PaymentState::Pending) => return Err(PayError::InFlight(hash)),
            Some(PaymentState::Failed { .. }) | None => {}
        }
        let payee = invoice.get_payee_pub_key();
        if payee == self.node_id() {
            return Err(PayError::OwnInvoice);
        }
        if invoice.would_expire(Duration::from_secs(now())) {
            let at = invoice.expires_at().map_or(0, |at| at.as_secs());
            return Err(PayError::Expired { seconds_ago: now().saturating_sub(at) });
        }
        let stated = invoice.amount_milli_satoshis().map(Msat::new);
        let amount = match (stated, given) {
            (Some(invoice), Some(given)) if invoice != given => {
                return Err(PayError::AmountMismatch { invoice, given });
            }
            (Some(invoice), _) => invoice,
            (None, Some(given)) if given > Msat::ZERO => given,
            (None, _) => return Err(PayError::AmountMissing),
        };
        Ok(Checked { invoice, hash, amount, payee })
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

/// As LDK's own for an invoice, whose payee is known already.
pub(super) fn payment_parameters(invoice: &Bolt11Invoice, payee: PublicKey) -> PaymentParameters {
    let final_cltv = u32::try_from(invoice.min_final_cltv_expiry_delta()).unwrap_or(u32::MAX);
    let mut parameters = PaymentParameters::from_node_id(payee, final_cltv);
    parameters.expiry_time = invoice.expires_at().map(|at| at.as_secs());
    if let Payee::Clear { route_hints, features, .. } = &mut parameters.payee {
        *route_hints = invoice.route_hints();
        *features = invoice.features().cloned();
    }
    parameters
}

/// Reads a BOLT 11 invoice of `network`.
pub(crate) fn read_invoice(text: &str, network: bitcoin::Network) -> Result<Bolt11Invoice, PayError> {
    let clean = text.trim();
    let clean = match clean.get(..10) {
        Some(scheme) if scheme.eq_ignore_ascii_case("lightning:") => &clean[10..],
        _ => clean,
    };
    let malformed = |reason: String| PayError::Malformed { text: text.into(), reason };
    let invoice: Bolt11Invoice =
        clean.parse().map_err(|error: lightning_invoice::ParseOrSemanticError| malformed(error.to_string()))?;
    let found = invoice.network();
    if found == network {
        Ok(invoice)
    } else {
        Err(PayError::WrongNetwork { found: network_name(found), expected: network })
    }
}

pub(crate) fn memo(invoice: &Bolt11Invoice) -> String {
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
