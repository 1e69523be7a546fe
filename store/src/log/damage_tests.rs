//! What is cut, what is refused; the bytes themselves.

use super::segments::{segment_name, snapshot_name};
use super::tests::SMALL;
use super::*;
use crate::fault::FaultDisk;
use crate::store::Store;

/// A log of several segments, each commit `i` putting `[i]`.
fn filled(commits: u8) -> Arc<FaultDisk> {
    let disk = FaultDisk::new(7);
    let store = Store::open_log_tuned(disk.clone(), SMALL).expect("opens");
    for i in 0..commits {
        store.commit(Writes::new().put("t", &[i], &[i; 300])).expect("commits");
    }
    drop(store);
    disk.reopened()
}

fn entries(disk: &Arc<FaultDisk>) -> Result<usize, OpenError> {
    let store = Store::open_log_tuned(disk.reopened(), SMALL)?;
    Ok(store.scan("t", b"").expect("readable").len())
}

fn refused(disk: &Arc<FaultDisk>) -> String {
    match Store::open_log_tuned(disk.reopened(), SMALL) {
        Err(OpenError::Damaged { reason, .. }) => reason,
        other => panic!("damage is refused, not {other:?}"),
    }
}

/// Flips a bit of a file.
fn flip(disk: &FaultDisk, name: &str, at: usize) {
    let mut bytes = disk.content(name).expect("it is there");
    bytes[at] ^= 0x10;
    disk.set_content(name, bytes);
}

/// The first record of a segment is at 36 and here 16 + 1 + 2 + 2 + 2 + 300 bytes long.
const RECORD: usize = 323;

#[test]
fn a_torn_tail_is_cut_at_the_last_whole_record() {
    let disk = filled(2);
    for at in [36 + RECORD, 36 + RECORD + 5, 36 + RECORD + 9, 36 + 2 * RECORD - 1] {
        let disk = disk.reopened();
        flip(&disk, &segment_name(1), at);
        assert_eq!(entries(&disk), Ok(1), "byte {at}");
        // And the log goes on from there.
        let store = Store::open_log_tuned(disk.clone(), SMALL).expect("opens");
        store.commit(Writes::new().put("t", b"new", b"x")).expect("commits");
        drop(store);
        assert_eq!(entries(&disk), Ok(2));
    }
}

#[test]
fn a_bad_record_before_a_good_one_is_refused() {
    let disk = filled(3);
    for at in [36, 36 + 5, 36 + 9, 36 + RECORD - 1, 36 + RECORD, 36 + RECORD + 300] {
        let disk = disk.reopened();
        flip(&disk, &segment_name(1), at);
        assert!(refused(&disk).contains("has a bad record"), "byte {at}");
    }
    let disk = disk.reopened();
    flip(&disk, &segment_name(1), 20);
    assert!(refused(&disk).contains("has a bad record at 0"), "the head");
}

#[test]
fn damage_in_a_full_segment_is_refused_though_its_last_record_is_at_its_end() {
    let disk = filled(12);
    let first = disk.content(&segment_name(1)).expect("there");
    let records = (1024 - 36) / RECORD;
    assert!(first.len() == 1024 && disk.content(&segment_name(3)).is_some(), "three segments are in use");
    flip(&disk, &segment_name(1), 36 + (records - 1) * RECORD + 20);
    assert!(refused(&disk).contains("records are missing before it"), "{}", refused(&disk));
}

#[test]
fn missing_files_are_refused() {
    let disk = filled(12);
    for missing in [1, 2] {
        let disk = disk.reopened();
        disk.take_away(&segment_name(missing));
        assert_eq!(refused(&disk), format!("{} is missing", segment_name(missing)));
    }
    disk.take_away(&snapshot_name(1));
    assert_eq!(refused(&disk), "it has segments but no snapshot");
}

#[test]
fn a_damaged_snapshot_is_refused_and_what_it_needs_must_follow() {
    let disk = filled(12);
    let store = Store::open_log_tuned(disk.clone(), SMALL).expect("opens");
    let log = store.log().expect("a log");
    // A commit comes while the fold copies: the snapshot stands only together with it.
    let mut once = true;
    log.core
        .fold(|| {
            if std::mem::take(&mut once) {
                store.commit(Writes::new().put("t", &[0], b"late")).expect("commits");
            }
            true
        })
        .expect("folds");
    assert_eq!(log.stats().folds, 1);
    drop(store);
    assert_eq!(entries(&disk), Ok(12));
    let names = disk.reopened().names().expect("listed");
    let name = names.iter().find(|name| name.starts_with("snapshot")).expect("there").clone();
    let size = disk.content(&name).expect("there").len();
    for at in (0..size).step_by(61) {
        let disk = disk.reopened();
        flip(&disk, &name, at);
        assert!(refused(&disk).contains("is not whole"), "byte {at}");
    }
    disk.take_away(&name.replace("snapshot", "segment"));
    assert!(refused(&disk).contains("it ends with record 12, but had 13 once"), "{}", refused(&disk));
}

