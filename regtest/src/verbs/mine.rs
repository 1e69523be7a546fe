//! `mine`: blocks, seen by every process.

use crate::{
    api::{Mine, Mined},
    hub::Call,
};
use windlass_node::api::ApiError;

/// Above this many, progress is shown and the processes follow in between.
const CHUNK: u32 = 100;

/// Mines; waits until every running process has seen the last block.
pub async fn mine(call: Call, ask: Mine) -> Result<Mined, ApiError> {
    let hub = &call.hub;
    hub.miner().check_count(ask.blocks)?;
    let mut tip = hub.miner().tip().await?;
    let mut left = ask.blocks;
    while left > 0 {
        let chunk = left.min(CHUNK);
        tip = if call.no_wait {
            hub.miner().mine(chunk).await?;
            hub.miner().tip().await?
        } else {
            hub.mine(chunk).await?
        };
        left -= chunk;
        let (done, all) = (u64::from(ask.blocks - left), u64::from(ask.blocks));
        call.report(crate::api::Progress::new(1, 1, "mined", format!("block {}", tip.height)).with_bar(done, all));
    }
    Ok(Mined { blocks: ask.blocks, tip })
}
