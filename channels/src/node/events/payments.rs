//! What happens to payments: received, sent, failed, forwarded.

use crate::book::now;
use crate::node::Node;
use crate::{
    ChannelId, Direction, Event, Forward, OfferId, Payment, PaymentFailure, PaymentHash, PaymentKind, PaymentState,
};
use lightning::events::{Event as LdkEvent, PaymentFailureReason, PaymentPurpose};
use windlass_types::Msat;

impl Node {
    pub(super) fn handle_payment(&self, event: LdkEvent, replay: bool) {
        match event {
            LdkEvent::PaymentClaimable {
                payment_hash,
                purpose,
                amount_msat,
                claim_deadline,
                receiving_channel_ids,
                ..
            } => {
                let hash = PaymentHash(payment_hash.0);
                if !self.hold_claimable(hash, amount_msat, claim_deadline, &receiving_channel_ids) {
                    self.claimable(hash, &purpose, amount_msat);
                }
            }
            LdkEvent::PaymentClaimed { payment_hash, amount_msat, htlcs, purpose, .. } => {
                let hash = PaymentHash(payment_hash.0);
                let word = self.book.hold_claimed(hash, Msat::new(amount_msat)).map(|preimage| preimage.0);
                let preimage = purpose.preimage().map(|preimage| preimage.0).or(word);
                if self.book.payment_received(hash, preimage, amount_msat) {
                    for htlc in htlcs {
                        self.book.flow(ChannelId(htlc.channel_id.0), |flow| flow.received_msat += htlc.value_msat);
                    }
                    self.emit(Event::PaymentReceived { hash, amount: Msat::new(amount_msat) });
                }
            }
            LdkEvent::PaymentSent {
                payment_id, payment_preimage, payment_hash, amount_msat, fee_paid_msat, ..
            } => {
                // An offer's payment was named before it had a hash.
                let hash = PaymentHash(payment_id.map_or(payment_hash.0, |id| id.0));
                self.gate.ticks().completed();
                if self.book.payment_sent(hash, payment_preimage.0, amount_msat, fee_paid_msat) {
                    self.emit(Event::PaymentSent { hash });
                }
            }
            LdkEvent::PaymentFailed { payment_id, reason, .. } => {
                // A payment's id is its hash, or its name: see `pay` and `offers`.
                let hash = PaymentHash(payment_id.0);
                let reason = failure(reason);
                self.book.payment_failed(hash, reason.clone());
                if !replay {
                    self.emit(Event::PaymentFailed { hash, reason });
                }
            }
            LdkEvent::PaymentPathSuccessful { payment_id, path, .. } => {
                let Some(first) = path.hops.first() else { return };
                let fee = path.fee_msat();
                let sent = path.final_value_msat().saturating_add(fee);
                let Some(channel) = self.channel_of_hop(first.short_channel_id, first.pubkey) else {
                    tracing::error!(scid = first.short_channel_id, "a payment went over an unknown channel");
                    return;
                };
                if !replay && self.book.part_arrived(PaymentHash(payment_id.0), path.final_value_msat()) {
                    self.book.flow(channel, |flow| {
                        flow.sent_msat += sent;
                        flow.routing_fees_msat += fee;
                    });
                }
            }
            LdkEvent::ProbeSuccessful { payment_id, .. } => self.probe_ended(payment_id.0, Ok(())),
            LdkEvent::ProbeFailed { payment_id, short_channel_id, .. } => {
                self.probe_ended(payment_id.0, Err(short_channel_id));
            }
            LdkEvent::PaymentForwarded {
                prev_channel_id,
                next_channel_id,
                total_fee_earned_msat,
                outbound_amount_forwarded_msat,
                claim_from_onchain_tx,
                ..
            } => {
                let fee = total_fee_earned_msat.unwrap_or(0);
                let out = outbound_amount_forwarded_msat.unwrap_or(0);
                if !replay {
                    let from = prev_channel_id.map(|id| ChannelId(id.0));
                    let to = next_channel_id.map(|id| ChannelId(id.0));
                    if let Some(id) = from {
                        self.book.flow(id, |flow| flow.forwarded_in_msat += out + fee);
                    }
                    if let Some(id) = to {
                        self.book.flow(id, |flow| flow.forwarded_out_msat += out);
                    }
                    let (amount, fee) = (Msat::new(out), Msat::new(fee));
                    self.book.forwarded(Forward { from, to, amount, fee, on_chain: claim_from_onchain_tx, at: now() });
                    self.emit(Event::PaymentForwarded { fee });
                }
            }
            _ => {}
        }
    }

