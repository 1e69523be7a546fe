//! Group commit: who comes while another one writes joins the next round, and a whole round
//! costs one fsync.

use crate::{StoreError, Writes};
use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// What a commit returns: the positions that its appends were given.
pub(crate) type Outcome = Result<Vec<u64>, StoreError>;

#[derive(Default)]
struct Queue {
    next_ticket: u64,
    waiting: Vec<(u64, Writes)>,
    done: BTreeMap<u64, Outcome>,
    /// Somebody writes a round.
    writing: bool,
}

/// The queue in front of the database.
#[derive(Default)]
pub(crate) struct Group {
    queue: Mutex<Queue>,
    /// A round is over.
    over: Condvar,
}

/// A thread that panicked while holding one of our locks leaves nothing half done in memory:
/// each critical section is a push, a take or a database transaction of its own.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends a round even if writing it panicked, so that the others don't wait for ever.
struct Turn<'a>(&'a Group);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        locked(&self.0.queue).writing = false;
        self.0.over.notify_all();
    }
}

impl Group {
    /// Commits `writes`, alone or together with what else waits; `write` takes the whole round.
    pub(crate) fn commit(&self, writes: Writes, write: impl Fn(&[(u64, Writes)]) -> Vec<(u64, Outcome)>) -> Outcome {
        let mut queue = locked(&self.queue);
        let ticket = queue.next_ticket;
        queue.next_ticket += 1;
        queue.waiting.push((ticket, writes));
        while queue.writing {
            queue = self.over.wait(queue).unwrap_or_else(PoisonError::into_inner);
            if let Some(outcome) = queue.done.remove(&ticket) {
                return outcome;
            }
        }
        queue.writing = true;
        let round = std::mem::take(&mut queue.waiting);
        drop(queue);
        let turn = Turn(self);
        let outcomes = write(&round);
        locked(&self.queue).done.extend(outcomes);
        drop(turn);
        let own = locked(&self.queue).done.remove(&ticket);
        own.expect("the round held this ticket: it was neither done nor taken by another")
    }
}
