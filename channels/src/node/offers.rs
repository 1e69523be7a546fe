//! BOLT 12: offers, which can be paid again and again, and refunds, which are offers to pay. Invoices are
//! asked for and sent in onion messages.

use super::Node;
use crate::book::{Row, now};
use crate::{
    Direction, Offer, OfferError, OfferId, PayError, PayLimits, Payment, PaymentFailure, PaymentHash, PaymentKind,
    PaymentState,
};
use bitcoin::Network;
use bitcoin::constants::ChainHash;
use bitcoin::secp256k1::PublicKey;
use lightning::blinded_path::IntroductionNode;
use lightning::blinded_path::message::BlindedMessagePath;
use lightning::ln::channelmanager::{OptionalOfferPaymentParams, PaymentId};
use lightning::offers::offer::{Amount as OfferAmount, Offer as LdkOffer};
use lightning::offers::parse::Bolt12SemanticError;
use lightning::offers::refund::Refund;
use lightning::sign::EntropySource;
use std::time::Duration;
use tokio::time::Instant;
use windlass_types::Msat;

/// How long a new offer or refund waits for what its paths need, and how often it looks.
const PATH_TIMEOUT: Duration = Duration::from_secs(2);
const PATH_POLL: Duration = Duration::from_millis(20);

/// What LDK keeps of a note (`PAYER_NOTE_LIMIT`); we refuse more, so that nothing is cut.
const NOTE_BYTES_MAX: usize = 512;

impl Node {
    /// Makes an offer. Without `amount`, the payer chooses; without `expiry`, it stays good.
    ///
    /// # Errors
    /// See [`OfferError`].
    pub async fn create_offer(
        &self,
        amount: Option<Msat>,
        description: &str,
        expiry: Option<Duration>,
    ) -> Result<Offer, OfferError> {
        if amount == Some(Msat::ZERO) {
            return Err(OfferError::Zero);
        }
        let created_at = now();
        let expires_at = expiry.map(|expiry| created_at.saturating_add(expiry.as_secs()));
        let built = self
            .with_paths(|| {
                let mut builder = self.channel_manager.create_offer_builder()?;
                // BOLT 12 asks for a description where there is an amount; an empty one is one.
                builder = builder.description(description.to_owned());
                if let Some(amount) = amount {
                    builder = builder.amount_msats(amount.get());
                }
                if let Some(at) = expires_at {
                    builder = builder.absolute_expiry(Duration::from_secs(at));
                }
                builder.build()
            })
            .await?;
        let offer = Offer {
            id: OfferId(built.id().0),
            text: built.to_string(),
            amount,
            description: description.to_owned(),
            created_at,
            expires_at,
        };
        self.book.write(|pages| {
            pages.offers.insert(offer.id, offer.clone());
            [Row::Offer(offer.id)]
        });
        if self.kv.durable().await { Ok(offer) } else { Err(OfferError::NotDurable) }
    }

    /// Our offers, oldest first.
    pub fn offers(&self) -> Vec<Offer> {
        let mut offers: Vec<Offer> = self.book.read().offers.values().cloned().collect();
        offers.sort_by_key(|offer| (offer.created_at, offer.id));
        offers
    }

    /// Starts to pay an offer: asks for an invoice, and pays it when it comes. [`Self::wait_payment`]
    /// tells how it ends, by the name that this returns: the invoice's hash is not known yet.
    ///
    /// # Errors
    /// See [`PayError`]; nothing was sent then.
    pub async fn pay_offer(
        &self,
        text: &str,
        amount: Option<Msat>,
        note: Option<&str>,
        limits: &PayLimits,
    ) -> Result<PaymentHash, PayError> {
        let (offer, amount) = self.check_offer(text, amount)?;
        if let Some(found) = note.map(str::len).filter(|length| *length > NOTE_BYTES_MAX) {
            return Err(PayError::NoteTooLong { found, most: NOTE_BYTES_MAX });
        }
        // LDK sends when the invoice is there.
        let _ = self.send_with_room(None, amount, limits, || Ok(())).await?;
        let id = PaymentHash(self.keys.get_secure_random_bytes());
        self.book.put_payment(Payment {
            invoice: Some(offer.to_string()),
            memo: offer.description().map(|text| text.to_string()).unwrap_or_default(),
            payee: offer.issuer_signing_pubkey(),
            payer_note: note.map(ToOwned::to_owned),
            expires_at: offer.absolute_expiry().map(|at| at.as_secs()),
            ..Payment::begun(id, Direction::Out, PaymentKind::Offer { id: OfferId(offer.id().0) }, Some(amount), now())
        });
        let parameters = OptionalOfferPaymentParams {
            payer_note: note.map(ToOwned::to_owned),
            route_params_config: limits.config(amount),
            retry_strategy: limits.retry(),
        };
        let asked = self.channel_manager.pay_for_offer(&offer, Some(amount.get()), PaymentId(id.0), parameters);
        if let Err(error) = asked {
            let reason = PaymentFailure::Other(in_words(&error));
            self.book.payment_failed(id, reason.clone());
            return Err(PayError::Failed { hash: id, reason });
        }
        self.peer_manager.process_events();
        Ok(id)
    }

