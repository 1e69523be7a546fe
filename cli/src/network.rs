//! Starting and stopping a whole network: the two things that no hub can be asked for.

use crate::{commands::values::Quorum, context::Context};
use tokio::signal::unix::{SignalKind, signal};
use windlass_node::api::ApiError;
use windlass_regtest::{
    api::Started,
    run::{self, Plan},
};

/// A day on Bitcoin: short enough to be waited out on regtest, far longer than a peg-in takes.
const RECLAIM_BLOCKS: u32 = 144;

/// What a new network is to be made of.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Lightning nodes.
    pub nodes: usize,
    /// Members, and how many of them sign.
    pub quorum: Quorum,
    /// Any free ports instead of the usual ones.
    pub any_ports: bool,
    /// Blocks until a deposit that was not swept is the user's again.
    pub reclaim_blocks: u32,
}

impl Default for Wish {
    fn default() -> Self {
        Self { nodes: 3, quorum: Quorum { threshold: 3, members: 4 }, any_ports: false, reclaim_blocks: RECLAIM_BLOCKS }
    }
}

impl Wish {
    fn plan(&self) -> Result<Plan, ApiError> {
        let program = std::env::current_exe()
            .map_err(|e| ApiError::failed(format!("this program does not find its own file: {e}")))?;
        Ok(Plan {
            nodes: run::node_names(self.nodes),
            members: self.quorum.members,
            threshold: self.quorum.threshold,
            any_ports: self.any_ports,
            reclaim_blocks: Some(self.reclaim_blocks),
            ..Plan::new(program)
        })
    }
}

/// Starts the network or goes on where it stopped; returns once all is ready.
///
/// # Errors
/// It does not come up, or not in the time given.
pub async fn up(ctx: &Context, wish: &Wish) -> Result<Started, ApiError> {
    let (network, plan) = (ctx.network()?, wish.plan()?);
    let report = |progress| ctx.sink.progress(&progress);
    let started = within(ctx, "up", network.up(&plan, &report)).await;
    ctx.sink.finish();
    started
}

/// Stops it; says whether it ran.
///
/// # Errors
/// Something does not stop, or can't be deleted.
pub async fn down(ctx: &Context, wipe: bool) -> Result<bool, ApiError> {
    let network = ctx.network()?;
    let report = |progress| ctx.sink.progress(&progress);
    let ran = within(ctx, "down", network.down(wipe, &report)).await;
    ctx.sink.finish();
    ran
}

/// With `--timeout`, no longer than that. (The first `up` may build a bitcoind: no limit otherwise.)
async fn within<T>(ctx: &Context, what: &str, work: impl Future<Output = Result<T, ApiError>>) -> Result<T, ApiError> {
    let Some(limit) = ctx.global.timeout else { return work.await };
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
        Err(ApiError::timeout(format!("{what} took longer than {}", crate::duration::show(limit)))
            .hint("see where it stands", ctx.command("status")))
    })
}

/// Waits for Ctrl-C, or for the polite word of whoever started us.
///
/// # Errors
/// Signals can't be heard.
pub async fn told_to_stop() -> Result<(), ApiError> {
    let deaf = |error: std::io::Error| ApiError::failed(format!("no signal can be heard: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(deaf)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(deaf)?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
