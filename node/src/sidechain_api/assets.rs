//! Assets other than bitcoin.

use super::answers::{Answer, Of as _, parse};
use super::pegs::account_of;
use super::{Service, errors, page};
use crate::api::assets::{AssetBalance, AssetInfo};
use crate::api::{ApiError, Page, PageQuery};
use axum::extract::{Path, Query, State};
use windlass_ledger::{AssetRecord, query};
use windlass_types::{AssetId, ChainNetwork};

fn info(network: ChainNetwork, asset: AssetId, record: AssetRecord) -> AssetInfo {
    let AssetRecord { issuer, nonce, terms, supply, issued } = record;
    AssetInfo { asset, issuer: issuer.address(network), nonce, terms, supply, issued }
}

/// All assets but bitcoin, ascending by id.
#[utoipa::path(
    get, path = "/assets", operation_id = "assets", params(PageQuery),
    responses((status = 200, body = Page<AssetInfo>)),
)]
pub(super) async fn list(State(service): State<Service>, Query(query): Query<PageQuery>) -> Answer<Page<AssetInfo>> {
    let running = service.running()?;
    let network = running.chain.genesis().network;
    let (from, limit) = (page::from(&query)?, page::limit(&query)?);
    let assets = query::assets_page(&*running.chain.view(), &from, limit).map_err(errors::state)?;
    let infos = |items: Vec<_>| items.into_iter().map(|(id, record)| info(network, id, record)).collect();
    Answer::of(page::answer(assets, infos))
}

/// An asset.
#[utoipa::path(
    get, path = "/assets/{id}", operation_id = "asset", params(("id" = String, Path, description = "Its id")),
    responses((status = 200, body = AssetInfo)),
)]
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

/// What an account has of assets other than bitcoin.
#[utoipa::path(
    get, path = "/accounts/{address}/assets", operation_id = "assetBalances", params(("address" = String, Path, description = "A sidechain address"), PageQuery),
    responses((status = 200, body = Page<AssetBalance>)),
)]
pub(super) async fn balances(
    State(service): State<Service>,
    Path(address): Path<String>,
    Query(query): Query<PageQuery>,
) -> Answer<Page<AssetBalance>> {
    let running = service.running()?;
    let id = account_of(&running, &address)?;
    let view = running.chain.view();
    let mut balances = Vec::new();
    let (from, limit) = (page::from(&query)?, page::limit(&query)?);
    let units = query::units_page(&*view, &id, &from, limit).map_err(errors::state)?;
    for &(asset, units) in &units.items {
        let record = query::asset(&*view, &asset).map_err(errors::state)?;
        let terms = record.map(|record| record.terms).ok_or_else(|| ApiError::failed(format!("no asset {asset}")))?;
        balances.push(AssetBalance { asset, ticker: terms.ticker, decimals: terms.decimals, units });
    }
    Answer::of(page::answer(units, |_| balances))
}
