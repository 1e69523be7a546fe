//! `windlass completions`

use crate::{args::Cli, context::Context};
use clap::CommandFactory as _;
use windlass_node::api::ApiError;

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// For which shell
    shell: clap_complete::Shell,
}

/// Runs it.
pub fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "windlass", &mut script);
    ctx.out.line(&String::from_utf8_lossy(&script))
}
