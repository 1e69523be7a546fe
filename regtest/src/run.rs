//! What a network is made of, as `run.json` keeps it: fixed at the first `up`, but for the ports
//! and the programs, which each start may change.

use crate::{
    bitcoind::Resolved,
    layout::{Layout, NameError, check_name},
    ports::{self, NoFreePort, Ports},
};
use serde::{Deserialize, Serialize};
use std::{io, path::PathBuf};
use windlass_types::BlockRef;

/// The version of `run.json` that this code reads.
const FORMAT: u32 = 1;
/// More of either would not fit on one machine.
const PROCESSES_MAX: usize = 16;
/// Deposits need time to be swept; a relative timelock ends at 65,535 (BIP68).
const RECLAIM_BLOCKS_MIN: u32 = 20;
const RECLAIM_BLOCKS_MAX: u32 = 65_535;
/// The first names, as every text on payments has them.
const NODE_NAMES: [&str; 8] = ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"];

/// What `up` is asked for. What the network is already made of stays as it is.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The wallet nodes.
    pub nodes: Vec<String>,
    /// Members in all.
    pub members: u16,
    /// Members that sign.
    pub threshold: u16,
    /// Any free ports rather than the usual ones.
    pub any_ports: bool,
    /// Blocks until a deposit that was not swept is the user's again; none: the ledger's default.
    pub reclaim_blocks: Option<u32>,
    /// The `windlass` executable.
    pub program: PathBuf,
}

impl Plan {
    /// Three nodes and 3 of 4 members.
    pub fn new(program: PathBuf) -> Self {
        Self { nodes: node_names(3), members: 4, threshold: 3, any_ports: false, reclaim_blocks: None, program }
    }
}

/// The first `count` names: alice, bob, carol, …
pub fn node_names(count: usize) -> Vec<String> {
    (0..count).map(|i| NODE_NAMES.get(i).map_or_else(|| format!("node{}", i + 1), |name| (*name).to_owned())).collect()
}

/// A member and its ports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberRun {
    /// Its name.
    pub name: String,
    /// Its API.
    pub api: u16,
    /// Its links to the other members.
    pub links: u16,
}

/// A wallet node and its ports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRun {
    /// Its name.
    pub name: String,
    /// Its API.
    pub api: u16,
    /// Its Lightning peers.
    pub lightning: u16,
}

/// The whole of `run.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The format's version.
    pub format: u32,
    /// The network's name.
    pub name: String,
    /// The `windlass` executable.
    pub program: PathBuf,
    /// The bitcoind executable.
    pub bitcoind: PathBuf,
    /// Its version and origin, for people.
    pub bitcoind_is: String,
    /// bitcoind's RPC.
    pub bitcoin_rpc: u16,
    /// bitcoind's peers.
    pub bitcoin_p2p: u16,
    /// The hub's API.
    pub hub: u16,
    /// Signatures that the treasury needs.
    pub threshold: u16,
    /// The members.
    pub members: Vec<MemberRun>,
    /// The wallet nodes.
    pub nodes: Vec<NodeRun>,
    /// Blocks until a deposit can be reclaimed; none: the ledger's default.
    pub reclaim_blocks: Option<u32>,
    /// The Bitcoin block that the sidechain starts from, once it is chosen.
    pub start: Option<BlockRef>,
    /// The nodes that got their first coins.
    pub funded: Vec<String>,
}

/// Why there is no such network.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// `run.json` can't be read or written.
    #[error("cannot use {path}")]
    File {
        /// The file.
        path: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// `run.json` was written by a newer Windlass.
    #[error("{path} has format {found}; this windlass reads format {FORMAT}")]
    Format {
        /// The file.
        path: String,
        /// Its format.
        found: u32,
    },
    /// A node's name can't be one.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Two nodes of one name.
    #[error("there are two nodes called {0}")]
    Twice(String),
    /// A name that a member, bitcoind or the hub has.
    #[error("{0:?} is taken: f1, f2, …, bitcoind and hub are names of processes")]
    Reserved(String),
    /// So many can't sign out of so many.
    #[error(
        "{threshold} of {members} can't be a federation: take n members (2 to {PROCESSES_MAX}) of which n - (n-1)/3 sign, like 3of4"
    )]
    Threshold {
        /// Signers wanted.
        threshold: u16,
        /// Members wanted.
        members: u16,
    },
    /// The reclaim would come before the sweep can.
    #[error("{0} blocks until a reclaim are out of range: {RECLAIM_BLOCKS_MIN} to {RECLAIM_BLOCKS_MAX}")]
    Reclaim(u32),
    /// Too many nodes.
    #[error("{0} nodes are too many for one machine: at most {PROCESSES_MAX}")]
    TooMany(usize),
    /// No free port.
    #[error(transparent)]
    Port(#[from] NoFreePort),
}

impl Run {
    /// Reads it; none if the network was never up.
    ///
    /// # Errors
    /// It can't be read, or is of another format.
    pub fn read(layout: &Layout) -> Result<Option<Self>, RunError> {
        let path = layout.run_file();
        let file = |source| RunError::File { path: path.display().to_string(), source };
        let Some(value) = crate::files::read_json::<serde_json::Value>(&path).map_err(file)? else { return Ok(None) };
        let found = value["format"].as_u64().and_then(|format| u32::try_from(format).ok()).unwrap_or(0);
        if found != FORMAT {
            return Err(RunError::Format { path: path.display().to_string(), found });
        }
        serde_json::from_value(value).map(Some).map_err(|error| file(error.into()))
    }

