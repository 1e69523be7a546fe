//! A value that tasks wait on.
//!
//! Not tokio's `watch`, which wakes its waiters in a random order: in the simulator the same seed
//! must give the same run.

use std::sync::{Mutex, PoisonError};
use tokio::sync::Notify;

/// See the module's head.
pub(crate) struct Level<T> {
    value: Mutex<T>,
    moved: Notify,
}

impl<T: Copy + PartialEq> Level<T> {
    pub fn new(value: T) -> Self {
        Self { value: Mutex::new(value), moved: Notify::new() }
    }

    pub fn get(&self) -> T {
        *self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the value to what `next` makes of it.
    pub fn update(&self, next: impl FnOnce(T) -> T) {
        let mut value = self.value.lock().unwrap_or_else(PoisonError::into_inner);
        let before = *value;
        *value = next(before);
        let moved = *value != before;
        drop(value);
        if moved {
            self.moved.notify_waiters();
        }
    }

    /// Returns the value once it is as `wanted`.
    pub async fn wait_for(&self, wanted: impl Fn(T) -> bool) -> T {
        loop {
            let moved = self.moved.notified();
            tokio::pin!(moved);
            // Hear of what happens between the look and the wait.
            moved.as_mut().enable();
            let value = self.get();
            if wanted(value) {
                return value;
            }
            moved.await;
        }
    }
}
