//! LDK's storage: staged in memory, made durable by the committer.
//!
//! Nothing here reaches the disk by itself. [`Kv`] collects what LDK writes; the committer takes
//! all of it at once and commits it together with the `ChannelManager` and our own book, in one
//! transaction. Until then LDK is told that the monitor's update is in progress, and holds back
//! every message that depends on it. So the disk never has a monitor that is newer than the
//! manager (which would force-close the channel at the next start), and nothing leaves the node
//! before it is durable.

use bitcoin::io;
use lightning::chain::ChannelMonitorUpdateStatus;
use lightning::chain::chainmonitor::Persist;
use lightning::chain::channelmonitor::{ChannelMonitor, ChannelMonitorUpdate};
use lightning::ln::types::ChannelId;
use lightning::sign::InMemorySigner;
use lightning::util::persist::{
    CHANNEL_MANAGER_PERSISTENCE_KEY, CHANNEL_MANAGER_PERSISTENCE_PRIMARY_NAMESPACE, KVStoreSync, MonitorName,
    MonitorUpdatingPersister,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use windlass_store::{Store, StoreError, Writes};

use super::stack::{Broadcaster, Fees, Keys, Log};
use crate::book::Book;

/// The table of everything that LDK writes; its keys are `primary/secondary/key`.
const TABLE: &str = "ln.ldk";

/// Updates of one monitor before it is written as a whole.
const UPDATES_PER_MONITOR: u64 = 64;

/// How long a change waits for company that nobody waits for: the manager after each event, above all.
const LAZY: Duration = Duration::from_millis(20);

/// What one commit takes along.
#[derive(Default)]
pub(crate) struct Round {
    /// LDK's values, without the manager; `None` removes.
    pub(crate) writes: BTreeMap<String, Option<Vec<u8>>>,
    /// Monitor updates that LDK waits for.
    pub(crate) updates: Vec<(ChannelId, u64)>,
    /// The number up to which [`Kv::request`] was called.
    pub(crate) requests: u64,
}

#[derive(Default)]
struct Stage {
    round: Round,
    /// A round is needed now: somebody waits for it.
    due: bool,
    /// Something has been waiting since, but nobody for it.
    lazy: Option<Instant>,
    stop: bool,
    /// Values of the round that is being committed, still to be read from here.
    in_flight: BTreeMap<String, Option<Vec<u8>>>,
}

/// LDK's key-value store.
pub(crate) struct Kv {
    store: Arc<Store>,
    book: Arc<Book>,
    stage: Mutex<Stage>,
    wake: Condvar,
    committed: watch::Sender<u64>,
}

fn flat(primary: &str, secondary: &str, key: &str) -> String {
    format!("{primary}/{secondary}/{key}")
}

fn manager_key() -> String {
    flat(CHANNEL_MANAGER_PERSISTENCE_PRIMARY_NAMESPACE, "", CHANNEL_MANAGER_PERSISTENCE_KEY)
}

fn failed(error: StoreError) -> io::Error {
    io::Error::new(io::ErrorKind::Other, error.to_string())
}

impl Kv {
    pub(crate) fn new(store: Arc<Store>, book: Arc<Book>) -> Self {
        Self { store, book, stage: Mutex::default(), wake: Condvar::new(), committed: watch::Sender::new(0) }
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, key: String, value: Option<Vec<u8>>) {
        let mut stage = self.stage();
        stage.round.writes.insert(key, value);
        stage.lazy.get_or_insert_with(Instant::now);
        self.wake.notify_one();
    }

    /// Asks for a commit of what was changed up to now; the number tells [`Self::durable`] which.
    pub(crate) fn request(&self) -> u64 {
        let mut stage = self.stage();
        stage.round.requests += 1;
        stage.due = true;
        self.wake.notify_one();
        stage.round.requests
    }

    /// Returns when everything that was changed before the call is on the disk; false if the
    /// committer has ended and it never will be.
    pub(crate) async fn durable(&self) -> bool {
        let mut committed = self.committed.subscribe();
        let request = self.request();
        committed.wait_for(|done| *done >= request).await.is_ok_and(|done| *done != u64::MAX)
    }

    /// The committer's side: waits until there is something to commit; `None` at the end.
    pub(crate) fn next_round(&self) -> Option<Round> {
        let mut stage = self.stage();
        loop {
            match stage.lazy {
                _ if stage.due => break,
                Some(since) if stage.stop || since.elapsed() >= LAZY => break,
                Some(since) => {
                    let rest = LAZY.saturating_sub(since.elapsed());
                    stage = self.wake.wait_timeout(stage, rest).unwrap_or_else(PoisonError::into_inner).0;
                }
                None if stage.stop => return None,
                None => stage = self.wake.wait(stage).unwrap_or_else(PoisonError::into_inner),
            }
        }
        stage.due = false;
        stage.lazy = None;
        let requests = stage.round.requests;
        let round = std::mem::replace(&mut stage.round, Round { requests, ..Round::default() });
        stage.in_flight.clone_from(&round.writes);
        Some(round)
    }

    /// Adds LDK's values and the manager to a commit.
    pub(crate) fn add(&self, writes: &mut Writes, round: &Round, manager: &[u8]) {
        for (key, value) in &round.writes {
            match value {
                Some(value) => writes.add_put(TABLE, key.as_bytes(), value),
                None => writes.add_delete(TABLE, key.as_bytes()),
            }
        }
        writes.add_put(TABLE, manager_key().as_bytes(), manager);
    }

    /// The committer's side: the round is on the disk.
    pub(crate) fn round_done(&self, round: &Round) {
        self.stage().in_flight.clear();
        self.committed.send_replace(round.requests);
    }

    /// The committer's side: no round will ever be committed again.
    pub(crate) fn give_up(&self) {
        self.committed.send_replace(u64::MAX);
    }

    /// Lets the committer finish what is staged and end.
    pub(crate) fn stop(&self) {
        self.stage().stop = true;
        self.wake.notify_one();
    }

    /// Ends the committer without another commit.
    pub(crate) fn abandon(&self) {
        let mut stage = self.stage();
        stage.stop = true;
        stage.due = false;
        stage.lazy = None;
        stage.round = Round::default();
        self.wake.notify_one();
    }

    /// The store underneath.
    pub(crate) fn store(&self) -> &Arc<Store> {
        &self.store
    }
}

impl KVStoreSync for Kv {
    fn read(&self, primary: &str, secondary: &str, key: &str) -> Result<Vec<u8>, io::Error> {
        let flat = flat(primary, secondary, key);
        let staged = {
            let stage = self.stage();
            stage.round.writes.get(&flat).or_else(|| stage.in_flight.get(&flat)).cloned()
        };
        let value = match staged {
            Some(value) => value,
            None => self.store.get(TABLE, flat.as_bytes()).map_err(failed)?,
        };
        value.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, flat))
    }

    fn write(&self, primary: &str, secondary: &str, key: &str, value: Vec<u8>) -> Result<(), io::Error> {
        let flat = flat(primary, secondary, key);
        if flat == manager_key() {
            // The background processor calls this right after it has handled all events. The
            // committer serialises the manager itself, after it has taken the monitors.
            self.book.events_are_drained();
            self.stage().lazy.get_or_insert_with(Instant::now);
            self.wake.notify_one();
        } else {
            self.put(flat, Some(value));
        }
        Ok(())
    }

    fn remove(&self, primary: &str, secondary: &str, key: &str, _lazy: bool) -> Result<(), io::Error> {
        self.put(flat(primary, secondary, key), None);
        Ok(())
    }

    fn list(&self, primary: &str, secondary: &str) -> Result<Vec<String>, io::Error> {
        let prefix = flat(primary, secondary, "");
        let stored = self.store.scan(TABLE, prefix.as_bytes()).map_err(failed)?;
        let mut keys: BTreeMap<String, bool> =
            stored.into_iter().filter_map(|(key, _)| String::from_utf8(key).ok()).map(|key| (key, true)).collect();
        let stage = self.stage();
        for staged in [&stage.in_flight, &stage.round.writes] {
            keys.extend(
                staged.iter().filter(|(key, _)| key.starts_with(&prefix)).map(|(k, v)| (k.clone(), v.is_some())),
            );
        }
        Ok(keys.into_iter().filter(|(_, there)| *there).map(|(key, _)| key[prefix.len()..].to_owned()).collect())
    }
}

