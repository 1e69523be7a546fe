//! The federation as this process sees it.

use super::answers::{Answer, Of as _};
use super::{Backend, Running, Service, errors, pegs};
use crate::api::ApiError;
use crate::api::member::{BatchInfo, CoinInfo, FederationInfo, MemberHealth, MemberInfo, ParamsInfo};
use axum::extract::State;
use windlass_ledger::{Batch, Coin, DialChange, FIXED_DIALS, StateRead, query};
use windlass_peg::signing::Status;

/// The federation as this process sees it.
#[utoipa::path(
    get, path = "/federation", operation_id = "federation",
    responses((status = 200, body = FederationInfo)),
)]
pub(super) async fn show(State(service): State<Service>) -> Answer<FederationInfo> {
    let running = service.running()?;
    let genesis = running.chain.genesis();
    let view = running.chain.view();
    let identities = query::membership(&*view).map_err(errors::state)?.in_force.identities;
    let connected = |index: u16| match &running.backend {
        Backend::Member { links, me, .. } => index == *me || links.connected().contains(&index),
        Backend::Follower { .. } => false,
    };
    let members = (0u16..).zip(&genesis.members).map(|(index, member)| MemberInfo {
        name: member.name.clone(),
        identity: identities.get(usize::from(index)).map(hex::encode).unwrap_or_default(),
        connected: connected(index),
    });
    let treasury = match query::treasury(&*view).map_err(errors::state)? {
        Some(coin) => Some(CoinInfo {
            outpoint: coin.outpoint,
            value: coin.amount,
            script: coin.spend_info(genesis).map_err(ApiError::failed)?.script.to_hex_string(),
        }),
        None => None,
    };
    let batch = match query::batch(&*view).map_err(errors::state)? {
        Some(batch) => Some(batch_info(&running, &*view, &batch).await),
        None => None,
    };
    Answer::of(FederationInfo {
        name: running.name.clone(),
        threshold: genesis.threshold,
        treasury_key: hex::encode(genesis.treasury_key),
        members: members.collect(),
        treasury,
        batch,
        health: health(&running),
    })
}

/// The chain's parameters: in force, to come, and who may change them.
#[utoipa::path(
    get, path = "/params", operation_id = "params",
    responses((status = 200, body = ParamsInfo)),
)]
pub(super) async fn params(State(service): State<Service>) -> Answer<ParamsInfo> {
    let running = service.running()?;
    let genesis = running.chain.genesis();
    let view = running.chain.view();
    let tip = query::tip(&*view).map_err(errors::state)?;
    let record = query::params(&*view).map_err(errors::state)?;
    let changes = record.pending.as_ref().map(|pending| record.params.changes_to(&pending.params)).unwrap_or_default();
    let named = |DialChange { name, from, to }: DialChange| DialChange { name: name.to_owned(), from, to };
    Answer::of(ParamsInfo {
        chain: tip.chain,
        height: tip.height,
        record,
        membership: query::membership(&*view).map_err(errors::state)?,
        changes: changes.into_iter().map(named).collect(),
        fixed: FIXED_DIALS.map(str::to_owned).to_vec(),
        signatures: genesis.proposal_threshold(),
        members: genesis.members.iter().map(|member| member.name.clone()).collect(),
    })
}

fn health(running: &Running) -> MemberHealth {
    let Backend::Member { handle, recount, .. } = &running.backend else { return MemberHealth::default() };
    let name = |index: u16| {
        let member = running.chain.genesis().members.get(usize::from(index));
        member.map_or_else(|| format!("member {index}"), |member| member.name.clone())
    };
    let (recounted, fault) = recount.found();
    MemberHealth {
        fork: handle.fork(),
        trouble: handle.trouble(),
        recount: fault,
        recounted: Some(recounted),
        misbehaviour: handle
            .misbehaviour()
            .iter()
            .map(|found| format!("{} {}", name(found.member), found.what))
            .collect(),
    }
}

async fn batch_info(running: &Running, view: &dyn StateRead, batch: &Batch) -> BatchInfo {
    let status = match &running.backend {
        Backend::Member { signing, .. } => signing.borrow().clone(),
        Backend::Follower { .. } => Status::Idle,
    };
    let name = |index: u16| running.chain.genesis().members.get(usize::from(index)).map(|m| m.name.clone());
    let (signed, signers, attempt) = match status {
        Status::Signed { batch: id, signers, .. } if id == batch.id => {
            (true, signers.into_iter().filter_map(name).collect(), 0)
        }
        Status::Signing { batch: id, attempt, .. } if id == batch.id => (false, Vec::new(), attempt),
        _ => (false, Vec::new(), 0),
    };
    BatchInfo {
        id: batch.id,
        txid: batch.txid,
        deposits: batch.inputs.iter().filter(|input| matches!(input.coin, Coin::Deposit { .. })).count(),
        peg_outs: batch.payouts.len(),
        fee: batch.fee,
        signed,
        signers,
        attempt: u32::try_from(attempt).unwrap_or(u32::MAX),
        confirmations: pegs::confirmations(running, view, batch.txid).await,
    }
}
