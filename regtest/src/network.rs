//! A whole network from the outside: up, down, and where its hub is. What the command line and the
//! tests call.

use crate::{
    api::{Down, Started},
    bitcoind::{Resolved, Resolver, chain},
    hub::{self, HUB_NAME, client::HubClient},
    layout::{Layout, NameError},
    neighbours::Neighbours,
    ports::Ports,
    process::{self, Kind, ProcessId},
    progress::{Progress, Report},
    run::{Plan, Run},
};
use std::{
    fs::{self, File, TryLockError},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use windlass_node::api::ApiError;

const POLL: Duration = Duration::from_millis(40);
/// How long the hub may take to listen.
const HUB_START: Duration = Duration::from_secs(20);
/// How long the hub may take to end once all its children have.
const HUB_END: Duration = Duration::from_secs(20);
/// How long another `up` or `down` may hold the lock; a build of bitcoind happens outside of it.
const LOCK: Duration = Duration::from_secs(300);

/// Less room than this would end in the middle of something.
const DISK_BYTES_MIN: u64 = 100_000_000;

/// One network on this machine.
#[derive(Debug, Clone)]
pub struct Network {
    layout: Layout,
}

impl Network {
    /// The network `name` under `datadir` (`~/.windlass`).
    ///
    /// # Errors
    /// The name can't be one.
    pub fn new(datadir: &Path, name: &str) -> Result<Self, NameError> {
        Ok(Self { layout: Layout::new(datadir, name)? })
    }

    /// Its paths.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Its hub.
    ///
    /// # Errors
    /// It does not run.
    pub fn hub(&self) -> Result<HubClient, ApiError> {
        hub::is_alive(&self.layout).map(|file| HubClient::of(&file)).ok_or_else(|| {
            ApiError::not_running(format!("the network {:?} is not running", self.layout.name()))
                .hint("start it", format!("windlass --name {} up", self.layout.name()))
        })
    }

    /// Starts what does not run, from nothing or from whatever a crash has left, and waits until all
    /// is ready. A network that exists stays as it was planned.
    ///
    /// # Errors
    /// There is no bitcoind, no port, no room, or a process does not come up.
    pub async fn up(&self, plan: &Plan, report: Report<'_>) -> Result<Started, ApiError> {
        // Outside of the lock: a build takes minutes.
        let bitcoind = if hub::is_alive(&self.layout).is_none() { Some(resolve(report).await?) } else { None };
        let _lock = self.lock(report).await?;
        let hub = match (self.live_hub().await, bitcoind) {
            (Some(hub), _) => hub,
            (None, Some(bitcoind)) => self.start_hub(plan, &bitcoind, report).await?,
            // It died in between.
            (None, None) => self.start_hub(plan, &resolve(report).await?, report).await?,
        };
        hub.call("up", &serde_json::json!({}), report).await
    }

    /// The hub, if it runs and answers.
    async fn live_hub(&self) -> Option<HubClient> {
        let hub = HubClient::of(&hub::is_alive(&self.layout)?);
        hub.answers().await.then_some(hub)
    }

    async fn start_hub(&self, plan: &Plan, bitcoind: &Resolved, report: Report<'_>) -> Result<HubClient, ApiError> {
        self.end_leftovers(report).await?;
        let run = self.prepare(plan, bitcoind)?;
        let log = process::rotate(&self.layout.log(HUB_NAME)).map_err(|error| self.failed("the hub's log", error))?;
        let err = log.try_clone().map_err(|error| self.failed("the hub's log", error))?;
        let mut child = Command::new(&plan.program)
            .args(["hub", "run", "--dir"])
            .arg(self.layout.root())
            .env(process::MARK, self.layout.mark(HUB_NAME))
            .current_dir(self.layout.root())
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(err)
            .spawn()
            .map_err(|error| self.failed(&plan.program.display().to_string(), error))?;
        let hub = HubClient::new(format!("http://127.0.0.1:{}", run.hub));
        let deadline = Instant::now() + HUB_START;
        loop {
            // Its own file, so that another program on that port is not taken for it.
            if hub::is_alive(&self.layout).is_some_and(|file| file.pid == child.id()) && hub.answers().await {
                return Ok(hub);
            }
            if let Ok(Some(status)) = child.try_wait() {
                let end = hub::start::log_end(&self.layout.log(HUB_NAME));
                return Err(ApiError::failed(format!("the hub ended ({status}):\n{end}")));
            }
            if Instant::now() >= deadline {
                return Err(ApiError::timeout("the hub does not answer").hint("see why", "windlass logs hub"));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Reads or makes `run.json`, and chooses the ports of this start.
    fn prepare(&self, plan: &Plan, bitcoind: &Resolved) -> Result<Run, ApiError> {
        let run_failed = |error: crate::run::RunError| match error {
            crate::run::RunError::File { .. } | crate::run::RunError::Port(_) => ApiError::failed(chain(&error)),
            other => ApiError::usage(chain(&other)),
        };
        let mut run = match Run::read(&self.layout).map_err(run_failed)? {
            Some(run) => run,
            None => Run::new(&self.layout, plan).map_err(run_failed)?,
        };
        fs::create_dir_all(self.layout.root()).map_err(|error| self.failed("the network's folder", error))?;
        self.check_disk()?;
        let list_failed = |error| self.failed("the list of networks in the cache", error);
        let neighbours = Neighbours::of_user().hold().map_err(list_failed)?;
        let taken = neighbours.ports(&self.layout);
        let ports = if plan.any_ports { Ports::any(taken) } else { Ports::preferred(taken) };
        run.prepare(plan, bitcoind, ports).map_err(run_failed)?;
        run.write(&self.layout).map_err(run_failed)?;
        neighbours.keep(&self.layout).map_err(list_failed)?;
        Ok(run)
    }

    /// Refuses to start where it would soon end: bitcoind stops by itself when the disk is full.
    fn check_disk(&self) -> Result<(), ApiError> {
        let root = self.layout.root();
        let free = crate::doctor::free_bytes(root).map_err(|error| self.failed("the disk", error.into()))?;
        if free >= DISK_BYTES_MIN {
            return Ok(());
        }
        let (free, least) = (free / 1_000_000, DISK_BYTES_MIN / 1_000_000);
        Err(ApiError::failed(format!("{free} MB are free at {}, a network needs {least} MB", root.display()))
            .hint("see what fills the disk", format!("df -h {}", root.display())))
    }

    /// Stops everything, in order; says whether anything ran. With `wipe`, deletes the network's
    /// folder as well.
    ///
    /// # Errors
    /// Something does not end, or can't be deleted.
    pub async fn down(&self, wipe: bool, report: Report<'_>) -> Result<bool, ApiError> {
        if !self.layout.root().exists() {
            return Ok(false);
        }
        let lock = self.lock(report).await?;
        let mut ran = false;
        if let Some(file) = hub::is_alive(&self.layout) {
            ran = true;
            let id = ProcessId::of(file.pid);
            let asked: Result<serde_json::Value, _> = HubClient::of(&file).call("down", &Down {}, report).await;
            if let Err(error) = asked {
                // It is ended below like any other leftover.
                report(Progress::note("hub", error.message));
            } else if let Some(id) = id {
                let deadline = Instant::now() + HUB_END;
                while id.is_alive() && Instant::now() < deadline {
                    tokio::time::sleep(POLL).await;
                }
            }
        }
        ran |= !self.end_leftovers(report).await?.is_empty();
        for path in [self.layout.ready(), self.layout.hub_file()] {
            // Gone already is as good.
            let _ = fs::remove_file(path);
        }
        if wipe {
            let root = self.layout.root();
            fs::remove_dir_all(root).map_err(|error| self.failed("the network's folder", error))?;
            self.leave_nothing();
        }
        drop(lock);
        Ok(ran)
    }

    /// Removes the folders above the network's if they hold nothing any more.
    fn leave_nothing(&self) {
        let siblings = self.layout.siblings();
        // Only empty folders can be removed: whatever is in use stays.
        let _ = fs::remove_dir(siblings);
        let _ = siblings.parent().map(fs::remove_dir);
    }

    /// Ends processes that outlived their hub, the hub first.
    async fn end_leftovers(&self, report: Report<'_>) -> Result<Vec<String>, ApiError> {
        // A hub that is alive but does not answer would start its children anew.
        let run = Run::read(&self.layout).ok().flatten();
        let root = self.layout.root().to_owned();
        let kind_of = move |name: &str| match &run {
            Some(run) if name != HUB_NAME => hub::children::kind_of(run, name),
            _ if name == hub::children::BITCOIND => Kind::Bitcoin,
            _ => Kind::Node,
        };
        let ended = tokio::task::spawn_blocking(move || process::end_leftovers(&root, kind_of))
            .await
            .map_err(ApiError::failed)?
            .map_err(ApiError::failed)?;
        if !ended.is_empty() {
            report(Progress::note("leftovers", format!("ended {} of an earlier run", ended.join(", "))));
        }
        Ok(ended)
    }

    /// Waits for its turn: one `up` or `down` at a time.
    async fn lock(&self, report: Report<'_>) -> Result<File, ApiError> {
        let failed = |error| self.failed("the network's lock", error);
        fs::create_dir_all(self.layout.root()).map_err(failed)?;
        let deadline = Instant::now() + LOCK;
        let mut told = false;
        loop {
            // Opened anew each time: `down --wipe` may have deleted the file that we waited for.
            let path = self.layout.lock();
            fs::create_dir_all(self.layout.root()).map_err(failed)?;
            let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    if !told {
                        report(Progress::note("lock", "another windlass starts or stops this network: waiting"));
                        told = true;
                    }
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(ApiError::timeout(format!("another windlass holds {}", path.display())));
                }
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
            tokio::time::sleep(POLL).await;
        }
    }

    fn failed(&self, what: &str, error: std::io::Error) -> ApiError {
        ApiError::failed(format!("cannot use {what} in {}: {error}", self.layout.root().display()))
            .hint("see what is missing", "windlass doctor")
    }
}

/// Finds, downloads or builds bitcoind, off the async threads.
async fn resolve(report: Report<'_>) -> Result<Resolved, ApiError> {
    let (lines, mut queue) = tokio::sync::mpsc::unbounded_channel();
    let task = tokio::task::spawn_blocking(move || {
        Resolver::from_env().resolve(&|progress| {
            // Whoever asked may be gone; the build is of use to the next one.
            let _ = lines.send(progress);
        })
    });
    while let Some(progress) = queue.recv().await {
        report(progress);
    }
    let resolved = task.await.map_err(ApiError::failed)?;
    resolved
        .inspect(|resolved| report(Progress::note("bitcoind", resolved.to_string())))
        .map_err(|error| ApiError::failed(chain(&error)).hint("see what is missing", "windlass doctor"))
}
