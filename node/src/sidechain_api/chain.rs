//! The tip, the genesis, blocks, Bitcoin.

use super::answers::{Answer, Of as _, parse};
use super::{Backend, Running, Service, errors};
use crate::api::ApiError;
use crate::api::member::{BLOCKS_MAX, BitcoinInfo, BlockAnswer, ChainInfo, GenesisAnswer};
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use windlass_ledger::{BitcoinInputs, Block, Genesis, genesis_state};
use windlass_types::SideHeight;

pub(super) async fn tip(State(service): State<Service>) -> Answer<ChainInfo> {
    let running = service.running()?;
    let tip = running.chain.tip();
    let mempool = match &running.backend {
        Backend::Member { handle, .. } => handle.waiting(),
        Backend::Follower { .. } => 0,
    };
    Answer::of(ChainInfo {
        chain: tip.chain,
        network: running.chain.genesis().network,
        height: tip.height,
        block: tip.digest(),
        anchor: tip.anchor,
        supply: tip.supply,
        owed: tip.owed,
        state_root: tip.state_root,
        mempool,
    })
}

/// The genesis as the API and `genesis.json` show it.
pub(crate) fn genesis_answer(genesis: &Genesis) -> GenesisAnswer {
    GenesisAnswer {
        chain: genesis.chain_id(),
        hex: hex::encode(borsh::to_vec(genesis).expect("borsh into a Vec fails only on lengths above u32::MAX")),
        genesis: serde_json::to_value(genesis).expect("a genesis has string keys and whole numbers only"),
    }
}

pub(super) async fn genesis(State(service): State<Service>) -> Answer<GenesisAnswer> {
    Answer::of(genesis_answer(service.running()?.chain.genesis()))
}

fn find(running: &Running, height: SideHeight) -> Result<Option<BlockAnswer>, ApiError> {
    let (block, certificate) = if height == SideHeight::new(0) {
        let (_, header) = genesis_state(running.chain.genesis());
        (Block { header, inputs: BitcoinInputs::default(), transactions: Vec::new() }, Vec::new())
    } else {
        match running.chain.block(height).map_err(errors::store)? {
            Some(found) => found,
            None => return Ok(None),
        }
    };
    Ok(Some(BlockAnswer {
        height,
        block: block.digest(),
        hex: hex::encode(block.encode()),
        certificate: hex::encode(certificate),
    }))
}

pub(super) async fn block(State(service): State<Service>, Path(height): Path<String>) -> Answer<BlockAnswer> {
    let running = service.running()?;
    let height = SideHeight::new(parse("a height", &height)?);
    match find(&running, height)? {
        Some(block) => Answer::of(block),
        None => {
            let tip = running.chain.tip().height;
            Err(ApiError::not_found(format!("there is no block {height} yet; the newest is {tip}")))
        }
    }
}

#[derive(Deserialize)]
pub(super) struct Range {
    from: Option<String>,
    limit: Option<String>,
}

/// At most so many bytes of blocks (in hex) in one answer.
const ANSWER_BYTES: usize = 16 * 1024 * 1024;

pub(super) async fn blocks(State(service): State<Service>, Query(range): Query<Range>) -> Answer<Vec<BlockAnswer>> {
    let running = service.running()?;
    let from: u64 = range.from.map_or(Ok(0), |text| parse("from", &text))?;
    let limit: u64 = range.limit.map_or(Ok(BLOCKS_MAX), |text| parse("limit", &text))?;
    let mut found = Vec::new();
    let mut bytes = 0_usize;
    for height in (from..).take(usize::try_from(limit.min(BLOCKS_MAX)).unwrap_or_default()) {
        let Some(block) = find(&running, SideHeight::new(height))? else { break };
        bytes = bytes.saturating_add(block.hex.len());
        if bytes > ANSWER_BYTES && !found.is_empty() {
            break;
        }
        found.push(block);
    }
    Answer::of(found)
}

pub(super) async fn bitcoin(State(service): State<Service>) -> Answer<BitcoinInfo> {
    let running = service.running()?;
    Answer::of(match running.bitcoin.as_ref().map(|view| view.tip()) {
        Some(Ok(tip)) => BitcoinInfo { tip: Some(tip), error: None },
        Some(Err(error)) => BitcoinInfo { tip: None, error: Some(error) },
        None => BitcoinInfo { tip: None, error: Some("this process has no bitcoind".into()) },
    })
}
