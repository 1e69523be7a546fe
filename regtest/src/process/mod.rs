//! Other programs as children: started, watched, ended by id, and recognised after a crash of ours.
//!
//! Invariant: only a process that carries our mark and started when our record says is ever
//! signalled.

mod id;
mod leftovers;
mod log;
mod supervisor;

pub use id::ProcessId;
pub use leftovers::{LeftoverError, carries_mark, end_leftovers};
pub use log::rotate;
pub use supervisor::{Snapshot, StartError, Supervisor};

use serde::{Deserialize, Serialize};
use std::{ffi::OsString, path::PathBuf, time::Duration};

/// The environment variable that marks our children: `<network's folder>#<name>`.
pub const MARK: &str = "WINDLASS_CHILD";

/// What a process is for. The order is the order of starting; ending goes the other way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// bitcoind.
    Bitcoin,
    /// A member of the federation.
    Member,
    /// A wallet node.
    Node,
}

impl Kind {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Bitcoin => "bitcoin",
            Self::Member => "member",
            Self::Node => "node",
        }
    }

    /// How long it may take to end by itself when told to.
    pub const fn grace(self) -> Duration {
        match self {
            // It flushes its chain state.
            Self::Bitcoin => Duration::from_secs(60),
            Self::Member | Self::Node => Duration::from_secs(15),
        }
    }
}

/// How to start a process.
#[derive(Debug, Clone)]
pub struct Spec {
    /// Its name, unique in the network: `bitcoind`, `f1`, `alice`.
    pub name: String,
    /// What it is for.
    pub kind: Kind,
    /// The executable.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// The mark that it carries in its environment.
    pub mark: OsString,
    /// Where its words go.
    pub log: PathBuf,
    /// Where its id is recorded.
    pub pid_file: PathBuf,
}

#[cfg(test)]
mod tests;
