//! Assets other than bitcoin.

use super::answers::{Answer, Of as _, parse};
use super::pegs::account_of;
use super::{Service, errors};
use crate::api::ApiError;
use crate::api::assets::{AssetBalance, AssetInfo};
use axum::extract::{Path, State};
use windlass_ledger::{AssetRecord, query};
use windlass_types::{AssetId, ChainNetwork};

fn info(network: ChainNetwork, asset: AssetId, record: AssetRecord) -> AssetInfo {
    let AssetRecord { issuer, nonce, terms, supply, issued } = record;
    AssetInfo { asset, issuer: issuer.address(network), nonce, terms, supply, issued }
}

pub(super) async fn list(State(service): State<Service>) -> Answer<Vec<AssetInfo>> {
    let running = service.running()?;
    let network = running.chain.genesis().network;
    let assets = query::assets(&*running.chain.view()).map_err(errors::state)?;
    Answer::of(assets.into_iter().map(|(id, record)| info(network, id, record)).collect())
}

pub(super) async fn asset(State(service): State<Service>, Path(id): Path<String>) -> Answer<AssetInfo> {
    let running = service.running()?;
    let id: AssetId = parse("an asset", &id)?;
    if id.is_btc() {
        return Err(ApiError::usage("bitcoin's supply is in /v1/chain"));
    }
    match query::asset(&*running.chain.view(), &id).map_err(errors::state)? {
        Some(record) => Answer::of(info(running.chain.genesis().network, id, record)),
        None => Err(ApiError::not_found(format!("there is no asset {id}"))
            .hint("see the assets that there are", "windlass asset list")),
    }
}

pub(super) async fn balances(State(service): State<Service>, Path(address): Path<String>) -> Answer<Vec<AssetBalance>> {
    let running = service.running()?;
    let id = account_of(&running, &address)?;
    let view = running.chain.view();
    let mut balances = Vec::new();
    for (asset, units) in query::units_of(&*view, &id).map_err(errors::state)? {
        let record = query::asset(&*view, &asset).map_err(errors::state)?;
        let terms = record.map(|record| record.terms).ok_or_else(|| ApiError::failed(format!("no asset {asset}")))?;
        balances.push(AssetBalance { asset, ticker: terms.ticker, decimals: terms.decimals, units });
    }
    Answer::of(balances)
}
