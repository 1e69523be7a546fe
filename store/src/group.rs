//! Group commit: who comes while another one writes joins the next round, and a whole round
//! costs one fsync.

use crate::{StoreError, Writes};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a commit returns: the positions that its appends were given.
pub(crate) type Outcome = Result<Vec<u64>, StoreError>;

#[derive(Default)]
struct Queue {
    next_ticket: u64,
    waiting: Vec<(u64, Writes)>,
    done: BTreeMap<u64, Outcome>,
}

/// The queue in front of the database.
#[derive(Default)]
pub(crate) struct Group {
    queue: Mutex<Queue>,
    /// Held by the one that writes.
    writer: Mutex<()>,
}

/// A thread that panicked while holding one of our locks leaves nothing half done in memory:
/// each critical section is a push, a take or a database transaction of its own.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Group {
    /// Commits `writes`, alone or together with what else waits; `write` takes the whole round.
    pub(crate) fn commit(&self, writes: Writes, write: impl Fn(&[(u64, Writes)]) -> Vec<(u64, Outcome)>) -> Outcome {
        let ticket = {
            let mut queue = locked(&self.queue);
            let ticket = queue.next_ticket;
            queue.next_ticket += 1;
            queue.waiting.push((ticket, writes));
            ticket
        };
        let _writer = locked(&self.writer);
        let round = {
            let mut queue = locked(&self.queue);
            if let Some(outcome) = queue.done.remove(&ticket) {
                return outcome;
            }
            std::mem::take(&mut queue.waiting)
        };
        let outcomes = write(&round);
        let mut queue = locked(&self.queue);
        queue.done.extend(outcomes);
        queue.done.remove(&ticket).expect("the round held this ticket: it was neither done nor taken by another")
    }
}
