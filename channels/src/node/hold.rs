//! Hold invoices: the commands, and what happens at each tip and at the start.

use super::Node;
use crate::book::{Arrived, now};
use crate::{
    ChannelId, Direction, Event, FINAL_CLTV_DELTA_MAX, FINAL_CLTV_DELTA_MIN, HOLD_MARGIN_BLOCKS, Held, HoldError,
    HoldInvoice, HoldRequest, HoldState, InvoiceError, PaymentHash, Preimage,
};
use lightning::ln::types::ChannelId as LdkChannelId;
use lightning::sign::EntropySource;
use lightning::types::payment::{PaymentHash as LdkPaymentHash, PaymentPreimage};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::Instant;
use windlass_types::{BtcHeight, Msat};

/// How long [`Node::settle_hold`] waits for LDK's word that it is done; it is durable before.
const CLAIM_TIMEOUT: Duration = Duration::from_secs(10);

impl Node {
    /// Makes a hold invoice: a payment of it waits for [`Self::settle_hold`] or [`Self::cancel_hold`].
    ///
    /// # Errors
    /// See [`InvoiceError`]; a hash can be asked for once.
    pub async fn create_hold_invoice(&self, request: &HoldRequest) -> Result<HoldInvoice, InvoiceError> {
        let HoldRequest { hash, final_cltv_delta, .. } = *request;
        if !(FINAL_CLTV_DELTA_MIN..=FINAL_CLTV_DELTA_MAX).contains(&final_cltv_delta) {
            return Err(InvoiceError::FinalCltvDelta {
                found: final_cltv_delta,
                least: FINAL_CLTV_DELTA_MIN,
                most: FINAL_CLTV_DELTA_MAX,
            });
        }
        if self.payment(Direction::In, hash).is_some() || self.book.hold(hash).is_some() {
            return Err(InvoiceError::HashInUse(hash));
        }
        let payment = self.make_invoice(request.amount, &request.memo, request.expiry, Some(request)).await?;
        let hold = HoldInvoice {
            hash,
            invoice: payment.invoice.clone().unwrap_or_default(),
            amount: request.amount,
            memo: request.memo.clone(),
            final_cltv_delta,
            created_at: payment.created_at,
            expires_at: payment.expires_at.unwrap_or(u64::MAX),
            state: HoldState::Open,
        };
        // The hold first: a payment that comes between the two must not find an invoice without it.
        if !self.book.put_hold(hold.clone()) {
            return Err(InvoiceError::HashInUse(hash));
        }
        self.book.put_payment(payment);
        if self.kv.durable().await { Ok(hold) } else { Err(InvoiceError::NotDurable) }
    }

    /// A fresh preimage, for a hold invoice whose word this node's user keeps.
    pub fn new_preimage(&self) -> Preimage {
        Preimage(self.keys.get_secure_random_bytes())
    }

    /// All hold invoices, oldest first.
    pub fn holds(&self) -> Vec<HoldInvoice> {
        let now = now();
        let mut holds: Vec<HoldInvoice> = self.book.read().holds.values().cloned().map(|hold| hold.at(now)).collect();
        holds.sort_by_key(|hold| (hold.created_at, hold.hash));
        holds
    }

    /// One hold invoice.
    pub fn hold(&self, hash: PaymentHash) -> Option<HoldInvoice> {
        self.book.hold(hash)
    }

    /// Takes what is held. When this returns without an error the claim is on the disk, and the money
    /// is ours whatever happens. Giving the same word again is fine.
    ///
    /// # Errors
    /// See [`HoldError`]; nothing was claimed then, and the preimage has not left the node, except
    /// after [`HoldError::NotDurable`].
    pub async fn settle_hold(&self, hash: PaymentHash, preimage: Preimage) -> Result<HoldInvoice, HoldError> {
        if self.book.hold_settle(hash, preimage, self.height_of_channels())? {
            self.channel_manager.claim_funds(PaymentPreimage(preimage.0));
            self.peer_manager.process_events();
        }
        if !self.kv.durable().await {
            return Err(HoldError::NotDurable);
        }
        let settled = self.wait_for(Instant::now() + CLAIM_TIMEOUT, || {
            self.book.hold(hash).filter(|hold| matches!(hold.state, HoldState::Settled { .. }))
        });
        match settled.await {
            Some(hold) => Ok(hold),
            None => self.book.hold(hash).ok_or(HoldError::Unknown(hash)),
        }
    }

