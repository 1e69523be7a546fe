//! LDK's events.
//!
//! An event may come twice: again after a crash, if the manager on the disk still had it. Most of
//! what is done here can be done twice. What adds up is guarded by [`crate::book::Book::is_replay`].

mod channels;
mod payments;
mod splices;

use super::Node;
use crate::ChannelId;
use crate::book::{Claim, ClaimKind};
use lightning::events::bump_transaction::BumpTransactionEvent;
use lightning::events::{Event as LdkEvent, ReplayEvent};
use lightning::ln::types::ChannelId as LdkChannelId;
use lightning::sign::SpendableOutputDescriptor;
use lightning::util::ser::Writeable;
use std::sync::Arc;

impl Node {
    /// Handles one event. The book is written with the next commit, all of what is noted here at
    /// once, and that one comes before anything that LDK does because the event was handled.
    pub(super) fn handle(self: &Arc<Self>, event: LdkEvent) -> Result<(), ReplayEvent> {
        tracing::debug!(?event, "event");
        self.learn(&event);
        let turn = self.book.turn();
        let replay = self.book.is_replay(&event.encode());
        match event {
            LdkEvent::FundingGenerationReady { .. }
            | LdkEvent::OpenChannelRequest { .. }
            | LdkEvent::ChannelPending { .. }
            | LdkEvent::ChannelReady { .. }
            | LdkEvent::ChannelClosed { .. }
            | LdkEvent::DiscardFunding { .. } => self.handle_channel(event, replay),
            LdkEvent::FundingTransactionReadyForSigning { .. }
            | LdkEvent::SplicePending { .. }
            | LdkEvent::SpliceFailed { .. } => self.handle_splice(event, replay),
            event if is_payment(&event) => self.handle_payment(event, replay),
            LdkEvent::SpendableOutputs { outputs, channel_id } => self.spendable(outputs, channel_id)?,
            LdkEvent::BumpTransaction(event) => self.bump(&event),
            LdkEvent::ConnectionNeeded { node_id, .. } => {
                let node = Arc::clone(self);
                // Other events don't wait for a peer that may not answer.
                tokio::spawn(async move {
                    if let Err(error) = node.connect_to(node_id).await {
                        tracing::info!(%error, "a peer that LDK needs can't be reached");
                    }
                });
            }
            other => tracing::debug!(event = ?other, "nothing to do"),
        }
        drop(turn);
        self.book.touch();
        Ok(())
    }

    /// Handles a payment's event while messages are about to leave. For all others the loop is asked to come.
    /// The peers are locked here: nothing that is called may ask the `PeerManager` for them.
    pub(super) fn handle_at_gate(self: &Arc<Self>, event: LdkEvent) -> Result<(), ReplayEvent> {
        if !is_payment(&event) {
            return Err(ReplayEvent());
        }
        self.handle(event)
    }

    /// Outputs that are ours and free to be spent: the sweeper brings them to the wallet.
    fn spendable(
        &self,
        outputs: Vec<SpendableOutputDescriptor>,
        channel: Option<LdkChannelId>,
    ) -> Result<(), ReplayEvent> {
        let outputs = self.not_taken(outputs, channel);
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

    /// Without those that the peer took already, because we had published a revoked state: LDK still calls
    /// them ours when their delay is over, and one such coin would spoil the sweep of all others.
    fn not_taken(
        &self,
        outputs: Vec<SpendableOutputDescriptor>,
        channel: Option<LdkChannelId>,
    ) -> Vec<SpendableOutputDescriptor> {
        let pages = self.book.read();
        let Some(trace) = channel.and_then(|id| pages.traces.get(&ChannelId(id.0))) else { return outputs };
        let taken = |output: &SpendableOutputDescriptor| {
            let outpoint = match output {
                SpendableOutputDescriptor::StaticOutput { outpoint, .. } => outpoint,
                SpendableOutputDescriptor::DelayedPaymentOutput(output) => &output.outpoint,
                SpendableOutputDescriptor::StaticPaymentOutput(output) => &output.outpoint,
            };
            trace.taken.contains_key(&outpoint.into_bitcoin_outpoint())
        };
        outputs.into_iter().filter(|output| !taken(output)).collect()
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

const fn is_payment(event: &LdkEvent) -> bool {
    matches!(
        event,
        LdkEvent::PaymentClaimable { .. }
            | LdkEvent::PaymentClaimed { .. }
            | LdkEvent::PaymentSent { .. }
            | LdkEvent::PaymentFailed { .. }
            | LdkEvent::PaymentPathSuccessful { .. }
            | LdkEvent::PaymentForwarded { .. }
            | LdkEvent::ProbeSuccessful { .. }
            | LdkEvent::ProbeFailed { .. }
    )
}
