//! What the node remembers beside LDK: payments, what flowed over each channel, what the chain did
//! with its money, and where peers were.
//!
//! The book is held in memory. A change marks its row; [`Book::take`] gives the marked rows to the
//! committer, which writes them in the same commit as the `ChannelManager`. LDK hands out an event
//! again after a crash if the manager on the disk still has it, so the book also stores which
//! events it has counted that LDK may still have: [`Book::is_replay`].

mod holds;
mod journal;
mod payments;
mod rows;
mod splice;
mod trace;

pub(crate) use holds::Arrived;
pub(crate) use payments::now;
pub(crate) use rows::{Closed, Facts, Flow, Opening};
pub(crate) use splice::{Asked, FundingNotes, Splice};
pub(crate) use trace::{ANCHOR_SAT, Claim, ClaimKind, Trace, Tracer};

use journal::{Journal, Position};

use crate::{ChannelId, Direction, Forward, HoldInvoice, Offer, OfferId, Payment, PaymentHash};
use bitcoin::Txid;
use bitcoin::hashes::{Hash, sha256};
use bitcoin::secp256k1::PublicKey;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use tokio::sync::{Notify, watch};
use windlass_store::{Store, StoreError, Writes};
use windlass_types::BlockRef;

/// The value of both anchors, which the funder gives (BOLT 3).
pub(crate) const ANCHORS_SAT: u64 = 2 * ANCHOR_SAT;

/// Why the book can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BookError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A row was written by a newer version, or is damaged.
    #[error("the row {key:?} of {table} can't be read: {reason}")]
    Row {
        /// The table.
        table: &'static str,
        /// The row's key.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
}

const PAYMENTS: &str = "ln.payments";
const FORWARDS: &str = "ln.forwards";
const HOLDS: &str = "ln.holds";
const OFFERS: &str = "ln.offers";
const OPENINGS: &str = "ln.openings";
const FACTS: &str = "ln.channels";
const FLOWS: &str = "ln.flows";
const TRACES: &str = "ln.traces";
const FEES: &str = "ln.wallet_fees";
const ARRIVED: &str = "ln.arrived_parts";
const PEERS: &str = "ln.peers";
const KEPT: &str = "ln.kept_peers";
const META: &str = "ln.meta";
const EVENTS: &str = "ln.events";
const META_JOURNAL: &str = "journal";
const META_TIP: &str = "traced_to";
const META_COUNTED: &str = "counted_events";

/// All of them.
pub(crate) const TABLES: [&str; 14] =
    [PAYMENTS, FORWARDS, HOLDS, OFFERS, OPENINGS, FACTS, FLOWS, TRACES, FEES, ARRIVED, PEERS, KEPT, META, EVENTS];

/// A row that was changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Row {
    Payment(Direction, PaymentHash),
    Forward(u64),
    Hold(PaymentHash),
    Offer(OfferId),
    Opening(u128),
    Facts(ChannelId),
    Flow(ChannelId),
    Trace(ChannelId),
    Fee(Txid),
    Arrived(PaymentHash),
    Peer(PublicKey),
    /// An event of the journal.
    Event(u64),
    /// Where the journal is.
    Journal,
    Kept(PublicKey),
    Tip,
}

/// The book's content.
#[derive(Default)]
pub(crate) struct Pages {
    pub(crate) payments: BTreeMap<(Direction, PaymentHash), Payment>,
    /// Payments of others that went through, numbered.
    pub(crate) forwards: BTreeMap<u64, Forward>,
    pub(crate) holds: BTreeMap<PaymentHash, HoldInvoice>,
    pub(crate) offers: BTreeMap<OfferId, Offer>,
    pub(crate) openings: BTreeMap<u128, Opening>,
    pub(crate) facts: BTreeMap<ChannelId, Facts>,
    pub(crate) flows: BTreeMap<ChannelId, Flow>,
    pub(crate) traces: BTreeMap<ChannelId, Trace>,
    /// What the wallet paid in each transaction that lifts another's fee.
    pub(crate) fees: BTreeMap<Txid, u64>,
    /// What of each of our payments has arrived, in msat.
    pub(crate) arrived: BTreeMap<PaymentHash, u64>,
    pub(crate) peers: BTreeMap<PublicKey, String>,
    /// Peers that are connected to even without a channel.
    pub(crate) kept: BTreeMap<PublicKey, bool>,
    /// Channels that are being funded this very moment: only the backup names them yet.
    pub(crate) funding_now: BTreeMap<ChannelId, Facts>,
    /// The block up to which the chain was searched.
    pub(crate) tip: Option<BlockRef>,
    pub(crate) journal: Journal,
    dirty: BTreeSet<Row>,
    /// Hashes of counted events that LDK may hand out again after a crash.
    counted: VecDeque<[u8; 32]>,
    /// How many events were counted before the first of them.
    counted_before: u64,
    /// How many counted events LDK has let go of, in all.
    drained: u64,
    /// `counted` or `replays` is not as it was committed.
    counted_changed: bool,
    /// Goes up with each change.
    version: u64,
    /// From before the start: to be left out if they come again.
    replays: Vec<[u8; 32]>,
}

