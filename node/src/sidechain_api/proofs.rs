//! Proof files: facts of the chain that others check offline.

use super::answers::{Answer, Of as _, parse};
use super::{Running, Service, errors, pegs};
use crate::api::ApiError;
use crate::api::schema::ProofFileSchema;
use axum::extract::{Path, State};
use windlass_ledger::{Header, Inclusion, Policy, StateRead, keys, query, smt};
use windlass_light::{Claim, EpochLink, HexBytes, Part, ProofFile};
use windlass_types::{AssetId, Digest, SideHeight};

fn encode<T: borsh::BorshSerialize>(value: &T) -> Vec<u8> {
    borsh::to_vec(value).expect("writing to a vector does not fail and no length reaches u32")
}

/// A block's certificate; nobody votes for the genesis block.
fn certificate(running: &Running, header: &Header) -> Result<Vec<u8>, ApiError> {
    if header.height == SideHeight::default() {
        return Ok(Vec::new());
    }
    let certificate = running.chain.certificate(header.height).map_err(errors::store)?;
    certificate.ok_or_else(|| {
        ApiError::failed(format!("block {} is the newest and its certificate is not in the store", header.height))
    })
}

/// What an account has, or that there is none, as a file that anyone can check: as of the newest block.
#[utoipa::path(
    get, path = "/proofs/accounts/{address}", operation_id = "proveAccount", params(("address" = String, Path, description = "A sidechain address")),
    responses((status = 200, body = ProofFileSchema)),
)]
pub(super) async fn account(State(service): State<Service>, Path(address): Path<String>) -> Answer<ProofFile> {
    let running = service.running()?;
    let key = keys::account(&pegs::account_of(&running, &address)?);
    entry(&running, key)
}

/// How many units of an asset an account has, or that it has none, as a file that anyone can check: as of the newest block.
#[utoipa::path(
    get, path = "/proofs/accounts/{address}/assets/{asset}", operation_id = "proveUnits",
    params(("address" = String, Path, description = "A sidechain address"), ("asset" = String, Path, description = "The asset's id")),
    responses((status = 200, body = ProofFileSchema)),
)]
pub(super) async fn units(
    State(service): State<Service>,
    Path((address, asset)): Path<(String, String)>,
) -> Answer<ProofFile> {
    let running = service.running()?;
    let asset: AssetId = parse("an asset", &asset)?;
    if asset.is_btc() {
        return Err(ApiError::usage("bitcoin is proven by the account"));
    }
    let key = keys::units(&pegs::account_of(&running, &address)?, &asset);
    entry(&running, key)
}

/// The chain's parameters, as a file that anyone can check: as of the newest block.
#[utoipa::path(
    get, path = "/proofs/params", operation_id = "proveParams",
    responses((status = 200, body = ProofFileSchema)),
)]
pub(super) async fn params(State(service): State<Service>) -> Answer<ProofFile> {
    entry(&*service.running()?, keys::PARAMS.to_vec())
}

/// The state of a hash lock, as a file that anyone can check: as of the newest block.
#[utoipa::path(
    get, path = "/proofs/locks/{policy}", operation_id = "proveLock",
    params(("policy" = String, Path, description = "A policy that asks for a preimage, as text with its keys in hex")),
    responses((status = 200, body = ProofFileSchema)),
)]
pub(super) async fn lock(State(service): State<Service>, Path(policy): Path<String>) -> Answer<ProofFile> {
    let running = service.running()?;
    let policy: Policy = parse("a policy", &policy)?;
    let hashes = policy.hashes();
    if hashes.is_empty() {
        return Err(ApiError::usage("this policy asks for no preimage; what it has is proven by its account"));
    }
    // The view holds still, and knows its header.
    let view = running.chain.view();
    let header = query::tip(&*view).map_err(errors::state)?;
    let part = |key: Vec<u8>| part(&*view, &key);
    let account = part(keys::account(&policy.account()))?;
    let preimages = hashes.iter().map(|hash| part(keys::revealed(hash))).collect::<Result<_, _>>()?;
    let certificate = certificate(&running, &header)?;
    let policy = encode(&policy);
    let links = links(&running, &header)?;
    Answer::of(ProofFile::new(&header, certificate, Claim::Lock { policy, account, preimages }).with_links(links))
}

/// What a state has under `key`, and the proof of it.
fn part(view: &dyn StateRead, key: &[u8]) -> Result<Part, ApiError> {
    let value = view.get(key).map_err(errors::state)?.map(HexBytes);
    let proof = encode(&smt::prove(view, key).map_err(errors::state)?);
    Ok(Part { value, proof })
}

/// What the newest state has under `key`.
fn entry(running: &Running, key: Vec<u8>) -> Answer<ProofFile> {
    // The view holds still, and knows its header.
    let view = running.chain.view();
    let header = query::tip(&*view).map_err(errors::state)?;
    let Part { value, proof } = part(&*view, &key)?;
    let certificate = certificate(running, &header)?;
    Answer::of(
        ProofFile::new(&header, certificate, Claim::Entry { key, value, proof }).with_links(links(running, &header)?),
    )
}

/// That a transaction is in a final block, as a file that anyone can check.
#[utoipa::path(
    get, path = "/proofs/transactions/{id}", operation_id = "proveTransaction", params(("id" = String, Path, description = "The transaction's id")),
    responses((status = 200, body = ProofFileSchema)),
)]
pub(super) async fn transaction(State(service): State<Service>, Path(id): Path<String>) -> Answer<ProofFile> {
    let running = service.running()?;
    let id: Digest = parse("a transaction id", &id)?;
    let missing = || ApiError::not_found(format!("no final block here has the transaction {id}"));
    let place = running.chain.location(&id).map_err(errors::store)?.ok_or_else(missing)?;
    let (block, certificate) = running.chain.block(place.height).map_err(errors::store)?.ok_or_else(missing)?;
    let index = usize::try_from(place.index).map_err(|_| missing())?;
    let transaction = block.transactions.get(index).ok_or_else(missing)?.encode();
    let proof = encode(&Inclusion::of(&block, index).ok_or_else(missing)?);
    let links = links(&running, &block.header)?;
    Answer::of(ProofFile::new(&block.header, certificate, Claim::Transaction { transaction, proof }).with_links(links))
}

/// How the members of each epoch follow from those before: what a light client needs beside the genesis.
#[utoipa::path(
    get, path = "/epochs", operation_id = "epochs",
    responses((status = 200, body = Vec<Object>)),
)]
pub(super) async fn epochs(State(service): State<Service>) -> Answer<Vec<EpochLink>> {
    Answer::of(service.running()?.chain.links().map_err(errors::store)?)
}

/// The links up to the epoch of `header`.
fn links(running: &Running, header: &Header) -> Result<Vec<EpochLink>, ApiError> {
    let mut links = running.chain.links().map_err(errors::store)?;
    let epochs = query::epochs(&*running.chain.view()).map_err(errors::state)?;
    let until = epochs.partition_point(|epoch| epoch.first <= header.height);
    links.truncate(until.saturating_sub(1));
    Ok(links)
}
