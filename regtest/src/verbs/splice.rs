//! `channel/splice`: done once the splice is locked in.

use super::send::{bitcoin_address, fund};
use crate::{
    api::{ChannelSplice, Progress},
    hub::{Call, Look, Pace},
};
use windlass_node::{
    api::{
        ApiError, btc,
        splice::SpliceRequest,
        wallet::{ChannelInfo, ChannelState},
    },
    client::WalletClient,
};

/// Splices.
pub async fn splice(call: Call, ask: ChannelSplice) -> Result<ChannelInfo, ApiError> {
    let hub = &call.hub;
    let wallet = hub.wallet(&ask.node)?;
    hub.seen(0).await?;
    let to = match &ask.to {
        Some(to) => Some(bitcoin_address(hub, to).await?.to_string()),
        None => None,
    };
    let request = SpliceRequest { way: ask.way, amount: ask.amount, to, fee_rate: ask.fee_rate };
    let id = ask.id.trim();
    let begun = wallet.splice_channel(id, &request).await.map_err(|error| fund(error, &ask.node, ask.amount))?;
    let txid = begun.splice.as_ref().map_or_else(|| "…".into(), |splice| splice.txid.to_string());
    call.step(1, 3, "signed", format!("{} in {txid}", btc(ask.amount)));
    if call.no_wait {
        return Ok(begun);
    }
    let channel = Pace::default().until(hub, async || look(&call, &wallet, &begun.id).await).await?;
    call.step(3, 3, "locked in", format!("capacity {}", btc(channel.capacity)));
    Ok(channel)
}

async fn look(call: &Call, wallet: &WalletClient, id: &str) -> Result<Look<ChannelInfo>, ApiError> {
    let channel = wallet.channel(id).await?;
    if matches!(channel.state, ChannelState::Closing | ChannelState::Closed) {
        return Err(ApiError::failed("the channel was closed while it was spliced; see the peers' logs")
            .hint("see the logs", "windlass logs"));
    }
    let Some(splice) = &channel.splice else {
        return Ok(if channel.state == ChannelState::Usable {
            Look::Done(channel)
        } else {
            Look::Wait("the peer".into())
        });
    };
    call.report(Progress::new(2, 3, "confirming", splice.txid.to_string()));
    let waits_for_mempool = splice.height.is_none() && {
        let mempool = call.hub.bitcoind().mempool().await.map_err(crate::hub::rpc)?;
        !mempool.txids.contains(&splice.txid)
    };
    Ok(if waits_for_mempool { Look::Wait("the splice's transaction".into()) } else { Look::Mine(1) })
}
