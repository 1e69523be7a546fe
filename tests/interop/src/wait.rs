//! Waiting for an event, with a deadline.

use anyhow::{Result, bail};
use std::time::{Duration, Instant};

/// Long enough for a loaded machine, short enough to be told.
pub const DEADLINE: Duration = Duration::from_secs(90);

const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Looks again and again until `look` finds something.
///
/// # Errors
/// That of `look`, or nothing was found by the deadline.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if Instant::now() > end {
            bail!("in vain for {} s: {what}", DEADLINE.as_secs());
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}