/// The book; see the module's head.
pub(crate) struct Book {
    pages: Mutex<Pages>,
    /// Held for reading while an event is handled, and for writing by a commit: it takes all that came
    /// of an event or nothing.
    turn: RwLock<()>,
    /// Who waits for the end of which payment.
    waiting: Mutex<BTreeMap<(Direction, PaymentHash), Arc<Notify>>>,
    changed: watch::Sender<u64>,
    /// The version that is on the disk.
    committed: watch::Sender<u64>,
}

fn payment_key(direction: Direction, hash: PaymentHash) -> String {
    match direction {
        Direction::Out => format!("out/{hash}"),
        Direction::In => format!("in/{hash}"),
    }
}

/// All rows of a table, their keys read by `key`.
fn rows<K: Ord, V: DeserializeOwned>(
    store: &Store,
    table: &'static str,
    key: impl Fn(&str) -> Option<K>,
) -> Result<BTreeMap<K, V>, BookError> {
    let mut rows = BTreeMap::new();
    for (name, value) in store.scan(table, b"")? {
        let name = String::from_utf8_lossy(&name).into_owned();
        let bad = |reason: String| BookError::Row { table, key: name.clone(), reason };
        let key = key(&name).ok_or_else(|| bad("its key is malformed".into()))?;
        rows.insert(key, serde_json::from_slice(&value).map_err(|error| bad(error.to_string()))?);
    }
    Ok(rows)
}

fn meta<T: DeserializeOwned>(store: &Store, key: &'static str) -> Result<Option<T>, BookError> {
    let Some(value) = store.get(META, key.as_bytes())? else { return Ok(None) };
    let value = serde_json::from_slice(&value);
    value.map(Some).map_err(|error| BookError::Row { table: META, key: key.into(), reason: error.to_string() })
}

/// The journal; its position must be one that a node can have reached, for it is counted on from there.
fn journal(store: &Store) -> Result<Journal, BookError> {
    let position: Position = meta(store, META_JOURNAL)?.unwrap_or_default();
    let events: BTreeMap<u64, _> = rows(store, EVENTS, |key| u64::from_str_radix(key, 16).ok())?;
    if position.next > u64::MAX / 2 || position.acknowledged > position.next {
        let reason = format!("no node gets to {position:?}");
        return Err(BookError::Row { table: META, key: META_JOURNAL.into(), reason });
    }
    if let Some((at, _)) = events.range(position.next..).next() {
        let reason = format!("the journal ends before {}", position.next);
        return Err(BookError::Row { table: EVENTS, key: format!("{at:016x}"), reason });
    }
    Ok(Journal::new(position, events))
}

