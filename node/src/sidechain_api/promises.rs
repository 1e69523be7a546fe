//! A member's part in a receipt: what it promises, signed by its identity.

use super::answers::{Answer, Of as _, parse};
use super::{Backend, Running, Service, errors};
use crate::api::ApiError;
use crate::api::member::PromiseAnswer;
use crate::promises;
use axum::extract::{Path, State};
use bitcoin::OutPoint;
use windlass_ledger::{DepositTerms, query};
use windlass_light::Promise;
use windlass_types::Digest;

/// A member signs what its own final state says, unless it has reason to doubt it.
fn sign(running: &Running, promise: &Promise) -> Answer<PromiseAnswer> {
    let Backend::Member { handle, recount, pen, .. } = &running.backend else {
        return Err(ApiError::conflict(format!("{} is no member: it promises nothing", running.name)));
    };
    let doubt = handle.fork().or_else(|| recount.found().1);
    match doubt {
        Some(doubt) => Err(ApiError::conflict(format!("{} promises nothing: {doubt}", running.name))),
        None => Answer::of(pen.sign(running.chain.genesis(), promise)),
    }
}

/// The member's promise that deposits to the address of these terms are credited.
#[utoipa::path(
    get, path = "/promises/addresses/{terms}", operation_id = "promiseAddress",
    params(("terms" = String, Path, description = "The terms' canonical encoding, in hex")),
    responses((status = 200, body = PromiseAnswer)),
)]
pub(super) async fn address(State(service): State<Service>, Path(terms): Path<String>) -> Answer<PromiseAnswer> {
    let running = service.running()?;
    let bytes = hex::decode(&terms).map_err(|error| ApiError::usage(format!("the terms: {error}")))?;
    let terms: DepositTerms =
        borsh::from_slice(&bytes).map_err(|error| ApiError::usage(format!("the terms: {error}")))?;
    sign(&running, &promises::address(running.chain.genesis(), &*running.chain.view(), terms)?)
}

/// The member's word that this deposit was minted.
#[utoipa::path(
    get, path = "/promises/deposits/{outpoint}", operation_id = "promiseMint",
    params(("outpoint" = String, Path, description = "TXID:VOUT")),
    responses((status = 200, body = PromiseAnswer)),
)]
pub(super) async fn mint(State(service): State<Service>, Path(outpoint): Path<String>) -> Answer<PromiseAnswer> {
    let running = service.running()?;
    let outpoint: OutPoint = parse("a coin (TXID:VOUT)", &outpoint)?;
    sign(&running, &promises::mint(&*running.chain.view(), outpoint)?)
}

/// The member's promise that this peg-out is paid in time.
#[utoipa::path(
    get, path = "/promises/peg-outs/{id}", operation_id = "promisePegOut",
    params(("id" = String, Path, description = "The id of its transaction")),
    responses((status = 200, body = PromiseAnswer)),
)]
pub(super) async fn peg_out(State(service): State<Service>, Path(id): Path<String>) -> Answer<PromiseAnswer> {
    let running = service.running()?;
    let id: Digest = parse("a peg-out's id", &id)?;
    let record = query::peg_out(&*running.chain.view(), &id).map_err(errors::state)?;
    let record = record.ok_or_else(|| ApiError::not_found(format!("there is no peg-out {id}")))?;
    let block = running.chain.block(record.requested).map_err(errors::store)?;
    let (block, _) = block.ok_or_else(|| ApiError::not_found(format!("block {} is not here", record.requested)))?;
    sign(&running, &promises::peg_out(running.chain.genesis(), &record, block.header.anchor.height)?)
}
