//! LDK's events.
//!
//! An event may come twice: again after a crash, if the manager on the disk still had it. Most of
//! what is done here can be done twice. What adds up is guarded by [`crate::book::Book::is_replay`].

use super::Node;
use crate::book::{Claim, ClaimKind, Closed, Facts, Opening, Row};
use crate::{ChannelId, CloseKind, Direction, Event, PaymentFailure, PaymentHash, PaymentState};
use bitcoin::{OutPoint, ScriptBuf};
use lightning::events::bump_transaction::BumpTransactionEvent;
use lightning::events::{
    ClosureReason, Event as LdkEvent, FundingInfo, InboundChannelFunds, PaymentFailureReason, PaymentPurpose,
    ReplayEvent,
};
use lightning::ln::types::ChannelId as LdkChannelId;
use lightning::sign::SpendableOutputDescriptor;
use lightning::util::ser::Writeable;
use windlass_chain::Quantity;
use windlass_types::Msat;

impl Node {
    /// Handles one event. The book is written with the next commit, and that one comes before
    /// anything that LDK does because the event was handled.
    pub(super) async fn handle(&self, event: LdkEvent) -> Result<(), ReplayEvent> {
        tracing::debug!(?event, "event");
        match event {
            LdkEvent::FundingGenerationReady { .. }
            | LdkEvent::OpenChannelRequest { .. }
            | LdkEvent::ChannelPending { .. }
            | LdkEvent::ChannelReady { .. }
            | LdkEvent::ChannelClosed { .. }
            | LdkEvent::DiscardFunding { .. } => self.handle_channel(event),
            LdkEvent::PaymentClaimable { .. }
            | LdkEvent::PaymentClaimed { .. }
            | LdkEvent::PaymentSent { .. }
            | LdkEvent::PaymentFailed { .. }
            | LdkEvent::PaymentPathSuccessful { .. }
            | LdkEvent::PaymentForwarded { .. } => self.handle_payment(event),
            LdkEvent::SpendableOutputs { outputs, channel_id } => self.spendable(outputs, channel_id)?,
            LdkEvent::BumpTransaction(event) => self.bump(&event),
            LdkEvent::ConnectionNeeded { node_id, .. } => {
                if let Err(error) = self.connect_to(node_id).await {
                    tracing::info!(%error, "a peer that LDK needs can't be reached");
                }
            }
            other => tracing::debug!(event = ?other, "nothing to do"),
        }
        self.book.touch();
        Ok(())
    }

    fn handle_channel(&self, event: LdkEvent) {
        match event {
            LdkEvent::FundingGenerationReady {
                temporary_channel_id,
                counterparty_node_id: peer,
                channel_value_satoshis,
                output_script,
                user_channel_id,
            } => self.fund(temporary_channel_id, peer, channel_value_satoshis, &output_script, user_channel_id),
            LdkEvent::OpenChannelRequest {
                temporary_channel_id,
                counterparty_node_id: peer,
                funding_satoshis,
                channel_negotiation_type,
                is_announced,
                ..
            } => {
                let push_msat = match channel_negotiation_type {
                    InboundChannelFunds::PushMsat(push) => push,
                    InboundChannelFunds::DualFunded => 0,
                };
                let opening = Opening {
                    peer,
                    capacity_sat: funding_satoshis,
                    push_msat,
                    we_funded: false,
                    announce: is_announced,
                    funding: None,
                    failed: None,
                    channel: None,
                };
                self.answer_request(temporary_channel_id, opening);
            }
            LdkEvent::ChannelPending { channel_id, user_channel_id, funding_txo, .. } => {
                self.pending(ChannelId(channel_id.0), user_channel_id, funding_txo);
            }
            LdkEvent::ChannelReady { channel_id, .. } => {
                let channel = ChannelId(channel_id.0);
                self.note_short_ids();
                self.announce_now();
                self.emit(Event::ChannelReady { channel });
            }
            LdkEvent::ChannelClosed { channel_id, user_channel_id, reason, last_local_balance_msat, .. } => {
                self.closed(ChannelId(channel_id.0), user_channel_id, &reason, last_local_balance_msat.unwrap_or(0));
            }
            LdkEvent::DiscardFunding { funding_info: FundingInfo::Tx { transaction }, .. } => {
                self.parts.wallet.release(&transaction);
            }
            _ => {}
        }
    }

