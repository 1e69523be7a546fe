//! The tip, the genesis, blocks, Bitcoin.

use super::answers::{Answer, Of as _, parse};
use super::{Backend, Running, Service, errors, page};
use crate::api::member::{Begun, BitcoinInfo, BlockAnswer, ChainInfo, GenesisAnswer};
use crate::api::{ApiError, Page, PageQuery};
use axum::extract::{Path, Query, State};
use windlass_ledger::{BitcoinInputs, Block, Genesis, genesis_state};
use windlass_types::SideHeight;

/// The tip of the chain.
#[utoipa::path(
    get, path = "/chain", operation_id = "tip",
    responses((status = 200, body = ChainInfo)),
)]
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
        begun: begun(&running),
    })
}

/// Where this process's chain began.
fn begun(running: &Running) -> Begun {
    let Some(base) = running.chain.base() else { return Begun::Genesis };
    let members = &running.chain.genesis().members;
    let name = |index: &u16| {
        members.get(usize::from(*index)).map_or_else(|| format!("member {index}"), |member| member.name.clone())
    };
    let signers = base.signers.iter().map(name).collect();
    Begun::Snapshot { height: base.header.height, block: base.header.digest(), signers }
}

/// Refuses what asks for a block that a snapshot stands for.
pub(super) fn has_validated(running: &Running, height: SideHeight) -> Result<(), ApiError> {
    let base = running.chain.base().map(|base| base.header.height).filter(|base| height <= *base);
    match base.filter(|_| height > SideHeight::new(0)) {
        None => Ok(()),
        Some(base) => Err(ApiError::not_found(format!(
            "{} began from a snapshot at height {base}: it has no block {height}; ask a member, or who began from the genesis",
            running.name
        ))),
    }
}

/// The genesis as the API and `genesis.json` show it.
pub(crate) fn genesis_answer(genesis: &Genesis) -> GenesisAnswer {
    GenesisAnswer {
        chain: genesis.chain_id(),
        hex: hex::encode(borsh::to_vec(genesis).expect("borsh into a Vec fails only on lengths above u32::MAX")),
        genesis: serde_json::to_value(genesis).expect("a genesis has string keys and whole numbers only"),
    }
}

/// The chain's genesis.
#[utoipa::path(
    get, path = "/genesis", operation_id = "genesis",
    responses((status = 200, body = GenesisAnswer)),
)]
pub(super) async fn genesis(State(service): State<Service>) -> Answer<GenesisAnswer> {
    Answer::of(genesis_answer(service.running()?.chain.genesis()))
}

fn find(running: &Running, height: SideHeight) -> Result<Option<BlockAnswer>, ApiError> {
    has_validated(running, height)?;
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

/// A final block and its certificate.
#[utoipa::path(
    get, path = "/blocks/{height}", operation_id = "block", params(("height" = u64, Path, description = "Its height")),
    responses((status = 200, body = BlockAnswer)),
)]
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

/// At most so many bytes of blocks (in hex) in one answer.
const ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// Final blocks; a cursor is a height.
#[utoipa::path(
    get, path = "/blocks", operation_id = "blocks", params(PageQuery),
    responses((status = 200, body = Page<BlockAnswer>)),
)]
pub(super) async fn blocks(
    State(service): State<Service>,
    Query(query): Query<PageQuery>,
) -> Answer<Page<BlockAnswer>> {
    let running = service.running()?;
    let from: u64 = query.from.as_ref().map_or(Ok(0), |text| parse("from", text))?;
    let (mut items, mut bytes, mut next) = (Vec::new(), 0_usize, Some(from));
    for height in (from..).take(page::limit(&query)?) {
        let Some(block) = find(&running, SideHeight::new(height))? else {
            next = None;
            break;
        };
        bytes = bytes.saturating_add(block.hex.len());
        if bytes > ANSWER_BYTES && !items.is_empty() {
            break;
        }
        items.push(block);
        next = height.checked_add(1);
    }
    Answer::of(Page { items, next: next.map(|height| height.to_string()) })
}

/// Does this process see Bitcoin's tip?
#[utoipa::path(
    get, path = "/bitcoin", operation_id = "bitcoin",
    responses((status = 200, body = BitcoinInfo)),
)]
pub(super) async fn bitcoin(State(service): State<Service>) -> Answer<BitcoinInfo> {
    let running = service.running()?;
    Answer::of(match running.bitcoin.as_ref().map(|view| view.tip()) {
        Some(Ok(tip)) => BitcoinInfo { tip: Some(tip), error: None },
        Some(Err(error)) => BitcoinInfo { tip: None, error: Some(error) },
        None => BitcoinInfo { tip: None, error: Some("this process has no bitcoind".into()) },
    })
}