    fn check_offer(&self, text: &str, given: Option<Msat>) -> Result<(LdkOffer, Msat), PayError> {
        let (offer, stated) = read_offer(text, self.config.network)?;
        if self.book.read().offers.contains_key(&OfferId(offer.id().0)) {
            return Err(PayError::OwnInvoice);
        }
        let amount = match (stated, given) {
            (Some(invoice), Some(given)) if invoice != given => {
                return Err(PayError::AmountMismatch { invoice, given });
            }
            (Some(stated), _) => stated,
            (None, Some(given)) if given > Msat::ZERO => given,
            (None, _) => return Err(PayError::AmountMissing),
        };
        Ok((offer, amount))
    }

    /// Makes a refund: who has its text may claim `amount` from us once, until it expires.
    ///
    /// # Errors
    /// See [`OfferError`].
    pub async fn create_refund(
        &self,
        amount: Msat,
        description: &str,
        expiry: Duration,
        limits: &PayLimits,
    ) -> Result<Payment, OfferError> {
        if amount == Msat::ZERO {
            return Err(OfferError::Zero);
        }
        let created_at = now();
        let expires_at = created_at.saturating_add(expiry.as_secs());
        let mut id = PaymentHash([0; 32]);
        let refund = self
            .with_paths(|| {
                // A fresh name for each try: a failed one may have left its own behind.
                id = PaymentHash(self.keys.get_secure_random_bytes());
                self.channel_manager
                    .create_refund_builder(
                        amount.get(),
                        Duration::from_secs(expires_at),
                        PaymentId(id.0),
                        limits.retry(),
                        limits.config(amount),
                    )?
                    .description(description.to_owned())
                    .build()
            })
            .await?;
        let payment = Payment {
            invoice: Some(refund.to_string()),
            memo: description.to_owned(),
            expires_at: Some(expires_at),
            ..Payment::begun(id, Direction::Out, PaymentKind::Refund, Some(amount), created_at)
        };
        self.book.put_payment(payment.clone());
        if self.kv.durable().await { Ok(payment) } else { Err(OfferError::NotDurable) }
    }

    /// Claims a refund: sends its maker an invoice. [`Self::wait_received`] tells when it is paid.
    ///
    /// # Errors
    /// See [`OfferError`].
    pub async fn claim_refund(&self, text: &str) -> Result<Payment, OfferError> {
        let refund = read_refund(text, self.config.network)?;
        let known = refund.to_string();
        let is_ours =
            self.book.read().payments.values().any(|payment| {
                payment.direction == Direction::Out && payment.invoice.as_deref() == Some(known.as_str())
            });
        if is_ours {
            return Err(OfferError::Own);
        }
        self.wait_inbound(Msat::new(refund.amount_msats())).await?;
        self.reach_payer(&refund).await?;
        let invoice = self.with_paths(|| self.channel_manager.request_refund_payment(&refund)).await?;
        let payment = Payment {
            invoice: Some(known),
            memo: refund.description().to_string(),
            ..Payment::begun(
                PaymentHash(invoice.payment_hash().0),
                Direction::In,
                PaymentKind::Refund,
                Some(Msat::new(invoice.amount_msats())),
                now(),
            )
        };
        self.book.put_payment(payment.clone());
        self.peer_manager.process_events();
        if self.kv.durable().await { Ok(payment) } else { Err(OfferError::NotDurable) }
    }

    /// A refund's maker pays at once or not at all, and does not tell us if it finds no way: so without room
    /// in our channels nothing is asked. Waits a little for payments that are about to be through.
    async fn wait_inbound(&self, need: Msat) -> Result<(), OfferError> {
        let end = Instant::now() + PATH_TIMEOUT;
        loop {
            let have = self.info().can_receive;
            if have >= need {
                return Ok(());
            }
            if Instant::now() >= end {
                return Err(OfferError::InsufficientInbound { have, need });
            }
            tokio::time::sleep(PATH_POLL).await;
        }
    }

