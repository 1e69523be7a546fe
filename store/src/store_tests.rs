use super::*;
use std::sync::Barrier;

type Open = fn(&Path) -> Result<Arc<Store>, OpenError>;

/// Opens the same store once more.
type Again = Box<dyn Fn() -> Result<Arc<Store>, OpenError>>;

/// Both shapes keep the same promises.
const SHAPES: [(&str, Open); 2] = [("a.redb", |path| Store::open(path)), ("a.log", |path| Store::open_log(path))];

/// A new store of each shape, and how to open it again.
fn fresh() -> Vec<(tempfile::TempDir, Arc<Store>, Again)> {
    let make = |(name, open): (&str, Open)| {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join(name);
        let again: Again = Box::new(move || open(&path));
        (dir, again().expect("opens"), again)
    };
    SHAPES.into_iter().map(make).collect()
}

#[test]
fn a_commit_survives_and_a_missing_table_is_empty() {
    for (_dir, store, again) in fresh() {
        assert_eq!(store.get("none", b"k"), Ok(None));
        assert_eq!(store.scan("none", b""), Ok(vec![]));
        assert_eq!(store.last("none"), Ok(None));
        store.commit(Writes::new().put("t", b"a1", b"x").put("t", b"a2", b"y").put("t", b"b", b"z")).expect("commits");
        drop(store);
        let store = again().expect("opens again");
        assert_eq!(store.get("t", b"a1"), Ok(Some(b"x".to_vec())));
        let entry = |k: &[u8], v: &[u8]| (k.to_vec(), v.to_vec());
        assert_eq!(store.scan("t", b"a"), Ok(vec![entry(b"a1", b"x"), entry(b"a2", b"y")]));
        assert_eq!(store.range("t", b"a2", 9), Ok(vec![entry(b"a2", b"y"), entry(b"b", b"z")]));
        assert_eq!(store.range("t", b"", 1), Ok(vec![entry(b"a1", b"x")]));
        assert_eq!(store.last("t"), Ok(Some(entry(b"b", b"z"))));
        store.commit(Writes::new().delete("t", b"a1").delete("t", b"not there").clear("nothing")).expect("commits");
        assert_eq!(store.get("t", b"a1"), Ok(None));
    }
}

#[test]
fn a_journal_counts_from_zero_and_starts_again_when_cleared() {
    for (_dir, store, _) in fresh() {
        assert_eq!(store.append("j", b"a"), Ok(0));
        assert_eq!(
            store.commit_positions(Writes::new().append("j", b"b").put("t", b"k", b"v").append("j", b"c")),
            Ok(vec![1, 2])
        );
        assert_eq!(store.journal("j", 1), Ok(vec![(1, b"b".to_vec()), (2, b"c".to_vec())]));
        assert_eq!(store.commit_positions(Writes::new().clear("j").append("j", b"d")), Ok(vec![0]));
        assert_eq!(store.journal("j", 0), Ok(vec![(0, b"d".to_vec())]));
        assert!(matches!(store.append("t", b"not a journal"), Err(StoreError::Damaged { .. })));
    }
}

#[test]
fn a_second_opener_is_told_who_is_in_the_way() {
    for (_dir, store, again) in fresh() {
        assert_eq!(again().err(), Some(OpenError::InUse { path: store.path().to_owned() }));
    }
}

#[test]
fn a_missing_directory_and_a_foreign_file_are_errors() {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, open) in SHAPES {
        assert!(matches!(open(&dir.path().join("no/such").join(name)), Err(OpenError::Io { .. })));
    }
    let junk = dir.path().join("junk");
    std::fs::write(&junk, b"certainly not a database, but long enough to be looked at").expect("written");
    assert!(matches!(Store::open(&junk), Err(OpenError::Damaged { .. })), "{:?}", Store::open(&junk));
}

#[test]
fn commits_that_come_together_all_land_and_each_gets_its_own_positions() {
    for (_dir, store, _) in fresh() {
        let barrier = Barrier::new(8);
        let mut positions: Vec<u64> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8u8)
                .map(|i| {
                    let (store, barrier) = (&store, &barrier);
                    scope.spawn(move || {
                        barrier.wait();
                        (0..10u8)
                            .map(|j| {
                                let at = store.append("j", &[i, j]).expect("appended");
                                let there = store.journal("j", at).expect("read").swap_remove(0);
                                assert_eq!(there, (at, vec![i, j]));
                                at
                            })
                            .collect::<Vec<_>>()
                    })
                })
                .collect();
            threads.into_iter().flat_map(|t| t.join().expect("no panic")).collect()
        });
        positions.sort_unstable();
        assert_eq!(positions, (0..80).collect::<Vec<_>>());
    }
}

#[test]
fn a_bad_commit_fails_as_a_whole() {
    for (_dir, store, _) in fresh() {
        store.commit(Writes::new().put("t", b"k", b"v")).expect("commits");
        let bad = Writes::new().put("t", b"k2", b"v2").append("t", b"t is no journal");
        assert!(store.commit(bad).is_err());
        assert_eq!(store.get("t", b"k2"), Ok(None));
    }
}

#[test]
fn pages_of_a_snapshot_make_the_whole() {
    for (_dir, store, _) in fresh() {
        let writes = (0..=20u8).fold(Writes::new().put("t", b"Z", b"other"), |writes, n| {
            writes.put("t", &[b'a', n], &[n]).put("t", &[b'b', n], b"other")
        });
        store.commit(writes).expect("commits");
        let snapshot = store.snapshot("t").expect("snapshot");
        let whole = snapshot.scan(b"a").expect("scan");
        assert_eq!(whole.len(), 21);
        for size in [1, 4, 21, 30] {
            let (mut all, mut from) = (Vec::new(), Vec::new());
            loop {
                let mut page = snapshot.page(b"a", &from, size + 1).expect("a page");
                let next = page.get(size).map(|(key, _)| key[1..].to_vec());
                page.truncate(size);
                all.extend(page);
                let Some(next) = next else { break };
                from = next;
            }
            assert_eq!(all, whole, "{size} at a time");
        }
        assert_eq!(snapshot.page(b"a", &[99], 5), Ok(vec![]), "it stays under its prefix");
    }
}

#[test]
fn a_snapshot_does_not_move() {
    for (_dir, store, _) in fresh() {
        store.commit(Writes::new().put("t", b"a1", b"old")).expect("commit");
        let snapshot = store.snapshot("t").expect("snapshot");
        assert!(store.snapshot("absent").expect("snapshot").get(b"a1").expect("get").is_none());
        store.commit(Writes::new().put("t", b"a1", b"new").put("t", b"a2", b"new")).expect("commit");
        assert_eq!(snapshot.get(b"a1").expect("get"), Some(b"old".to_vec()));
        assert_eq!(snapshot.scan(b"a").expect("scan").len(), 1);
        assert_eq!(store.snapshot("t").expect("snapshot").scan(b"a").expect("scan").len(), 2);
    }
}