    /// Makes the funding transaction. LDK broadcasts it when the peer has signed our way back.
    fn fund(
        &self,
        temporary: LdkChannelId,
        peer: bitcoin::secp256k1::PublicKey,
        value_sat: u64,
        script: &ScriptBuf,
        user_id: u128,
    ) {
        let amount = bitcoin::Amount::from_sat(value_sat);
        let built = self.parts.wallet.build(script, Quantity::Exact(amount), self.funding_rate());
        let built = match built {
            Ok(built) => built,
            Err(error) => return self.give_up_opening(temporary, peer, user_id, error.to_string()),
        };
        self.book.write(|pages| {
            if let Some(opening) = pages.openings.get_mut(&user_id) {
                opening.funding = Some((built.transaction.compute_txid(), built.fee.to_sat()));
            }
            [Row::Opening(user_id)]
        });
        let given = self.channel_manager.funding_transaction_generated(temporary, peer, built.transaction.clone());
        if let Err(error) = given {
            self.parts.wallet.release(&built.transaction);
            self.give_up_opening(temporary, peer, user_id, format!("{error:?}"));
        }
    }

    fn give_up_opening(
        &self,
        temporary: LdkChannelId,
        peer: bitcoin::secp256k1::PublicKey,
        user_id: u128,
        reason: String,
    ) {
        tracing::warn!(%peer, reason, "the channel is not opened");
        let message = "the funding transaction could not be made".to_owned();
        // It may be gone already.
        let _ = self.channel_manager.force_close_broadcasting_latest_txn(&temporary, &peer, message);
        self.opening_failed(user_id, reason);
    }

    fn opening_failed(&self, user_id: u128, reason: String) {
        self.book.write(|pages| {
            if let Some(opening) = pages.openings.get_mut(&user_id) {
                opening.failed.get_or_insert(reason);
            }
            [Row::Opening(user_id)]
        });
    }

    /// Accepts a peer's channel, if the wallet could lift the fee of its close.
    fn answer_request(&self, temporary: LdkChannelId, opening: Opening) {
        let peer = opening.peer;
        let have = self.parts.wallet.balance().spendable();
        // LDK does not list a channel that is not accepted yet.
        let need = self.reserve_for(self.channels_with_reserve().saturating_add(1));
        if have < need {
            let message =
                format!("I have {have} on chain and need {need}, to lift the fees of closes by force: fund me first");
            let _ = self.channel_manager.force_close_broadcasting_latest_txn(&temporary, &peer, message);
            return;
        }
        let user_id = self.new_user_id();
        self.book.write(|pages| {
            pages.openings.insert(user_id, opening);
            [Row::Opening(user_id)]
        });
        if let Err(error) = self.channel_manager.accept_inbound_channel(&temporary, &peer, user_id, None) {
            tracing::info!(%peer, ?error, "a channel is not accepted");
            self.opening_failed(user_id, format!("{error:?}"));
        }
    }

    fn pending(&self, channel: ChannelId, user_id: u128, funding: OutPoint) {
        self.book.write(|pages| {
            let Some(opening) = pages.openings.get_mut(&user_id) else { return vec![] };
            opening.channel = Some(channel);
            pages.facts.entry(channel).or_insert_with(|| Facts {
                user_id,
                peer: opening.peer,
                funding,
                capacity_sat: opening.capacity_sat,
                push_msat: opening.push_msat,
                we_funded: opening.we_funded,
                announce: opening.announce,
                scids: Vec::new(),
                closed: None,
            });
            vec![Row::Opening(user_id), Row::Facts(channel)]
        });
        self.note_short_ids();
        self.emit(Event::ChannelPending { channel });
    }

    fn closed(&self, channel: ChannelId, user_id: u128, reason: &ClosureReason, balance_msat: u64) {
        let text = reason.to_string();
        tracing::info!(%channel, reason = text, "a channel is closed");
        self.book.write(|pages| {
            let mut touched = Vec::new();
            if let Some(facts) = pages.facts.get_mut(&channel) {
                facts.closed.get_or_insert(Closed { kind: kind(reason), reason: text.clone(), balance_msat });
                touched.push(Row::Facts(channel));
            }
            if let Some(opening) = pages.openings.get_mut(&user_id)
                && opening.channel.is_none()
            {
                opening.failed.get_or_insert(text.clone());
                touched.push(Row::Opening(user_id));
            }
            touched
        });
        self.emit(Event::ChannelClosed { channel, reason: text });
    }

