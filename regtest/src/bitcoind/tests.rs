//! Each step of the order, with shell scripts in the place of bitcoind, curl, cargo, cmake and ninja.

use super::*;
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    sync::{Mutex, mpsc},
};
use tempfile::TempDir;

const FAKE_31: &str = "echo 'Bitcoin Core daemon version v31.1.0'";
const FAKE_27: &str = "echo 'Bitcoin Core version v27.0.0'";

fn script(path: &Path, body: &str) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("created");
    fs::write(path, format!("#!/bin/sh\n{body}\n")).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("executable");
}

/// A machine of its own: `bin/` first on the path, then what the scripts themselves need.
struct Machine {
    dir: TempDir,
    resolver: Resolver,
}

impl Machine {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let bin = dir.path().join("bin");
        fs::create_dir_all(&bin).expect("created");
        // The scripts use /bin's tools by their full path, so that nothing of this machine is found.
        let resolver =
            Resolver { exe: None, path: bin.into(), cache: dir.path().join("cache"), release: None, source: None };
        Self { dir, resolver }
    }

    fn bin(&self, name: &str, body: &str) {
        script(&self.dir.path().join("bin").join(name), body);
    }

    /// Fake tools whose `ninja` runs `body`; its working folder is the build's.
    fn with_source(mut self, ninja: &str) -> Self {
        let package = self.dir.path().join("package");
        fs::create_dir_all(package.join("bitcoin")).expect("created");
        let metadata = serde_json::json!({"packages": [{
            "name": "libbitcoinkernel-sys", "manifest_path": package.join("Cargo.toml")}]});
        self.bin("cargo", &format!("[ \"$1\" = metadata ] && echo '{metadata}'\nexit 0"));
        self.bin("g++", "exit 0");
        self.bin("pkg-config", "exit 0");
        self.bin("cmake", "exit 0");
        self.bin("ninja", &format!("/bin/mkdir -p \"$2/bin\"; cd \"$2\" || exit 1\n{ninja}"));
        self.resolver.source = Some(Source::pinned());
        self
    }

    fn resolve(&self) -> Result<Resolved, ResolveError> {
        self.resolver.resolve(&|_| {})
    }

    fn entries(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(&self.resolver.cache)
            .expect("readable")
            .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
            .filter(|name| name != "lock" && !name.ends_with(".log"))
            .collect();
        names.sort();
        names
    }
}

const NINJA_THAT_BUILDS: &str = "echo '[1/2] one'; echo '[2/2] two'
printf '#!/bin/sh\\necho Bitcoin Core daemon version v31.99.0\\n' > bin/bitcoind; /bin/chmod +x bin/bitcoind";

#[test]
fn the_environment_comes_first() {
    let mut machine = Machine::new();
    let exe = machine.dir.path().join("mine");
    script(&exe, FAKE_31);
    machine.bin("bitcoind", FAKE_31);
    machine.resolver.exe = Some(exe.clone().into());
    let resolved = machine.resolve().expect("found");
    assert_eq!((resolved.path, resolved.origin), (exe, Origin::Environment));
    assert_eq!(resolved.version, Version { major: 31, minor: 1 });
}

#[test]
fn an_unusable_environment_is_an_error_not_a_fallback() {
    let mut machine = Machine::new();
    machine.bin("bitcoind", FAKE_31);
    let old = machine.dir.path().join("old");
    script(&old, FAKE_27);
    for exe in [machine.dir.path().join("absent"), old] {
        machine.resolver.exe = Some(exe.clone().into());
        let error = machine.resolve().expect_err("unusable");
        assert!(matches!(error, ResolveError::Environment(_)), "{error}");
        assert!(chain(&error).contains(&*exe.to_string_lossy()), "{}", chain(&error));
    }
}

#[test]
fn the_path_comes_second() {
    let machine = Machine::new();
    machine.bin("bitcoind", FAKE_31);
    let resolved = machine.resolve().expect("found");
    assert_eq!(resolved.origin, Origin::Path);
}

#[test]
fn an_old_one_on_the_path_is_passed_over_with_a_word() {
    let machine = Machine::new().with_source(NINJA_THAT_BUILDS);
    machine.bin("bitcoind", FAKE_27);
    let resolved = machine.resolve().expect("built");
    assert_eq!(resolved.origin, Origin::Built);
    assert!(resolved.notes.iter().any(|note| note.contains("27.0") && note.contains("28.0")), "{:?}", resolved.notes);
}

#[test]
fn a_build_lands_in_the_cache_and_serves_the_next_time() {
    let machine = Machine::new().with_source(NINJA_THAT_BUILDS);
    let seen = Mutex::new(Vec::new());
    let built = machine.resolver.resolve(&|progress| seen.lock().expect("alive").push(progress)).expect("built");
    assert_eq!(built.origin, Origin::Built);
    let seen = seen.into_inner().expect("alive");
    assert!(seen.iter().any(|progress| progress.bar == Some((2, 2))), "{seen:?}");
    assert_eq!(machine.entries(), [Source::pinned().key()]);
    let again = machine.resolve().expect("cached");
    assert_eq!((again.origin, again.path), (Origin::Cache, built.path));
}

