//! A released Bitcoin Core, pinned by the SHA-256 of its archive.
//!
//! curl does the transfer: it is on the machine or this step is passed over. The hash is the guard,
//! whatever happens on the way.

use super::cache::{self, CacheError};
use crate::{
    command::{self, CommandError},
    progress::{Progress, Report},
};
use bitcoin::hashes::{Hash as _, HashEngine as _, sha256};
use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How long the download may take as a whole.
const DOWNLOAD_TIMEOUT: Duration = Duration::from_secs(900);
/// How long unpacking may take.
const UNPACK_TIMEOUT: Duration = Duration::from_secs(120);
/// Where no connection comes about in this time, there is no network.
const CONNECT_SECONDS: &str = "3";
/// A transfer slower than this (bytes a second, for ten seconds) is given up: a build is faster.
const SPEED_LIMIT: &str = "30000";
/// How often progress is shown.
const TICK: Duration = Duration::from_millis(250);
/// No archive of a release is larger.
const ARCHIVE_BYTES_MAX: u64 = 200_000_000;

/// A release to download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Its version, e.g. `31.1`.
    pub version: String,
    /// The archive's address.
    pub url: String,
    /// The archive's SHA-256 in hex.
    pub sha256: String,
}

/// Why a release could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// There is no curl.
    #[error("curl is not installed")]
    NoCurl,
    /// No network, or the site does not answer.
    #[error("{url} cannot be downloaded ({said})")]
    Transfer {
        /// The archive's address.
        url: String,
        /// What curl says.
        said: String,
    },
    /// It took too long.
    #[error("{url} did not arrive within {} s", DOWNLOAD_TIMEOUT.as_secs())]
    TooSlow {
        /// The archive's address.
        url: String,
    },
    /// Something else came.
    #[error("{url} has the SHA-256 {found} instead of {expected}; it was thrown away")]
    WrongHash {
        /// The archive's address.
        url: String,
        /// What came.
        found: String,
        /// What is pinned.
        expected: String,
    },
    /// The archive can't be unpacked.
    #[error("the archive cannot be unpacked")]
    Unpack(#[source] CommandError),
    /// A file can't be read or written.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

impl Release {
    /// The pinned release for this machine's processor, if there is one.
    pub fn for_this_machine() -> Option<Self> {
        let (target, sha256) = match (std::env::consts::OS, std::env::consts::ARCH) {
            ("linux", "x86_64") => {
                ("x86_64-linux-gnu", "b80d9c3e04da78fb6f0569685673418cf686fadba9042d926d13fb87ff503f9e")
            }
            ("linux", "aarch64") => {
                ("aarch64-linux-gnu", "dcf1873f2208ba4f962f3398d47e154c39c0084be8f4553e05c940d0ace3d004")
            }
            _ => return None,
        };
        Some(Self {
            version: "31.1".into(),
            url: format!("https://bitcoincore.org/bin/bitcoin-core-31.1/bitcoin-31.1-{target}.tar.gz"),
            sha256: sha256.into(),
        })
    }

    /// Its folder's name in the cache.
    pub fn key(&self) -> String {
        format!("{}-{}", self.version, self.sha256.get(..12).unwrap_or(&self.sha256))
    }

    /// Downloads, checks, unpacks and admits it to the cache. The caller holds the cache's lock.
    pub(super) fn download(&self, cache: &Path, path: &OsStr, report: Report<'_>) -> Result<PathBuf, ReleaseError> {
        let curl = command::find_on_path("curl", path).ok_or(ReleaseError::NoCurl)?;
        let work = cache::work(cache, &self.key());
        cache::remove(&work)?;
        fs::create_dir_all(&work).map_err(CacheError::at(&work))?;
        let result = self.download_into(&work, cache, &curl, path, report);
        // Nothing of a download is worth keeping, whether it went well or not.
        cache::remove(&work)?;
        result
    }

    fn download_into(
        &self,
        work: &Path,
        cache: &Path,
        curl: &Path,
        path: &OsStr,
        report: Report<'_>,
    ) -> Result<PathBuf, ReleaseError> {
        let archive = work.join("archive.tar.gz");
        self.transfer(curl, &archive, report)?;
        let found = hash_file(&archive).map_err(CacheError::at(&archive))?;
        if found != self.sha256 {
            return Err(ReleaseError::WrongHash { url: self.url.clone(), found, expected: self.sha256.clone() });
        }
        let member = format!("bitcoin-{}/bin/bitcoind", self.version);
        let mut tar = Command::new("tar");
        tar.env("PATH", path).arg("-xzf").arg(&archive).arg("-C").arg(work).arg(&member);
        command::output(&mut tar, UNPACK_TIMEOUT).map_err(ReleaseError::Unpack)?;
        Ok(cache::admit(cache, &self.key(), &work.join(member))?)
    }

    fn transfer(&self, curl: &Path, archive: &Path, report: Report<'_>) -> Result<(), ReleaseError> {
        let failed = |said: String| ReleaseError::Transfer { url: self.url.clone(), said };
        report(Progress::note("bitcoind", format!("downloading Bitcoin Core {}", self.version)));
        let mut child = Command::new(curl)
            .args(["--fail", "--location", "--silent", "--show-error", "--connect-timeout", CONNECT_SECONDS])
            .args(["--speed-limit", SPEED_LIMIT, "--speed-time", "10"])
            .args(["--max-filesize", &ARCHIVE_BYTES_MAX.to_string(), "--output"])
            .arg(archive)
            .arg(&self.url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        let deadline = Instant::now() + DOWNLOAD_TIMEOUT;
        let mut shown = 0;
        let status = loop {
            if let Some(status) = child.try_wait().map_err(|error| failed(error.to_string()))? {
                break status;
            }
            if Instant::now() >= deadline {
                let _ = child.kill();
                let _ = child.wait();
                return Err(ReleaseError::TooSlow { url: self.url.clone() });
            }
            let megabytes = archive.metadata().map_or(0, |meta| meta.len() / 1_000_000);
            if megabytes > shown {
                shown = megabytes;
                report(Progress::note("bitcoind", format!("downloading Bitcoin Core {}: {shown} MB", self.version)));
            }
            thread::sleep(TICK);
        };
        if status.success() {
            return Ok(());
        }
        let mut said = String::new();
        if let Some(mut stderr) = child.stderr.take() {
            // Without its words there is still the status.
            let _ = stderr.read_to_string(&mut said);
        }
        let said = said.trim();
        Err(failed(if said.is_empty() { status.to_string() } else { said.to_owned() }))
    }
}

/// The SHA-256 of a file, in hex.
fn hash_file(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut engine = sha256::Hash::engine();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(sha256::Hash::from_engine(engine).to_string());
        }
        engine.input(&buffer[..read]);
    }
}
