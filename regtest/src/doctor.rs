//! What the machine has and lacks, each missing thing with the command that installs it.

use crate::{
    bitcoind::{BUILD_BYTES_MIN, ResolveError, Resolved, Resolver, chain},
    command, ports,
};
use serde::{Deserialize, Serialize};
use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// How long one look may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(20);
/// Room for a network's data.
const NETWORK_BYTES_MIN: u64 = 500_000_000;

/// A tool or library that a build needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// What it is called.
    pub name: &'static str,
    /// Is it there?
    pub found: bool,
    /// The Debian and Ubuntu package that brings it.
    pub package: Option<&'static str>,
}

/// One line of the doctor's report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What was looked at.
    pub name: String,
    /// Is it as it should be?
    pub ok: bool,
    /// Does anything fail without it?
    pub needed: bool,
    /// What was found.
    pub detail: String,
    /// The command that mends it.
    pub command: Option<String>,
}

/// The doctor's report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Nothing that is needed is missing.
    pub ok: bool,
    /// Line by line.
    pub findings: Vec<Finding>,
}

/// The command that installs Debian packages, with sudo unless we are root.
pub fn apt_install(packages: &[&str]) -> String {
    let sudo = if nix::unistd::geteuid().is_root() { "" } else { "sudo " };
    format!("{sudo}apt-get install -y --no-install-recommends {}", packages.join(" "))
}

/// cargo: on `path`, else where rustup puts it.
pub fn cargo(path: &OsStr) -> PathBuf {
    let by_rustup = || {
        let home = std::env::var_os("CARGO_HOME")
            .map(PathBuf::from)
            .or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")))?;
        Some(home.join("bin").join("cargo")).filter(|file| file.is_file())
    };
    command::find_on_path("cargo", path).or_else(by_rustup).unwrap_or_else(|| "cargo".into())
}

/// What the build of bitcoind needs, and whether it is there.
pub fn build_tools(path: &OsStr) -> Vec<Tool> {
    let on_path = |name: &'static str, package| Tool {
        name,
        found: command::find_on_path(name, path).is_some(),
        package: Some(package),
    };
    let header = |name, header: &str, package| Tool { name, found: has_header(path, header), package: Some(package) };
    vec![
        Tool { name: "cargo", found: cargo(path).is_absolute(), package: None },
        on_path("g++", "g++"),
        on_path("cmake", "cmake"),
        on_path("ninja", "ninja-build"),
        on_path("pkg-config", "pkg-config"),
        header("libevent", "event2/event.h", "libevent-dev"),
        header("boost", "boost/multi_index_container.hpp", "libboost-dev"),
    ]
}

/// Does the compiler find this header?
fn has_header(path: &OsStr, header: &str) -> bool {
    let mut compiler = Command::new("g++");
    // From a file-less program: /dev/null, with the header put before it.
    compiler.env("PATH", path).args(["-fsyntax-only", "-x", "c++", "-include", header, "/dev/null"]);
    command::output(&mut compiler, PROBE_TIMEOUT).is_ok()
}

/// Looks at everything. `home` is the folder that networks live in. Never uses the network.
pub fn examine(resolver: &Resolver, home: &Path) -> Report {
    let bitcoind = resolver.find();
    let build_needed = matches!(bitcoind, Ok(None));
    let mut findings = vec![bitcoind_finding(bitcoind)];
    for tool in build_tools(&resolver.path) {
        let command = match tool.package {
            Some(package) => apt_install(&[package]),
            None => "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh".into(),
        };
        findings.push(Finding {
            name: tool.name.into(),
            ok: tool.found,
            needed: build_needed,
            detail: match (tool.found, build_needed) {
                (true, _) => "found".into(),
                (false, true) => "missing; bitcoind is built with it".into(),
                (false, false) => "missing; only a build of bitcoind needs it, and there is one already".into(),
            },
            command: (!tool.found).then_some(command),
        });
    }
    findings.push(curl_finding(&resolver.path));
    findings.push(disk_finding("disk for networks", home, NETWORK_BYTES_MIN, true));
    findings.push(disk_finding("disk for the build", &resolver.cache, BUILD_BYTES_MIN, build_needed));
    findings.push(ports_finding());
    Report { ok: findings.iter().all(|finding| finding.ok || !finding.needed), findings }
}

fn bitcoind_finding(found: Result<Option<Resolved>, ResolveError>) -> Finding {
    let (ok, detail, command) = match found {
        Ok(Some(resolved)) => {
            let notes: String = resolved.notes.iter().map(|note| format!("; passed over {note}")).collect();
            (true, format!("{resolved}{notes}"), None)
        }
        Ok(None) => (true, "none yet: `windlass up` downloads or builds it".to_owned(), None),
        Err(error) => (false, chain(&error), Some("unset BITCOIND_EXE".to_owned())),
    };
    Finding { name: "bitcoind".into(), ok, needed: true, detail, command }
}

fn curl_finding(path: &OsStr) -> Finding {
    let ok = command::find_on_path("curl", path).is_some();
    Finding {
        name: "curl".into(),
        ok,
        needed: false,
        detail: if ok { "found" } else { "missing; a released bitcoind can't be downloaded without it" }.into(),
        command: (!ok).then(|| apt_install(&["curl", "ca-certificates"])),
    }
}

fn disk_finding(name: &str, folder: &Path, bytes_min: u64, needed: bool) -> Finding {
    // The folder may not exist yet; what holds it does.
    let existing = folder.ancestors().find(|dir| dir.exists()).unwrap_or(Path::new("/"));
    let (ok, detail) = match free_bytes(existing) {
        Ok(free) => (
            free >= bytes_min,
            format!("{} MB free at {}, {} MB needed", free / 1_000_000, existing.display(), bytes_min / 1_000_000),
        ),
        Err(error) => (false, format!("{} can't be looked at: {error}", existing.display())),
    };
    Finding { name: name.into(), ok, needed, detail, command: (!ok).then(|| format!("df -h {}", existing.display())) }
}

/// Bytes that a user may still write at `folder`.
pub(crate) fn free_bytes(folder: &Path) -> Result<u64, nix::Error> {
    let stat = nix::sys::statvfs::statvfs(folder)?;
    Ok(stat.blocks_available().saturating_mul(stat.fragment_size()))
}

fn ports_finding() -> Finding {
    let busy: Vec<_> = ports::PREFERRED.iter().filter(|port| !ports::is_free(**port)).map(u16::to_string).collect();
    Finding {
        name: "ports".into(),
        ok: busy.is_empty(),
        needed: false,
        detail: if busy.is_empty() {
            "the usual ones are free".into()
        } else {
            format!("{} in use: the next free ones are taken instead", busy.join(", "))
        },
        command: (!busy.is_empty()).then(|| "windlass status".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    #[test]
    fn a_bare_machine_is_told_what_to_install() {
        let dir = tempfile::tempdir().expect("a folder");
        let resolver = Resolver {
            exe: None,
            path: OsString::from(dir.path()),
            cache: dir.path().join("cache"),
            release: None,
            source: None,
        };
        let report = examine(&resolver, dir.path());
        assert!(!report.ok);
        for (name, package) in [("cmake", "cmake"), ("ninja", "ninja-build"), ("libevent", "libevent-dev")] {
            let finding = report.findings.iter().find(|finding| finding.name == name).expect("looked at");
            assert!(!finding.ok && finding.needed);
            assert!(finding.command.as_ref().is_some_and(|command| command.ends_with(package)), "{finding:?}");
        }
    }
}
