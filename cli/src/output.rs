//! Results to stdout, errors to stderr: nothing else writes there.

use crate::color::Paint;
use serde::Serialize;
use std::io::Write as _;
use windlass_node::api::ApiError;

/// Where results go, and in which shape.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    json: bool,
    quiet: bool,
    /// For renderers.
    pub paint: Paint,
}

impl Output {
    /// JSON or text.
    pub fn new(json: bool, quiet: bool, paint: Paint) -> Self {
        Self { json, quiet, paint }
    }

    /// Is JSON asked for?
    pub fn json(&self) -> bool {
        self.json
    }

    /// The result: the value as one line of JSON, or the text for people.
    ///
    /// # Errors
    /// stdout can't be written to.
    pub fn result<T: Serialize>(&self, value: &T, text: impl FnOnce(Paint) -> String) -> Result<(), ApiError> {
        let line = if self.json {
            serde_json::to_string(value).map_err(|e| ApiError::failed(format!("the answer is not JSON: {e}")))?
        } else {
            text(self.paint)
        };
        self.line(&line)
    }

    /// What to run next, for people, on stderr: a pipe must not see it.
    pub fn next(&self, commands: &[String]) {
        if self.json || self.quiet || commands.is_empty() {
            return;
        }
        let _ = writeln!(std::io::stderr(), "{}  {}", Paint::dim(self.paint, "next"), commands.join("  ·  "));
    }

    /// One line (or more) to stdout. A reader that went away (`| head`) is no error of ours.
    ///
    /// # Errors
    /// stdout can't be written to: a full disk, say.
    pub fn line(&self, text: &str) -> Result<(), ApiError> {
        match self.try_line(text) {
            Ok(()) => Ok(()),
            Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
            Err(e) => Err(ApiError::failed(format!("stdout can't be written to: {e}"))),
        }
    }

    /// The same, for those who have more to do than to print.
    ///
    /// # Errors
    /// stdout can't be written to.
    pub fn try_line(&self, text: &str) -> std::io::Result<()> {
        let mut stdout = std::io::stdout().lock();
        let mut text = text.trim_end_matches('\n').to_owned();
        text.push('\n');
        stdout.write_all(text.as_bytes())?;
        stdout.flush()
    }
}

/// The error as JSON: what the hub gave, and the exit code.
#[derive(Serialize)]
struct JsonError<'a> {
    error: JsonErrorBody<'a>,
}

#[derive(Serialize)]
struct JsonErrorBody<'a> {
    #[serde(flatten)]
    error: &'a ApiError,
    exit: u8,
}

/// Prints an error to stderr: a sentence, then what to do about it.
pub fn print_error(error: &ApiError, json: bool, paint: Paint) {
    let text = if json { error_json(error) } else { error_text(error, paint) };
    // Where stderr is gone too, the exit code still tells.
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn error_json(error: &ApiError) -> String {
    let value = JsonError { error: JsonErrorBody { error, exit: error.code.exit() } };
    serde_json::to_string(&value).unwrap_or_else(|_| format!("{{\"error\":{{\"message\":{:?}}}}}", error.message))
}

fn error_text(error: &ApiError, paint: Paint) -> String {
    let mut text = format!("{} {}", paint.red("error:"), error.message);
    let width = error.hints.iter().map(|hint| hint.what.chars().count()).max().unwrap_or(0) + 1;
    for hint in &error.hints {
        let what = format!("{}:", hint.what);
        text.push_str(&format!("\n  {what:<width$}  {}", hint.command));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error() -> ApiError {
        ApiError::insufficient("carol has 9.99000000 BTC on chain, the channel needs 900.00002000 BTC")
            .hint("fund her", "windlass faucet carol 891btc")
            .hint("or smaller", "windlass channel open carol bob 9btc")
    }

    #[test]
    fn hints_stand_below_the_error_in_two_columns() {
        let text = error_text(&error(), Paint::PLAIN);
        assert_eq!(
            text,
            "error: carol has 9.99000000 BTC on chain, the channel needs 900.00002000 BTC\n\
             \x20 fund her:    windlass faucet carol 891btc\n\
             \x20 or smaller:  windlass channel open carol bob 9btc"
        );
    }

    #[test]
    fn errors_for_programs_carry_the_exit_code() {
        let value: serde_json::Value = serde_json::from_str(&error_json(&error())).expect("JSON");
        assert_eq!(value["error"]["code"], "insufficient_funds");
        assert_eq!(value["error"]["exit"], 4);
        assert_eq!(value["error"]["hints"][0]["command"], "windlass faucet carol 891btc");
    }
}
