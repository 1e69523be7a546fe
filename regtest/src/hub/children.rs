//! The network's processes: how each is started, and how each stands.

use crate::{
    api::ProcessStatus,
    layout::Layout,
    process::{Kind, Spec, StartError, Supervisor},
    run::Run,
};
use std::ffi::OsString;
use tokio::task::JoinSet;

/// bitcoind's name among the processes.
pub const BITCOIND: &str = "bitcoind";

/// The processes of one network.
#[derive(Debug, Clone)]
pub struct Children {
    supervisor: Supervisor,
    layout: Layout,
}

impl Children {
    /// None started yet.
    pub const fn new(supervisor: Supervisor, layout: Layout) -> Self {
        Self { supervisor, layout }
    }

    /// Does it run?
    pub fn runs(&self, name: &str) -> bool {
        self.supervisor.runs(name)
    }

    /// How it ended, if it did so by itself.
    pub fn exit(&self, name: &str) -> Option<String> {
        self.supervisor.snapshot(name).exit
    }

    /// How a process is started.
    pub fn spec(&self, run: &Run, name: &str) -> Spec {
        let kind = kind_of(run, name);
        let own = |verb: &str, dir: std::path::PathBuf| {
            (run.program.clone(), vec![verb.into(), "run".into(), "--dir".into(), dir.into()])
        };
        let (program, args) = match kind {
            Kind::Bitcoin => (run.bitcoind.clone(), bitcoind_args(&self.layout, run)),
            Kind::Member => own("member", self.layout.member(name)),
            Kind::Node => own("node", self.layout.node(name)),
        };
        Spec {
            name: name.into(),
            kind,
            program,
            args,
            mark: self.layout.mark(name),
            log: self.layout.log(name),
            pid_file: self.layout.pid_file(name),
        }
    }

    /// Starts a process, unless it runs.
    ///
    /// # Errors
    /// It can't be started.
    pub fn start(&self, run: &Run, name: &str) -> Result<(), StartError> {
        self.supervisor.start(&self.spec(run, name)).map(drop)
    }

    /// Ends a process, if it runs.
    pub async fn stop(&self, run: &Run, name: &str) {
        self.supervisor.stop(&self.spec(run, name)).await;
    }

    /// Ends all processes of a kind, side by side.
    pub async fn stop_all(&self, run: &Run, kind: Kind) {
        let mut tasks = JoinSet::new();
        for name in names(run).into_iter().filter(|name| kind_of(run, name) == kind) {
            let (supervisor, spec) = (self.supervisor.clone(), self.spec(run, &name));
            tasks.spawn(async move { supervisor.stop(&spec).await });
        }
        tasks.join_all().await;
    }

    /// A process as it stands. `ready` is for the caller to find out.
    pub fn status(&self, run: &Run, name: &str, ready: bool) -> ProcessStatus {
        let snapshot = self.supervisor.snapshot(name);
        ProcessStatus {
            name: name.into(),
            kind: kind_of(run, name).word().into(),
            pid: snapshot.id.as_ref().map(|id| id.pid),
            ready: ready && snapshot.id.is_some(),
            ports: ports_of(run, name),
            memory_kb: snapshot.id.as_ref().and_then(crate::process::ProcessId::memory_kb),
            exit: snapshot.exit,
            log: self.layout.log(name).display().to_string(),
        }
    }
}

/// All processes, in the order of starting.
pub fn names(run: &Run) -> Vec<String> {
    let members = run.members.iter().map(|member| member.name.clone());
    let nodes = run.nodes.iter().map(|node| node.name.clone());
    std::iter::once(BITCOIND.to_owned()).chain(members).chain(nodes).collect()
}

/// What a process is for, by its name.
pub fn kind_of(run: &Run, name: &str) -> Kind {
    if name == BITCOIND {
        Kind::Bitcoin
    } else if run.members.iter().any(|member| member.name == name) {
        Kind::Member
    } else {
        Kind::Node
    }
}

fn ports_of(run: &Run, name: &str) -> Vec<(String, String)> {
    let at = |what: &str, port: u16| (what.to_owned(), crate::ports::local(port).to_string());
    if name == BITCOIND {
        return vec![at("rpc", run.bitcoin_rpc), at("p2p", run.bitcoin_p2p)];
    }
    if let Some(member) = run.members.iter().find(|member| member.name == name) {
        return vec![at("api", member.api), at("links", member.links)];
    }
    let node = run.nodes.iter().find(|node| node.name == name);
    node.map(|node| vec![at("api", node.api), at("lightning", node.lightning)]).unwrap_or_default()
}

fn bitcoind_args(layout: &Layout, run: &Run) -> Vec<OsString> {
    let mut datadir = OsString::from("-datadir=");
    datadir.push(layout.bitcoin());
    let fixed = [
        "-regtest",
        "-server",
        // Its words go to our log.
        "-printtoconsole=1",
        "-nodebuglogfile",
        // Nobody but this machine.
        "-rpcbind=127.0.0.1",
        "-rpcallowip=127.0.0.1",
        "-discover=0",
        "-dnsseed=0",
        "-fixedseeds=0",
        "-listenonion=0",
        // Members, nodes and the hub all ask at once, and some hold a connection.
        "-rpcthreads=16",
        "-rpcworkqueue=512",
        // Anyone may ask for any transaction; statements do.
        "-txindex=1",
        // On by default on regtest alone, and slow on a long chain.
        "-checkblockindex=0",
        "-checkmempool=0",
        "-dbcache=32",
        // Fields that bitcoincore-rpc 0.19 can't do without.
        "-deprecatedrpc=fullrbf",
        "-deprecatedrpc=bip125",
    ];
    let ports = [format!("-rpcport={}", run.bitcoin_rpc), format!("-bind=127.0.0.1:{}", run.bitcoin_p2p)];
    std::iter::once(datadir).chain(fixed.map(OsString::from)).chain(ports.map(OsString::from)).collect()
}