impl Book {
    /// Reads the book.
    pub(crate) fn open(store: &Store) -> Result<Self, BookError> {
        let payments: BTreeMap<String, Payment> = rows(store, PAYMENTS, |key| Some(key.to_owned()))?;
        let pages = Pages {
            payments: payments.into_values().map(|payment| ((payment.direction, payment.hash), payment)).collect(),
            forwards: rows(store, FORWARDS, |key| u64::from_str_radix(key, 16).ok())?,
            offers: rows(store, OFFERS, |key| key.parse().ok())?,
            holds: rows(store, HOLDS, |key| key.parse().ok())?,
            openings: rows(store, OPENINGS, |key| u128::from_str_radix(key, 16).ok())?,
            facts: rows(store, FACTS, |key| key.parse().ok())?,
            flows: rows(store, FLOWS, |key| key.parse().ok())?,
            traces: rows(store, TRACES, |key| key.parse().ok())?,
            fees: rows(store, FEES, |key| key.parse().ok())?,
            arrived: rows(store, ARRIVED, |key| key.parse().ok())?,
            peers: rows(store, PEERS, |key| key.parse().ok())?,
            kept: rows(store, KEPT, |key| key.parse().ok())?,
            tip: meta(store, META_TIP)?,
            journal: journal(store)?,
            replays: meta::<Vec<PaymentHash>>(store, META_COUNTED)?
                .unwrap_or_default()
                .into_iter()
                .map(|h| h.0)
                .collect(),
            ..Pages::default()
        };
        Ok(Self {
            pages: Mutex::new(pages),
            turn: RwLock::new(()),
            waiting: Mutex::default(),
            changed: watch::Sender::new(0),
            committed: watch::Sender::new(0),
        })
    }

