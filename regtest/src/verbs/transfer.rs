//! `transfer`: on the sidechain.

use crate::{
    api::Transfer,
    hub::{Call, Hub},
};
use bitcoin::Amount;
use windlass_node::api::{
    ApiError, Code, btc,
    policies::Payee,
    wallet::{AddressRequest, TransferAnswer, TransferRequest},
};
use windlass_types::{AccountId, ChainNetwork};

/// Transfers; done once it is final.
pub async fn transfer(call: Call, ask: Transfer) -> Result<TransferAnswer, ApiError> {
    let hub = &call.hub;
    let wallet = hub.wallet(&ask.from)?;
    let to = side_address(hub, &ask.to).await?;
    let (mut more, mut sum) = (Vec::new(), ask.amount);
    for (name, sat) in &ask.more {
        let amount = Amount::from_sat(*sat);
        more.push(Payee { address: side_address(hub, name).await?, amount });
        let added = sum.checked_add(amount).filter(|sum| *sum <= Amount::MAX_MONEY);
        sum = added.ok_or_else(|| ApiError::usage("the amounts add up to more than all bitcoin"))?;
    }
    let others = if more.is_empty() { String::new() } else { format!(" and {} others", more.len()) };
    call.step(1, 2, "submitted", format!("{} to {to}{others}", btc(sum)));
    let request = TransferRequest { to, amount: ask.amount, more, memo: ask.memo, max_fee: ask.max_fee };
    let done = wallet.transfer(&request).await.map_err(|error| peg_in_first(error, &ask.from, sum))?;
    call.step(2, 2, "final", format!("side block {}", done.height));
    Ok(done)
}

/// A sidechain address as typed: a node's name stands for its own.
pub async fn side_address(hub: &Hub, to: &str) -> Result<String, ApiError> {
    if hub.node_names().iter().any(|name| name == to) {
        return Ok(hub.wallet(to)?.address(&AddressRequest::Sidechain).await?.address);
    }
    match AccountId::from_address(to, ChainNetwork::Regtest) {
        Ok(_) => Ok(to.to_owned()),
        Err(error) => {
            Err(ApiError::usage(format!("{error}; nor is there a node of that name ({})", hub.node_names().join(", "))))
        }
    }
}

/// An error of too little on the sidechain, with the way to more.
pub fn peg_in_first(error: ApiError, node: &str, amount: bitcoin::Amount) -> ApiError {
    if error.code != Code::InsufficientFunds || error.hints.iter().any(|hint| hint.command.contains("peg in")) {
        return error;
    }
    // The sweep's fee goes off what is pegged in.
    let more = amount + bitcoin::Amount::from_sat(100_000);
    error.hint(format!("peg in for {node}"), format!("windlass peg in {node} {}sat", more.to_sat()))
}
