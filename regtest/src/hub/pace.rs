//! Waiting for an effect, and mining what it needs: the loop behind every changing verb.

use super::Hub;
use std::{
    future::Future,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;
use windlass_node::api::{ApiError, wallet::SyncRequest};
use windlass_types::BlockRef;

/// How often an effect is looked for.
const POLL: Duration = Duration::from_millis(40);
/// Something that waits so long without mining may need a block that we do not know of.
const NUDGE_AFTER: Duration = Duration::from_secs(3);
/// At most so many blocks on suspicion.
const NUDGES_MAX: u32 = 12;
/// How long a process may take to see a block, and on top for each block that it may lag.
const SEE_LIMIT: Duration = Duration::from_secs(60);
const SEE_LIMIT_PER_BLOCK: Duration = Duration::from_millis(200);
/// How long one request to a node waits for a block.
const SYNC_SECONDS: u64 = 10;
/// At most so many blocks for one verb: the longest timelock, and room.
const BLOCKS_MAX: u32 = 4_000;
/// How long a verb waits in all.
const PACE: Duration = Duration::from_secs(180);

/// What a look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look<T> {
    /// The effect is there.
    Done(T),
    /// So many blocks are needed.
    Mine(u32),
    /// Something else must happen first: this.
    Wait(String),
}

/// The loop's patience.
#[derive(Debug)]
pub struct Pace {
    deadline: Instant,
    nudges: u32,
    mined: u32,
    waiting: Option<(String, Instant)>,
}

impl Default for Pace {
    fn default() -> Self {
        Self { deadline: Instant::now() + PACE, nudges: 0, mined: 0, waiting: None }
    }
}

impl Pace {
    /// Looks until the effect is there, and mines in between what is needed.
    ///
    /// # Errors
    /// A look failed, mining failed, or the time is over.
    pub async fn until<T, F, Fut>(mut self, hub: &Hub, mut look: F) -> Result<T, ApiError>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<Look<T>, ApiError>>,
    {
        loop {
            let what = match look().await? {
                Look::Done(done) => return Ok(done),
                Look::Mine(blocks) => {
                    self.check(hub, "more blocks")?;
                    self.mined = self.mined.saturating_add(blocks);
                    if self.mined > BLOCKS_MAX {
                        return Err(ApiError::timeout(format!("not done after {BLOCKS_MAX} blocks"))
                            .hint("see what is missing", "windlass status"));
                    }
                    hub.mine(blocks).await?;
                    self.waiting = None;
                    continue;
                }
                Look::Wait(what) => what,
            };
            self.check(hub, &what)?;
            if self.should_nudge(&what) {
                hub.mine(1).await?;
            }
            tokio::time::sleep(POLL).await;
        }
    }

    fn check(&self, hub: &Hub, what: &str) -> Result<(), ApiError> {
        if hub.is_stopping() {
            return Err(ApiError::not_running("the network is being stopped"));
        }
        if Instant::now() < self.deadline {
            return Ok(());
        }
        let error = ApiError::timeout(format!("not done within {} s: it waits for {what}", PACE.as_secs()));
        Err(hub.down_members().into_iter().fold(error.hint("see what is missing", "windlass status"), |error, name| {
            error.hint(format!("{name} is down"), format!("windlass federation member start {name}"))
        }))
    }

    /// True once for each span of waiting for the same thing, a bounded number of times.
    fn should_nudge(&mut self, what: &str) -> bool {
        let since = match &self.waiting {
            Some((before, since)) if before == what => *since,
            _ => {
                self.waiting = Some((what.into(), Instant::now()));
                return false;
            }
        };
        if since.elapsed() < NUDGE_AFTER || self.nudges >= NUDGES_MAX {
            return false;
        }
        self.nudges += 1;
        self.waiting = Some((what.into(), Instant::now()));
        tracing::debug!(what, "a block on suspicion");
        true
    }
}

impl Hub {
    /// Mines blocks and waits until every process that runs has seen the last.
    ///
    /// # Errors
    /// bitcoind does not answer, or a process does not follow.
    pub async fn mine(&self, blocks: u32) -> Result<BlockRef, ApiError> {
        self.miner().mine(blocks).await?;
        self.seen(blocks).await
    }

    /// Waits until every process that runs has seen Bitcoin's tip; returns it. `blocks` is how far
    /// they may lag.
    ///
    /// # Errors
    /// bitcoind does not answer, or a process does not follow.
    pub async fn seen(&self, blocks: u32) -> Result<BlockRef, ApiError> {
        let block = self.miner().tip().await?;
        let deadline = Instant::now() + SEE_LIMIT + SEE_LIMIT_PER_BLOCK * blocks;
        let mut tasks = JoinSet::new();
        for (name, wallet) in self.running_wallets() {
            let children = self.children().clone();
            tasks.spawn(async move {
                let request = SyncRequest { block, timeout_seconds: SYNC_SECONDS };
                while children.runs(&name) {
                    if wallet.sync(&request).await.is_ok() {
                        break;
                    } else if Instant::now() >= deadline {
                        return Some(name);
                    }
                    tokio::time::sleep(POLL).await;
                }
                None
            });
        }
        for (name, member) in self.running_members() {
            let children = self.children().clone();
            tasks.spawn(async move {
                while children.runs(&name) {
                    let tip = member.bitcoin().await.ok().and_then(|info| info.tip);
                    if tip.is_some_and(|tip| tip == block || tip.height > block.height) {
                        break;
                    } else if Instant::now() >= deadline {
                        return Some(name);
                    }
                    tokio::time::sleep(POLL).await;
                }
                None
            });
        }
        let mut late: Vec<String> = tasks.join_all().await.into_iter().flatten().collect();
        late.sort();
        if late.is_empty() {
            return Ok(block);
        }
        Err(ApiError::timeout(format!("{} did not see Bitcoin block {} in time", late.join(", "), block.height))
            .hint("see why", format!("windlass logs {}", late[0])))
    }

    /// The members that do not run.
    fn down_members(&self) -> Vec<String> {
        let members = self.run().members.into_iter().map(|member| member.name);
        members.filter(|name| !self.children().runs(name)).collect()
    }
}
