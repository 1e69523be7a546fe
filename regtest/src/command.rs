//! Running another program to its end, within a bound.

use std::{
    io::Read,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How often a running program is looked at.
const POLL: Duration = Duration::from_millis(10);
/// How often a start is tried again while the file is busy.
const BUSY_TRIES: u32 = 100;
/// How much of a program's words an error repeats.
const SAID_BYTES_MAX: usize = 2_000;

/// Why a program gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It did not start.
    #[error("{program} cannot be run")]
    Start {
        /// Its name or path.
        program: String,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// It ended with an error.
    #[error("{program} failed ({status}): {said}")]
    Failed {
        /// Its name or path.
        program: String,
        /// Its exit status.
        status: std::process::ExitStatus,
        /// The end of what it wrote to stderr.
        said: String,
    },
    /// It took too long, and was ended.
    #[error("{program} did not answer within {} s", limit.as_secs())]
    TimedOut {
        /// Its name or path.
        program: String,
        /// The bound.
        limit: Duration,
    },
}

/// Runs `command` with no input and returns what it writes to stdout.
///
/// # Errors
/// It can't be started, exits with an error, or runs longer than `limit`.
pub fn output(command: &mut Command, limit: Duration) -> Result<String, CommandError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let start = |source| CommandError::Start { program: program.clone(), source };
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = spawn(command).map_err(start)?;
    // Both pipes are drained while it runs: a full pipe would stop it for ever.
    let out = child.stdout.take().map(drain);
    let err = child.stderr.take().map(drain);
    let deadline = Instant::now() + limit;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(start)? {
            break status;
        }
        if Instant::now() >= deadline {
            // It may have ended in this moment; then there is nothing to end.
            let _ = child.kill();
            let _ = child.wait();
            return Err(CommandError::TimedOut { program, limit });
        }
        thread::sleep(POLL);
    };
    let text = |reader: Option<thread::JoinHandle<String>>| reader.and_then(|r| r.join().ok()).unwrap_or_default();
    let (out, err) = (text(out), text(err));
    if status.success() { Ok(out) } else { Err(CommandError::Failed { program, status, said: tail(&err) }) }
}

/// Starts it. A file that was written a moment ago may still be open in a fork of another thread
/// that has not come to its exec yet; that passes.
fn spawn(command: &mut Command) -> std::io::Result<Child> {
    for _ in 0..BUSY_TRIES {
        match command.spawn() {
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => thread::sleep(POLL),
            other => return other,
        }
    }
    command.spawn()
}

fn drain(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // A pipe that breaks gives what came before.
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// The last part of a text, at a character's border.
pub(crate) fn tail(text: &str) -> String {
    let text = text.trim();
    let mut from = text.len().saturating_sub(SAID_BYTES_MAX);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    text[from..].to_owned()
}

/// The first file called `name` in the folders of `path` (as in `$PATH`) that may be executed.
pub fn find_on_path(name: &str, path: &std::ffi::OsStr) -> Option<std::path::PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    std::env::split_paths(path)
        .filter(|dir| dir.is_absolute())
        .map(|dir| dir.join(name))
        .find(|file| file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_hangs_is_ended() {
        let error = output(Command::new("sleep").arg("60"), Duration::from_millis(50)).expect_err("too slow");
        assert!(matches!(error, CommandError::TimedOut { .. }), "{error}");
    }

    #[test]
    fn a_failure_repeats_what_was_said() {
        let error = output(Command::new("sh").args(["-c", "echo no such luck >&2; exit 3"]), Duration::from_secs(20))
            .expect_err("fails");
        assert!(error.to_string().contains("no such luck"), "{error}");
    }
}
