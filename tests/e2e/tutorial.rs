//! docs/tutorial.md does what it says: its commands are run one after the other, and what they
//! print is held against the page.

use crate::PROGRAM;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use windlass_tests::Network;

/// One command of the page and what stands below it.
#[derive(Debug, Default)]
struct Step {
    line: usize,
    command: String,
    answer: Vec<String>,
}

fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for (index, line) in page.lines().enumerate() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if let Some(command) = line.strip_prefix("$ ").filter(|_| inside) {
            steps.push(Step { line: index + 1, command: command.into(), answer: Vec::new() });
        } else if inside {
            steps.last_mut().expect("a block starts with a command").answer.push(line.into());
        }
    }
    steps
}

/// Runs of spaces count as one, and space at the ends not at all.
fn squeeze(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Does `line` look like `pattern`, in which `…` stands for any text?
fn line_fits(pattern: &str, line: &str) -> bool {
    let parts: Vec<&str> = pattern.split('…').collect();
    let (Some(first), Some(last)) = (parts.first(), parts.last()) else { return false };
    if parts.len() == 1 {
        return pattern == line;
    }
    // Space beside an ellipsis may be part of what it stands for.
    let (first, last) = (first.trim_end(), last.trim_start());
    let Some(rest) = line.strip_prefix(first) else { return false };
    let Some(mut rest) = rest.strip_suffix(last) else { return false };
    parts[1..parts.len() - 1].iter().all(|part| {
        let part = part.trim();
        rest.find(part).is_some_and(|at| {
            rest = &rest[at + part.len()..];
            true
        })
    })
}

/// Do the lines fit, where a pattern that is only `…` stands for any number of them?
fn fits(patterns: &[String], lines: &[String]) -> bool {
    match patterns.split_first() {
        None => lines.is_empty(),
        Some((first, rest)) if first == "…" => (0..=lines.len()).any(|skip| fits(rest, &lines[skip..])),
        Some((first, rest)) => {
            lines.split_first().is_some_and(|(line, more)| line_fits(first, line) && fits(rest, more))
        }
    }
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(squeeze).filter(|line| !line.is_empty()).collect()
}

fn run(step: &Step, bin: &Path, network: &Network) {
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let output = Command::new("sh")
        .args(["-c", &step.command])
        .env("PATH", path)
        .env("WINDLASS_DATADIR", network.dir())
        .env("WINDLASS_PORTS", "any")
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .output()
        .expect("sh runs");
    let mut wanted = lines(&step.answer.join("\n"));
    let exit = wanted.iter().position(|l| l.starts_with("[exit ")).map(|at| wanted.remove(at));
    let exit = exit.map_or(0, |l| l.trim_matches(|c: char| !c.is_ascii_digit()).parse().expect("a number"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(exit), "line {}: {}\n{out}{err}", step.line, step.command);
    let said = if exit == 0 { lines(&out) } else { lines(&format!("{out}{err}")) };
    assert!(
        wanted.is_empty() || fits(&wanted, &said),
        "line {}: {}\nthe page says\n  {}\nbut it printed\n  {}",
        step.line,
        step.command,
        wanted.join("\n  "),
        said.join("\n  ")
    );
}

#[test]
fn the_tutorial_does_what_it_says() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/tutorial.md");
    let steps = steps(&std::fs::read_to_string(page).expect("docs/tutorial.md"));
    assert!(steps.len() > 15, "only {} commands were found", steps.len());
    // The page works on the network without a name.
    let network = Network::new(PROGRAM, "default");
    let bin: PathBuf = network.dir().join("bin");
    std::fs::create_dir(&bin).expect("a folder");
    std::os::unix::fs::symlink(PROGRAM, bin.join("windlass")).expect("a link");
    for step in &steps {
        run(step, &bin, &network);
    }
}

#[test]
fn a_page_that_lies_is_seen() {
    assert!(line_fits("alice paid … (fee … sat)", "alice paid 5 sat (fee 0 sat)"));
    assert!(!line_fits("alice paid … (fee 1 sat)", "alice paid 5 sat (fee 0 sat)"));
    let said = lines("one\ntwo\nthree");
    assert!(fits(&lines("one\n…"), &said));
    assert!(!fits(&lines("one\n…\ntwo"), &said));
    assert_eq!(steps("```console\n$ true\nyes\n```\n$ no\n").len(), 1);
}