#[test]
fn what_is_read_is_checked() {
    let disk = filled(1);
    let store = Store::open_log_tuned(disk.clone(), SMALL).expect("opens");
    let file = disk.open(&segment_name(1), false).expect("opens");
    file.write_at(b"rot", 36 + 100).expect("written");
    assert!(matches!(store.get("t", &[0]), Err(StoreError::Damaged { .. })));
    assert!(matches!(store.fold(), Err(StoreError::Damaged { .. })), "a fold must not pass rot on");
}

#[test]
fn old_segments_are_used_again_and_what_readers_hold_stays() {
    let disk = filled(0);
    let store = Store::open_log_tuned(disk.clone(), SMALL).expect("opens");
    store.commit(Writes::new().put("t", b"k", b"held")).expect("commits");
    let held = store.snapshot("t").expect("a snapshot");
    for i in 0..200u32 {
        store.commit(Writes::new().put("t", b"k", &[7; 500]).put("t", &i.to_be_bytes(), b"")).expect("commits");
        if i % 20 == 19 {
            store.fold().expect("folds");
        }
    }
    assert_eq!(held.get(b"k"), Ok(Some(b"held".to_vec())));
    let stats = store.stats().expect("a log has stats");
    assert_eq!((stats.folds, stats.entries), (10, 201));
    assert!(stats.dead_bytes < 3000 && stats.segments == 0, "{stats:?}");
    let zeros = stats.bytes_written - stats.bytes_committed;
    assert!(zeros < 60_000, "{zeros} bytes beside those of commits: segments are not used again");
}

#[test]
fn threads_with_a_background_fold_lose_nothing_when_power_goes() {
    for seed in 0..10u64 {
        let disk = FaultDisk::new(seed);
        let tuning = Tuning { background: true, ..SMALL };
        let store = Store::open_log_tuned(disk.clone(), tuning).expect("opens");
        disk.lose_power_at(disk.operations() + 150 + seed * 37);
        let acknowledged: Vec<(u64, u32)> = std::thread::scope(|scope| {
            let work = |thread: u8| {
                let store = &store;
                move || {
                    let (mut appended, mut last) = (0, 0);
                    for count in 1.. {
                        let hot = [&[thread; 600][..], &u32::to_be_bytes(count)].concat();
                        let writes = Writes::new().append(&format!("j{thread}"), b"x").put("hot", &[thread], &hot);
                        if store.commit(writes).is_err() {
                            break;
                        }
                        (appended, last) = (appended + 1, count);
                    }
                    (appended, last)
                }
            };
            let threads: Vec<_> = (0..3).map(|thread| scope.spawn(work(thread))).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        drop(store);
        let store = Store::open_log_tuned(disk.crash(), tuning).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        for (thread, (appended, last)) in (0u8..).zip(acknowledged) {
            let journal = store.journal(&format!("j{thread}"), 0).expect("readable").len() as u64;
            assert!(
                (appended..=appended + 1).contains(&journal),
                "seed {seed}: {appended} acknowledged, {journal} there"
            );
            let hot = store.get("hot", &[thread]).expect("readable").unwrap_or_default();
            let count = hot.last_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
            assert_eq!(u64::from(count), journal, "seed {seed}: a commit is whole");
            assert!(count >= last, "seed {seed}");
        }
    }
}

/// The example of docs/spec/log.md.
#[test]
fn the_format_is_the_one_in_the_specification() {
    let origin = record::Origin { kind: record::Kind::Segment, log: 0x0102_0304_0506_0708, number: 1 };
    let mut bytes = vec![0; record::FRAME_BYTES];
    record::put(&mut bytes, "t", b"key", b"value");
    record::delete(&mut bytes, "t", b"old");
    record::clear(&mut bytes, "gone");
    record::seal(origin, 1, &mut bytes);
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let spec = include_str!("../../../docs/spec/log.md");
    for example in [hex(&record::head(origin, 1)), hex(&bytes)] {
        assert!(spec.contains(&example), "docs/spec/log.md lacks {example}");
    }
    let mut end = vec![0; record::FRAME_BYTES];
    record::end(&mut end, 0, 0);
    record::seal(record::Origin { kind: record::Kind::Snapshot, ..origin }, 0, &mut end);
    assert!(spec.contains(&hex(&end)), "docs/spec/log.md lacks {}", hex(&end));
}
