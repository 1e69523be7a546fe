//! The reader of the append log: whatever the files hold, it opens or says that they are damaged.

use std::sync::Arc;
use windlass_store::fault::{self, FaultDisk};
use windlass_store::{OpenError, Store, Tuning, Writes};

/// Small, and without a thread of its own: the same bytes give the same run.
const TUNING: Tuning = Tuning {
    first_segment_bytes: 1024,
    segment_bytes: 4096,
    fold_dead_bytes: 4096,
    fold_step_bytes: 512,
    background: false,
};

const SNAPSHOT: &str = "snapshot-0000000001";
const SEGMENT: &str = "segment-0000000001";
const TABLES: [&str; 3] = ["t", "j", ""];

/// Opens the log; if it can be opened (true), it takes commits, folds, and holds the same after another opening.
fn open(disk: &Arc<FaultDisk>) -> bool {
    let store = match Store::open_log_tuned(disk.clone(), TUNING) {
        Ok(store) => store,
        Err(OpenError::Damaged { .. }) => return false,
        Err(error) => panic!("neither open nor damaged: {error}"),
    };
    // A table that is no journal can't be appended to; that is an answer too.
    let _ = store.append("j", b"x");
    store.commit(Writes::new().put("t", b"fuzz", b"y")).expect("it was opened, so it takes commits");
    let content =
        |store: &Store| TABLES.map(|table| store.scan(table, b"").expect("it was checked when it was opened"));
    let before = content(&store);
    store.fold().expect("it folds");
    assert_eq!(content(&store), before, "a fold changes nothing");
    drop(store);
    let store = Store::open_log_tuned(disk.reopened(), TUNING).expect("it opens again");
    assert_eq!(content(&store), before, "the same after another opening");
    true
}

/// A segment of any bytes.
pub(crate) fn segment(bytes: &[u8]) -> bool {
    let disk = FaultDisk::new(1);
    disk.set_content(SNAPSHOT, fault::empty_snapshot());
    disk.set_content(SEGMENT, bytes.to_vec());
    open(&disk)
}

/// A snapshot of any bytes.
pub(crate) fn snapshot(bytes: &[u8]) -> bool {
    let disk = FaultDisk::new(1);
    disk.set_content(SNAPSHOT, bytes.to_vec());
    open(&disk)
}

/// Records whose checksums hold, of any content: first as a segment, then as a snapshot.
pub(crate) fn records(bytes: &[u8]) -> bool {
    let payloads: Vec<&[u8]> = bytes.split(|byte| *byte == 0xff).collect();
    segment(&fault::sealed_segment(&payloads)) | snapshot(&fault::sealed_snapshot(&payloads))
}

/// What waits for a watchtower.
pub(crate) fn tower_row(bytes: &[u8]) -> bool {
    windlass_channels::fuzzing::tower_row(bytes)
}
