//! The journal of what happened, for the application: each event has a position, is handed out only
//! when it is on the disk, and stays until it is acknowledged. So an application that keeps the
//! position with what it does about the event loses none and sees none twice, whenever either side dies.

use super::{Book, Pages, Row};
use crate::Event;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Events that are kept for an application that has never acknowledged any: perhaps there is none.
const UNCLAIMED_MAX: usize = 10_000;

/// The journal's state beside its events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// The position of the next event.
    pub(crate) next: u64,
    /// All events before this one are acknowledged.
    pub(crate) acknowledged: u64,
}

/// Events that are not acknowledged, and where the journal is.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    pub(crate) position: Position,
    pub(crate) events: BTreeMap<u64, Event>,
    /// The position that the commit in progress makes durable, and the one that is.
    taken: u64,
    durable: u64,
}

impl Journal {
    /// As it was read from the disk.
    pub(crate) const fn new(position: Position, events: BTreeMap<u64, Event>) -> Self {
        Self { position, events, taken: position.next, durable: position.next }
    }

    /// A commit takes what is there.
    pub(crate) const fn take(&mut self) {
        self.taken = self.position.next;
    }

    /// That commit is on the disk.
    pub(crate) const fn committed(&mut self) {
        self.durable = self.taken;
    }
}

impl Pages {
    /// Adds an event; returns the rows to write.
    pub(crate) fn journal(&mut self, event: Event) -> Vec<Row> {
        let at = self.journal.position.next;
        self.journal.position.next += 1;
        self.journal.events.insert(at, event);
        let mut rows = vec![Row::Journal, Row::Event(at)];
        if self.journal.position.acknowledged == 0 && self.journal.events.len() > UNCLAIMED_MAX {
            rows.extend(self.journal.events.pop_first().map(|(at, _)| Row::Event(at)));
        }
        rows
    }
}

impl Book {
    /// Adds an event to the journal.
    pub(crate) fn journal(&self, event: Event) {
        self.write(|pages| pages.journal(event));
    }

    /// At most `limit` events from the position `from` on that are on the disk and not acknowledged.
    pub(crate) fn events(&self, from: u64, limit: usize) -> Vec<(u64, Event)> {
        let pages = self.read();
        let (journal, from) = (&pages.journal, from.min(pages.journal.durable));
        journal.events.range(from..journal.durable).take(limit).map(|(at, event)| (*at, event.clone())).collect()
    }

    /// Lets go of all events before the position `before`.
    pub(crate) fn acknowledge(&self, before: u64) {
        self.write(|pages| {
            let journal = &mut pages.journal;
            let before = before.min(journal.durable);
            if before <= journal.position.acknowledged {
                return vec![];
            }
            journal.position.acknowledged = before;
            let rest = journal.events.split_off(&before);
            let gone = std::mem::replace(&mut journal.events, rest);
            gone.into_keys().map(Row::Event).chain([Row::Journal]).collect()
        });
    }
}
