//! `peg out`.

use super::{
    peg_in::{batch_before, in_flight},
    send::bitcoin_address,
    transfer::peg_in_first,
};
use crate::{
    api::PegOut,
    hub::{Call, Look, Pace},
};
use windlass_node::{
    api::{
        ApiError, btc,
        member::PegOutState,
        wallet::{PegOutRecord, PegOutRequest},
    },
    client::WalletClient,
};

const STEPS: u32 = 4;

/// Burns; done once it is paid and buried.
pub async fn peg_out(call: Call, ask: PegOut) -> Result<PegOutRecord, ApiError> {
    let hub = &call.hub;
    let wallet = hub.wallet(&ask.node)?;
    let to = match &ask.to {
        Some(to) => Some(bitcoin_address(hub, to).await?.to_string()),
        None => None,
    };
    let request = PegOutRequest { amount: ask.amount, to, fee_max: ask.fee_max };
    let burned = wallet.peg_out(&request).await.map_err(|error| peg_in_first(error, &ask.node, ask.amount))?;
    call.step(1, STEPS, "burned", format!("{} in side block {}", btc(ask.amount), burned.info.burned_height));
    if call.no_wait {
        return Ok(burned);
    }
    let id = burned.info.id.to_string();
    let done = Pace::default().until(hub, async || look(&call, &wallet, &id).await).await?;
    if let PegOutState::Paid { txid, paid, fee, .. } = &done.info.state {
        // The receiver's wallet has seen it before this returns.
        hub.seen(0).await?;
        call.step(4, STEPS, "confirmed", format!("{} arrived in {txid} (fee {})", btc(*paid), btc(*fee)));
    }
    Ok(done)
}

async fn look(call: &Call, wallet: &WalletClient, id: &str) -> Result<Look<PegOutRecord>, ApiError> {
    let record = wallet.peg_out_by_id(id).await?;
    match &record.info.state {
        PegOutState::Pending => batch_before(call, "the payment").await,
        PegOutState::Paying { txid, confirmations, .. } => in_flight(call, "signed", *txid, *confirmations).await,
        PegOutState::Paid { .. } => Ok(Look::Done(record)),
        PegOutState::Refunded { reason, .. } => {
            Err(ApiError::failed(format!("the peg-out was refunded: {reason}; the amount is back on the sidechain")))
        }
    }
}