/// LDK's own format for monitors and their updates, over [`Kv`].
pub(crate) type MonitorFormat =
    MonitorUpdatingPersister<Arc<Kv>, Arc<Log>, Arc<Keys>, Arc<Keys>, Arc<Broadcaster>, Arc<Fees>>;

/// Tells LDK that each update is in progress; the committer tells it when it is done.
pub(crate) struct Monitors {
    kv: Arc<Kv>,
    format: MonitorFormat,
}

impl Monitors {
    pub(crate) fn new(
        kv: Arc<Kv>,
        log: Arc<Log>,
        keys: &Arc<Keys>,
        broadcaster: Arc<Broadcaster>,
        fees: Arc<Fees>,
    ) -> Self {
        let (entropy, signers) = (Arc::clone(keys), Arc::clone(keys));
        let format = MonitorUpdatingPersister::new(
            Arc::clone(&kv),
            log,
            UPDATES_PER_MONITOR,
            entropy,
            signers,
            broadcaster,
            fees,
        );
        Self { kv, format }
    }

    /// LDK's format, to read all monitors at the start.
    pub(crate) const fn format(&self) -> &MonitorFormat {
        &self.format
    }

    fn wait_for(&self, channel: ChannelId, update: u64) -> ChannelMonitorUpdateStatus {
        let mut stage = self.kv.stage();
        stage.round.updates.push((channel, update));
        stage.due = true;
        self.kv.wake.notify_one();
        ChannelMonitorUpdateStatus::InProgress
    }
}

