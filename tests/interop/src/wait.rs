//! Waiting for an event, with a deadline.

use anyhow::{Result, bail};
use std::time::{Duration, Instant};

/// Long enough for a loaded machine, short enough to be told.
pub const DEADLINE: Duration = Duration::from_secs(90);

const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What the time between two looks counts for at the most: all nodes and we may have been stopped meanwhile,
/// by a suspended machine, say, and nobody can be late while nobody runs.
const COUNTS: Duration = Duration::from_secs(5);

/// Looks again and again until `look` finds something.
///
/// # Errors
/// That of `look`, or nothing was found by the deadline.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let (mut waited, mut last) = (Duration::ZERO, Instant::now());
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if waited > DEADLINE {
            bail!("in vain for {} s: {what}", DEADLINE.as_secs());
        }
        std::thread::sleep(LOOK_AGAIN);
        waited += last.elapsed().min(COUNTS);
        last = Instant::now();
    }
}
