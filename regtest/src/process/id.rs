//! Which process is meant: a pid alone is given to another process one day.

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde::{Deserialize, Serialize};
use std::{fs, io, path::Path};

/// A process, told from all others that ever had its pid on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessId {
    /// Its pid.
    pub pid: u32,
    /// When it started, in clock ticks since the machine did.
    started_ticks: u64,
    /// Which start of the machine.
    boot: String,
}

/// What `/proc/<pid>/stat` says.
struct Stat {
    state: char,
    started_ticks: u64,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in brackets, and may hold anything.
    let (_, after) = text.rsplit_once(')')?;
    let mut fields = after.split_whitespace();
    let state = fields.next()?.chars().next()?;
    // The state is field 3, the start is field 22.
    let started_ticks = fields.nth(18)?.parse().ok()?;
    Some(Stat { state, started_ticks })
}

fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).unwrap_or_default()
}

impl ProcessId {
    /// The process that has this pid now.
    pub fn of(pid: u32) -> Option<Self> {
        Some(Self { pid, started_ticks: stat(pid)?.started_ticks, boot: boot() })
    }

    /// This process.
    ///
    /// # Errors
    /// There is no `/proc`.
    pub fn current() -> io::Result<Self> {
        Self::of(std::process::id()).ok_or_else(|| io::Error::new(io::ErrorKind::Unsupported, "/proc can't be read"))
    }

    /// Does it still run? (One that has ended and waits for its parent to notice does not.)
    pub fn is_alive(&self) -> bool {
        stat(self.pid).is_some_and(|stat| stat.started_ticks == self.started_ticks && !matches!(stat.state, 'Z' | 'X'))
            && self.boot == boot()
    }

    /// Sends it a signal, if it is alive.
    pub fn signal(&self, signal: Signal) {
        if self.is_alive()
            && let Ok(pid) = i32::try_from(self.pid)
        {
            // It may end in this moment; then there is nobody to signal.
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    /// Resident memory in kB.
    pub fn memory_kb(&self) -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        let line = text.lines().find(|line| line.starts_with("VmRSS:"))?;
        line.split_whitespace().nth(1)?.parse().ok()
    }

    /// Reads the record at `path`; none if there is none that makes sense.
    pub fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    }

    /// Records it at `path`, whole or not at all.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        crate::files::write_json(path, self)
    }
}
