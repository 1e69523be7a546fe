//! `send`: on chain, from a node to a node or an address.

use crate::{
    api::{Send, Sent},
    hub::{Call, Hub, own_address},
};
use bitcoin::{Address, Amount, Network};
use windlass_chain::parse_address;
use windlass_node::api::{
    ApiError, Code, btc,
    wallet::{AddressRequest, SendRequest},
};

/// Sends; done with the first confirmation.
pub async fn send(call: Call, ask: Send) -> Result<Sent, ApiError> {
    let hub = &call.hub;
    let wallet = hub.wallet(&ask.node)?;
    let to = bitcoin_address(hub, &ask.to).await?;
    check_dust(&to, ask.amount)?;
    let request = SendRequest { to: to.to_string(), amount: ask.amount };
    let sent = wallet.send(&request).await.map_err(|error| fund(error, &ask.node, ask.amount))?;
    call.step(1, 2, "sent", format!("{} in {}", btc(ask.amount), sent.txid));
    if call.no_wait {
        return Ok(Sent { txid: sent.txid, fee: sent.fee, height: None });
    }
    let tip = hub.mine(1).await?;
    call.step(2, 2, "confirmed", format!("block {}", tip.height));
    Ok(Sent { txid: sent.txid, fee: sent.fee, height: Some(tip.height) })
}

/// Refuses what Bitcoin would not relay.
pub fn check_dust(to: &Address, amount: Amount) -> Result<(), ApiError> {
    let least = to.script_pubkey().minimal_non_dust();
    if amount >= least {
        return Ok(());
    }
    Err(ApiError::usage(format!(
        "{} sat is dust: Bitcoin relays outputs of {} sat or more to {to}",
        amount.to_sat(),
        least.to_sat()
    )))
}

/// A Bitcoin address as typed: a node's name stands for a fresh one of that node.
pub async fn bitcoin_address(hub: &Hub, to: &str) -> Result<Address, ApiError> {
    if hub.node_names().iter().any(|name| name == to) {
        let answer = hub.wallet(to)?.address(&AddressRequest::Bitcoin).await?;
        return own_address(&answer.address);
    }
    parse_address(to, Network::Regtest).map_err(|error| {
        ApiError::usage(format!("{error}; nor is there a node of that name ({})", hub.node_names().join(", ")))
    })
}

/// An error of too little bitcoin, with the way to more.
pub fn fund(error: ApiError, node: &str, amount: Amount) -> ApiError {
    if error.code != Code::InsufficientFunds || error.hints.iter().any(|hint| hint.command.contains("faucet")) {
        return error;
    }
    // A little more than the amount, for the fee.
    let more = amount + Amount::from_sat(100_000);
    error.hint(format!("fund {node}"), format!("windlass faucet {node} {}sat", more.to_sat()))
}
