//! Random operations on a disk that loses power, tears, refuses and is full; every seed is one run.

use super::*;
use crate::fault::FaultDisk;
use crate::store::Store;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

const TABLES: [&str; 3] = ["a", "b", "a longer name"];
const JOURNALS: [&str; 2] = ["j", "k"];

/// So small that a short run rotates, folds and uses segments again.
pub(super) const SMALL: Tuning = Tuning {
    first_segment_bytes: 1024,
    segment_bytes: 4096,
    fold_dead_bytes: 4096,
    fold_step_bytes: 512,
    background: false,
};

/// What a store should hold.
type Model = std::collections::BTreeMap<(String, Vec<u8>), Vec<u8>>;

/// Random changes, what they make of the model, and the positions that they should get.
fn changes(rng: &mut StdRng, before: &Model) -> (Writes, Model, Vec<u64>) {
    let (mut writes, mut model, mut positions) = (Writes::new(), before.clone(), Vec::new());
    for _ in 0..rng.gen_range(1..5) {
        let table = TABLES.choose(rng).expect("not empty").to_string();
        let journal = JOURNALS.choose(rng).expect("not empty").to_string();
        let key = vec![b'k', rng.gen_range(0..12)];
        let length = *[0, 3, 40, 200, 700, 3000, 9000].choose(rng).expect("not empty");
        let mut value = vec![0; length];
        rng.fill(&mut value[..]);
        match rng.gen_range(0..20) {
            0 => {
                let cleared = if rng.r#gen() { table } else { journal };
                writes = writes.clear(&cleared);
                model.retain(|(name, _), _| *name != cleared);
            }
            1..4 => {
                writes.add_delete(&table, &key);
                model.remove(&(table, key));
            }
            4..10 => {
                writes.add_append(&journal, &value);
                let last = model.keys().filter(|(name, _)| *name == journal).map(|(_, key)| position(key)).max();
                let next = last.map_or(0, |last| last + 1);
                model.insert((journal, next.to_be_bytes().to_vec()), value);
                positions.push(next);
            }
            _ => {
                writes.add_put(&table, &key, &value);
                model.insert((table, key), value);
            }
        }
    }
    (writes, model, positions)
}

fn position(key: &[u8]) -> u64 {
    u64::from_be_bytes(key.try_into().expect("a journal's key"))
}

fn content(store: &Store) -> Model {
    let mut all = Model::new();
    for table in TABLES.iter().chain(&JOURNALS) {
        for (key, value) in store.scan(table, b"").expect("readable") {
            assert_eq!(store.get(table, &key).expect("readable").as_ref(), Some(&value));
            all.insert((table.to_string(), key), value);
        }
    }
    all
}

/// One run: what was acknowledged, and what may be there beside it.
struct Run {
    rng: StdRng,
    seed: u64,
    acked: Model,
    /// The state after the commit that failed.
    unsure: Option<Model>,
    commits: u64,
}

impl Run {
    fn commit(&mut self, store: &Store) -> bool {
        let (writes, after, positions) = changes(&mut self.rng, &self.acked);
        match store.commit_positions(writes) {
            Ok(given) => {
                assert_eq!(given, positions, "seed {}", self.seed);
                self.acked = after;
                self.commits += 1;
                true
            }
            Err(_) => {
                self.unsure = Some(after);
                false
            }
        }
    }

    /// Everything acknowledged is there, and of the rest all or nothing.
    fn check(&mut self, store: &Store) {
        let found = content(store);
        if found != self.acked {
            assert_eq!(Some(found), self.unsure.take(), "seed {}: neither with nor without the last commit", self.seed);
            self.acked = content(store);
        }
        self.unsure = None;
    }

    /// Works until something fails or enough is done.
    fn work(&mut self, store: &Store) {
        for _ in 0..self.rng.gen_range(1..40) {
            let went_on = match self.rng.gen_range(0..12) {
                0 => {
                    let Backdoor(log) = Backdoor::of(store);
                    let mut fine = true;
                    let folded = log.core.fold(|| {
                        fine = fine && (self.rng.gen_bool(0.6) || self.commit(store));
                        fine
                    });
                    folded.is_ok() && fine
                }
                1 => Backdoor::of(store).0.core.prepare_next().is_ok(),
                _ => self.commit(store),
            };
            if !went_on {
                break;
            }
        }
        if self.unsure.is_none() {
            assert_eq!(content(store), self.acked, "seed {}", self.seed);
        }
    }
}

/// The log behind a store.
struct Backdoor<'a>(&'a Log);

