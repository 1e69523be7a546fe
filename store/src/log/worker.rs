//! The log's own thread: makes the next segment ready, and folds.

use super::Core;
use crate::group::locked;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// After a failure (a full disk, above all) it tries again after so long.
const RETRY: Duration = Duration::from_secs(5);

/// It looks around by itself after so long.
const IDLE: Duration = Duration::from_secs(3600);

#[derive(Default)]
struct Order {
    wake: bool,
}

/// What the thread is told.
#[derive(Default)]
pub(super) struct Orders {
    order: Mutex<Order>,
    changed: Condvar,
    stop: AtomicBool,
}

impl Orders {
    /// A segment was begun: another one is needed, and perhaps a fold.
    pub(super) fn wake(&self) {
        locked(&self.order).wake = true;
        self.changed.notify_one();
    }

    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.wake();
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn wait(&self, longest: Duration) {
        let order = locked(&self.order);
        let waited = self.changed.wait_timeout_while(order, longest, |order| !order.wake);
        waited.unwrap_or_else(PoisonError::into_inner).0.wake = false;
    }
}

pub(super) fn start(core: &Arc<Core>) -> std::io::Result<std::thread::JoinHandle<()>> {
    let core = core.clone();
    std::thread::Builder::new().name("log".into()).spawn(move || {
        while !core.orders.stopped() {
            let longest = if work(&core) { IDLE } else { RETRY };
            core.orders.wait(longest);
        }
    })
}

/// False if something failed. A failed preparation is the next commit's to report, which tries
/// it again; a failed fold stands in the stats.
fn work(core: &Core) -> bool {
    if locked(&core.writer).failed.is_some() {
        return true;
    }
    let prepared = core.prepare_next().is_ok();
    if !core.wants_fold() {
        return prepared;
    }
    // A commit must not wait for a segment because a fold is long.
    let folded = core.fold(|| !core.orders.stopped() && core.prepare_next().is_ok());
    prepared && folded.is_ok()
}
