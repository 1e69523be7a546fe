//! The journal of this member's own votes, one an epoch: losing it while keeping the key means to risk voting twice.

use commonware_runtime::Storage;

/// What the names of the journals begin with.
const JOURNAL: &str = "votes";

/// The journal of an epoch.
pub(crate) fn name(storage: &str, epoch: u64) -> String {
    format!("{storage}{JOURNAL}-{epoch}")
}

/// Whether it is there.
pub(crate) async fn is_there(context: &impl Storage, storage: &str, epoch: u64) -> bool {
    context.scan(&name(storage, epoch)).await.is_ok_and(|blobs| !blobs.is_empty())
}