    /// The pages, to read.
    pub(crate) fn read(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes pages and wakes who waits for a change. `change` returns the rows that it touched.
    pub(crate) fn write<I: IntoIterator<Item = Row>>(&self, change: impl FnOnce(&mut Pages) -> I) {
        let mut pages = self.read();
        let touched = change(&mut pages);
        pages.dirty.extend(touched);
        pages.version += 1;
        drop(pages);
        self.touch();
    }

    /// While this is held, no commit takes anything: for the handling of an event as a whole. Who holds
    /// it must not wait for a commit, nor let messages leave.
    pub(crate) fn turn(&self) -> RwLockReadGuard<'_, ()> {
        self.turn.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes who waits for a change.
    pub(crate) fn touch(&self) {
        self.changed.send_modify(|version| *version = version.wrapping_add(1));
    }

    /// Changes whenever anything that a waiter may look at has changed.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// True if this event was counted before the node's last end. Otherwise notes that it will be
    /// counted now.
    pub(crate) fn is_replay(&self, event: &[u8]) -> bool {
        let hash = sha256::Hash::hash(event).to_byte_array();
        let mut pages = self.read();
        pages.counted_changed = true;
        let known = pages.replays.iter().position(|known| *known == hash);
        if let Some(at) = known {
            // Still unknown to the manager on the disk: keep it until LDK lets go of it.
            pages.replays.swap_remove(at);
        }
        pages.counted.push_back(hash);
        known.is_some()
    }

    /// All events that LDK had kept from before the start were handled: from now on an equal event
    /// is another one.
    pub(crate) fn replays_are_over(&self) {
        let mut pages = self.read();
        pages.counted_changed |= !pages.replays.is_empty();
        pages.replays.clear();
    }

    /// How many events were counted since the start.
    pub(crate) fn counted(&self) -> u64 {
        let pages = self.read();
        pages.counted_before + pages.counted.len() as u64
    }

    /// LDK has let go of the first `count` counted events.
    pub(crate) fn let_go(&self, count: u64) {
        let mut pages = self.read();
        pages.drained = pages.drained.max(count);
    }

    /// How many of the counted events LDK has let go of. To be asked before the manager is read.
    pub(crate) fn drained(&self) -> u64 {
        self.read().drained
    }

    /// The rows that were changed, for one commit, and the version that it makes durable. The first
    /// `drained` counted events can't come again.
    pub(crate) fn take(&self, drained: u64) -> (Writes, u64) {
        let _turn = self.turn.write().unwrap_or_else(PoisonError::into_inner);
        let mut pages = self.read();
        pages.journal.take();
        while pages.counted_before < drained && pages.counted.pop_front().is_some() {
            pages.counted_before += 1;
            pages.counted_changed = true;
        }
        let dirty = std::mem::take(&mut pages.dirty);
        let mut writes = Writes::new();
        for row in dirty {
            pages.add(&mut writes, &row);
        }
        if std::mem::take(&mut pages.counted_changed) {
            let counted: Vec<PaymentHash> =
                pages.counted.iter().chain(&pages.replays).map(|hash| PaymentHash(*hash)).collect();
            writes.add_put(META, META_COUNTED.as_bytes(), &json(&counted));
        }
        (writes, pages.version)
    }

    /// What was taken with this version is on the disk.
    pub(crate) fn committed(&self, version: u64) {
        self.read().journal.committed();
        self.touch();
        self.committed.send_if_modified(|at| {
            let newer = *at < version;
            *at = (*at).max(version);
            newer
        });
    }

    /// True when all changes up to now are on the disk, false if they never will be: then `failure` says
    /// why. Asks for no commit: one comes soon.
    pub(crate) async fn durable(&self, failure: &watch::Sender<Option<String>>) -> bool {
        let version = self.read().version;
        let (mut committed, mut failure) = (self.committed.subscribe(), failure.subscribe());
        tokio::select! {
            biased;
            done = committed.wait_for(|at| *at >= version) => done.is_ok(),
            _ = failure.wait_for(Option::is_some) => false,
        }
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("rows have string keys and no failing serializers")
}

fn add_row<T: Serialize>(writes: &mut Writes, table: &str, key: &str, value: Option<&T>) {
    match value {
        Some(value) => writes.add_put(table, key.as_bytes(), &json(value)),
        None => writes.add_delete(table, key.as_bytes()),
    }
}

impl Pages {
    /// What our wallet paid to miners for a channel's funding; nothing if the peer funded.
    pub(crate) fn funding_fee_sat(&self, user_id: u128) -> u64 {
        self.openings.get(&user_id).and_then(|opening| opening.funding).map_or(0, |(_, fee)| fee)
    }

    fn add(&self, writes: &mut Writes, row: &Row) {
        match row {
            Row::Payment(direction, hash) => {
                let payment = self.payments.get(&(*direction, *hash));
                add_row(writes, PAYMENTS, &payment_key(*direction, *hash), payment);
            }
            Row::Forward(number) => add_row(writes, FORWARDS, &format!("{number:016x}"), self.forwards.get(number)),
            Row::Offer(id) => add_row(writes, OFFERS, &id.to_string(), self.offers.get(id)),
            Row::Hold(hash) => add_row(writes, HOLDS, &hash.to_string(), self.holds.get(hash)),
            Row::Opening(user_id) => add_row(writes, OPENINGS, &format!("{user_id:032x}"), self.openings.get(user_id)),
            Row::Facts(id) => add_row(writes, FACTS, &id.to_string(), self.facts.get(id)),
            Row::Flow(id) => add_row(writes, FLOWS, &id.to_string(), self.flows.get(id)),
            Row::Trace(id) => add_row(writes, TRACES, &id.to_string(), self.traces.get(id)),
            Row::Fee(txid) => add_row(writes, FEES, &txid.to_string(), self.fees.get(txid)),
            Row::Arrived(hash) => add_row(writes, ARRIVED, &hash.to_string(), self.arrived.get(hash)),
            Row::Peer(key) => add_row(writes, PEERS, &key.to_string(), self.peers.get(key)),
            Row::Event(at) => add_row(writes, EVENTS, &format!("{at:016x}"), self.journal.events.get(at)),
            Row::Journal => add_row(writes, META, META_JOURNAL, Some(&self.journal.position)),
            Row::Kept(key) => add_row(writes, KEPT, &key.to_string(), self.kept.get(key)),
            Row::Tip => add_row(writes, META, META_TIP, self.tip.as_ref()),
        }
    }
}

/// Notes what the wallet paid in a transaction that lifts another's fee.
pub(crate) trait FeeNotes: Send + Sync {
    /// `txid` costs the wallet `fee_sat`.
    fn note(&self, txid: Txid, fee_sat: u64);
}

impl FeeNotes for Book {
    fn note(&self, txid: Txid, fee_sat: u64) {
        self.write(|pages| {
            pages.fees.insert(txid, fee_sat);
            [Row::Fee(txid)]
        });
    }
}

impl FeeNotes for Arc<Book> {
    fn note(&self, txid: Txid, fee_sat: u64) {
        self.as_ref().note(txid, fee_sat);
    }
}

#[cfg(test)]
#[path = "book_tests.rs"]
mod tests;
