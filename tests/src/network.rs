//! A network under test.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// How a command failed.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Its exit code.
    pub exit: i32,
    /// What it said, as a person reads it.
    pub text: String,
}

/// A network of real processes in a directory of its own.
pub struct Network {
    program: PathBuf,
    dir: PathBuf,
    name: String,
    up: bool,
}

impl Network {
    /// A directory with no network in it yet. `program` is the binary under test:
    /// `env!("CARGO_BIN_EXE_windlass-under-test")`.
    pub fn new(program: impl Into<PathBuf>, name: &str) -> Self {
        let dir = tempfile::Builder::new()
            .prefix(&format!("windlass-{name}-"))
            .tempdir()
            .expect("a temporary directory")
            .keep();
        Self { program: program.into(), dir, name: name.into(), up: false }
    }

    /// A running network.
    pub fn up(program: impl Into<PathBuf>, name: &str) -> Self {
        let mut network = Self::new(program, name);
        network.start(&[]);
        network
    }

    /// `windlass up` with further arguments.
    pub fn start(&mut self, arguments: &[&str]) -> Value {
        self.up = true;
        let mut all = vec!["up"];
        all.extend_from_slice(arguments);
        self.ok(&all)
    }

    /// `windlass down`.
    pub fn stop(&mut self) {
        self.ok(&["down"]);
        self.up = false;
    }

    /// The directory that holds everything.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The network's own directory.
    pub fn home(&self) -> PathBuf {
        self.dir.join("regtest").join(&self.name)
    }

    /// The command, ready to run.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(["--datadir", &self.dir.to_string_lossy(), "--name", &self.name])
            .args(arguments)
            .env("WINDLASS_PORTS", "any")
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the program starts")
    }

    /// The JSON result of a command that must succeed.
    pub fn ok(&self, arguments: &[&str]) -> Value {
        self.try_json(arguments).unwrap_or_else(|failure| panic!("windlass {}: {failure:?}", arguments.join(" ")))
    }

    /// The JSON result of a command, or how it failed.
    ///
    /// # Errors
    /// The command's exit code is not 0.
    pub fn try_json(&self, arguments: &[&str]) -> Result<Value, Failure> {
        let mut all = vec!["--json"];
        all.extend_from_slice(arguments);
        let output = self.run(&all);
        if output.status.success() {
            let text = String::from_utf8_lossy(&output.stdout);
            return Ok(serde_json::from_str(&text).unwrap_or_else(|e| panic!("{arguments:?} printed {text:?}: {e}")));
        }
        Err(failure(&output))
    }

    /// How a command fails that must fail, in words for people.
    pub fn fails(&self, arguments: &[&str]) -> Failure {
        let output = self.run(arguments);
        assert!(!output.status.success(), "windlass {} should fail: {output:?}", arguments.join(" "));
        assert!(output.stdout.is_empty(), "an error leaves stdout empty: {output:?}");
        let failure = failure(&output);
        assert!(!failure.text.contains("panicked"), "{failure:?}");
        failure
    }

    /// The process id of `bitcoind`, `hub`, `f1` or `alice`.
    pub fn pid(&self, process: &str) -> u32 {
        if process == "hub" {
            let hub: Value = serde_json::from_slice(&std::fs::read(self.home().join("hub.json")).expect("hub.json"))
                .expect("hub.json is JSON");
            return hub["pid"].as_u64().and_then(|pid| pid.try_into().ok()).expect("the hub's pid");
        }
        let status = self.ok(&["status"]);
        let processes = status["processes"].as_array().expect("processes");
        processes
            .iter()
            .find(|p| p["name"] == process)
            .and_then(|p| p["pid"].as_u64())
            .and_then(|pid| pid.try_into().ok())
            .unwrap_or_else(|| panic!("no process {process} in {status}"))
    }

    /// Where a process serves its API.
    pub fn api(&self, process: &str) -> String {
        let status = self.ok(&["status"]);
        if process == "hub" {
            return status["api"].as_str().expect("the hub's API").to_owned();
        }
        let processes = status["processes"].as_array().expect("processes");
        let process = processes.iter().find(|p| p["name"] == process).expect("a process of that name");
        let ports = process["ports"].as_array().expect("ports");
        let port = ports.iter().find(|p| p[0] == "api").expect("an API port");
        format!("http://{}", port[1].as_str().expect("an address"))
    }

    /// `kill -9`, by id, and waits until it is gone.
    pub fn kill(&self, pid: u32) {
        use nix::sys::signal::{Signal, kill};
        let id = nix::unistd::Pid::from_raw(pid.try_into().expect("a process id"));
        kill(id, Signal::SIGKILL).unwrap_or_else(|e| panic!("kill -9 {pid}: {e}"));
        crate::until("the process is gone", std::time::Duration::from_secs(10), || {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            // A zombie is gone, too: only its parent has not looked yet.
            (stat.is_empty() || stat.rsplit(')').next().is_some_and(|s| s.trim_start().starts_with('Z'))).then_some(())
        });
    }

    /// Asserts `reserve = supply + owed`, recounted on Bitcoin, and returns the report.
    pub fn assert_reserves(&self) -> Value {
        let report = self.ok(&["federation", "reserves"]);
        let sat = |field: &str| report[field].as_u64().unwrap_or_else(|| panic!("{field} in {report}"));
        assert_eq!(report["ok"], true, "{report}");
        assert_eq!(
            sat("reserve_sat"),
            sat("supply_sat") + sat("owed_peg_outs_sat") + sat("owed_deposits_sat"),
            "{report}"
        );
        report
    }

    /// A node's balance.
    pub fn balance(&self, node: &str) -> Value {
        self.ok(&["balance", node])[0]["balance"].clone()
    }

    /// What a node has on the sidechain, in satoshis.
    pub fn side(&self, node: &str) -> u64 {
        let balance = self.balance(node);
        balance["sidechain_sat"].as_u64().unwrap_or_else(|| panic!("no sidechain balance: {balance}"))
    }
}

fn failure(output: &Output) -> Failure {
    Failure { exit: output.status.code().unwrap_or(-1), text: String::from_utf8_lossy(&output.stderr).into_owned() }
}

impl Drop for Network {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.run(&["down"]);
            eprintln!("the network's directory stays: {}", self.home().display());
            return;
        }
        let _ = self.run(&["down", "--wipe"]);
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}
