//! Children that outlived the hub that started them.

use super::{Kind, MARK, ProcessId};
use nix::sys::signal::Signal;
use std::{
    ffi::{OsStr, OsString},
    fs,
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    path::Path,
    thread,
    time::{Duration, Instant},
};

const POLL: Duration = Duration::from_millis(20);
/// How long a killed process may take to vanish.
const KILL_GRACE: Duration = Duration::from_secs(10);

/// A process that does not end, not even by force.
#[derive(Debug, thiserror::Error)]
#[error("process {pid} ({name}) of an earlier run does not end; end it with: kill -9 {pid}")]
pub struct LeftoverError {
    /// Its pid.
    pub pid: u32,
    /// Its name in the network.
    pub name: String,
}

/// Ends all processes that carry the mark of the network in `root`: nodes first, bitcoind last.
/// Returns their names. Blocks.
///
/// # Errors
/// One does not end, even by force.
pub fn end_leftovers(root: &Path, kind_of: impl Fn(&str) -> Kind) -> Result<Vec<String>, LeftoverError> {
    let mut found = marked(root);
    found.sort_by_key(|(name, _)| std::cmp::Reverse(kind_of(name)));
    let mut ended = Vec::new();
    for group in found.chunk_by(|(one, _), (other, _)| kind_of(one) == kind_of(other)) {
        for (_, id) in group {
            id.signal(Signal::SIGTERM);
        }
        for (name, id) in group {
            if !gone_within(id, kind_of(name).grace()) {
                id.signal(Signal::SIGKILL);
                if !gone_within(id, KILL_GRACE) {
                    return Err(LeftoverError { pid: id.pid, name: name.clone() });
                }
            }
            ended.push(name.clone());
        }
    }
    Ok(ended)
}

/// Waits until the process is gone, at most for `limit`.
fn gone_within(id: &ProcessId, limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    while id.is_alive() {
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(POLL);
    }
    true
}

/// Does this process carry exactly this mark?
pub fn carries_mark(pid: u32, mark: &OsStr) -> bool {
    let mut wanted = OsString::from(format!("{MARK}="));
    wanted.push(mark);
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes())
}

/// Every process of ours whose environment carries the network's mark, this one excepted.
fn marked(root: &Path) -> Vec<(String, ProcessId)> {
    let own = std::process::id();
    let mut wanted = OsString::from(format!("{MARK}=")).into_vec();
    wanted.extend_from_slice(root.as_os_str().as_bytes());
    wanted.push(b'#');
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| *pid != own)
        .filter_map(|pid| {
            // The id first: if the pid changes hands in between, the id no longer fits and nothing is signalled.
            let id = ProcessId::of(pid)?;
            // Another user's environment can't be read, and is none of our business.
            let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
            let name = environment.split(|byte| *byte == 0).find_map(|entry| entry.strip_prefix(wanted.as_slice()))?;
            id.is_alive().then(|| (String::from_utf8_lossy(name).into_owned(), id))
        })
        .collect()
}
