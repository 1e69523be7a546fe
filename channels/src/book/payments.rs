//! Payments and what they moved.

use super::{Book, Flow, Pages, Row};
use crate::{ChannelId, Direction, Forward, Payment, PaymentFailure, PaymentHash, PaymentKind, PaymentState, Preimage};
use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::Notify;
use windlass_types::Msat;

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

impl Book {
    pub(crate) fn payment(&self, direction: Direction, hash: PaymentHash) -> Option<Payment> {
        self.read().payments.get(&(direction, hash)).cloned()
    }

    pub(crate) fn put_payment(&self, payment: Payment) {
        let (direction, hash) = (payment.direction, payment.hash);
        self.write(|pages| {
            pages.payments.insert((direction, hash), payment);
            [Row::Payment(direction, hash)]
        });
    }

    /// Our payment arrived. True the first time.
    pub(crate) fn payment_sent(
        &self,
        hash: PaymentHash,
        preimage: [u8; 32],
        amount: Option<u64>,
        fee: Option<u64>,
    ) -> bool {
        let lock = Preimage(preimage).hash();
        let mut first = false;
        self.settle(Direction::Out, hash, |payment| {
            first = !matches!(payment.state, PaymentState::Succeeded { .. });
            payment.locked_to = (lock != hash && payment.asked_by != PaymentKind::Invoice).then_some(lock);
            payment.state = PaymentState::Succeeded { preimage: Some(hex::encode(preimage)) };
            payment.fee = fee.map(Msat::new);
            payment.amount = amount.map(Msat::new).or(payment.amount);
        });
        first
    }

    /// Our payment failed. One that is known to have arrived stays so.
    pub(crate) fn payment_failed(&self, hash: PaymentHash, reason: PaymentFailure) {
        self.settle(Direction::Out, hash, |payment| {
            if !matches!(payment.state, PaymentState::Succeeded { .. }) {
                payment.state = PaymentState::Failed { reason };
            }
        });
    }

    /// We were paid. True the first time: LDK says it again after a restart, as long as a monitor has
    /// the payment, and in other words. An invoice is paid once, so that is all it takes.
    pub(crate) fn payment_received(&self, hash: PaymentHash, preimage: Option<[u8; 32]>, amount: u64) -> bool {
        let mut first = false;
        self.settle(Direction::In, hash, |payment| {
            first = !matches!(payment.state, PaymentState::Succeeded { .. });
            if first {
                payment.state = PaymentState::Succeeded { preimage: preimage.map(hex::encode) };
                payment.amount = Some(Msat::new(amount));
                payment.fee = Some(Msat::ZERO);
            }
        });
        first
    }

    /// A part of our payment arrived: `value_msat` for the payee. False if it was counted before: LDK may
    /// say it again after a restart, and all parts together are never more than the payment.
    pub(crate) fn part_arrived(&self, hash: PaymentHash, value_msat: u64) -> bool {
        let mut fits = false;
        self.write(|pages| {
            let all = pages.payments.get(&(Direction::Out, hash)).and_then(|payment| payment.amount);
            let counted = pages.arrived.entry(hash).or_default();
            let sum = counted.saturating_add(value_msat);
            fits = all.is_none_or(|all| sum <= all.get());
            if fits {
                *counted = sum;
            }
            [Row::Arrived(hash)]
        });
        fits
    }

    /// Waits until `look` finds what it wants in a payment; only that payment's end wakes it. `None` at
    /// `deadline`.
    pub(crate) async fn wait_payment(
        &self,
        direction: Direction,
        hash: PaymentHash,
        deadline: tokio::time::Instant,
        mut look: impl FnMut(&Payment) -> bool,
    ) -> Option<Payment> {
        let key = (direction, hash);
        let notify = Arc::clone(self.waiting().entry(key).or_default());
        let found = loop {
            let notified = notify.notified();
            if let Some(payment) = self.payment(direction, hash).filter(&mut look) {
                break Some(payment);
            }
            if tokio::time::timeout_at(deadline, notified).await.is_err() {
                break None;
            }
        };
        let mut waiting = self.waiting();
        // The map's and ours: nobody else waits.
        if Arc::strong_count(&notify) <= 2 {
            waiting.remove(&key);
        }
        found
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeMap<(Direction, PaymentHash), Arc<Notify>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settle(&self, direction: Direction, hash: PaymentHash, change: impl FnOnce(&mut Payment)) {
        self.write(|pages| {
            let payment = pages
                .payments
                .entry((direction, hash))
                .or_insert_with(|| Payment::begun(hash, direction, PaymentKind::Invoice, None, now()));
            change(payment);
            payment.settled_at.get_or_insert_with(now);
            [Row::Payment(direction, hash)]
        });
        if let Some(waiting) = self.waiting().get(&(direction, hash)) {
            waiting.notify_waiters();
        }
    }

    /// A payment of others went through.
    pub(crate) fn forwarded(&self, forward: Forward) {
        self.write(|pages| {
            let number = pages.forwards.last_key_value().map_or(0, |(last, _)| last.saturating_add(1));
            pages.forwards.insert(number, forward);
            [Row::Forward(number)]
        });
    }

    /// Adds to what moved over `channel`.
    pub(crate) fn flow(&self, channel: ChannelId, change: impl FnOnce(&mut Flow)) {
        self.write(|pages| {
            change(pages.flows.entry(channel).or_default());
            [Row::Flow(channel)]
        });
    }
}

impl Pages {
    /// What payees have of payments whose path LDK never called successful, at most `limit_msat` of it: a
    /// channel was closed between the preimage and the end of the exchange that takes the payment off it.
    pub(crate) fn unfinished_msat(&self, limit_msat: u64) -> u64 {
        if limit_msat == 0 {
            return 0;
        }
        let sent = self.payments.values().filter(|payment| {
            payment.direction == Direction::Out && matches!(payment.state, PaymentState::Succeeded { .. })
        });
        let rest = |payment: &Payment| {
            let amount = payment.amount.map_or(0, Msat::get);
            let arrived = self.arrived.get(&payment.hash).copied().unwrap_or(0);
            let fee = if arrived == 0 { payment.fee.map_or(0, Msat::get) } else { 0 };
            if arrived < amount { (amount - arrived).saturating_add(fee) } else { 0 }
        };
        // The first to be sent are the first to be off the commitment.
        let mut rests: Vec<(u64, u64)> = sent.map(|payment| (payment.created_at, rest(payment))).collect();
        rests.sort_unstable();
        rests.iter().fold(0, |sum, (_, rest)| match sum.saturating_add(*rest) {
            more if more <= limit_msat => more,
            _ => sum,
        })
    }

    /// The channel that a path named by `scid`.
    pub(crate) fn by_scid(&self, scid: u64) -> Option<ChannelId> {
        // Aliases are unique only within a node and its peers; newer channels win.
        self.facts.iter().find(|(_, facts)| facts.scids.contains(&scid)).map(|(id, _)| *id)
    }
}
