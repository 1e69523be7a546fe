//! Paying a node that has asked for nothing (keysend): the payer makes the preimage and sends it along.

use super::Node;
use crate::book::now;
use crate::{Direction, PayError, PayLimits, Payment, PaymentHash, PaymentKind, Preimage};
use bitcoin::secp256k1::PublicKey;
use lightning::ln::channelmanager::{MIN_FINAL_CLTV_EXPIRY_DELTA, PaymentId, RecipientOnionFields};
use lightning::routing::router::PaymentParameters;
use lightning::sign::EntropySource;
use lightning::types::payment::PaymentPreimage;
use windlass_types::Msat;

/// Blocks from the payment to its timeout: LDK's least, and some that may be found on the way.
const FINAL_CLTV_DELTA: u32 = MIN_FINAL_CLTV_EXPIRY_DELTA as u32 + 6;

impl Node {
    /// Starts to pay `payee` without an invoice; [`Self::wait_payment`] tells how it ends.
    ///
    /// # Errors
    /// See [`PayError`]; nothing was sent then.
    pub async fn keysend(&self, payee: PublicKey, amount: Msat, limits: &PayLimits) -> Result<PaymentHash, PayError> {
        if payee == self.node_id() {
            return Err(PayError::Ourselves);
        }
        if amount == Msat::ZERO {
            return Err(PayError::AmountMissing);
        }
        let preimage = Preimage(self.keys.get_secure_random_bytes());
        let hash = preimage.hash();
        let parameters = self.keysend_parameters(payee, amount);
        let payment = Payment {
            payee: Some(payee),
            ..Payment::begun(hash, Direction::Out, PaymentKind::Keysend, Some(amount), now())
        };
        let send = || {
            self.book.put_payment(payment.clone());
            let (word, onion) = (PaymentPreimage(preimage.0), RecipientOnionFields::spontaneous_empty());
            let route = limits.route(parameters.clone(), amount);
            let id = PaymentId(hash.0);
            self.channel_manager.send_spontaneous_payment(Some(word), onion, id, route, limits.retry()).map(drop)
        };
        let sent = self.send_with_room(Some(&parameters), amount, limits, send).await?;
        self.started(hash, &parameters, amount, limits, sent)
    }

    /// In one part, unless it takes more: not every node takes a keysend in parts.
    pub(super) fn keysend_parameters(&self, payee: PublicKey, amount: Msat) -> PaymentParameters {
        let channels = self.channel_manager.list_usable_channels();
        let in_parts = channels.iter().all(|channel| channel.next_outbound_htlc_limit_msat < amount.get());
        PaymentParameters::for_keysend(payee, FINAL_CLTV_DELTA, in_parts)
    }
}