impl Persist<InMemorySigner> for Monitors {
    fn persist_new_channel(
        &self,
        name: MonitorName,
        monitor: &ChannelMonitor<InMemorySigner>,
    ) -> ChannelMonitorUpdateStatus {
        self.format.persist_new_channel(name, monitor);
        self.wait_for(monitor.channel_id(), monitor.get_latest_update_id())
    }

    fn update_persisted_channel(
        &self,
        name: MonitorName,
        update: Option<&ChannelMonitorUpdate>,
        monitor: &ChannelMonitor<InMemorySigner>,
    ) -> ChannelMonitorUpdateStatus {
        self.format.update_persisted_channel(name, update, monitor);
        match update {
            Some(update) => self.wait_for(monitor.channel_id(), update.update_id),
            // Only the chain's news; LDK doesn't wait for it.
            None => ChannelMonitorUpdateStatus::InProgress,
        }
    }

    fn archive_persisted_channel(&self, name: MonitorName) {
        <MonitorFormat as Persist<InMemorySigner>>::archive_persisted_channel(&self.format, name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kv() -> (tempfile::TempDir, Kv) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let store = Store::open(dir.path().join("ln.redb")).expect("a new store");
        let book = Arc::new(Book::open(&store).expect("an empty book"));
        (dir, Kv::new(store, book))
    }

    fn commit(kv: &Kv) {
        let round = kv.next_round().expect("something is staged");
        let mut writes = Writes::new();
        kv.add(&mut writes, &round, b"manager");
        kv.store().commit(writes).expect("room on the disk");
        kv.round_done(&round);
    }

    #[test]
    fn staged_values_are_read_before_and_after_the_commit() {
        let (_dir, kv) = kv();
        kv.write("monitors", "", "a", vec![1]).expect("staged");
        kv.write("monitors", "", "b", vec![2]).expect("staged");
        assert_eq!(kv.read("monitors", "", "a").expect("staged"), vec![1]);
        assert_eq!(kv.list("monitors", "").expect("listed"), ["a", "b"]);
        commit(&kv);
        kv.remove("monitors", "", "a", false).expect("staged");
        assert_eq!(kv.read("monitors", "", "a").expect_err("removed").kind(), io::ErrorKind::NotFound);
        assert_eq!(kv.list("monitors", "").expect("listed"), ["b"]);
        commit(&kv);
        assert_eq!(kv.list("monitors", "").expect("listed"), ["b"]);
    }

    #[test]
    fn the_manager_given_by_ldk_is_only_a_signal() {
        let (_dir, kv) = kv();
        kv.write("", "", CHANNEL_MANAGER_PERSISTENCE_KEY, vec![9]).expect("a signal");
        let round = kv.next_round().expect("due");
        assert!(round.writes.is_empty());
    }

    #[test]
    fn stop_still_gives_the_last_round() {
        let (_dir, kv) = kv();
        kv.write("x", "", "a", vec![1]).expect("staged");
        kv.stop();
        assert!(kv.next_round().is_some());
        assert!(kv.next_round().is_none());
    }
}
