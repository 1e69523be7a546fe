//! `windlass federation reserves`: by the running network, or by anyone against any bitcoind and
//! any member or follower.

use crate::{context::Context, render::federation};
use std::path::PathBuf;
use windlass_chain::{Auth, Bitcoind, BitcoindConfig};
use windlass_node::{api::ApiError, client::MemberClient};
use windlass_regtest::{
    api::{Reserves, ReservesReport},
    reserves,
};
use windlass_types::{ChainId, Digest};

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pub source: Source,
}

/// Whose blocks, on which bitcoind; without it, those of the network that runs.
#[derive(Debug, clap::Args)]
pub struct Source {
    /// Look on this bitcoind: http://user:password@127.0.0.1:18443
    #[arg(long, value_name = "URL", requires = "member")]
    bitcoind: Option<String>,
    /// Its cookie file, instead of a user and password in the URL
    #[arg(long, value_name = "FILE", requires = "bitcoind")]
    cookie: Option<PathBuf>,
    /// Take the blocks from this member or follower: http://127.0.0.1:18884
    #[arg(long, value_name = "URL", requires = "bitcoind")]
    member: Option<String>,
    /// Refuse any sidechain but the one with this id
    #[arg(long, value_name = "ID", requires = "member")]
    chain: Option<Digest>,
}

/// Runs it. A reserve that does not match is printed, and is a failure.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    let report: ReservesReport = match args.source.open()? {
        Some((member, bitcoind, chain)) => reserves::recount_from(&member, &bitcoind, chain).await?,
        None => ctx.ask("federation/reserves", &Reserves {}).await?,
    };
    ctx.out.result(&report, |paint| federation::reserves(&report, paint))?;
    if report.ok {
        return Ok(());
    }
    Err(ApiError::failed(format!("the reserve is not what it should be: {}", report.faults.join("; "))))
}

impl Source {
    /// What the flags name; none is "the network that runs".
    pub fn open(&self) -> Result<Option<(MemberClient, Bitcoind, Option<ChainId>)>, ApiError> {
        let (Some(bitcoind), Some(member)) = (&self.bitcoind, &self.member) else { return Ok(None) };
        let bitcoind = Bitcoind::new(reach(bitcoind, self.cookie.clone())?);
        Ok(Some((MemberClient::new(member), bitcoind, self.chain.map(ChainId))))
    }
}

/// Where a bitcoind is and how to call it, from `http://user:password@host:port` or a cookie.
pub fn reach(url: &str, cookie: Option<PathBuf>) -> Result<BitcoindConfig, ApiError> {
    let Some(rest) = url.strip_prefix("http://") else {
        return Err(ApiError::usage(format!("{url:?} is not the URL of a bitcoind: write http://127.0.0.1:18443")));
    };
    // A password may hold an @, a host can't.
    match (rest.rsplit_once('@'), cookie) {
        (None, Some(cookie)) => Ok(BitcoindConfig { url: url.to_owned(), auth: Auth::Cookie(cookie) }),
        (Some((login, host)), None) => {
            let (user, password) = login.split_once(':').ok_or_else(|| {
                ApiError::usage("the URL has a user and no password: write http://user:password@host")
            })?;
            let auth = Auth::UserPassword { user: user.to_owned(), password: password.to_owned() };
            Ok(BitcoindConfig { url: format!("http://{host}"), auth })
        }
        (None, None) => Err(ApiError::usage("bitcoind wants a user and password in the URL, or --cookie FILE")),
        (Some(_), Some(_)) => Err(ApiError::usage("either a user and password in the URL or --cookie, not both")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bitcoind_by_password_or_by_cookie() {
        let by_password = reach("http://me:p@ss@127.0.0.1:18443", None).expect("fine");
        assert_eq!(by_password.url, "http://127.0.0.1:18443");
        assert_eq!(by_password.auth, Auth::UserPassword { user: "me".into(), password: "p@ss".into() });
        let by_cookie = reach("http://127.0.0.1:18443", Some("/x/.cookie".into())).expect("fine");
        assert_eq!(by_cookie.auth, Auth::Cookie("/x/.cookie".into()));
        for (url, cookie) in [
            ("127.0.0.1:18443", None),
            ("http://127.0.0.1:18443", None),
            ("http://me@127.0.0.1:18443", None),
            ("http://me:p@127.0.0.1:18443", Some("/x".into())),
        ] {
            assert!(reach(url, cookie).is_err_and(|e| e.code.exit() == 2), "{url}");
        }
    }
}