impl<'a> Backdoor<'a> {
    fn of(store: &'a Store) -> Self {
        Self(store.log().expect("a log"))
    }
}

/// `break_it` says what goes wrong next on the disk.
fn run(seed: u64, break_it: impl Fn(&mut StdRng, &FaultDisk)) -> u64 {
    let mut run = Run { rng: StdRng::seed_from_u64(seed), seed, acked: Model::new(), unsure: None, commits: 0 };
    let mut disk = FaultDisk::new(seed);
    for _ in 0..6 {
        break_it(&mut run.rng, &disk);
        match Store::open_log_tuned(disk.clone(), SMALL) {
            Ok(store) => {
                run.check(&store);
                run.work(&store);
            }
            Err(OpenError::Io { .. } | OpenError::DiskFull { .. }) => {}
            Err(error) => panic!("seed {seed}: {error}"),
        }
        // What failed may be tried again without a crash between.
        disk = if run.rng.gen_bool(0.2) { disk.reopened() } else { disk.crash() };
    }
    let store = Store::open_log_tuned(disk, SMALL).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    run.check(&store);
    assert!(run.commit(&store), "seed {seed}: a healthy disk takes a commit");
    run.commits
}

const RUNS: u64 = 150;

fn runs(break_it: impl Fn(&mut StdRng, &FaultDisk)) {
    let commits: u64 = (0..RUNS).map(|seed| run(seed, &break_it)).sum();
    assert!(commits > RUNS * 10, "only {commits} commits: the runs test nothing");
}

#[test]
fn nothing_acknowledged_is_lost_when_power_goes_at_any_operation() {
    runs(|rng, disk| disk.lose_power_at(disk.operations() + rng.gen_range(1..250)));
}

#[test]
fn nothing_acknowledged_is_lost_when_power_goes_in_a_sync() {
    runs(|rng, disk| disk.lose_power_at_sync(disk.syncs() + rng.gen_range(1..90)));
}

#[test]
fn nothing_acknowledged_is_lost_when_a_sync_fails() {
    runs(|rng, disk| disk.fail_sync(disk.syncs() + rng.gen_range(1..60)));
}

#[test]
fn nothing_acknowledged_is_lost_when_a_write_fails_half_way() {
    runs(|rng, disk| disk.fail_write(disk.writes() + rng.gen_range(1..90)));
}

#[test]
fn case_38_nothing_acknowledged_is_lost_on_a_full_disk() {
    runs(|rng, disk| disk.set_capacity(rng.gen_bool(0.8).then(|| rng.gen_range(20_000..120_000))));
}

#[test]
fn case_38_a_failed_sync_ends_the_log_until_it_is_opened_again() {
    let disk = FaultDisk::new(1);
    let store = Store::open_log_tuned(disk.clone(), SMALL).expect("opens");
    store.commit(Writes::new().put("t", b"k", b"acknowledged")).expect("commits");
    disk.fail_sync(disk.syncs() + 1);
    let first = store.commit(Writes::new().put("t", b"k", b"lost")).expect_err("the sync fails");
    let StoreError::Io { reason, .. } = first else { panic!("{first}") };
    assert_eq!(reason, "this sync fails");
    let later = store.commit(Writes::new().put("t", b"other", b"x")).expect_err("the log has ended");
    assert!(later.to_string().contains("nothing more is written until it is opened again"), "{later}");
    assert!(store.fold().is_err());
    assert_eq!(store.get("t", b"k"), Ok(Some(b"acknowledged".to_vec())));
    drop(store);
    let store = Store::open_log_tuned(disk.crash(), SMALL).expect("opens");
    store.commit(Writes::new().put("t", b"other", b"x")).expect("commits");
}

#[test]
fn case_38_a_full_disk_is_told_and_once_there_is_room_the_log_goes_on() {
    let disk = FaultDisk::new(1);
    let store = Store::open_log_tuned(disk.clone(), SMALL).expect("opens");
    disk.set_capacity(Some(8192));
    let full = (0..100u8).find_map(|i| store.commit(Writes::new().put("t", &[i], &[i; 500])).err().map(|e| (i, e)));
    let (at, error) = full.expect("it gets full");
    assert!(matches!(error, StoreError::DiskFull { .. }), "{error}");
    disk.set_capacity(None);
    // No room for a new segment: not a byte of the commit was written, so nothing is in doubt.
    store.commit(Writes::new().put("t", &[at], &[at; 500])).expect("commits");
    assert_eq!(store.scan("t", b"").expect("readable").len(), usize::from(at) + 1);
}
