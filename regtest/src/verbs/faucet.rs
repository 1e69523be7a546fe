//! `faucet`: coins from the miner.

use super::send::{bitcoin_address, check_dust};
use crate::{
    api::{Faucet, FaucetDone},
    hub::Call,
};
use windlass_node::api::{ApiError, btc};

/// Pays the node or address out of the miner's coins; done with the first confirmation.
pub async fn faucet(call: Call, ask: Faucet) -> Result<FaucetDone, ApiError> {
    let hub = &call.hub;
    let address = bitcoin_address(hub, &ask.to).await?;
    check_dust(&address, ask.amount)?;
    call.step(1, 2, "paying", format!("{} to {address}", btc(ask.amount)));
    let txid = hub.miner().pay(&[(address.clone(), ask.amount)]).await?;
    let tip = if call.no_wait { hub.miner().tip().await? } else { hub.seen(1).await? };
    call.step(2, 2, "confirmed", format!("{txid} in block {}", tip.height));
    Ok(FaucetDone { txid, address: address.to_string(), height: tip.height })
}
