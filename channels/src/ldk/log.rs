//! LDK's log lines as `tracing` events.

use lightning::util::logger::{Level, Logger, Record};

/// Passes LDK's records on to `tracing`, under the target `ldk`.
#[derive(Debug)]
pub(crate) struct Log;

impl Logger for Log {
    fn log(&self, record: Record<'_>) {
        // LDK's INFO is the chatter of a protocol; what a person wants to know comes as our own events.
        match record.level {
            Level::Gossip | Level::Trace => tracing::trace!(target: "ldk", "{}: {}", record.module_path, record.args),
            Level::Debug | Level::Info => tracing::debug!(target: "ldk", "{}: {}", record.module_path, record.args),
            Level::Warn => tracing::info!(target: "ldk", "{}: {}", record.module_path, record.args),
            Level::Error => tracing::warn!(target: "ldk", "{}: {}", record.module_path, record.args),
        }
    }
}