    /// Gives back what is held, and refuses what may still be paid. Calling off twice is fine.
    ///
    /// # Errors
    /// See [`HoldError`].
    pub async fn cancel_hold(&self, hash: PaymentHash) -> Result<HoldInvoice, HoldError> {
        if self.book.hold_cancel(hash)? {
            self.fail_back([hash]);
            self.peer_manager.process_events();
        }
        if !self.kv.durable().await {
            return Err(HoldError::NotDurable);
        }
        self.book.hold(hash).ok_or(HoldError::Unknown(hash))
    }

    /// LDK has a payment for `hash` that only waits for our word. False if that is no hold invoice's. No
    /// message may be let out here.
    pub(super) fn hold_claimable(
        &self,
        hash: PaymentHash,
        amount_msat: u64,
        claim_deadline: Option<u32>,
        channels: &[(LdkChannelId, Option<u128>)],
    ) -> bool {
        if self.book.hold(hash).is_none() {
            return false;
        }
        let deadline = claim_deadline.unwrap_or(0);
        let held = Held {
            amount: Msat::new(amount_msat),
            channels: channels.iter().map(|(id, _)| ChannelId(id.0)).collect(),
            claim_deadline: BtcHeight::new(deadline),
            cancel_height: BtcHeight::new(deadline.saturating_sub(HOLD_MARGIN_BLOCKS)),
            since: now(),
        };
        let deadline = held.claim_deadline;
        match self.book.hold_arrived(hash, held, self.height_of_channels()) {
            Arrived::Held(true) => {
                tracing::info!(%hash, amount_msat, %deadline, "a payment is held");
                self.emit(Event::PaymentHeld { hash, amount: Msat::new(amount_msat), claim_deadline: deadline });
            }
            Arrived::Held(false) => {}
            Arrived::Claim(preimage) => self.channel_manager.claim_funds(PaymentPreimage(preimage.0)),
            Arrived::Refuse => {
                tracing::info!(%hash, amount_msat, "a payment for a hold invoice that is over is refused");
                self.fail_back([hash]);
            }
        }
        true
    }

    /// At each tip: what was held for too long goes back.
    pub(super) fn fail_late_holds(&self, tip: BtcHeight) {
        let late = self.book.holds_timed_out(tip);
        if !late.is_empty() {
            tracing::warn!(?late, %tip, "held payments go back to the payers: nobody settled them in time");
            self.fail_back(late);
        }
    }

    /// At the start, once LDK's kept events are handled: what the book knows and LDK may not.
    pub(super) fn resume_holds(&self) {
        let tip = self.height_of_channels();
        let channels = self.channel_manager.list_channels();
        let open: BTreeSet<ChannelId> = channels.iter().map(|channel| ChannelId(channel.channel_id.0)).collect();
        let parts = channels.iter().flat_map(|channel| &channel.pending_inbound_htlcs);
        let waiting: BTreeSet<PaymentHash> = parts.map(|htlc| PaymentHash(htlc.payment_hash.0)).collect();
        for hold in self.holds() {
            match hold.state {
                HoldState::Settling { held, preimage } => {
                    self.channel_manager.claim_funds(PaymentPreimage(preimage.0));
                    let gone = !waiting.contains(&hold.hash) && held.channels.iter().all(|id| open.contains(id));
                    if gone && tip >= held.claim_deadline {
                        tracing::error!(hash = %hold.hash, "the node was away for too long to claim a held payment");
                        self.book.hold_came_too_late(hold.hash, tip);
                    }
                }
                HoldState::Cancelled | HoldState::TimedOut { .. } if waiting.contains(&hold.hash) => {
                    self.fail_back([hold.hash]);
                }
                _ => {}
            }
        }
        self.fail_late_holds(tip);
    }

    /// It leaves when messages are let out next: not here, where an event may be under way.
    fn fail_back(&self, hashes: impl IntoIterator<Item = PaymentHash>) {
        for hash in hashes {
            self.channel_manager.fail_htlc_backwards(&LdkPaymentHash(hash.0));
        }
    }

    /// The tip that decides for LDK.
    fn height_of_channels(&self) -> BtcHeight {
        BtcHeight::new(self.channel_manager.current_best_block().height)
    }
}
