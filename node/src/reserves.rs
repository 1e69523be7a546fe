//! The recount by anyone: blocks from any member or follower, coins from any bitcoind.

use crate::api::{ApiError, PAGE_MAX};
use crate::client::MemberClient;
use crate::follower::read_block;
use windlass_chain::Bitcoind;
use windlass_ledger::Genesis;
use windlass_peg::anchors::{self, AnchorsReport};
use windlass_peg::reserves::{CheckError, Recount, ReservesReport};
use windlass_types::ChainId;

/// Replays all blocks that the member serves and compares with the bitcoind's coins. `wanted`
/// pins the chain; without it the member's own word says which chain it is.
///
/// # Errors
/// It could not be counted: nobody answers, or the blocks don't hold. A reserve that differs is no
/// error but a report that is not `ok`.
pub async fn recount(
    member: &MemberClient,
    bitcoind: &Bitcoind,
    wanted: Option<ChainId>,
) -> Result<ReservesReport, ApiError> {
    replay(member, wanted).await?.check(bitcoind).await.map_err(unchecked)
}

/// Replays as [`recount`] does, and looks on the bitcoind for the headers that the treasury's transactions
/// commit to.
///
/// # Errors
/// As [`recount`].
pub async fn anchors(
    member: &MemberClient,
    bitcoind: &Bitcoind,
    wanted: Option<ChainId>,
) -> Result<AnchorsReport, ApiError> {
    anchors::walk(&replay(member, wanted).await?, bitcoind).await.map_err(unchecked)
}

fn unchecked(error: CheckError) -> ApiError {
    match error {
        CheckError::Bitcoind(error) if error.is_unreachable() => ApiError::not_running(error),
        other => ApiError::failed(other),
    }
}

/// Replays all blocks that the member serves, each checked against its certificate and the rules.
///
/// # Errors
/// It does not answer, serves another chain, or its blocks don't hold.
pub async fn replay(member: &MemberClient, wanted: Option<ChainId>) -> Result<Recount, ApiError> {
    let answer = member.genesis().await?;
    let bytes = hex::decode(&answer.hex).map_err(ApiError::failed)?;
    let genesis: Genesis =
        borsh::from_slice(&bytes).map_err(|error| ApiError::failed(format!("the member's genesis: {error}")))?;
    let chain = genesis.chain_id();
    if let Some(wanted) = wanted.filter(|wanted| *wanted != chain) {
        return Err(ApiError::conflict(format!("the member serves the chain {chain}, not {wanted}")));
    }
    let mut recount = Recount::new(genesis.clone()).map_err(ApiError::failed)?;
    while let Some(next) = recount.tip().height.next() {
        let answers = member.blocks(next, PAGE_MAX).await?;
        if answers.is_empty() {
            break;
        }
        let epochs = member.epochs(&genesis).await?;
        for answer in &answers {
            let (block, certificate) =
                read_block(answer).map_err(|reason| ApiError::failed(format!("the member's blocks: {reason}")))?;
            let certified = |block: &_| epochs.verify_block(block, &certificate);
            recount.push(&block, certified).map_err(|error| {
                let source = std::error::Error::source(&error).map(|s| format!(": {s}")).unwrap_or_default();
                ApiError::failed(format!("{error}{source}"))
            })?;
        }
    }
    Ok(recount)
}
