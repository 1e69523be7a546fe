//! How channel monitors are stored: an update at a time, and as a whole once the updates since the
//! last whole outweigh it. So what is written for a channel stays in proportion to what happens in
//! it, however large its monitor grows (LDK's remember each revoked state).

use super::kv::Kv;
use super::stack::{Broadcaster, Fees, Keys, Log};
use super::tower::Tower;
use lightning::chain::ChannelMonitorUpdateStatus;
use lightning::chain::chainmonitor::Persist;
use lightning::chain::channelmonitor::{ChannelMonitor, ChannelMonitorUpdate};
use lightning::ln::types::ChannelId;
use lightning::sign::InMemorySigner;
use lightning::util::persist::{
    ARCHIVED_CHANNEL_MONITOR_PERSISTENCE_PRIMARY_NAMESPACE, CHANNEL_MONITOR_PERSISTENCE_PRIMARY_NAMESPACE,
    CHANNEL_MONITOR_PERSISTENCE_SECONDARY_NAMESPACE, CHANNEL_MONITOR_UPDATE_PERSISTENCE_PRIMARY_NAMESPACE, KVStoreSync,
    MonitorName, MonitorUpdatingPersister,
};
use lightning::util::ser::Writeable;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Updates of this size are gathered before the first whole, and at least between two.
const UPDATES_BYTES_MIN: usize = 256 * 1024;

/// LDK's own reader of monitors and their updates.
pub(crate) type Reader = MonitorUpdatingPersister<Arc<Kv>, Arc<Log>, Arc<Keys>, Arc<Keys>, Arc<Broadcaster>, Arc<Fees>>;

/// What lies in the store for one monitor.
#[derive(Default)]
struct Stored {
    whole_bytes: usize,
    updates_bytes: usize,
    updates: Vec<u64>,
}

/// Stages monitors for the next commit. Nothing leaves the node before that, so LDK is told at
/// once that they are persisted; also when no commit will ever come, for then nothing leaves at all (and
/// LDK panics when it hears both "done" and "in progress" in one life).
pub(crate) struct Monitors {
    kv: Arc<Kv>,
    stored: Mutex<BTreeMap<String, Stored>>,
    tower: Option<Tower>,
}

impl Monitors {
    pub(crate) fn new(kv: Arc<Kv>, tower: Option<Tower>) -> Self {
        Self { kv, stored: Mutex::default(), tower }
    }

    /// Notes which updates lie in the store, at the start.
    pub(crate) fn note_stored(&self, name: MonitorName) -> Result<(), bitcoin::io::Error> {
        let name = name.to_string();
        let keys = self.kv.list(CHANNEL_MONITOR_UPDATE_PERSISTENCE_PRIMARY_NAMESPACE, &name)?;
        let updates = keys.iter().filter_map(|key| key.parse().ok()).collect();
        self.stored().insert(name, Stored { updates, ..Stored::default() });
        Ok(())
    }

    fn stored(&self) -> MutexGuard<'_, BTreeMap<String, Stored>> {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, primary: &str, secondary: &str, key: &str, value: Vec<u8>) {
        self.kv.write(primary, secondary, key, value).expect("staging can't fail");
    }

    fn write_whole(&self, name: MonitorName, monitor: &ChannelMonitor<InMemorySigner>) {
        let name = name.to_string();
        let whole = monitor.encode();
        let mut all = self.stored();
        let stored = all.entry(name.clone()).or_default();
        for update in stored.updates.drain(..) {
            let key = update.to_string();
            let primary = CHANNEL_MONITOR_UPDATE_PERSISTENCE_PRIMARY_NAMESPACE;
            self.kv.remove(primary, &name, &key, true).expect("staging can't fail");
        }
        *stored = Stored { whole_bytes: whole.len(), ..Stored::default() };
        drop(all);
        let (primary, secondary) =
            (CHANNEL_MONITOR_PERSISTENCE_PRIMARY_NAMESPACE, CHANNEL_MONITOR_PERSISTENCE_SECONDARY_NAMESPACE);
        self.put(primary, secondary, &name, whole);
    }

    /// Writes the update alone; false if it is time for the whole.
    fn write_update(&self, name: MonitorName, update: &ChannelMonitorUpdate) -> bool {
        let name = name.to_string();
        let bytes = update.encode();
        let mut all = self.stored();
        let stored = all.entry(name.clone()).or_default();
        stored.updates_bytes = stored.updates_bytes.saturating_add(bytes.len());
        if stored.updates_bytes > stored.whole_bytes.max(UPDATES_BYTES_MIN) {
            return false;
        }
        stored.updates.push(update.update_id);
        drop(all);
        let key = update.update_id.to_string();
        self.put(CHANNEL_MONITOR_UPDATE_PERSISTENCE_PRIMARY_NAMESPACE, &name, &key, bytes);
        true
    }
}

impl Persist<InMemorySigner> for Monitors {
    fn persist_new_channel(
        &self,
        name: MonitorName,
        monitor: &ChannelMonitor<InMemorySigner>,
    ) -> ChannelMonitorUpdateStatus {
        self.write_whole(name, monitor);
        if let Some(tower) = &self.tower {
            tower.add(monitor);
        }
        ChannelMonitorUpdateStatus::Completed
    }

    fn update_persisted_channel(
        &self,
        name: MonitorName,
        update: Option<&ChannelMonitorUpdate>,
        monitor: &ChannelMonitor<InMemorySigner>,
    ) -> ChannelMonitorUpdateStatus {
        if self.kv.forgets() {
            return ChannelMonitorUpdateStatus::Completed;
        }
        if !update.is_some_and(|update| self.write_update(name, update)) {
            self.write_whole(name, monitor);
        }
        if let (Some(tower), Some(update)) = (&self.tower, update) {
            tower.update(monitor, update);
        }
        ChannelMonitorUpdateStatus::Completed
    }

    fn archive_persisted_channel(&self, name: MonitorName) {
        if let Some(tower) = &self.tower {
            let id = match name {
                MonitorName::V1Channel(funding) => ChannelId::v1_from_funding_outpoint(funding),
                MonitorName::V2Channel(id) => id,
            };
            tower.remove(&id.to_string());
        }
        let text = name.to_string();
        let (primary, secondary) =
            (CHANNEL_MONITOR_PERSISTENCE_PRIMARY_NAMESPACE, CHANNEL_MONITOR_PERSISTENCE_SECONDARY_NAMESPACE);
        let Ok(whole) = self.kv.read(primary, secondary, &text) else { return };
        self.put(ARCHIVED_CHANNEL_MONITOR_PERSISTENCE_PRIMARY_NAMESPACE, secondary, &text, whole);
        self.kv.remove(primary, secondary, &text, true).expect("staging can't fail");
        let updates = self.stored().remove(&text).unwrap_or_default().updates;
        for update in updates {
            let key = update.to_string();
            let primary = CHANNEL_MONITOR_UPDATE_PERSISTENCE_PRIMARY_NAMESPACE;
            self.kv.remove(primary, &text, &key, true).expect("staging can't fail");
        }
    }
}
