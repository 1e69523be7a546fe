//! A real process, killed in the middle of its commits, many times over.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use windlass_store::{Store, Writes};

/// Set for the process that is to be killed: its directory.
const DIRECTORY: &str = "WINDLASS_KILL_DIRECTORY";
const KILLS: u64 = 15;
/// Values that are rewritten with every commit, so that the log folds meanwhile.
const HOT_BYTES: usize = 60_000;

/// Not a test by itself: what [`case_15_killed_in_the_middle_nothing_acknowledged_is_lost`] starts and kills.
#[test]
#[ignore = "started by another test"]
fn write_until_killed() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let store = Store::open_log(directory).expect("opens");
    std::thread::scope(|scope| {
        for thread in 0..3u8 {
            let store = &store;
            scope.spawn(move || {
                loop {
                    let last = store.last("journal").expect("readable").map_or(0, |(_, value)| value.len());
                    let hot = vec![thread; HOT_BYTES + last % 7];
                    let writes = Writes::new().append("journal", &[thread; 20]).put("hot", &[thread], &hot);
                    let position =
                        store.commit_positions(writes.append(&format!("own {thread}"), b"")).expect("commits");
                    println!("acknowledged {} {thread} {}", position[0], position[1]);
                }
            });
        }
    });
}

#[test]
fn case_15_killed_in_the_middle_nothing_acknowledged_is_lost() {
    let directory = tempfile::tempdir().expect("a directory");
    let log = directory.path().join("log");
    let mut before = 0;
    for kill in 0..KILLS {
        let mut writer = Command::new(std::env::current_exe().expect("this test"))
            .args(["--ignored", "--exact", "write_until_killed", "--nocapture"])
            .env(DIRECTORY, &log)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("started");
        let lines = BufReader::new(writer.stdout.take().expect("piped")).lines();
        let (mut newest, mut own, mut seen) = (None, [None; 3], 0);
        for line in lines.map_while(Result::ok) {
            let Some(numbers) = line.split("acknowledged ").nth(1) else { continue };
            let numbers: Vec<u64> = numbers.split(' ').filter_map(|number| number.parse().ok()).collect();
            let [position, thread, at] = numbers[..] else { continue };
            newest = newest.max(Some(position));
            own[thread as usize] = own[thread as usize].max(Some(at));
            seen += 1;
            if seen == 20 + kill * 13 {
                assert!(Store::open_log(&log).is_err(), "two processes must not have one log");
                writer.kill().expect("killed");
            }
        }
        writer.wait().expect("ended");
        let store = Store::open_log(&log).expect("opens after a kill");
        let journal = store.journal("journal", 0).expect("readable");
        let count = journal.len() as u64;
        assert!(newest.is_some_and(|newest| newest < count), "kill {kill}: {newest:?} acknowledged, {count} there");
        assert!(count > before, "kill {kill}: {before} before, {count} now");
        before = count;
        let mut sum = 0;
        for (thread, own) in (0u8..).zip(own) {
            let there = store.journal(&format!("own {thread}"), 0).expect("readable").len() as u64;
            assert!(own < Some(there), "kill {kill}, thread {thread}: {own:?} acknowledged, {there} there");
            sum += there;
            let hot = store.get("hot", &[thread]).expect("readable").expect("each thread committed");
            assert!(hot.len() >= HOT_BYTES && hot.iter().all(|byte| *byte == thread));
        }
        assert_eq!(sum, count, "kill {kill}: each commit is whole");
    }
}
