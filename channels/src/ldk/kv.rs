//! LDK's storage: staged in memory, made durable by the committer.
//!
//! Nothing here reaches the disk by itself. [`Kv`] collects what LDK writes; a commit takes all of
//! it at once, together with the `ChannelManager` and our own book: see [`super::committer`].

use bitcoin::io;
use lightning::util::persist::{
    CHANNEL_MANAGER_PERSISTENCE_KEY, CHANNEL_MANAGER_PERSISTENCE_PRIMARY_NAMESPACE, KVStoreSync,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use windlass_store::{Store, StoreError, Writes};

/// The table of everything that LDK writes; its keys are `primary/secondary/key`.
const TABLE: &str = "ln.ldk";

/// How long a change that nobody waits for waits for company.
const LAZY: Duration = Duration::from_millis(20);

/// Values by their keys; `None` removes.
type Values = BTreeMap<String, Option<Vec<u8>>>;

/// What one commit takes along.
#[derive(Default)]
pub(crate) struct Round {
    /// LDK's values, without the manager.
    values: Arc<Values>,
    /// The number up to which [`Kv::request`] was called.
    requests: u64,
}

#[derive(Default)]
struct Stage {
    values: Values,
    requests: u64,
    /// A commit is needed now: somebody waits for it.
    due: bool,
    /// Something has been waiting since, but nobody for it.
    lazy: Option<Instant>,
    stop: bool,
    /// The committer's thread waits with no end in sight. (If it waits for a time, it looks by itself.)
    idle: bool,
    /// Values that are being committed, still to be read from here.
    in_flight: Arc<Values>,
}

/// LDK's key-value store.
pub(crate) struct Kv {
    store: Arc<Store>,
    stage: Mutex<Stage>,
    wake: Condvar,
    committed: watch::Sender<u64>,
    #[cfg(feature = "measure")]
    forgets: std::sync::atomic::AtomicBool,
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
    pub(crate) fn new(store: Arc<Store>) -> Self {
        Self {
            store,
            stage: Mutex::default(),
            wake: Condvar::new(),
            committed: watch::Sender::new(0),
            #[cfg(feature = "measure")]
            forgets: std::sync::atomic::AtomicBool::new(false),
        }
    }

    /// Whether nothing is stored any more: only ever in a measurement.
    #[cfg(not(feature = "measure"))]
    pub(crate) const fn forgets(&self) -> bool {
        false
    }

    #[cfg(feature = "measure")]
    pub(crate) fn forgets(&self) -> bool {
        self.forgets.load(std::sync::atomic::Ordering::Relaxed)
    }

    #[cfg(feature = "measure")]
    pub(crate) fn forget(&self) {
        self.forgets.store(true, std::sync::atomic::Ordering::Relaxed);
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, key: String, value: Option<Vec<u8>>) {
        if self.forgets() {
            return;
        }
        let mut stage = self.stage();
        stage.values.insert(key, value);
        self.lazily(&mut stage);
    }

    fn lazily(&self, stage: &mut Stage) {
        if stage.lazy.is_none() {
            stage.lazy = Some(Instant::now());
            if stage.idle {
                self.wake.notify_one();
            }
        }
    }

    /// Something was changed that nobody waits for: it is committed soon.
    pub(crate) fn soon(&self) {
        self.lazily(&mut self.stage());
    }

    /// Asks for a commit of what was changed up to now; the number tells [`Self::durable`] which.
    pub(crate) fn request(&self) -> u64 {
        let mut stage = self.stage();
        stage.requests += 1;
        stage.due = true;
        self.wake.notify_one();
        stage.requests
    }

    /// Returns when everything that was changed before the call is on the disk; false if the
    /// committer has ended and it never will be.
    pub(crate) async fn durable(&self) -> bool {
        let mut committed = self.committed.subscribe();
        let request = self.request();
        committed.wait_for(|done| *done >= request).await.is_ok_and(|done| *done != u64::MAX)
    }

    /// The committer's thread: waits until there is something to commit; false at the end.
    pub(crate) fn wait_due(&self) -> bool {
        let mut stage = self.stage();
        loop {
            match stage.lazy {
                _ if stage.due => return true,
                Some(since) if stage.stop || since.elapsed() >= LAZY => return true,
                Some(since) => {
                    let rest = LAZY.saturating_sub(since.elapsed());
                    stage = self.wake.wait_timeout(stage, rest).unwrap_or_else(PoisonError::into_inner).0;
                }
                None if stage.stop => return false,
                None => {
                    stage.idle = true;
                    stage = self.wake.wait(stage).unwrap_or_else(PoisonError::into_inner);
                    stage.idle = false;
                }
            }
        }
    }

    /// A commit's side: takes what is staged. Nothing may be staged in the middle of what belongs
    /// together while this is called.
    pub(crate) fn take(&self) -> Round {
        let mut stage = self.stage();
        stage.due = false;
        stage.lazy = None;
        let values = Arc::new(std::mem::take(&mut stage.values));
        stage.in_flight = Arc::clone(&values);
        Round { values, requests: stage.requests }
    }

    /// A commit's side: takes the requests alone, if LDK has written nothing.
    pub(crate) fn take_if_empty(&self) -> Option<Round> {
        let mut stage = self.stage();
        if !stage.values.is_empty() {
            return None;
        }
        stage.due = false;
        stage.lazy = None;
        Some(Round { values: Arc::default(), requests: stage.requests })
    }

    /// Adds LDK's values to a commit, and the manager if it was changed.
    pub(crate) fn add(&self, writes: &mut Writes, round: &Round, manager: Option<&[u8]>) {
        for (key, value) in round.values.iter() {
            match value {
                Some(value) => writes.add_put(TABLE, key.as_bytes(), value),
                None => writes.add_delete(TABLE, key.as_bytes()),
            }
        }
        if let Some(manager) = manager {
            writes.add_put(TABLE, manager_key().as_bytes(), manager);
        }
    }

    /// A commit's side: the round is on the disk.
    pub(crate) fn done(&self, round: &Round) {
        self.stage().in_flight = Arc::default();
        self.committed.send_if_modified(|done| {
            let newer = *done < round.requests;
            *done = (*done).max(round.requests);
            newer
        });
    }

    /// A commit's side: no round will ever be committed again.
    pub(crate) fn give_up(&self) {
        self.committed.send_replace(u64::MAX);
    }

    /// Lets the committer finish what is staged and end.
    pub(crate) fn stop(&self) {
        self.stage().stop = true;
        self.wake.notify_one();
    }

    /// Ends the committer without another commit. What is staged stays: a commit that has begun may be about
    /// to take it, and a manager must not reach the disk without its monitors.
    pub(crate) fn abandon(&self) {
        let mut stage = self.stage();
        stage.stop = true;
        stage.due = false;
        stage.lazy = None;
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
            stage.values.get(&flat).or_else(|| stage.in_flight.get(&flat)).cloned()
        };
        let value = match staged {
            Some(value) => value,
            None => self.store.get(TABLE, flat.as_bytes()).map_err(failed)?,
        };
        value.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, flat))
    }

    fn write(&self, primary: &str, secondary: &str, key: &str, value: Vec<u8>) -> Result<(), io::Error> {
        self.put(flat(primary, secondary, key), Some(value));
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
        for staged in [stage.in_flight.as_ref(), &stage.values] {
            keys.extend(
                staged.iter().filter(|(key, _)| key.starts_with(&prefix)).map(|(k, v)| (k.clone(), v.is_some())),
            );
        }
        Ok(keys.into_iter().filter(|(_, there)| *there).map(|(key, _)| key[prefix.len()..].to_owned()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kv() -> (tempfile::TempDir, Kv) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let store = Store::open(dir.path().join("ln.redb")).expect("a new store");
        (dir, Kv::new(store))
    }

    fn commit(kv: &Kv) {
        let round = kv.take();
        let mut writes = Writes::new();
        kv.add(&mut writes, &round, Some(b"manager"));
        kv.store().commit(writes).expect("room on the disk");
        kv.done(&round);
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
    fn a_value_is_read_while_it_is_on_its_way_to_the_disk() {
        let (_dir, kv) = kv();
        kv.write("monitors", "", "a", vec![1]).expect("staged");
        let round = kv.take();
        assert_eq!(kv.read("monitors", "", "a").expect("in flight"), vec![1]);
        kv.done(&round);
        assert!(kv.read("monitors", "", "a").is_err(), "it was not committed");
    }

    #[test]
    fn stop_still_gives_the_last_round() {
        let (_dir, kv) = kv();
        kv.write("x", "", "a", vec![1]).expect("staged");
        kv.stop();
        assert!(kv.wait_due());
        kv.take();
        assert!(!kv.wait_due());
    }
}