    /// Connects to one of those who take messages for the refund's maker: LDK sends its invoice to such a peer
    /// only, once, and says nothing if there is none.
    async fn reach_payer(&self, refund: &Refund) -> Result<(), OfferError> {
        let mut doors: Vec<Option<PublicKey>> = refund.paths().iter().map(|path| self.door(path)).collect();
        if doors.is_empty() {
            doors.push(Some(refund.payer_signing_pubkey()));
        }
        // One that is ours needs no connection.
        if doors.contains(&Some(self.node_id())) {
            return Ok(());
        }
        let mut reason = None;
        for door in doors {
            let Some(door) = door else {
                reason.get_or_insert_with(|| "the channel that leads to it is not known here (yet)".to_owned());
                continue;
            };
            match self.connect_to(door).await {
                Ok(()) => return Ok(()),
                Err(error) => reason = Some(error.to_string()),
            }
        }
        Err(OfferError::PayerAway { reason: reason.unwrap_or_default() })
    }

    /// Who takes messages for the end of a blinded path; none if the channel that it names is not known.
    fn door(&self, path: &BlindedMessagePath) -> Option<PublicKey> {
        match path.introduction_node() {
            IntroductionNode::NodeId(node_id) => Some(*node_id),
            IntroductionNode::DirectedShortChannelId(..) => {
                let graph = self.graph.read_only();
                path.public_introduction_node_id(&graph).and_then(|node_id| node_id.as_pubkey().ok())
            }
        }
    }

    /// A path to us needs a peer, or a channel in gossip: waits a little for one.
    async fn with_paths<T>(&self, mut build: impl FnMut() -> Result<T, Bolt12SemanticError>) -> Result<T, OfferError> {
        let end = Instant::now() + PATH_TIMEOUT;
        loop {
            match build() {
                Ok(built) => return Ok(built),
                Err(Bolt12SemanticError::MissingPaths) if Instant::now() < end => tokio::time::sleep(PATH_POLL).await,
                Err(Bolt12SemanticError::MissingPaths) => return Err(OfferError::Unreachable),
                Err(error) => return Err(OfferError::Refused(in_words(&error))),
            }
        }
    }

    /// Money that came without an invoice of the book: by keysend, for an offer, or for a refund. False if
    /// it is refused: its hash was used before.
    pub(super) fn note_arrival(&self, arrived: Payment) -> bool {
        match self.payment(Direction::In, arrived.hash) {
            // Said again after a restart.
            Some(known) => known.state == PaymentState::Pending && known.asked_by == arrived.asked_by,
            None => {
                self.book.put_payment(arrived);
                true
            }
        }
    }

    /// Whether an offer of ours states an amount.
    pub(super) fn asks_amount(&self, id: OfferId) -> bool {
        self.book.read().offers.get(&id).is_some_and(|offer| offer.amount.is_some())
    }

    /// What an offer of ours says it is for.
    pub(super) fn offer_description(&self, id: OfferId) -> String {
        self.book.read().offers.get(&id).map(|offer| offer.description.clone()).unwrap_or_default()
    }
}

/// Reads an offer for `network` that can still be paid, and the amount that it states.
pub(crate) fn read_offer(text: &str, network: Network) -> Result<(LdkOffer, Option<Msat>), PayError> {
    let malformed = |reason: String| PayError::Malformed { text: text.into(), reason };
    let offer: LdkOffer = text.trim().parse().map_err(|error| malformed(format!("{error:?}")))?;
    if !offer.supports_chain(ChainHash::using_genesis_block(network)) {
        return Err(PayError::WrongNetwork { found: "another network".into(), expected: network });
    }
    if offer.is_expired() {
        let at = offer.absolute_expiry().map_or(0, |at| at.as_secs());
        return Err(PayError::Expired { seconds_ago: now().saturating_sub(at) });
    }
    let stated = match offer.amount() {
        Some(OfferAmount::Bitcoin { amount_msats }) => Some(Msat::new(amount_msats)),
        Some(OfferAmount::Currency { iso4217_code, .. }) => {
            return Err(malformed(format!("it is priced in {}, not in bitcoin", iso4217_code.as_str())));
        }
        None => None,
    };
    Ok((offer, stated))
}

/// Reads a refund of `network` that can still be claimed.
pub(crate) fn read_refund(text: &str, network: Network) -> Result<Refund, OfferError> {
    let malformed = |reason: String| OfferError::Malformed { text: text.into(), reason };
    let refund: Refund = text.trim().parse().map_err(|error| malformed(format!("{error:?}")))?;
    if refund.chain() != ChainHash::using_genesis_block(network) {
        return Err(OfferError::WrongNetwork { expected: network });
    }
    if refund.is_expired() {
        return Err(OfferError::Expired);
    }
    Ok(refund)
}

fn in_words(error: &Bolt12SemanticError) -> String {
    match error {
        Bolt12SemanticError::MissingPaths => "there is no way for the answer to come back: connect to a peer".into(),
        Bolt12SemanticError::InsufficientAmount => "the amount is less than the offer asks for".into(),
        Bolt12SemanticError::UnsupportedCurrency => "it is priced in a currency, not in bitcoin".into(),
        other => format!("LDK says {other:?}"),
    }
}
