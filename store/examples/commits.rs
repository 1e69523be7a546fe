//! Durable commits a second, side by side in one run: the log, redb, and what the disk itself gives.
//!
//! `cargo run --release -p windlass-store --example commits -- DIRECTORY [SECONDS]`. The directory should lie
//! on the disk in question; on a tmpfs an fdatasync costs nothing and the figures mean nothing.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use windlass_store::{Store, Writes};

struct Figures {
    name: String,
    commits: usize,
    took: Duration,
    times: Vec<Duration>,
}

impl Figures {
    fn print(mut self) {
        self.times.sort_unstable();
        let at = |share: usize| self.times.get(self.times.len() * share / 100).copied().unwrap_or_default();
        let per_second = self.commits as f64 / self.took.as_secs_f64();
        println!("{:<44}{:>10.0}/s   p50 {:>8.2?}   p99 {:>8.2?}", self.name, per_second, at(50), at(99));
    }
}

/// Calls `commit` from `threads` threads until the time is over.
fn measure(name: String, threads: usize, length: Duration, commit: impl Fn(usize) + Sync) -> Figures {
    let start = Instant::now();
    let times: Vec<Duration> = std::thread::scope(|scope| {
        let work = |thread| {
            let commit = &commit;
            move || {
                let mut times = Vec::new();
                while start.elapsed() < length {
                    let before = Instant::now();
                    commit(thread);
                    times.push(before.elapsed());
                }
                times
            }
        };
        let threads: Vec<_> = (0..threads).map(|thread| scope.spawn(work(thread))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    });
    Figures { name, commits: times.len(), took: start.elapsed(), times }
}

fn file(path: &Path) -> File {
    OpenOptions::new().create(true).truncate(true).write(true).read(true).open(path).expect("a file")
}

/// One write and one fdatasync of `bytes`, at the end of a growing file or inside one full of zeros.
fn raw(directory: &Path, bytes: usize, zeros: bool, length: Duration) -> Figures {
    const SIZE: u64 = 64 << 20;
    let file = file(&directory.join("raw"));
    if zeros {
        let some = vec![0; 1 << 20];
        for at in (0..SIZE).step_by(some.len()) {
            file.write_all_at(&some, at).expect("written");
        }
        file.sync_all().expect("synced");
    }
    let (value, at) = (vec![7; bytes], std::sync::atomic::AtomicU64::new(0));
    let name = format!("write + fdatasync, {bytes} B, {}", if zeros { "over zeros" } else { "growing file" });
    let figures = measure(name, 1, length, |_| {
        let mut from = at.fetch_add(bytes as u64, std::sync::atomic::Ordering::Relaxed);
        if zeros {
            from %= SIZE - bytes as u64;
        }
        file.write_all_at(&value, from).expect("written");
        file.sync_data().expect("synced");
    });
    std::fs::remove_file(directory.join("raw")).expect("removed");
    figures
}

fn store(name: &str, store: &Arc<Store>, bytes: usize, threads: usize, length: Duration) -> Figures {
    let value = vec![7; bytes];
    // A value that is rewritten with each commit, and a small one that stays: as a node does it.
    measure(format!("{name}, {bytes} B, {threads} thread(s)"), threads, length, |thread| {
        let writes = Writes::new().put("hot", &[thread as u8], &value).append("journal", &[7; 40]);
        store.commit(writes).expect("commits");
    })
}

fn main() {
    let mut arguments = std::env::args_os().skip(1);
    let directory = PathBuf::from(arguments.next().expect("a directory on the disk to be measured"));
    let seconds = arguments.next().and_then(|text| text.to_str()?.parse().ok()).unwrap_or(3);
    let length = Duration::from_secs(seconds);
    let directory = directory.join(format!("commits-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("made");
    for bytes in [200, 50_000] {
        raw(&directory, bytes, false, length).print();
        raw(&directory, bytes, true, length).print();
        for threads in [1, 8] {
            let log = Store::open_log(directory.join(format!("log-{bytes}-{threads}"))).expect("opens");
            store("log", &log, bytes, threads, length).print();
            let stats = log.stats().expect("a log has stats");
            println!(
                "    {:.2} syncs and {:.2} bytes written per byte committed, {:.1} commits a round, {} folds",
                stats.syncs as f64 / stats.commits as f64,
                stats.bytes_written as f64 / stats.bytes_committed as f64,
                stats.commits as f64 / stats.rounds as f64,
                stats.folds
            );
            drop(log);
            let started = Instant::now();
            let log = Store::open_log(directory.join(format!("log-{bytes}-{threads}"))).expect("opens");
            println!("    opened again in {:.0?}: {} entries", started.elapsed(), log.stats().map_or(0, |s| s.entries));
            let redb = Store::open(directory.join(format!("{bytes}-{threads}.redb"))).expect("opens");
            store("redb", &redb, bytes, threads, length).print();
        }
    }
    std::fs::remove_dir_all(&directory).expect("removed");
}
