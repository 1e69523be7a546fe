//! Progress on stderr: a bar where a terminal reads, plain lines otherwise, JSON lines with
//! `--json`, nothing with `-q`.

use crate::color::{Paint, When};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use std::{
    io::{IsTerminal as _, Write as _},
    sync::Mutex,
    time::Duration,
};
use windlass_regtest::api::Progress;

/// Width of a step's label in its column.
const LABEL_WIDTH: usize = 10;
/// How often the spinner of a running step turns.
const TICK: Duration = Duration::from_millis(120);

/// Takes progress as it comes.
#[derive(Debug)]
pub struct Sink {
    shape: Shape,
    paint: Paint,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Silent,
    Json,
    Lines,
    Terminal,
}

#[derive(Debug, Default)]
struct State {
    /// The bar of the step that runs, on a terminal.
    bar: Option<ProgressBar>,
    /// The last line written, so that a repeated one is not.
    last: Option<Progress>,
}

#[derive(Serialize)]
struct JsonLine<'a> {
    progress: &'a Progress,
}

impl Sink {
    /// By the flags and by what reads stderr.
    pub fn new(json: bool, quiet: bool, color: When) -> Self {
        let shape = match (quiet, json) {
            (true, _) => Shape::Silent,
            (false, true) => Shape::Json,
            (false, false) if std::io::stderr().is_terminal() => Shape::Terminal,
            (false, false) => Shape::Lines,
        };
        Self { shape, paint: Paint::stderr(color), state: Mutex::default() }
    }

    /// The same, but only what moves in place on a terminal: for commands that write their own
    /// lines.
    pub fn only_terminal(quiet: bool, color: When) -> Self {
        let shape = if !quiet && std::io::stderr().is_terminal() { Shape::Terminal } else { Shape::Silent };
        Self { shape, paint: Paint::stderr(color), state: Mutex::default() }
    }

    /// A step, or a part of one.
    pub fn progress(&self, progress: &Progress) {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if state.last.as_ref() == Some(progress) {
            return;
        }
        match self.shape {
            Shape::Silent => {}
            Shape::Json => {
                // Progress is a courtesy: where stderr is gone, the work goes on.
                if let Ok(line) = serde_json::to_string(&JsonLine { progress }) {
                    let _ = writeln!(std::io::stderr(), "{line}");
                }
            }
            Shape::Lines => {
                let _ = writeln!(std::io::stderr(), "{}", line(progress, self.paint));
            }
            Shape::Terminal => self.on_terminal(&mut state, progress),
        }
        state.last = Some(progress.clone());
    }

    /// Nothing runs any more: what moves goes away.
    pub fn finish(&self) {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(bar) = state.bar.take() {
            if let Some(last) = &state.last {
                bar.println(line(last, self.paint));
            }
            bar.finish_and_clear();
        }
        state.last = None;
    }

    /// The step that runs moves at the bottom; once another one begins, its last word stays.
    fn on_terminal(&self, state: &mut State, progress: &Progress) {
        let bar = state.bar.get_or_insert_with(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.enable_steady_tick(TICK);
            bar
        });
        if let Some(last) = &state.last
            && (last.step != progress.step || progress.step == 0)
        {
            bar.println(line(last, self.paint));
            bar.reset_elapsed();
        }
        match progress.bar {
            Some((done, total)) => {
                bar.set_style(style("{spinner} {prefix} {bar:20} {pos}/{len} {msg}"));
                bar.set_length(total);
                bar.set_position(done);
                bar.set_prefix(head(progress, self.paint));
                bar.set_message(progress.detail.clone());
            }
            None => {
                bar.set_style(style("{spinner} {msg}  {elapsed}"));
                bar.set_message(line(progress, self.paint));
            }
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// `1/4 address   `.
fn head(progress: &Progress, paint: Paint) -> String {
    let label = format!("{:<LABEL_WIDTH$}", progress.label);
    if progress.of == 0 {
        return label;
    }
    format!("{} {label}", paint.dim(&format!("{}/{}", progress.step, progress.of)))
}

/// A step as a line: `3/4 swept      6/6 confirmations`.
fn line(progress: &Progress, paint: Paint) -> String {
    let mut text = head(progress, paint);
    if let Some((done, total)) = progress.bar {
        text.push_str(&format!(" {done}/{total}"));
    }
    if !progress.detail.is_empty() {
        text.push(' ');
        text.push_str(&progress.detail);
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_a_line() {
        let mut progress =
            Progress { step: 3, of: 4, label: "swept".into(), detail: "confirmations".into(), bar: Some((6, 6)) };
        assert_eq!(line(&progress, Paint::PLAIN), "3/4 swept      6/6 confirmations");
        progress = Progress { step: 0, of: 0, label: "bitcoind".into(), detail: String::new(), bar: None };
        assert_eq!(line(&progress, Paint::PLAIN), "bitcoind");
    }
}
