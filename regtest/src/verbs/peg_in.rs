//! `peg address` and `peg in`.

use super::send::fund;
use crate::{
    api::{OneNode, PegIn, Progress},
    hub::{Call, Look, Pace},
};
use bitcoin::Txid;
use windlass_node::{
    api::{
        ApiError, btc,
        member::DepositState,
        wallet::{PegInInfo, PegInState, SendRequest},
    },
    client::WalletClient,
};

/// Confirmations that the members wait for (the genesis's `anchor_depth`, as this crate sets it).
const DEPTH: u32 = 6;
/// Steps that are shown.
const STEPS: u32 = 4;

/// A fresh deposit address.
pub async fn address(call: Call, ask: OneNode) -> Result<PegInInfo, ApiError> {
    call.hub.wallet(&ask.node)?.deposit_address().await
}

/// Deposits; done once it is minted.
pub async fn peg_in(call: Call, ask: PegIn) -> Result<PegInInfo, ApiError> {
    let hub = &call.hub;
    let wallet = hub.wallet(&ask.node)?;
    hub.seen(0).await?;
    let peg = wallet.deposit_address().await?;
    if ask.amount < peg.min || ask.amount > peg.max {
        return Err(ApiError::usage(format!(
            "{} sat can't be pegged in: a deposit is from {} to {} sat",
            ask.amount.to_sat(),
            peg.min.to_sat(),
            peg.max.to_sat()
        )));
    }
    let lock = format!(
        "{}  (yours alone again {} blocks after it confirms, if it is not swept)",
        peg.address, peg.reclaim_blocks
    );
    call.step(1, STEPS, "address", lock);
    let request = SendRequest { to: peg.address.clone(), amount: ask.amount };
    let sent = wallet.send(&request).await.map_err(|error| fund(error, &ask.node, ask.amount))?;
    call.step(2, STEPS, "sent", format!("{} in {}", btc(ask.amount), sent.txid));
    if call.no_wait {
        return wallet.deposit(&peg.id).await;
    }
    hub.mine(1).await?;
    let done = Pace::default().until(hub, async || look(&call, &wallet, &peg.id).await).await?;
    if let PegInState::OnSidechain(DepositState::Minted { minted, height, .. }) = &done.state {
        call.step(4, STEPS, "minted", format!("{} to {} in side block {height}", btc(*minted), ask.node));
    }
    Ok(done)
}

async fn look(call: &Call, wallet: &WalletClient, id: &str) -> Result<Look<PegInInfo>, ApiError> {
    let peg = wallet.deposit(id).await?;
    let reclaim = |error: ApiError| error.hint("take it back", format!("windlass peg reclaim {}", peg.id));
    match &peg.state {
        PegInState::Address => Ok(Look::Wait("the node to see the deposit".into())),
        PegInState::Confirming { needed } => {
            call.report(
                Progress::new(3, STEPS, "deposit", "confirmations")
                    .with_bar(u64::from(peg.confirmations.min(*needed)), u64::from(*needed)),
            );
            let left = needed.saturating_sub(peg.confirmations);
            Ok(if left > 0 { Look::Mine(1) } else { Look::Wait("the deposit's claim on the sidechain".into()) })
        }
        PegInState::NotEligible { reason } => {
            Err(reclaim(ApiError::failed(format!("the deposit will not be minted: {reason}"))))
        }
        PegInState::Reclaiming { .. } | PegInState::OnSidechain(DepositState::Reclaimed { .. }) => {
            Err(ApiError::conflict("the deposit was reclaimed before it was swept"))
        }
        PegInState::OnSidechain(DepositState::Lapsed { .. }) => {
            Err(reclaim(ApiError::failed("the deposit was not swept in time and will not be minted")))
        }
        PegInState::OnSidechain(DepositState::Claimed) => batch_before(call, "the sweep").await,
        PegInState::OnSidechain(DepositState::Sweeping { txid, confirmations }) => {
            in_flight(call, "swept", *txid, *confirmations).await
        }
        PegInState::OnSidechain(DepositState::Minted { .. }) => Ok(Look::Done(peg)),
    }
}

/// What a treasury transaction that is signed, or soon will be, waits for.
pub async fn in_flight<T>(call: &Call, label: &str, txid: Txid, confirmations: u32) -> Result<Look<T>, ApiError> {
    let bar = (u64::from(confirmations.min(DEPTH)), u64::from(DEPTH));
    call.report(Progress::new(3, STEPS, label, txid.to_string()).with_bar(bar.0, bar.1));
    if confirmations >= DEPTH {
        return Ok(Look::Wait("the sidechain to see it buried".into()));
    }
    if confirmations > 0 || is_in_mempool(call, txid).await? {
        return Ok(Look::Mine(1));
    }
    Ok(Look::Wait("the members' signatures".into()))
}

/// A batch that is in flight must settle before the next one is fixed.
pub async fn batch_before<T>(call: &Call, what: &str) -> Result<Look<T>, ApiError> {
    for (_, member) in call.hub.running_members() {
        let Ok(federation) = member.federation().await else { continue };
        if let Some(batch) = federation.batch
            && batch.confirmations < DEPTH
            && (batch.confirmations > 0 || is_in_mempool(call, batch.txid).await?)
        {
            return Ok(Look::Mine(1));
        }
        break;
    }
    Ok(Look::Wait(format!("{what} to be put together")))
}

async fn is_in_mempool(call: &Call, txid: Txid) -> Result<bool, ApiError> {
    let found = call.hub.bitcoind().mempool_transaction(txid).await.map_err(crate::hub::rpc)?;
    Ok(found.is_some())
}
