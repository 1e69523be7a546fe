//! The journal of what happened, for the application: each event has a position, is handed out only
//! when it is on the disk, and stays until it is acknowledged. So an application that keeps the
//! position with what it does about the event loses none and sees none twice, whenever either side dies.

use super::{Book, Pages, Row};
use crate::{Event, JournalInfo};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Events that are kept where nobody acknowledges any: perhaps there is no application.
const UNCLAIMED_MAX: usize = 10_000;

/// So often it is said that nobody reads: each time that so many more events wait.
const WARN_EACH: usize = 100_000;

/// Of what is too much, so many events go with each new one: a bound that was lowered is reached little by little.
const DROP_MAX: usize = 16;

/// The journal's state beside its events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// The position of the next event.
    pub(crate) next: u64,
    /// All events before this one are acknowledged.
    pub(crate) acknowledged: u64,
    /// The application that acknowledged is gone for good, says the user.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) given_up: bool,
}

impl Position {
    /// Nobody acknowledges.
    const fn is_unclaimed(&self) -> bool {
        self.acknowledged == 0 || self.given_up
    }
}

/// Events that are not acknowledged, and where the journal is.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    pub(crate) position: Position,
    pub(crate) events: BTreeMap<u64, Event>,
    /// The most events that wait for an application which acknowledges.
    most: usize,
    /// The position that the commit in progress makes durable, and the one that is.
    taken: u64,
    durable: u64,
}

impl Journal {
    /// As it was read from the disk.
    pub(crate) const fn new(position: Position, events: BTreeMap<u64, Event>) -> Self {
        Self { position, events, most: usize::MAX, taken: position.next, durable: position.next }
    }

    /// The position of the oldest event that is kept.
    fn oldest(&self) -> u64 {
        self.events.keys().next().copied().unwrap_or(self.position.next)
    }

    /// Lets the oldest go where there are too many, at most `most_gone` of them; which.
    fn drop_oldest(&mut self, most_gone: usize) -> Vec<Row> {
        let unclaimed = self.position.is_unclaimed();
        let most = if unclaimed { UNCLAIMED_MAX } else { self.most };
        let gone = self.events.len().saturating_sub(most).min(most_gone);
        let gone: Vec<u64> = std::iter::from_fn(|| self.events.pop_first()).take(gone).map(|(at, _)| at).collect();
        if let (Some(last), false) = (gone.last(), unclaimed)
            && gone.iter().any(|at| at % 1_000 == 0)
        {
            tracing::error!(last, most, "the journal is full and nobody acknowledges: its oldest events are lost");
        }
        gone.into_iter().map(Row::Event).collect()
    }

    fn info(&self) -> JournalInfo {
        let oldest = self.oldest();
        JournalInfo {
            next: self.position.next,
            oldest,
            acknowledged: self.position.acknowledged,
            waiting: self.position.next.saturating_sub(oldest),
            most: if self.position.is_unclaimed() { UNCLAIMED_MAX } else { self.most }.try_into().unwrap_or(u64::MAX),
            has_reader: !self.position.is_unclaimed(),
            lost: if self.position.is_unclaimed() { 0 } else { oldest.saturating_sub(self.position.acknowledged) },
        }
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
        rows.extend(self.journal.drop_oldest(DROP_MAX));
        let waiting = self.journal.events.len();
        if waiting.is_multiple_of(WARN_EACH) {
            tracing::warn!(waiting, "nobody acknowledges events: `windlass node events` says more");
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

    /// From now on at most so many events wait for an application that acknowledges.
    pub(crate) fn bound_journal(&self, most: usize) {
        self.write(|pages| {
            pages.journal.most = most.max(UNCLAIMED_MAX);
            vec![]
        });
    }

    /// Events from `from` on that nobody can read any more, though they were not acknowledged.
    pub(crate) fn lost_events(&self, from: u64) -> u64 {
        let pages = self.read();
        pages.journal.oldest().saturating_sub(from.max(pages.journal.position.acknowledged))
    }

    /// Where the journal is.
    pub(crate) fn journal_info(&self) -> JournalInfo {
        self.read().journal.info()
    }

    /// Who acknowledged is gone for good: from now on it is as if nobody ever had.
    pub(crate) fn give_up_reader(&self) {
        self.write(|pages| {
            pages.journal.position.given_up = true;
            let mut rows = pages.journal.drop_oldest(usize::MAX);
            rows.push(Row::Journal);
            rows
        });
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
            journal.position.given_up = false;
            let rest = journal.events.split_off(&before);
            let gone = std::mem::replace(&mut journal.events, rest);
            gone.into_keys().map(Row::Event).chain([Row::Journal]).collect()
        });
    }
}
