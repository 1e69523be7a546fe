//! Where everything of a network lies: `~/.windlass/regtest/<name>/`. Delete that folder and the
//! machine is clean.

use std::path::{Path, PathBuf};

/// Names are short, so that paths and sockets stay short.
const NAME_BYTES_MAX: usize = 40;

/// A name that can't be a folder's or a process's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} can't be a name: take 1 to {NAME_BYTES_MAX} letters, digits, - _ or ., a letter or digit first")]
pub struct NameError(pub String);

/// Checks a network's or a node's name.
///
/// # Errors
/// It is empty, too long, or holds other letters.
pub fn check_name(name: &str) -> Result<(), NameError> {
    let fits = (1..=NAME_BYTES_MAX).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    if fits { Ok(()) } else { Err(NameError(name.into())) }
}

/// The folder of all networks: `~/.windlass`.
pub fn default_datadir() -> PathBuf {
    std::env::var_os("HOME").map(PathBuf::from).unwrap_or_else(std::env::temp_dir).join(".windlass")
}

/// The paths of one network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    root: PathBuf,
    name: String,
}

impl Layout {
    /// The network `name` under `datadir`.
    ///
    /// # Errors
    /// The name can't be one.
    pub fn new(datadir: &Path, name: &str) -> Result<Self, NameError> {
        check_name(name)?;
        let datadir = std::path::absolute(datadir).unwrap_or_else(|_| datadir.to_owned());
        Ok(Self { root: datadir.join("regtest").join(name), name: name.into() })
    }

    /// The network whose folder this is.
    ///
    /// # Errors
    /// The folder's name can't be a network's.
    pub fn at(root: &Path) -> Result<Self, NameError> {
        let root = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
        let name = root.file_name().unwrap_or_default().to_string_lossy().into_owned();
        check_name(&name)?;
        Ok(Self { root, name })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder that it shares with the other networks.
    pub fn siblings(&self) -> &Path {
        self.root.parent().unwrap_or(&self.root)
    }

    /// What it is made of, and on which ports.
    pub fn run_file(&self) -> PathBuf {
        self.root.join("run.json")
    }

    /// Held while `up` or `down` is at work.
    pub fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// Where the hub is.
    pub fn hub_file(&self) -> PathBuf {
        self.root.join("hub.json")
    }

    /// There once `up` is done, gone from the first step of `down` on.
    pub fn ready(&self) -> PathBuf {
        self.root.join("ready")
    }

    /// The hub's key: the miner's and the faucet's coins. Worth nothing: regtest.
    pub fn purse_key(&self) -> PathBuf {
        self.root.join("purse.key")
    }

    /// bitcoind's folder.
    pub fn bitcoin(&self) -> PathBuf {
        self.root.join("bitcoin")
    }

    /// The cookie that bitcoind writes at each start.
    pub fn cookie(&self) -> PathBuf {
        self.bitcoin().join("regtest").join(".cookie")
    }

    /// A member's folder.
    pub fn member(&self, name: &str) -> PathBuf {
        self.root.join("fed").join(name)
    }

    /// A wallet node's folder.
    pub fn node(&self, name: &str) -> PathBuf {
        self.root.join("ln").join(name)
    }

    /// The folder of logs.
    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// A process's log.
    pub fn log(&self, name: &str) -> PathBuf {
        self.logs().join(format!("{name}.log"))
    }

    /// A process's id.
    pub fn pid_file(&self, name: &str) -> PathBuf {
        self.root.join("pids").join(format!("{name}.json"))
    }

    /// The mark that a process of this network carries.
    pub fn mark(&self, name: &str) -> std::ffi::OsString {
        let mut mark = self.root.as_os_str().to_owned();
        mark.push(format!("#{name}"));
        mark
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_leave_the_folder_are_refused() {
        for name in ["", ".", "..", "a/b", "é", "-x", "name with spaces", &"x".repeat(41)] {
            assert!(check_name(name).is_err(), "{name}");
        }
        for name in ["default", "other-2", "0", "v1.2_x"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
    }
}
