//! Hold invoices.

use super::{Book, Row, now};
use crate::{Direction, Payment, PaymentState};
use crate::{Held, HoldError, HoldInvoice, HoldState, PaymentFailure, PaymentHash, Preimage};
use windlass_types::BtcHeight;

/// What to do with a payment for a hold invoice that has just become claimable.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Arrived {
    /// It waits; true if it did not before.
    Held(bool),
    /// The word was given before.
    Claim(Preimage),
    /// It goes back.
    Refuse,
}

impl Book {
    /// As it stands now.
    pub(crate) fn hold(&self, hash: PaymentHash) -> Option<HoldInvoice> {
        self.read().holds.get(&hash).cloned().map(|hold| hold.at(now()))
    }

    /// False if there is one with this hash.
    pub(crate) fn put_hold(&self, hold: HoldInvoice) -> bool {
        let mut is_new = false;
        self.write(|pages| {
            let hash = hold.hash;
            is_new = !pages.holds.contains_key(&hash);
            pages.holds.entry(hash).or_insert(hold);
            is_new.then_some(Row::Hold(hash))
        });
        is_new
    }

    /// A payment for `hash` is claimable until `held.claim_deadline`; the chain is at `tip`.
    pub(crate) fn hold_arrived(&self, hash: PaymentHash, held: Held, tip: BtcHeight) -> Arrived {
        let mut arrived = Arrived::Refuse;
        self.write(|pages| {
            let Some(hold) = pages.holds.get_mut(&hash) else { return vec![] };
            let now = now();
            match &hold.state {
                HoldState::Open if now <= hold.expires_at && tip < held.cancel_height => {
                    hold.state = HoldState::Held(held);
                    arrived = Arrived::Held(true);
                    return vec![Row::Hold(hash)];
                }
                // The node died before it had written this down, and comes back too late.
                HoldState::Open if tip >= held.cancel_height => {
                    hold.state = HoldState::TimedOut { height: tip };
                    give_up(pages.payments.get_mut(&(Direction::In, hash)), PaymentFailure::HeldTooLong);
                    return vec![Row::Hold(hash), Row::Payment(Direction::In, hash)];
                }
                // Said again after a restart.
                HoldState::Held(known) if tip < known.cancel_height => arrived = Arrived::Held(false),
                HoldState::Settling { preimage, .. } => arrived = Arrived::Claim(*preimage),
                _ => {}
            }
            vec![]
        });
        arrived
    }

    /// Gives the word, if it may be given at `tip`. True if there is something to claim.
    pub(crate) fn hold_settle(&self, hash: PaymentHash, preimage: Preimage, tip: BtcHeight) -> Result<bool, HoldError> {
        let mut result = Err(HoldError::Unknown(hash));
        self.write(|pages| {
            let hold = pages.holds.get_mut(&hash)?;
            let found = preimage.hash();
            if found != hash {
                result = Err(HoldError::WrongPreimage { hash, found });
                return None;
            }
            result = match &hold.state {
                HoldState::Held(held) if tip < held.cancel_height => {
                    hold.state = HoldState::Settling { held: held.clone(), preimage };
                    Ok(true)
                }
                HoldState::Settling { .. } => Ok(true),
                HoldState::Settled { .. } => Ok(false),
                HoldState::Held(_) => Err(HoldError::TimedOut { hash, height: tip }),
                HoldState::TimedOut { height } => Err(HoldError::TimedOut { hash, height: *height }),
                HoldState::Cancelled => Err(HoldError::Cancelled(hash)),
                HoldState::Open if now() > hold.expires_at => Err(HoldError::Expired(hash)),
                HoldState::Expired => Err(HoldError::Expired(hash)),
                HoldState::Open => Err(HoldError::NotPaid(hash)),
            };
            Some(Row::Hold(hash))
        });
        result
    }

    /// Calls it off. True if it was not before.
    pub(crate) fn hold_cancel(&self, hash: PaymentHash) -> Result<bool, HoldError> {
        let mut result = Err(HoldError::Unknown(hash));
        self.write(|pages| {
            let Some(hold) = pages.holds.get_mut(&hash) else { return vec![] };
            result = match hold.state {
                HoldState::Open | HoldState::Expired | HoldState::Held(_) => Ok(true),
                HoldState::Cancelled | HoldState::TimedOut { .. } => Ok(false),
                HoldState::Settling { .. } | HoldState::Settled { .. } => Err(HoldError::Settled(hash)),
            };
            if result != Ok(true) {
                return vec![];
            }
            hold.state = HoldState::Cancelled;
            give_up(pages.payments.get_mut(&(Direction::In, hash)), PaymentFailure::Cancelled);
            vec![Row::Hold(hash), Row::Payment(Direction::In, hash)]
        });
        result
    }

    /// The payments whose time is up at `tip`: from now on they are not held any more.
    pub(crate) fn holds_timed_out(&self, tip: BtcHeight) -> Vec<PaymentHash> {
        let mut late = Vec::new();
        if self.read().holds.is_empty() {
            return late;
        }
        self.write(|pages| {
            for (hash, hold) in &mut pages.holds {
                if matches!(&hold.state, HoldState::Held(held) if held.cancel_height <= tip) {
                    hold.state = HoldState::TimedOut { height: tip };
                    give_up(pages.payments.get_mut(&(Direction::In, *hash)), PaymentFailure::HeldTooLong);
                    late.push(*hash);
                }
            }
            late.iter().flat_map(|hash| [Row::Hold(*hash), Row::Payment(Direction::In, *hash)]).collect::<Vec<_>>()
        });
        late
    }

    /// A word that was written down, but came to nothing: the payment timed out while the node was away,
    /// before LDK had heard the word.
    pub(crate) fn hold_came_too_late(&self, hash: PaymentHash, tip: BtcHeight) {
        self.write(|pages| {
            let Some(hold) = pages.holds.get_mut(&hash) else { return vec![] };
            hold.state = HoldState::TimedOut { height: tip };
            give_up(pages.payments.get_mut(&(Direction::In, hash)), PaymentFailure::HeldTooLong);
            vec![Row::Hold(hash), Row::Payment(Direction::In, hash)]
        });
    }

    /// LDK has claimed it: the preimage that did.
    pub(crate) fn hold_claimed(&self, hash: PaymentHash, amount: windlass_types::Msat) -> Option<Preimage> {
        let mut used = None;
        self.write(|pages| {
            let hold = pages.holds.get_mut(&hash)?;
            match &hold.state {
                HoldState::Settling { preimage, .. } => used = Some(*preimage),
                HoldState::Settled { preimage, .. } => {
                    used = Some(*preimage);
                    return None;
                }
                other => {
                    tracing::error!(%hash, ?other, "a hold invoice was claimed without a word");
                    return None;
                }
            }
            hold.state = HoldState::Settled { amount, preimage: used? };
            Some(Row::Hold(hash))
        });
        used
    }
}

fn give_up(payment: Option<&mut Payment>, reason: PaymentFailure) {
    if let Some(payment) = payment
        && payment.state == PaymentState::Pending
    {
        payment.state = PaymentState::Failed { reason };
        payment.settled_at = Some(now());
    }
}
