//! Prints the path of a bitcoind to stdout: found, downloaded, or built, with progress on stderr.
//! For scripts that want `BITCOIND_EXE`, as `./x test` does.

use std::{io::Write as _, process::ExitCode, sync::Mutex};
use windlass_regtest::{bitcoind::Resolver, progress::Progress};

fn main() -> ExitCode {
    let last = Mutex::new(String::new());
    let report = |progress: Progress| {
        let bar = progress.bar.map(|(done, all)| format!(" {done}/{all}")).unwrap_or_default();
        let line = format!("{}: {}{bar}", progress.label, progress.detail);
        let mut last = last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if *last != line {
            // Progress that nobody can see is no reason to stop.
            let _ = writeln!(std::io::stderr(), "{line}");
            *last = line;
        }
    };
    match Resolver::from_env().resolve(&report) {
        Ok(resolved) => {
            report(Progress { step: 0, of: 0, label: "bitcoind".into(), detail: resolved.to_string(), bar: None });
            println!("{}", resolved.path.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}
