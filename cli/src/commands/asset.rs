//! `windlass asset …`

use super::values;
use crate::{context::Context, render::asset as render};
use bitcoin::Amount;
use windlass_ledger::AssetTerms;
use windlass_node::api::{ApiError, assets::IssueAnswer, wallet::TransferAnswer};
use windlass_regtest::api::{
    AssetIssue, AssetList, AssetListed, AssetSend, AssetUnits, AssetVerdict, AssetVerify, Quantity,
};
use windlass_types::AssetId;

/// The subcommands.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make an asset: whoever trusts its issuer may take it
    Issue(Issue),
    /// Make more of it, if its terms allow that
    Reissue(Change),
    /// Burn what a node has of it
    Burn(Change),
    /// Send it to one or many
    Send(Send),
    /// Is it what it is said to be, and what could it be taken for?
    Verify(Verify),
    /// All assets, or what a node has
    List(List),
}

/// To issue one.
#[derive(Debug, clap::Args)]
pub struct Issue {
    /// The issuer: its key alone makes more
    node: String,
    /// 1 to 8 capitals and digits; not unique, the id is
    ticker: String,
    /// How many whole ones to make
    amount: String,
    /// A name for people [default: the ticker]
    #[arg(long)]
    full_name: Option<String>,
    /// Digits behind the point
    #[arg(long, default_value_t = 0)]
    decimals: u8,
    /// The issuer may make more later
    #[arg(long)]
    reissuable: bool,
    /// At most so much for the sidechain's fee [default: what it asks]
    #[arg(long, value_parser = values::sat, value_name = "AMOUNT")]
    max_fee: Option<Amount>,
}

/// To make more or burn.
#[derive(Debug, clap::Args)]
pub struct Change {
    /// Whose account
    node: String,
    /// The asset's id
    asset: AssetId,
    /// How much: 12.5
    amount: String,
    /// At most so much for the sidechain's fee [default: what it asks]
    #[arg(long, value_parser = values::sat, value_name = "AMOUNT")]
    max_fee: Option<Amount>,
}

/// To send.
#[derive(Debug, clap::Args)]
pub struct Send {
    /// Who sends
    from: String,
    /// The asset's id
    asset: AssetId,
    /// To nodes' names or sidechain addresses, how much each: bob=12.5
    #[arg(required = true, value_name = "TO=AMOUNT", value_parser = payment)]
    to: Vec<(String, String)>,
    /// For the others to read, at most 80 bytes
    #[arg(short, long, default_value = "", hide_default_value = true)]
    memo: String,
    /// At most so much for the sidechain's fee [default: what it asks]
    #[arg(long, value_parser = values::sat, value_name = "AMOUNT")]
    max_fee: Option<Amount>,
}

/// To verify one.
#[derive(Debug, clap::Args)]
pub struct Verify {
    /// The asset's id
    asset: AssetId,
    /// The address that should have issued it
    #[arg(long)]
    issuer: Option<String>,
    /// The ticker that it should have
    #[arg(long)]
    ticker: Option<String>,
}

/// To list them.
#[derive(Debug, clap::Args)]
pub struct List {
    /// What this node has [default: all assets that there are]
    node: Option<String>,
}

fn payment(text: &str) -> Result<(String, String), String> {
    let (to, amount) = text.split_once('=').ok_or_else(|| format!("{text:?}: write NAME=AMOUNT, as bob=12.5"))?;
    Ok((to.to_owned(), amount.to_owned()))
}

/// Runs one.
pub async fn run(ctx: &Context, command: Command) -> Result<(), ApiError> {
    match command {
        Command::Issue(args) => issue(ctx, args).await,
        Command::Reissue(args) => change(ctx, "asset/reissue", "more made", args).await,
        Command::Burn(args) => change(ctx, "asset/burn", "burned", args).await,
        Command::Send(args) => {
            let to = args.to.into_iter().map(|(to, amount)| (to, Quantity(amount))).collect();
            let body = AssetSend { from: args.from, asset: args.asset, to, memo: args.memo, max_fee: args.max_fee };
            let done: TransferAnswer = ctx.ask("asset/send", &body).await?;
            ctx.out.result(&done, |_| render::done("sent", &done))
        }
        Command::Verify(args) => {
            let body = AssetVerify { asset: args.asset, issuer: args.issuer, ticker: args.ticker };
            let verdict: AssetVerdict = ctx.ask("asset/verify", &body).await?;
            if !verdict.ok {
                let faults = verdict.faults.join("; ");
                return Err(ApiError::failed(format!("the asset is not what it should be: {faults}")));
            }
            ctx.out.result(&verdict, |_| render::verdict(&verdict))
        }
        Command::List(args) => {
            let listed: AssetListed = ctx.ask("asset/list", &AssetList { node: args.node }).await?;
            ctx.out.result(&listed, |_| render::list(&listed))
        }
    }
}

async fn issue(ctx: &Context, args: Issue) -> Result<(), ApiError> {
    let units = whole(&args.amount, args.decimals)?;
    let name = args.full_name.unwrap_or_else(|| args.ticker.clone());
    let Issue { ticker, decimals, reissuable, .. } = args;
    let terms = AssetTerms { ticker, name, decimals, units, reissuable };
    terms.validate().map_err(ApiError::usage)?;
    let body = AssetIssue { node: args.node, terms, max_fee: args.max_fee };
    let done: IssueAnswer = ctx.ask("asset/issue", &body).await?;
    // Nothing but the id: `windlass asset send alice $(windlass asset issue alice OIL 1000) bob=5`.
    ctx.out.result(&done, |_| done.asset.to_string())
}

async fn change(ctx: &Context, verb: &str, what: &str, args: Change) -> Result<(), ApiError> {
    let quantity = Quantity(args.amount);
    let body = AssetUnits { node: args.node, asset: args.asset, quantity, max_fee: args.max_fee };
    let done: TransferAnswer = ctx.ask(verb, &body).await?;
    ctx.out.result(&done, |_| render::done(what, &done))
}

/// So many whole ones, in units.
fn whole(text: &str, decimals: u8) -> Result<u64, ApiError> {
    let number: u64 =
        text.parse().map_err(|_| ApiError::usage(format!("{text:?} is no number of whole ones: 1000")))?;
    let scale = 10_u64.checked_pow(decimals.into());
    let units = scale.and_then(|scale| number.checked_mul(scale));
    units.ok_or_else(|| ApiError::usage(format!("{text} with {decimals} decimals is more than there can be")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_ones_and_payments_are_read() {
        assert_eq!(whole("21", 3).ok(), Some(21_000));
        assert_eq!(whole("0", 0).ok(), Some(0));
        for (text, decimals) in [("1.5", 3), ("", 0), ("19", 18), ("1", 20)] {
            assert!(whole(text, decimals).is_err(), "{text}");
        }
        assert_eq!(payment("bob=12.5"), Ok(("bob".into(), "12.5".into())));
        assert!(payment("bob").is_err());
    }
}