    fn handle_payment(&self, event: LdkEvent) {
        let encoded = event.encode();
        match event {
            LdkEvent::PaymentClaimable { payment_hash, purpose, amount_msat, .. } => {
                self.claimable(PaymentHash(payment_hash.0), &purpose, amount_msat);
            }
            LdkEvent::PaymentClaimed { payment_hash, amount_msat, htlcs, purpose, .. } => {
                let hash = PaymentHash(payment_hash.0);
                let preimage = purpose.preimage().map(|preimage| preimage.0);
                if self.book.payment_received(hash, preimage, amount_msat) {
                    for htlc in htlcs {
                        self.book.flow(ChannelId(htlc.channel_id.0), |flow| flow.received_msat += htlc.value_msat);
                    }
                }
                self.emit(Event::PaymentReceived { hash, amount: Msat::new(amount_msat) });
            }
            LdkEvent::PaymentSent { payment_preimage, payment_hash, amount_msat, fee_paid_msat, .. } => {
                let hash = PaymentHash(payment_hash.0);
                self.book.payment_sent(hash, payment_preimage.0, amount_msat, fee_paid_msat);
                self.emit(Event::PaymentSent { hash });
            }
            LdkEvent::PaymentFailed { payment_id, reason, .. } => {
                // A payment's id is its hash: see `pay`.
                let hash = PaymentHash(payment_id.0);
                let reason = failure(reason);
                self.book.payment_failed(hash, reason.clone());
                self.emit(Event::PaymentFailed { hash, reason });
            }
            LdkEvent::PaymentPathSuccessful { payment_id, path, .. } => {
                let Some(first) = path.hops.first() else { return };
                let fee = path.fee_msat();
                let sent = path.final_value_msat().saturating_add(fee);
                let Some(channel) = self.channel_of_hop(first.short_channel_id, first.pubkey) else {
                    tracing::error!(scid = first.short_channel_id, "a payment went over an unknown channel");
                    return;
                };
                let replay = self.book.is_replay(&encoded);
                if !replay && self.book.part_arrived(PaymentHash(payment_id.0), path.final_value_msat()) {
                    self.book.flow(channel, |flow| {
                        flow.sent_msat += sent;
                        flow.routing_fees_msat += fee;
                    });
                }
            }
            LdkEvent::PaymentForwarded {
                prev_channel_id,
                next_channel_id,
                total_fee_earned_msat,
                outbound_amount_forwarded_msat,
                ..
            } => {
                let fee = total_fee_earned_msat.unwrap_or(0);
                let out = outbound_amount_forwarded_msat.unwrap_or(0);
                if !self.book.is_replay(&encoded) {
                    if let Some(id) = prev_channel_id {
                        self.book.flow(ChannelId(id.0), |flow| flow.forwarded_in_msat += out + fee);
                    }
                    if let Some(id) = next_channel_id {
                        self.book.flow(ChannelId(id.0), |flow| flow.forwarded_out_msat += out);
                    }
                }
                self.emit(Event::PaymentForwarded { fee: Msat::new(fee) });
            }
            _ => {}
        }
    }

    /// Money that only waits for our word. An invoice is paid once.
    fn claimable(&self, hash: PaymentHash, purpose: &PaymentPurpose, amount_msat: u64) {
        let invoice = self.book.payment(Direction::In, hash);
        let open = invoice.as_ref().is_some_and(|invoice| invoice.state == PaymentState::Pending);
        match purpose.preimage() {
            Some(preimage) if open => self.channel_manager.claim_funds(preimage),
            _ => {
                tracing::info!(%hash, amount_msat, "a payment for no open invoice is refused");
                self.channel_manager.fail_htlc_backwards(&lightning::types::payment::PaymentHash(hash.0));
            }
        }
    }

