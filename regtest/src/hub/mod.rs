//! The hub: one process that starts the others, owns the miner, and answers the commands.
//!
//! It holds no money but the miner's and no state that matters: killed at any moment, the next
//! `up` starts another one, which goes on with what lies on disk.

pub(crate) mod children;
pub mod client;
mod configs;
mod miner;
mod pace;
mod purse;
mod server;
pub(crate) mod start;

pub use children::Children;
pub use miner::{Miner, rpc};
pub use pace::{Look, Pace};
pub use server::Call;
pub use start::own_address;

use crate::{
    api::HubFile,
    files,
    layout::Layout,
    process::{Kind, ProcessId, Supervisor},
    run::{Run, RunError},
};
use std::{
    io,
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
};
use windlass_chain::{Auth, Bitcoind, BitcoindConfig};
use windlass_node::{
    api::ApiError,
    client::{MemberClient, WalletClient},
};

/// How long the last answers may take to go out.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// Why the hub can't run.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// The folder's name can't be a network's.
    #[error(transparent)]
    Name(#[from] crate::layout::NameError),
    /// `run.json` is absent or unreadable.
    #[error("there is no network in {0}: start one with `windlass up`")]
    NoNetwork(String),
    /// `run.json` can't be used.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A file, the port or a signal can't be had.
    #[error("cannot use {what}")]
    System {
        /// The file or port.
        what: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

/// What all verbs share.
#[derive(Debug)]
pub struct Hub {
    layout: Layout,
    run: Mutex<Run>,
    children: Children,
    bitcoind: Bitcoind,
    miner: Miner,
    stop: watch::Sender<bool>,
    stopping: AtomicBool,
    /// Held while processes are started or ended, so that two commands don't work against each other.
    pub(crate) lifecycle: tokio::sync::Mutex<()>,
}

/// Runs the hub of the network in `dir` until it is told to end. Children are ended in order.
///
/// # Errors
/// There is no network in `dir`, or its port or files can't be used.
pub async fn run(dir: &Path) -> Result<(), HubError> {
    let system = |what: String| move |source| HubError::System { what, source };
    // A life of its own: the end of the terminal's session is not ours. (It fails where we lead a
    // session already, which is as good.)
    let _ = nix::unistd::setsid();
    let layout = Layout::at(dir)?;
    let run = Run::read(&layout)?.ok_or_else(|| HubError::NoNetwork(dir.display().to_string()))?;
    let listener = TcpListener::bind(crate::ports::local(run.hub))
        .await
        .map_err(system(format!("port {} of 127.0.0.1", run.hub)))?;
    let key = layout.purse_key();
    let purse = purse::Purse::open(&key).map_err(system(key.display().to_string()))?;
    let bitcoind = Bitcoind::new(bitcoind_config(&layout, &run));
    let hub = Arc::new(Hub {
        children: Children::new(Supervisor::new(), layout.clone()),
        miner: Miner::new(bitcoind.clone(), purse),
        bitcoind,
        run: Mutex::new(run),
        stop: watch::channel(false).0,
        stopping: AtomicBool::new(false),
        lifecycle: tokio::sync::Mutex::default(),
        layout,
    });
    let mut terminate = signal(SignalKind::terminate()).map_err(system("SIGTERM".into()))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(system("SIGINT".into()))?;
    let mut stopped = hub.stop.subscribe();
    let server = tokio::spawn(server::serve(listener, Arc::clone(&hub)));
    let file = HubFile { pid: std::process::id(), api: hub.api() };
    let path = hub.layout.hub_file();
    files::write_json(&path, &file).map_err(system(path.display().to_string()))?;
    tracing::info!(api = %file.api, "the hub listens");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = stopped.wait_for(|stop| *stop) => {}
    }
    hub.stop();
    hub.end_all().await;
    // The last answers go out; whatever verb is still at work has lost its processes.
    let aborter = server.abort_handle();
    if tokio::time::timeout(LAST_ANSWERS, server).await.is_err() {
        aborter.abort();
    }
    let _ = std::fs::remove_file(path);
    Ok(())
}

/// How the network's processes reach bitcoind.
pub(crate) fn bitcoind_config(layout: &Layout, run: &Run) -> BitcoindConfig {
    BitcoindConfig { url: format!("http://127.0.0.1:{}", run.bitcoin_rpc), auth: Auth::Cookie(layout.cookie()) }
}

impl Hub {
    /// The network's paths.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// What the network is made of.
    pub fn run(&self) -> Run {
        self.run_lock().clone()
    }

    fn run_lock(&self) -> MutexGuard<'_, Run> {
        // Each change is one assignment, so a panic elsewhere leaves it whole.
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes `run.json`.
    pub(crate) fn change_run(&self, change: impl FnOnce(&mut Run)) -> Result<(), ApiError> {
        let mut run = self.run_lock();
        let mut changed = run.clone();
        change(&mut changed);
        changed.write(&self.layout).map_err(ApiError::failed)?;
        *run = changed;
        Ok(())
    }

    /// Its own API.
    pub fn api(&self) -> String {
        format!("http://127.0.0.1:{}", self.run_lock().hub)
    }

    /// The processes.
    pub fn children(&self) -> &Children {
        &self.children
    }

    /// The Bitcoin node.
    pub fn bitcoind(&self) -> &Bitcoind {
        &self.bitcoind
    }

    /// The miner and the faucet.
    pub fn miner(&self) -> &Miner {
        &self.miner
    }

    /// Tells the hub to end everything and itself.
    pub fn stop(&self) {
        self.announce_stop();
        self.stop.send_replace(true);
    }

    /// From here on what waits gives up.
    pub(crate) fn announce_stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// Is it ending?
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Checks a wallet node's name; returns its API's port.
    ///
    /// # Errors
    /// There is no such node.
    pub fn check_node(&self, name: &str) -> Result<u16, ApiError> {
        let run = self.run_lock();
        let node = run.nodes.iter().find(|node| node.name == name);
        node.map(|node| node.api).ok_or_else(|| {
            let names: Vec<_> = run.nodes.iter().map(|node| node.name.as_str()).collect();
            ApiError::not_found(format!("there is no node {name:?}; there are {}", names.join(", ")))
        })
    }

    /// A wallet node by name.
    ///
    /// # Errors
    /// There is no such node, or it does not run.
    pub fn wallet(&self, name: &str) -> Result<WalletClient, ApiError> {
        let api = self.check_node(name)?;
        if !self.children.runs(name) {
            return Err(ApiError::not_running(format!("{name} does not run"))
                .hint("start it", format!("windlass node start {name}")));
        }
        Ok(WalletClient::new(format!("http://127.0.0.1:{api}")))
    }

    /// The names of the wallet nodes.
    pub fn node_names(&self) -> Vec<String> {
        self.run_lock().nodes.iter().map(|node| node.name.clone()).collect()
    }

    /// All wallet nodes that run.
    pub fn running_wallets(&self) -> Vec<(String, WalletClient)> {
        self.node_names().into_iter().filter_map(|name| self.wallet(&name).ok().map(|wallet| (name, wallet))).collect()
    }

    /// All members that run.
    pub fn running_members(&self) -> Vec<(String, MemberClient)> {
        let run = self.run_lock();
        let running = run.members.iter().filter(|member| self.children.runs(&member.name));
        running
            .map(|member| (member.name.clone(), MemberClient::new(format!("http://127.0.0.1:{}", member.api))))
            .collect()
    }

    /// A member by name.
    ///
    /// # Errors
    /// There is no such member.
    pub fn check_member(&self, name: &str) -> Result<(), ApiError> {
        let run = self.run_lock();
        if run.members.iter().any(|member| member.name == name) {
            return Ok(());
        }
        let names: Vec<_> = run.members.iter().map(|member| member.name.as_str()).collect();
        Err(ApiError::not_found(format!("there is no member {name:?}; there are {}", names.join(", "))))
    }

    /// Ends all processes: nodes first, bitcoind last.
    pub(crate) async fn end_all(&self) {
        // An `up` that is under way sees the stop and gives up; then nothing is started any more.
        let _turn = self.lifecycle.lock().await;
        let _ = std::fs::remove_file(self.layout.ready());
        let run = self.run();
        for kind in [Kind::Node, Kind::Member, Kind::Bitcoin] {
            self.children.stop_all(&run, kind).await;
        }
    }
}

/// Is the hub of this network alive?
pub fn is_alive(layout: &Layout) -> Option<HubFile> {
    let file: HubFile = files::read_json(&layout.hub_file()).ok().flatten()?;
    let id = ProcessId::of(file.pid)?;
    // A stale file's pid may be another program's by now.
    (id.is_alive() && crate::process::carries_mark(file.pid, &layout.mark(HUB_NAME))).then_some(file)
}

/// The hub's name among the processes.
pub const HUB_NAME: &str = "hub";

#[cfg(test)]
mod tests;
