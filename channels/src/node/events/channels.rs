//! What happens to channels: opened, ready, closed.

use crate::book::{Closed, Facts, Opening, Pages, Row};
use crate::node::Node;
use crate::node::batch::BatchPart;
use crate::{BackupError, ChannelId, CloseKind, Event};
use bitcoin::{OutPoint, ScriptBuf};
use lightning::events::{ClosureReason, Event as LdkEvent, FundingInfo, InboundChannelFunds};
use lightning::ln::types::ChannelId as LdkChannelId;

impl Node {
    pub(super) fn handle_channel(&self, event: LdkEvent, replay: bool) {
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
                self.pending(ChannelId(channel_id.0), user_channel_id, funding_txo, replay);
            }
            LdkEvent::ChannelReady { channel_id, funding_txo, .. } => {
                let channel = ChannelId(channel_id.0);
                self.note_short_ids();
                self.announce_now();
                if !replay {
                    self.emit(self.ready_or_spliced(channel, funding_txo));
                }
            }
            LdkEvent::ChannelClosed { channel_id, user_channel_id, reason, last_local_balance_msat, .. } => {
                let balance_msat = last_local_balance_msat.unwrap_or(0);
                self.closed(ChannelId(channel_id.0), user_channel_id, &reason, balance_msat, replay);
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
        let part = BatchPart { temporary, peer, user_id, script: script.clone(), amount };
        if self.take_batch_part(part) {
            return;
        }
        let built = self.build_funding(&[(script.clone(), amount)]);
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
        if let Err(error) = self.back_up_funding(peer, user_id, &built.transaction, script) {
            self.parts.wallet.release(&built.transaction);
            return self.give_up_opening(temporary, peer, user_id, error.to_string());
        }
        let given = self.channel_manager.funding_transaction_generated(temporary, peer, built.transaction.clone());
        if let Err(error) = given {
            self.parts.wallet.release(&built.transaction);
            self.give_up_opening(temporary, peer, user_id, format!("{error:?}"));
        }
    }

    /// Before the funding can leave: a backup that names the channel.
    pub(in crate::node) fn back_up_funding(
        &self,
        peer: bitcoin::secp256k1::PublicKey,
        user_id: u128,
        transaction: &bitcoin::Transaction,
        script: &ScriptBuf,
    ) -> Result<(), BackupError> {
        let outputs = (0..).zip(&transaction.output);
        let vout = outputs.into_iter().find(|(_, output)| output.script_pubkey == *script).map_or(0, |(vout, _)| vout);
        let funding = OutPoint::new(transaction.compute_txid(), vout);
        self.book.write(|pages| {
            let Some(opening) = pages.openings.get(&user_id) else { return vec![] };
            let facts = Facts::of_opening(opening, user_id, funding);
            pages.funding_now.insert(channel_id(funding), facts);
            vec![]
        });
        let saved = self.save_backup();
        self.book.read().funding_now.remove(&channel_id(funding));
        tracing::debug!(%peer, %funding, "the backup names a channel before it is funded");
        saved
    }

    pub(in crate::node) fn give_up_opening(
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
            fail(pages, user_id, reason);
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
        let accepted = if self.config.zero_conf_peers.contains(&peer) {
            self.channel_manager.accept_inbound_channel_from_trusted_peer_0conf(&temporary, &peer, user_id, None)
        } else {
            self.channel_manager.accept_inbound_channel(&temporary, &peer, user_id, None)
        };
        if let Err(error) = accepted {
            tracing::info!(%peer, ?error, "a channel is not accepted");
            self.opening_failed(user_id, format!("{error:?}"));
        }
    }

    fn pending(&self, channel: ChannelId, user_id: u128, funding: OutPoint, replay: bool) {
        self.book.write(|pages| {
            let Some(opening) = pages.openings.get_mut(&user_id) else { return vec![] };
            opening.channel = Some(channel);
            let facts = Facts::of_opening(opening, user_id, funding);
            pages.facts.entry(channel).or_insert(facts);
            vec![Row::Opening(user_id), Row::Facts(channel)]
        });
        self.refresh_backup();
        self.note_short_ids();
        if !replay {
            self.emit(Event::ChannelPending { channel });
        }
    }

    fn closed(&self, channel: ChannelId, user_id: u128, reason: &ClosureReason, balance_msat: u64, replay: bool) {
        let text = reason.to_string();
        tracing::info!(%channel, reason = text, "a channel is closed");
        self.book.write(|pages| {
            let mut touched = Vec::new();
            if let Some(facts) = pages.facts.get_mut(&channel) {
                facts.closed.get_or_insert(Closed { kind: kind(reason), reason: text.clone(), balance_msat });
                touched.push(Row::Facts(channel));
            }
            if pages.openings.get(&user_id).is_some_and(|opening| opening.channel.is_none()) {
                fail(pages, user_id, text.clone());
                touched.push(Row::Opening(user_id));
            }
            touched
        });
        self.end_splicing(channel);
        self.refresh_backup();
        // Who opens and never funds could fill the journal otherwise.
        let was_one = {
            let pages = self.book.read();
            pages.facts.contains_key(&channel) || pages.openings.get(&user_id).is_some_and(|opening| opening.we_funded)
        };
        if !replay && was_one {
            self.emit(Event::ChannelClosed { channel, reason: text });
        }
    }
}

/// The id that a channel gets from its funding output (BOLT 2).
fn channel_id(funding: OutPoint) -> ChannelId {
    let of_ldk = lightning::chain::transaction::OutPoint {
        txid: funding.txid,
        // LDK's outputs are numbered with 16 bits, as BOLT 2's are.
        index: u16::try_from(funding.vout).unwrap_or(u16::MAX),
    };
    ChannelId(LdkChannelId::v1_from_funding_outpoint(of_ldk).0)
}

/// An opening of ours failed, and somebody waits for the reason. One of a peer is forgotten: any
/// stranger can make as many as it likes.
fn fail(pages: &mut Pages, user_id: u128, reason: String) {
    match pages.openings.get_mut(&user_id) {
        Some(opening) if opening.we_funded => {
            opening.failed.get_or_insert(reason);
        }
        Some(_) => {
            pages.openings.remove(&user_id);
        }
        None => {}
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
