//! `windlass up`

use super::values::{self, Quorum};
use crate::{
    context::Context,
    network::{self, Wish},
    render::up,
};
use windlass_node::api::ApiError;

/// Which ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Ports {
    /// Where scripts look for them; the next free one where one is taken.
    Usual,
    /// Any.
    Any,
}

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How many Lightning nodes, in a new network [default: 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=16))]
    nodes: Option<u16>,
    /// How many members and how many of them sign, in a new network [default: 3of4]
    #[arg(long, value_name = "TofN", value_parser = values::quorum)]
    federation: Option<Quorum>,
    /// Ports: usual (each the next free one if it is taken) or any
    #[arg(long, env = "WINDLASS_PORTS", hide_env_values = true, value_enum, default_value = "usual")]
    #[arg(hide_possible_values = true)]
    ports: Ports,
    /// Stay here and stop everything at Ctrl-C
    #[arg(long)]
    foreground: bool,
}

/// Runs it.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    let mut wish = Wish { any_ports: args.ports == Ports::Any, ..Wish::default() };
    if let Some(nodes) = args.nodes {
        wish.nodes = usize::from(nodes);
    }
    if let Some(quorum) = args.federation {
        wish.quorum = quorum;
    }
    let report = network::up(ctx, &wish).await?;
    ctx.out.result(&report, |paint| up::up(&report, &|rest| ctx.command(rest), paint))?;
    if !args.foreground {
        return Ok(());
    }
    network::told_to_stop().await?;
    network::down(ctx, false).await?;
    Ok(())
}