    /// Writes it.
    ///
    /// # Errors
    /// It can't be written.
    pub fn write(&self, layout: &Layout) -> Result<(), RunError> {
        let path = layout.run_file();
        crate::files::write_json(&path, self)
            .map_err(|source| RunError::File { path: path.display().to_string(), source })
    }

    /// A new network as planned. Ports are not chosen yet.
    ///
    /// # Errors
    /// The plan makes no sense.
    pub fn new(layout: &Layout, plan: &Plan) -> Result<Self, RunError> {
        let (members, threshold) = (plan.members, plan.threshold);
        // The sidechain's quorum is fixed by its member count; the treasury's is the same.
        let quorum = members.saturating_sub(members.saturating_sub(1) / 3);
        // One alone would be no threshold signature.
        if members < 2 || usize::from(members) > PROCESSES_MAX || threshold != quorum {
            return Err(RunError::Threshold { threshold, members });
        }
        if let Some(blocks) = plan.reclaim_blocks
            && !(RECLAIM_BLOCKS_MIN..=RECLAIM_BLOCKS_MAX).contains(&blocks)
        {
            return Err(RunError::Reclaim(blocks));
        }
        if plan.nodes.len() > PROCESSES_MAX {
            return Err(RunError::TooMany(plan.nodes.len()));
        }
        for (i, name) in plan.nodes.iter().enumerate() {
            check_name(name)?;
            let is_member = name.strip_prefix('f').is_some_and(|rest| rest.parse::<u16>().is_ok());
            if is_member || name == "bitcoind" || name == "hub" {
                return Err(RunError::Reserved(name.clone()));
            }
            if plan.nodes[..i].contains(name) {
                return Err(RunError::Twice(name.clone()));
            }
        }
        let member = |i| MemberRun { name: format!("f{i}"), api: 0, links: 0 };
        let node = |name: &String| NodeRun { name: name.clone(), api: 0, lightning: 0 };
        Ok(Self {
            format: FORMAT,
            name: layout.name().into(),
            program: plan.program.clone(),
            bitcoind: PathBuf::new(),
            bitcoind_is: String::new(),
            bitcoin_rpc: 0,
            bitcoin_p2p: 0,
            hub: 0,
            threshold,
            members: (1..=members).map(member).collect(),
            nodes: plan.nodes.iter().map(node).collect(),
            reclaim_blocks: plan.reclaim_blocks,
            start: None,
            funded: Vec::new(),
        })
    }

    /// Takes over this start's programs and chooses ports: last time's where they are free.
    ///
    /// # Errors
    /// No free port.
    pub fn prepare(&mut self, plan: &Plan, bitcoind: &Resolved, mut ports: Ports) -> Result<(), RunError> {
        self.program.clone_from(&plan.program);
        self.bitcoind.clone_from(&bitcoind.path);
        self.bitcoind_is = bitcoind.to_string();
        let mut take = |port: &mut u16, wish: u16| -> Result<(), RunError> {
            *port = ports.retake(*port, wish)?;
            Ok(())
        };
        take(&mut self.bitcoin_rpc, ports::BITCOIN_RPC)?;
        take(&mut self.bitcoin_p2p, ports::BITCOIN_P2P)?;
        take(&mut self.hub, ports::HUB)?;
        for member in &mut self.members {
            take(&mut member.api, ports::MEMBER_API)?;
            take(&mut member.links, ports::MEMBER_LINKS)?;
        }
        for node in &mut self.nodes {
            take(&mut node.api, ports::NODE_API)?;
            take(&mut node.lightning, ports::LIGHTNING)?;
        }
        Ok(())
    }

    /// All its ports.
    pub fn ports(&self) -> Vec<u16> {
        let members = self.members.iter().flat_map(|member| [member.api, member.links]);
        let nodes = self.nodes.iter().flat_map(|node| [node.api, node.lightning]);
        [self.bitcoin_rpc, self.bitcoin_p2p, self.hub].into_iter().chain(members).chain(nodes).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan::new("/bin/windlass".into())
    }

    #[test]
    fn plans_that_make_no_sense_are_refused() {
        let layout = Layout::new("/tmp".as_ref(), "default").expect("a name");
        for (members, threshold) in [(0, 0), (1, 1), (4, 4), (4, 2), (17, 12)] {
            let plan = Plan { members, threshold, ..plan() };
            assert!(matches!(Run::new(&layout, &plan), Err(RunError::Threshold { .. })), "{threshold} of {members}");
        }
        for (members, threshold) in [(2, 2), (4, 3), (7, 5)] {
            assert!(Run::new(&layout, &Plan { members, threshold, ..plan() }).is_ok(), "{threshold} of {members}");
        }
        for name in ["f1", "hub", "bitcoind", "", "../x"] {
            assert!(Run::new(&layout, &Plan { nodes: vec![name.into()], ..plan() }).is_err(), "{name}");
        }
        let twice = Plan { nodes: vec!["bob".into(), "bob".into()], ..plan() };
        assert!(matches!(Run::new(&layout, &twice), Err(RunError::Twice(_))));
    }
}
