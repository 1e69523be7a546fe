//! `federation reserves`: the recount, by this network's own processes or by anyone.

use crate::{
    api::{ReserveCoin, ReservesReport},
    hub::Hub,
};
use windlass_chain::Bitcoind;
use windlass_node::{api::ApiError, client::MemberClient};
use windlass_types::ChainId;

/// Recounts with the blocks of the first member that has them all.
pub(crate) async fn recount(hub: &Hub) -> Result<ReservesReport, ApiError> {
    of_a_member(hub, |member| async move { recount_from(&member, hub.bitcoind(), None).await }).await
}

/// What the first member that can be asked answers.
pub(crate) async fn of_a_member<T, F: Future<Output = Result<T, ApiError>>>(
    hub: &Hub,
    ask: impl Fn(MemberClient) -> F,
) -> Result<T, ApiError> {
    let mut last = ApiError::not_running("no member of the federation runs").hint("start what is down", "windlass up");
    for (_, member) in hub.running_members() {
        match ask(member).await {
            Ok(report) => return Ok(report),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Recounts with the blocks that `source` serves (any member or follower) and the coins of any
/// bitcoind. `chain` pins the sidechain; without it the source says which one it is.
///
/// # Errors
/// It could not be counted. A reserve that differs is no error, but a report that is not `ok`.
pub async fn recount_from(
    source: &MemberClient,
    bitcoind: &Bitcoind,
    chain: Option<ChainId>,
) -> Result<ReservesReport, ApiError> {
    let found = windlass_node::reserves::recount(source, bitcoind, chain).await?;
    let coins = found.coins.into_iter().map(|coin| ReserveCoin {
        outpoint: coin.outpoint,
        value: coin.amount,
        confirmations: coin.confirmations,
    });
    Ok(ReservesReport {
        chain: found.chain,
        height: found.height,
        anchor: found.anchor,
        tip: found.bitcoin_tip,
        coins: coins.collect(),
        reserve: found.reserve,
        supply: found.supply,
        owed_peg_outs: found.owed_peg_outs,
        owed_deposits: found.owed_deposits,
        waiting_deposits: found.waiting_deposits,
        ok: found.ok,
        faults: found.faults,
    })
}
