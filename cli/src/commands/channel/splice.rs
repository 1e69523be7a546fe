//! `windlass channel splice in|out`

use crate::{commands::values, context::Context, render::channel};
use bitcoin::Amount;
use windlass_node::api::splice::SpliceWay;
use windlass_node::api::{ApiError, wallet::ChannelInfo};
use windlass_regtest::api::ChannelSplice;

/// The subcommands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// More into a channel, from its node's wallet
    In(Args),
    /// Out of a channel, to its node's wallet or an address
    Out(OutArgs),
}

/// What both ways take.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which end does it, and pays the fee
    node: String,
    /// The channel's id or a unique prefix of it
    id: String,
    /// How much: 0.1btc, 100000sat; the fee comes on top
    #[arg(value_parser = values::sat)]
    amount: Amount,
    /// Fee rate of the transaction, in sat/vB
    #[arg(long, value_name = "SAT_PER_VB")]
    fee_rate: Option<u64>,
}

/// And what goes out.
#[derive(Debug, clap::Args)]
pub struct OutArgs {
    #[command(flatten)]
    both: Args,
    /// A Bitcoin address, or a node's name [default: the node's own wallet]
    #[arg(long)]
    to: Option<String>,
}

/// Runs it.
pub async fn run(ctx: &Context, command: Command) -> Result<(), ApiError> {
    let (way, args, to) = match command {
        Command::In(args) => (SpliceWay::In, args, None),
        Command::Out(args) => (SpliceWay::Out, args.both, args.to),
    };
    let Args { node, id, amount, fee_rate } = args;
    let body = ChannelSplice { node: node.clone(), id, way, amount, to, fee_rate };
    let spliced: ChannelInfo = ctx.ask("channel/splice", &body).await?;
    ctx.out.result(&spliced, |_| channel::one(&spliced))?;
    ctx.out.next(&[ctx.command(&format!("statement {node}"))]);
    Ok(())
}
