//! With `sleep` and `sh` as children.

use super::*;
use std::path::Path;
use tokio::time::timeout;

const LONG: Duration = Duration::from_secs(30);

fn spec(dir: &Path, name: &str, script: &str) -> Spec {
    Spec {
        name: name.into(),
        kind: Kind::Node,
        program: "/bin/sh".into(),
        args: vec!["-c".into(), script.into()],
        mark: format!("{}#{name}", dir.display()).into(),
        log: dir.join(format!("{name}.log")),
        pid_file: dir.join(format!("{name}.pid.json")),
    }
}

async fn until(what: impl Fn() -> bool) {
    timeout(LONG, async {
        while !what() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("in time");
}

#[tokio::test]
async fn a_child_is_started_recorded_and_ended() {
    let dir = tempfile::tempdir().expect("a folder");
    let supervisor = Supervisor::new();
    let spec = spec(dir.path(), "alice", "echo hello; exec sleep 600");
    let id = supervisor.start(&spec).expect("started");
    assert_eq!(supervisor.start(&spec).expect("again"), id, "it runs once");
    assert_eq!(ProcessId::read(&spec.pid_file), Some(id.clone()));
    assert!(id.is_alive());
    until(|| std::fs::read_to_string(&spec.log).is_ok_and(|log| log == "hello\n")).await;
    timeout(LONG, supervisor.stop(&spec)).await.expect("in time");
    assert!(!id.is_alive());
    assert_eq!(supervisor.snapshot("alice"), Snapshot { id: None, exit: None });
}

#[tokio::test]
async fn an_exit_of_its_own_is_reported_and_not_mended() {
    let dir = tempfile::tempdir().expect("a folder");
    let supervisor = Supervisor::new();
    let spec = spec(dir.path(), "bob", "exit 7");
    supervisor.start(&spec).expect("started");
    until(|| supervisor.snapshot("bob").exit.is_some()).await;
    let snapshot = supervisor.snapshot("bob");
    assert!(snapshot.exit.expect("ended").contains('7'));
    assert_eq!(snapshot.id, None);
}

#[tokio::test]
async fn one_that_was_just_killed_is_started_anew() {
    let dir = tempfile::tempdir().expect("a folder");
    let supervisor = Supervisor::new();
    let spec = spec(dir.path(), "alice", "exec sleep 600");
    let first = supervisor.start(&spec).expect("started");
    first.signal(nix::sys::signal::Signal::SIGKILL);
    // No await until here: nobody has noticed the end.
    while first.is_alive() {
        std::thread::yield_now();
    }
    let second = supervisor.start(&spec).expect("again");
    assert_ne!(first, second);
    until(|| ProcessId::read(&spec.pid_file) == Some(second.clone())).await;
    tokio::task::yield_now().await;
    assert_eq!(supervisor.snapshot("alice").id, Some(second.clone()), "the end of the first is not that of the second");
    supervisor.stop(&spec).await;
}

#[tokio::test]
async fn leftovers_are_known_by_their_mark() {
    let dir = tempfile::tempdir().expect("a folder");
    let other = tempfile::tempdir().expect("a folder");
    let left = Supervisor::new().start(&spec(dir.path(), "carol", "exec sleep 600")).expect("started");
    let foreign_spec = spec(other.path(), "carol", "exec sleep 600");
    let supervisor = Supervisor::new();
    let foreign = supervisor.start(&foreign_spec).expect("started");
    let root = dir.path().to_owned();
    let ended = tokio::task::spawn_blocking(move || end_leftovers(&root, |_| Kind::Node))
        .await
        .expect("no panic")
        .expect("ended");
    assert_eq!(ended, ["carol"]);
    assert!(!left.is_alive());
    assert!(foreign.is_alive(), "another network's process is left alone");
    supervisor.stop(&foreign_spec).await;
}

#[test]
fn a_pid_that_changed_hands_is_not_alive() {
    let own = ProcessId::current().expect("/proc");
    assert!(own.is_alive());
    let mut value = serde_json::to_value(&own).expect("serialises");
    value["started_ticks"] = 1.into();
    let stale: ProcessId = serde_json::from_value(value).expect("reads");
    assert!(!stale.is_alive());
}