    /// Money that only waits for our word. An invoice is paid once; what comes without one is written down
    /// first.
    fn claimable(&self, hash: PaymentHash, purpose: &PaymentPurpose, amount_msat: u64) {
        let begun = |kind| Payment::begun(hash, Direction::In, kind, Some(Msat::new(amount_msat)), now());
        let too_little = Msat::new(amount_msat) < self.config.unasked_min;
        let open = match purpose {
            PaymentPurpose::Bolt11InvoicePayment { .. } => {
                let invoice = self.book.payment(Direction::In, hash);
                invoice.is_some_and(|invoice| invoice.state == PaymentState::Pending)
            }
            PaymentPurpose::SpontaneousPayment(_) if too_little => false,
            PaymentPurpose::SpontaneousPayment(_) => self.note_arrival(begun(PaymentKind::Keysend)),
            PaymentPurpose::Bolt12OfferPayment { payment_context, .. } => {
                let id = OfferId(payment_context.offer_id.0);
                if too_little && !self.asks_amount(id) {
                    return self.refuse(hash, amount_msat);
                }
                let note = payment_context.invoice_request.payer_note_truncated.as_ref();
                self.note_arrival(Payment {
                    memo: self.offer_description(id),
                    payer_note: note.map(ToString::to_string),
                    ..begun(PaymentKind::Offer { id })
                })
            }
            PaymentPurpose::Bolt12RefundPayment { .. } => self.note_arrival(begun(PaymentKind::Refund)),
        };
        match purpose.preimage() {
            Some(preimage) if open => self.channel_manager.claim_funds(preimage),
            _ => self.refuse(hash, amount_msat),
        }
    }

    fn refuse(&self, hash: PaymentHash, amount_msat: u64) {
        tracing::info!(%hash, amount_msat, "a payment for no open invoice, or of next to nothing, is refused");
        self.channel_manager.fail_htlc_backwards(&lightning::types::payment::PaymentHash(hash.0));
    }

    fn channel_of_hop(&self, scid: u64, peer: bitcoin::secp256k1::PublicKey) -> Option<ChannelId> {
        if let Some(known) = self.book.read().by_scid(scid) {
            return Some(known);
        }
        self.note_short_ids();
        let pages = self.book.read();
        pages.by_scid(scid).or_else(|| {
            let mut with_peer = pages.facts.iter().filter(|(_, facts)| facts.peer == peer);
            match (with_peer.next(), with_peer.next()) {
                (Some((id, _)), None) => Some(*id),
                _ => None,
            }
        })
    }
}

fn failure(reason: Option<PaymentFailureReason>) -> PaymentFailure {
    match reason {
        Some(PaymentFailureReason::RouteNotFound) => PaymentFailure::NoRoute,
        Some(PaymentFailureReason::RecipientRejected) => PaymentFailure::Refused,
        Some(PaymentFailureReason::RetriesExhausted) => PaymentFailure::Exhausted,
        Some(PaymentFailureReason::PaymentExpired) => PaymentFailure::Expired,
        Some(PaymentFailureReason::InvoiceRequestExpired) => PaymentFailure::NoInvoice,
        Some(PaymentFailureReason::InvoiceRequestRejected) => PaymentFailure::Refused,
        Some(PaymentFailureReason::UserAbandoned) => PaymentFailure::Abandoned,
        Some(other) => PaymentFailure::Other(format!("{other:?}")),
        None => PaymentFailure::Other("LDK gave no reason".into()),
    }
}
