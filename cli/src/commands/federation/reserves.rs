//! `windlass federation reserves`: by the running network, or by anyone against any bitcoind and
//! any member or follower.

use crate::{context::Context, render::federation};
use windlass_node::api::ApiError;
use windlass_regtest::api::{Reserves, ReservesReport};

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Count on this bitcoind: http://user:password@127.0.0.1:18443
    #[arg(long, value_name = "URL", requires = "member")]
    bitcoind: Option<String>,
    /// Its cookie file, instead of user and password in the URL
    #[arg(long, value_name = "FILE", requires = "bitcoind")]
    cookie: Option<std::path::PathBuf>,
    /// Take the blocks from this member or follower: http://127.0.0.1:18884
    #[arg(long, value_name = "URL", requires = "bitcoind")]
    member: Option<String>,
}

/// Runs it. A reserve that does not match is printed, and is a failure.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    let report: ReservesReport = match (&args.bitcoind, &args.member) {
        (Some(bitcoind), Some(member)) => {
            return Err(ApiError::failed(format!("counting on {bitcoind} with {member} is not wired yet")));
        }
        _ => ctx.ask("federation/reserves", &Reserves {}).await?,
    };
    ctx.out.result(&report, |paint| federation::reserves(&report, paint))?;
    if report.ok {
        return Ok(());
    }
    Err(ApiError::failed("the federation does not have what it owes; see the figures above"))
}
