//! From the arguments to the exit code.

use crate::{
    args::{self, Cli},
    color::{Paint, When},
    commands::process,
    context::Context,
    output,
};
use clap::{Parser as _, error::ErrorKind};
use std::process::ExitCode;
use windlass_node::api::ApiError;

/// The whole program: parses, runs, prints, and says how it went.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    let context = Context::new(cli.global.clone());
    if let Some(process) = cli.command.process() {
        return match process::run(process) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error, &context),
        };
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&ApiError::failed(format!("no threads to run on: {error}")), &context),
    };
    let done = runtime.block_on(args::run(&context, cli.command));
    context.sink.finish();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, &context),
    }
}

fn fail(error: &ApiError, context: &Context) -> ExitCode {
    output::print_error(error, context.global.json, Paint::stderr(context.global.color));
    ExitCode::from(error.code.exit())
}

/// Arguments that can't be right: clap's words, or the same as JSON where JSON is asked for.
fn refuse(error: &clap::Error) -> ExitCode {
    let asked_for = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    let json = std::env::args_os().any(|arg| arg == "--json");
    if asked_for || !json {
        // Where neither stream takes words, the exit code still tells.
        let _ = error.print();
    } else {
        output::print_error(&usage_error(&error.render().to_string()), true, Paint::stderr(When::Never));
    }
    ExitCode::from(if asked_for { 0 } else { 2 })
}

/// clap's text in our shape: the sentence after `error: `, and where to read on.
fn usage_error(text: &str) -> ApiError {
    let sentence = text.split("\n\n").next().unwrap_or(text).trim().trim_start_matches("error: ");
    let sentence = sentence.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    ApiError::usage(sentence).hint("see how", "windlass --help")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claps_words_become_one_sentence() {
        let error = Cli::try_parse_from(["windlass", "send", "alice", "bob", "5"]).expect_err("no unit");
        let error = usage_error(&error.render().to_string());
        assert_eq!(error.message, "invalid value '5' for '<AMOUNT>': \"5\" has no unit: write 5sat, 5btc or 5msat");
        assert_eq!(error.code.exit(), 2);
    }
}
