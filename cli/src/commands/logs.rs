//! `windlass logs`: reads the log files; works also when nothing runs.

use crate::{context::Context, network};
use regex::Regex;
use serde::Serialize;
use std::{
    collections::VecDeque,
    fs::File,
    io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    time::Duration,
};
use windlass_node::api::ApiError;

/// How often `-f` looks for more.
const POLL: Duration = Duration::from_millis(200);
/// The longest line that is held for its end.
const LINE_BYTES_MAX: usize = 1024 * 1024;

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Whose: alice, f1, bitcoind, hub [default: all]
    #[arg(value_name = "NODE")]
    names: Vec<String>,
    /// Go on as lines come, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// Only lines that match this regular expression
    #[arg(long, value_name = "RE", value_parser = regex)]
    grep: Option<Regex>,
    /// The last so many lines of each
    #[arg(short = 'n', long, value_name = "N", default_value_t = 50)]
    lines: usize,
}

fn regex(text: &str) -> Result<Regex, String> {
    Regex::new(text).map_err(|e| {
        e.to_string().lines().last().unwrap_or("malformed").trim().trim_start_matches("error: ").to_owned()
    })
}

#[derive(Serialize)]
struct LogLine<'a> {
    name: &'a str,
    line: &'a str,
}

/// One log being read.
struct Log {
    name: String,
    path: PathBuf,
    position: u64,
    partial: Vec<u8>,
}

/// Runs it.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    let dir = ctx.network_dir()?.join("logs");
    let mut logs = find(ctx, &dir, &args.names)?;
    let wide = logs.iter().map(|log| log.name.len()).max().unwrap_or(0);
    let column = if logs.len() > 1 { wide } else { 0 };
    for log in &mut logs {
        for line in log.tail(args.lines, args.grep.as_ref())? {
            show(ctx, &log.name, &line, column)?;
        }
    }
    if !args.follow {
        return Ok(());
    }
    let following = async {
        let mut ticks = tokio::time::interval(POLL);
        loop {
            ticks.tick().await;
            for log in &mut logs {
                for line in log.more(args.grep.as_ref())? {
                    show(ctx, &log.name, &line, column)?;
                }
            }
        }
    };
    tokio::select! {
        ended = following => ended,
        told = network::told_to_stop() => told,
    }
}

fn show(ctx: &Context, name: &str, line: &str, column: usize) -> Result<(), ApiError> {
    ctx.out.result(&LogLine { name, line }, |paint| {
        if column == 0 { line.to_owned() } else { format!("{} {line}", paint.dim(&format!("{name:<column$}"))) }
    })
}

/// The logs asked for, or all.
fn find(ctx: &Context, dir: &Path, names: &[String]) -> Result<Vec<Log>, ApiError> {
    let mut all: Vec<String> = match std::fs::read_dir(dir) {
        Ok(entries) => entries
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter_map(|name| name.strip_suffix(".log").map(str::to_owned))
            .collect(),
        Err(e) => {
            return Err(ApiError::not_running(format!("there are no logs in {}: {e}", dir.display()))
                .hint("start the network", ctx.command("up")));
        }
    };
    all.sort();
    for name in names {
        if !all.contains(name) {
            return Err(ApiError::not_found(format!("there is no log of {name:?}; there are {}", all.join(", "))));
        }
    }
    let chosen = if names.is_empty() { all } else { names.to_vec() };
    Ok(chosen
        .into_iter()
        .map(|name| Log { path: dir.join(format!("{name}.log")), name, position: 0, partial: Vec::new() })
        .collect())
}

impl Log {
    /// The last lines (those that match), and stands at the end.
    fn tail(&mut self, count: usize, grep: Option<&Regex>) -> Result<Vec<String>, ApiError> {
        let mut last = VecDeque::new();
        let mut reader = BufReader::new(File::open(&self.path).map_err(|e| self.unreadable(&e))?);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).map_err(|e| self.unreadable(&e))? > 0 {
            self.position += line.len() as u64;
            if !line.ends_with(b"\n") {
                self.partial = std::mem::take(&mut line);
                break;
            }
            let text = text(&line);
            if grep.is_none_or(|re| re.is_match(&text)) {
                last.push_back(text);
                if last.len() > count {
                    last.pop_front();
                }
            }
            line.clear();
        }
        Ok(last.into())
    }

    /// The lines that came since. A file that got shorter was rotated: it is read from its start.
    fn more(&mut self, grep: Option<&Regex>) -> Result<Vec<String>, ApiError> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            // Between two rotations.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(self.unreadable(&e)),
        };
        let length = file.metadata().map_err(|e| self.unreadable(&e))?.len();
        if length < self.position {
            self.position = 0;
            self.partial.clear();
        }
        file.seek(SeekFrom::Start(self.position)).map_err(|e| self.unreadable(&e))?;
        let read = file.read_to_end(&mut self.partial).map_err(|e| self.unreadable(&e))?;
        self.position += read as u64;
        let mut lines = Vec::new();
        while let Some(end) = self.partial.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.partial.drain(..=end).collect();
            lines.push(text(&line));
        }
        if self.partial.len() > LINE_BYTES_MAX {
            self.partial.clear();
        }
        lines.retain(|line| grep.is_none_or(|re| re.is_match(line)));
        Ok(lines)
    }

    fn unreadable(&self, error: &std::io::Error) -> ApiError {
        ApiError::failed(format!("{} can't be read: {error}", self.path.display()))
    }
}

fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn log(dir: &Path) -> Log {
        Log { name: "alice".into(), path: dir.join("alice.log"), position: 0, partial: Vec::new() }
    }

    #[test]
    fn tail_then_more_loses_and_repeats_nothing() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut file = File::create(dir.path().join("alice.log")).expect("a file");
        write!(file, "one\ntwo\nthree\nhal").expect("written");
        let mut log = log(dir.path());
        assert_eq!(log.tail(2, None).expect("read"), ["two", "three"]);
        assert!(log.more(None).expect("read").is_empty());
        writeln!(file, "f\nfive").expect("written");
        assert_eq!(log.more(None).expect("read"), ["half", "five"]);
    }

    #[test]
    fn a_rotated_log_is_read_from_its_start() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("alice.log"), "a long first line\n").expect("written");
        let mut log = log(dir.path());
        log.tail(10, None).expect("read");
        std::fs::write(dir.path().join("alice.log"), "new\n").expect("written");
        assert_eq!(log.more(None).expect("read"), ["new"]);
    }

    #[test]
    fn only_lines_that_match() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("alice.log"), "INFO a\nWARN b\nINFO c\n").expect("written");
        let re = regex("^WARN").expect("a pattern");
        assert_eq!(log(dir.path()).tail(10, Some(&re)).expect("read"), ["WARN b"]);
        assert!(regex("(").is_err());
    }
}