#[test]
fn a_failed_build_leaves_nothing_in_the_cache_and_says_where_its_log_is() {
    let machine = Machine::new()
        .with_source("echo half > bin/bitcoind; echo '[1/2] one'; echo 'internal compiler error' >&2; exit 1");
    let error = machine.resolve().expect_err("fails");
    let text = error.to_string();
    assert!(text.contains("internal compiler error") && text.contains(".log"), "{text}");
    assert!(machine.resolver.find().expect("no error").is_none());
    assert!(machine.entries().iter().all(|name| name.starts_with('.')), "{:?}", machine.entries());
}

#[test]
fn a_build_that_does_not_run_is_not_admitted() {
    let machine = Machine::new().with_source("echo nonsense > bin/bitcoind; /bin/chmod +x bin/bitcoind");
    machine.resolve().expect_err("useless");
    assert!(machine.resolver.find().expect("no error").is_none());
}

#[test]
fn a_build_without_tools_names_them_and_the_command() {
    let mut machine = Machine::new();
    machine.resolver.source = Some(Source::pinned());
    let text = machine.resolve().expect_err("no tools").to_string();
    for word in ["cmake", "ninja", "libevent", "apt-get install", "ninja-build", "libboost-dev"] {
        assert!(text.contains(word), "{word} in {text}");
    }
}

#[test]
fn two_at_once_share_one_build() {
    let machine = Machine::new();
    let counter = machine.dir.path().join("builds");
    // The first build waits in ninja until the second caller is known to wait for the lock.
    let gate = machine.dir.path().join("gate");
    let machine = machine.with_source(&format!(
        "echo x >> {}; while [ ! -e {} ]; do /bin/sleep 0.02; done\n{NINJA_THAT_BUILDS}",
        counter.display(),
        gate.display()
    ));
    let (started, wait_started) = mpsc::channel();
    let started = Mutex::new(started);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| {
            machine.resolver.resolve(&|progress| {
                if progress.detail.contains("fetching") {
                    started.lock().expect("alive").send(()).expect("heard");
                }
            })
        });
        wait_started.recv().expect("the first builds");
        let second = machine.resolver.resolve(&|progress| {
            if progress.detail.contains("waiting") {
                fs::write(&gate, "").expect("opened");
            }
        });
        assert_eq!(first.join().expect("no panic").expect("built").origin, Origin::Built);
        assert_eq!(second.expect("taken over").origin, Origin::Cache);
    });
    assert_eq!(fs::read_to_string(counter).expect("built once"), "x\n");
}

/// A release whose archive is made here; `curl` copies it.
fn with_release(mut machine: Machine, curl: &str) -> Machine {
    let dir = machine.dir.path();
    script(&dir.join("bitcoin-31.1/bin/bitcoind"), FAKE_31);
    let archive = dir.join("made.tar.gz");
    let status = std::process::Command::new("tar")
        .arg("-czf")
        .arg(&archive)
        .arg("-C")
        .arg(dir)
        .arg("bitcoin-31.1")
        .status()
        .expect("tar runs");
    assert!(status.success());
    let bytes = fs::read(&archive).expect("made");
    let hash = <bitcoin::hashes::sha256::Hash as bitcoin::hashes::Hash>::hash(&bytes);
    machine.resolver.release =
        Some(Release { version: "31.1".into(), url: archive.display().to_string(), sha256: hash.to_string() });
    machine.bin("curl", &format!("while [ \"$1\" != --output ]; do shift; done\n{curl}"));
    // tar itself comes from the system, and so does what it calls.
    machine.resolver.path =
        std::env::join_paths(std::env::split_paths(&machine.resolver.path).chain(["/usr/bin".into(), "/bin".into()]))
            .expect("a path");
    machine
}

#[test]
fn a_release_is_checked_and_cached() {
    let machine = with_release(Machine::new(), "cp \"$3\" \"$2\"");
    if command::find_on_path("bitcoind", &machine.resolver.path).is_some() {
        return; // This machine's own would be found first.
    }
    let resolved = machine.resolve().expect("downloaded");
    assert_eq!(resolved.origin, Origin::Release);
    assert_eq!(machine.entries().len(), 1);
    assert_eq!(machine.resolve().expect("cached").origin, Origin::Cache);
}

#[test]
fn a_release_with_another_hash_is_thrown_away_and_the_build_takes_over() {
    let machine = with_release(Machine::new(), "echo evil > \"$2\"").with_source(NINJA_THAT_BUILDS);
    if command::find_on_path("bitcoind", &machine.resolver.path).is_some() {
        return;
    }
    let resolved = machine.resolve().expect("built");
    assert_eq!(resolved.origin, Origin::Built);
    assert!(resolved.notes.iter().any(|note| note.contains("SHA-256")), "{:?}", resolved.notes);
    assert_eq!(machine.entries(), [Source::pinned().key()]);
}

#[test]
fn without_a_network_the_build_takes_over() {
    let machine =
        with_release(Machine::new(), "echo 'could not resolve host' >&2; exit 6").with_source(NINJA_THAT_BUILDS);
    if command::find_on_path("bitcoind", &machine.resolver.path).is_some() {
        return;
    }
    let resolved = machine.resolve().expect("built");
    assert_eq!(resolved.origin, Origin::Built);
    assert!(resolved.notes.iter().any(|note| note.contains("resolve host")), "{:?}", resolved.notes);
}