    fn channel_of_hop(&self, scid: u64, peer: bitcoin::secp256k1::PublicKey) -> Option<ChannelId> {
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

    /// Outputs that are ours and free to be spent: the sweeper brings them to the wallet.
    fn spendable(
        &self,
        outputs: Vec<SpendableOutputDescriptor>,
        channel: Option<LdkChannelId>,
    ) -> Result<(), ReplayEvent> {
        if let Some(id) = channel {
            let claims = outputs.iter().filter_map(|output| match output {
                // It pays the wallet already.
                SpendableOutputDescriptor::StaticOutput { .. } => None,
                SpendableOutputDescriptor::DelayedPaymentOutput(output) => Some(Claim {
                    outpoint: output.outpoint.into_bitcoin_outpoint(),
                    value_sat: output.output.value.to_sat(),
                    kind: ClaimKind::Delayed,
                }),
                SpendableOutputDescriptor::StaticPaymentOutput(output) => Some(Claim {
                    outpoint: output.outpoint.into_bitcoin_outpoint(),
                    value_sat: output.output.value.to_sat(),
                    kind: ClaimKind::Remote,
                }),
            });
            self.book.claim(ChannelId(id.0), claims);
        }
        self.sweeper.track_spendable_outputs(outputs, channel, true, None).map_err(|()| ReplayEvent())?;
        self.sweep();
        Ok(())
    }

    /// Lifts the fee of what must confirm, with coins of the wallet.
    fn bump(&self, event: &BumpTransactionEvent) {
        let (id, claims): (_, Vec<Claim>) = match event {
            BumpTransactionEvent::ChannelClose { channel_id, anchor_descriptor, .. } => {
                let outpoint = anchor_descriptor.outpoint;
                let value_sat = anchor_descriptor.value.to_sat();
                (channel_id, vec![Claim { outpoint, value_sat, kind: ClaimKind::Anchor }])
            }
            BumpTransactionEvent::HTLCResolution { channel_id, htlc_descriptors, .. } => {
                let claims = htlc_descriptors.iter().map(|htlc| Claim {
                    outpoint: htlc.outpoint(),
                    value_sat: htlc.htlc.amount_msat / 1000,
                    kind: ClaimKind::Htlc,
                });
                (channel_id, claims.collect())
            }
        };
        self.book.claim(ChannelId(id.0), claims);
        self.bumper.handle_event(event);
    }
}

fn kind(reason: &ClosureReason) -> CloseKind {
    match reason {
        ClosureReason::LegacyCooperativeClosure
        | ClosureReason::CounterpartyInitiatedCooperativeClosure
        | ClosureReason::LocallyInitiatedCooperativeClosure => CloseKind::Cooperative,
        ClosureReason::CommitmentTxConfirmed => CloseKind::ForcedByPeer,
        ClosureReason::FundingTimedOut
        | ClosureReason::DisconnectedPeer
        | ClosureReason::CounterpartyCoopClosedUnfundedChannel
        | ClosureReason::LocallyCoopClosedUnfundedChannel
        | ClosureReason::FundingBatchClosure => CloseKind::NeverFunded,
        ClosureReason::CounterpartyForceClosed { .. } => CloseKind::ForcedByPeer,
        ClosureReason::HolderForceClosed { .. }
        | ClosureReason::ProcessingError { .. }
        | ClosureReason::OutdatedChannelManager
        | ClosureReason::HTLCsTimedOut { .. }
        | ClosureReason::PeerFeerateTooLow { .. } => CloseKind::ForcedByUs,
    }
}

fn failure(reason: Option<PaymentFailureReason>) -> PaymentFailure {
    match reason {
        Some(PaymentFailureReason::RouteNotFound) => PaymentFailure::NoRoute,
        Some(PaymentFailureReason::RecipientRejected) => PaymentFailure::Refused,
        Some(PaymentFailureReason::RetriesExhausted) => PaymentFailure::Exhausted,
        Some(PaymentFailureReason::PaymentExpired | PaymentFailureReason::InvoiceRequestExpired) => {
            PaymentFailure::Expired
        }
        Some(PaymentFailureReason::UserAbandoned) => PaymentFailure::Abandoned,
        Some(other) => PaymentFailure::Other(format!("{other:?}")),
        None => PaymentFailure::Other("LDK gave no reason".into()),
    }
}
