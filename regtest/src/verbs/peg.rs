//! `peg quote|list|show|reclaim`.

use super::send::bitcoin_address;
use crate::{
    api::{NodePegIn, NodePegOut, Peg, PegList, PegQuoteOf, PegShow, Pegs},
    hub::{Call, Hub, Look, Pace},
};
use windlass_node::api::{
    ApiError,
    wallet::{PegInState, PegQuote, PegQuoteRequest, ReceiptFile},
};

/// What a peg would cost and how long it would take.
pub async fn quote(call: Call, ask: PegQuoteOf) -> Result<PegQuote, ApiError> {
    let hub = &call.hub;
    let to = match &ask.to {
        Some(to) => Some(bitcoin_address(hub, to).await?.to_string()),
        None => None,
    };
    hub.wallet(&ask.node)?.peg_quote(&PegQuoteRequest { way: ask.way, amount: ask.amount, to }).await
}

/// Peg-ins and peg-outs.
pub async fn list(call: Call, ask: PegList) -> Result<Pegs, ApiError> {
    if let Some(name) = &ask.node {
        call.hub.wallet(name)?;
    }
    all(&call.hub, ask.node.as_deref()).await
}

async fn all(hub: &Hub, only: Option<&str>) -> Result<Pegs, ApiError> {
    let mut pegs = Pegs { ins: Vec::new(), outs: Vec::new() };
    for (node, wallet) in hub.running_wallets() {
        if only.is_some_and(|only| only != node) {
            continue;
        }
        let ins = wallet.deposits().await?.into_iter();
        pegs.ins.extend(ins.map(|peg| NodePegIn { node: node.clone(), peg }));
        let outs = wallet.peg_outs().await?.into_iter();
        pegs.outs.extend(outs.map(|peg| NodePegOut { node: node.clone(), peg }));
    }
    Ok(pegs)
}

/// The one peg with this id or prefix.
async fn find(hub: &Hub, id: &str) -> Result<Peg, ApiError> {
    let pegs = all(hub, None).await?;
    // An exact id wins: a second coin to one address is called `id.1`.
    if let Some(exact) = pegs.ins.iter().find(|peg| peg.peg.id == id) {
        return Ok(Peg::In(exact.clone()));
    }
    let ins = pegs.ins.into_iter().filter(|peg| peg.peg.id.starts_with(id)).map(Peg::In);
    let outs = pegs.outs.into_iter().filter(|peg| peg.peg.info.id.to_string().starts_with(id)).map(Peg::Out);
    let mut found: Vec<_> = if id.is_empty() { Vec::new() } else { ins.chain(outs).collect() };
    match (found.pop(), found.len()) {
        (Some(peg), 0) => Ok(peg),
        (Some(_), more) => Err(ApiError::usage(format!("{id:?} could be {} pegs: give more of the id", more + 1))
            .hint("see them all", "windlass peg list")),
        (None, _) => Err(ApiError::not_found(format!("there is no peg-in or peg-out {id:?}"))
            .hint("see them all", "windlass peg list")),
    }
}

/// One peg, as it stands.
pub async fn show(call: Call, ask: PegShow) -> Result<Peg, ApiError> {
    find(&call.hub, &ask.id).await
}

/// A receipt of one peg, signed by the members.
pub async fn receipt(call: Call, ask: PegShow) -> Result<ReceiptFile, ApiError> {
    let (node, id) = match find(&call.hub, &ask.id).await? {
        Peg::In(NodePegIn { node, peg }) => (node, peg.id),
        Peg::Out(NodePegOut { node, peg }) => (node, peg.info.id.to_string()),
    };
    call.hub.wallet(&node)?.receipt(&id).await
}

/// Takes a deposit back; done with the first confirmation.
pub async fn reclaim(call: Call, ask: PegShow) -> Result<Peg, ApiError> {
    let hub = &call.hub;
    let NodePegIn { node, peg } = match find(hub, &ask.id).await? {
        Peg::In(peg) => peg,
        Peg::Out(_) => {
            return Err(ApiError::usage(format!("{} is a peg-out: only deposits are reclaimed", ask.id)));
        }
    };
    hub.seen(0).await?;
    let wallet = hub.wallet(&node)?;
    let started = wallet.reclaim(&peg.id).await?;
    if let PegInState::Reclaiming { txid, .. } = &started.state {
        call.step(1, 2, "broadcast", txid.to_string());
    }
    if call.no_wait {
        return Ok(Peg::In(NodePegIn { node, peg: started }));
    }
    let look = async || {
        let peg = wallet.deposit(&started.id).await?;
        Ok(match &peg.state {
            PegInState::Reclaiming { confirmations: 0, .. } => Look::Mine(1),
            PegInState::Reclaiming { .. } => Look::Done(peg),
            _ => Look::Wait("the reclaim transaction".into()),
        })
    };
    let peg = Pace::default().until(hub, look).await?;
    call.step(2, 2, "confirmed", "the coin is the wallet's again");
    Ok(Peg::In(NodePegIn { node, peg }))
}
