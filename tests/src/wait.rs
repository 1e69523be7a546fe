//! Waiting for an event, with a deadline. The pause between two looks is no fixed sleep: the test
//! goes on as soon as the event is there, and fails with its name when it does not come.

use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(50);

/// Looks until `event` is there, for at most `limit`.
///
/// # Panics
/// It does not come in time.
pub fn until<T>(what: &str, limit: Duration, mut event: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = event() {
            return value;
        }
        assert!(start.elapsed() < limit, "{what}: not within {limit:?}");
        std::thread::sleep(PAUSE);
    }
}
