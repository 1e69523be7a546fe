//! What a bitcoind says about itself.

use std::{fmt, path::Path, time::Duration};

use crate::command::{self, CommandError};

/// How long `bitcoind --version` may take; it takes milliseconds.
const VERSION_TIMEOUT: Duration = Duration::from_secs(20);

/// A version as in `v31.1.0`: the first two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// The release, e.g. 31.
    pub major: u32,
    /// The point release, e.g. 1. 99 marks a snapshot of the development branch.
    pub minor: u32,
}

/// The oldest bitcoind that Windlass works with (package relay and TRUC transactions came with it).
pub const OLDEST: Version = Version { major: 28, minor: 0 };

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// Why a file isn't a bitcoind that can be used.
#[derive(Debug, thiserror::Error)]
pub enum VersionError {
    /// It can't be run, or it fails.
    #[error("cannot ask {path} for its version")]
    Run {
        /// The executable.
        path: String,
        /// What went wrong.
        #[source]
        source: CommandError,
    },
    /// It runs, and says something else.
    #[error("{path} does not say which bitcoind it is; it says {said:?}")]
    Unknown {
        /// The executable.
        path: String,
        /// Its first line.
        said: String,
    },
    /// It is too old.
    #[error("{path} is Bitcoin Core {found}; Windlass needs {OLDEST} or newer")]
    TooOld {
        /// The executable.
        path: String,
        /// Its version.
        found: Version,
    },
}

/// Runs `path --version` and reads the answer.
///
/// # Errors
/// It does not run, it is no bitcoind, or it is older than [`OLDEST`].
pub fn probe(path: &Path) -> Result<Version, VersionError> {
    let shown = path.display().to_string();
    // Even for its version it would make the user's ~/.bitcoin and write a settings file there, and two at
    // once fail at that. Given a folder that is there, it leaves it as it is.
    let mut asked = std::process::Command::new(path);
    asked.args(["-version", "-nosettings", "-noconf"]);
    asked.arg(format!("-datadir={}", std::env::temp_dir().display()));
    let output = command::output(&mut asked, VERSION_TIMEOUT)
        .map_err(|source| VersionError::Run { path: shown.clone(), source })?;
    let said = output.lines().next().unwrap_or_default().trim().to_owned();
    let found = parse(&said).ok_or_else(|| VersionError::Unknown { path: shown.clone(), said: said.clone() })?;
    if found < OLDEST { Err(VersionError::TooOld { path: shown, found }) } else { Ok(found) }
}

/// Reads `Bitcoin Core daemon version v31.99.0-unk` and its older and cousin forms.
fn parse(line: &str) -> Option<Version> {
    if !line.starts_with("Bitcoin") {
        return None;
    }
    let (_, after) = line.split_once(" version v")?;
    let mut numbers = after.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    Some(Version { major: numbers.next()?.ok()?, minor: numbers.next()?.ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_forms_that_exist() {
        for (line, major, minor) in [
            ("Bitcoin Core daemon version v31.99.0-unk bitcoind", 31, 99),
            ("Bitcoin Core version v27.0.0", 27, 0),
            ("Bitcoin Knots daemon version v29.1.knots20250903", 29, 1),
        ] {
            assert_eq!(parse(line), Some(Version { major, minor }), "{line}");
        }
        for line in ["", "dogecoind version v1.14", "Bitcoin Core version", "Bitcoin Core daemon version vX.Y"] {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
