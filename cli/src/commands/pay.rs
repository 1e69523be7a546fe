//! `windlass pay`

use super::{limits::LimitArgs, values};
use crate::{context::Context, render::payment};
use windlass_node::api::{
    ApiError,
    wallet::{PaymentInfo, PaymentState},
};
use windlass_regtest::api::Pay;
use windlass_types::Msat;

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Who pays
    node: String,
    /// A BOLT11 invoice, a BOLT12 offer, a bitcoin: URI with one of them, or a name (₿alice@example.com)
    #[arg(value_name = "INVOICE")]
    what: String,
    /// For what leaves the amount to the payer
    #[arg(value_parser = values::msat)]
    amount: Option<Msat>,
    /// For who made the offer to read
    #[arg(long)]
    note: Option<String>,
    #[command(flatten)]
    limits: LimitArgs,
}

/// Runs it.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    let limits = args.limits.limits()?;
    let body = Pay { node: args.node.clone(), what: args.what, amount_msat: args.amount, note: args.note, limits };
    let done: PaymentInfo = ctx.ask("pay", &body).await?;
    if done.state == PaymentState::Failed {
        let why = done.error.as_deref().unwrap_or("no reason is known");
        return Err(ApiError::failed(format!("the payment failed: {why}"))
            .hint("see the channels", ctx.command(&format!("channel list {}", args.node))));
    }
    ctx.out.result(&done, |_| payment::paid(&args.node, &done))
}
