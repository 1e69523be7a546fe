//! Accounts, deposits, peg-outs.

use super::answers::{Answer, Of as _, parse};
use super::{Running, Service, errors, page};
use crate::api::member::{AccountInfo, DepositInfo, DepositState, PegOutInfo, PegOutState};
use crate::api::{ApiError, Page, PageQuery};
use axum::extract::{Path, Query, State};
use bitcoin::{Address, Amount, OutPoint};
use serde::Deserialize;
use windlass_ledger::{self as ledger, BatchRecord, DepositRecord, Genesis, PegOutRecord, StateRead, query};
use windlass_types::{AccountId, BtcHeight, Digest};

pub(super) fn account_of(running: &Running, text: &str) -> Result<AccountId, ApiError> {
    AccountId::from_address(text, running.chain.genesis().network).map_err(ApiError::usage)
}

/// An account; one that nobody has paid to is empty.
#[utoipa::path(
    get, path = "/accounts/{address}", operation_id = "account", params(("address" = String, Path, description = "A sidechain address")),
    responses((status = 200, body = AccountInfo)),
)]
pub(super) async fn account(State(service): State<Service>, Path(address): Path<String>) -> Answer<AccountInfo> {
    let running = service.running()?;
    let id = account_of(&running, &address)?;
    let view = running.chain.view();
    let account = query::account(&*view, &id).map_err(errors::state)?;
    let height = query::tip(&*view).map_err(errors::state)?.height;
    let (next_nonce, used_nonces) = (account.nonces.next(), account.nonces.used_ahead());
    Answer::of(AccountInfo { address, balance: account.balance, next_nonce, used_nonces, height })
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Of {
    /// A sidechain address.
    #[param(required, value_type = String)]
    account: Option<String>,
}

impl Of {
    fn account(&self, running: &Running) -> Result<AccountId, ApiError> {
        match &self.account {
            Some(text) => account_of(running, text),
            None => Err(ApiError::usage("whose? add ?account=ADDRESS")),
        }
    }
}

/// The claimed deposits of an account, oldest first.
#[utoipa::path(
    get, path = "/deposits", operation_id = "deposits", params(Of, PageQuery),
    responses((status = 200, body = Page<DepositInfo>)),
)]
pub(super) async fn deposits(
    State(service): State<Service>,
    Query(of): Query<Of>,
    Query(query): Query<PageQuery>,
) -> Answer<Page<DepositInfo>> {
    let running = service.running()?;
    let view = running.chain.view();
    let (from, limit) = (page::from(&query)?, page::limit(&query)?);
    let records = query::deposits_page(&*view, &of.account(&running)?, &from, limit).map_err(errors::state)?;
    let mut infos = Vec::with_capacity(records.items.len());
    for record in &records.items {
        infos.push(deposit_info(&running, &*view, record).await?);
    }
    Answer::of(page::answer(records, |_| infos))
}

/// A claimed deposit.
#[utoipa::path(
    get, path = "/deposits/{outpoint}", operation_id = "deposit", params(("outpoint" = String, Path, description = "TXID:VOUT")),
    responses((status = 200, body = DepositInfo)),
)]
pub(super) async fn deposit(State(service): State<Service>, Path(outpoint): Path<String>) -> Answer<DepositInfo> {
    let running = service.running()?;
    let outpoint: OutPoint = parse("a coin (TXID:VOUT)", &outpoint)?;
    let view = running.chain.view();
    match query::deposit(&*view, outpoint).map_err(errors::state)? {
        Some(record) => Answer::of(deposit_info(&running, &*view, &record).await?),
        None => Err(ApiError::not_found(format!("no deposit {outpoint} was claimed on the sidechain"))),
    }
}

/// The peg-outs of an account, oldest first.
#[utoipa::path(
    get, path = "/peg-outs", operation_id = "pegOuts", params(Of, PageQuery),
    responses((status = 200, body = Page<PegOutInfo>)),
)]
pub(super) async fn peg_outs(
    State(service): State<Service>,
    Query(of): Query<Of>,
    Query(query): Query<PageQuery>,
) -> Answer<Page<PegOutInfo>> {
    let running = service.running()?;
    let view = running.chain.view();
    let (from, limit) = (page::from(&query)?, page::limit(&query)?);
    let records = query::peg_outs_page(&*view, &of.account(&running)?, &from, limit).map_err(errors::state)?;
    let mut infos = Vec::with_capacity(records.items.len());
    for record in &records.items {
        infos.push(peg_out_info(&running, &*view, record).await?);
    }
    Answer::of(page::answer(records, |_| infos))
}

/// A peg-out.
#[utoipa::path(
    get, path = "/peg-outs/{id}", operation_id = "pegOut", params(("id" = String, Path, description = "The id of its transaction")),
    responses((status = 200, body = PegOutInfo)),
)]
pub(super) async fn peg_out(State(service): State<Service>, Path(id): Path<String>) -> Answer<PegOutInfo> {
    let running = service.running()?;
    let id: Digest = parse("a peg-out's id", &id)?;
    let view = running.chain.view();
    match query::peg_out(&*view, &id).map_err(errors::state)? {
        Some(record) => Answer::of(peg_out_info(&running, &*view, &record).await?),
        None => Err(ApiError::not_found(format!("no peg-out {id} was asked for on the sidechain"))),
    }
}

/// The batch that a record names.
fn batch(view: &dyn StateRead, id: u64) -> Result<BatchRecord, ApiError> {
    let record = query::batch_by_id(view, id).map_err(errors::state)?;
    record.ok_or_else(|| ApiError::failed(format!("the state has no batch {id}")))
}

/// Confirmations of the batch in flight. It can't be in or below the anchor: the ledger would have
/// settled it.
pub(super) async fn confirmations(running: &Running, view: &dyn StateRead, txid: bitcoin::Txid) -> u32 {
    let Some(bitcoin) = &running.bitcoin else { return 0 };
    let Ok(tip) = query::tip(view) else { return 0 };
    bitcoin.confirmations(txid, tip.anchor.height).await
}

async fn deposit_info(
    running: &Running,
    view: &dyn StateRead,
    record: &DepositRecord,
) -> Result<DepositInfo, ApiError> {
    let genesis = running.chain.genesis();
    let state = match record.state {
        ledger::DepositState::Claimed => DepositState::Claimed,
        ledger::DepositState::Batched { batch: id } => {
            let txid = batch(view, id)?.batch.txid;
            DepositState::Sweeping { txid, confirmations: confirmations(running, view, txid).await }
        }
        ledger::DepositState::Minted { batch: id, amount, minted } => DepositState::Minted {
            txid: batch(view, id)?.batch.txid,
            minted: amount,
            fee: record.amount.checked_sub(amount).unwrap_or_default(),
            height: minted,
        },
        ledger::DepositState::Reclaimed { txid, .. } => DepositState::Reclaimed { txid },
        ledger::DepositState::Lapsed { lapsed } => DepositState::Lapsed { height: lapsed },
    };
    let reclaim_height = record.height.checked_add(genesis.params.reclaim_blocks);
    Ok(DepositInfo {
        outpoint: record.outpoint,
        account: record.terms.account.address(genesis.network),
        amount: record.amount,
        bitcoin_height: record.height,
        reclaim_height: reclaim_height.unwrap_or(BtcHeight::new(u32::MAX)),
        state,
    })
}

async fn peg_out_info(running: &Running, view: &dyn StateRead, record: &PegOutRecord) -> Result<PegOutInfo, ApiError> {
    let fee = |paid: Amount| record.amount.checked_sub(paid).unwrap_or_default();
    let state = match record.state {
        ledger::PegOutState::Pending => PegOutState::Pending,
        ledger::PegOutState::Batched { batch: id } => {
            let batch = batch(view, id)?.batch;
            let place = batch.payouts.iter().position(|payout| payout.id == record.id);
            let place = place.ok_or_else(|| ApiError::failed(format!("batch {id} does not pay {}", record.id)))?;
            let paid = batch.payouts.get(place).map(|payout| payout.amount).unwrap_or_default();
            let confirmations = confirmations(running, view, batch.txid).await;
            let vout = batch.payout_outpoint(place).vout;
            PegOutState::Paying { txid: batch.txid, vout, paid, fee: fee(paid), confirmations }
        }
        ledger::PegOutState::Paid { outpoint, amount, settled, .. } => PegOutState::Paid {
            txid: outpoint.txid,
            vout: outpoint.vout,
            paid: amount,
            fee: fee(amount),
            height: settled,
        },
    };
    let genesis: &Genesis = running.chain.genesis();
    let to = match Address::from_script(&record.script, genesis.network.bitcoin()) {
        Ok(address) => address.to_string(),
        Err(_) => record.script.to_hex_string(),
    };
    Ok(PegOutInfo {
        id: record.id,
        account: record.from.address(genesis.network),
        to,
        amount: record.amount,
        burned_height: record.requested,
        state,
    })
}
