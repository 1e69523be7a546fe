//! `status`: everything at a glance.

use super::{Nothing, address::all_balances};
use crate::{
    api::{ProcessStatus, Status},
    files,
    hub::{Call, Hub, children},
};
use std::{collections::BTreeMap, time::Duration};
use tokio::task::JoinSet;
use windlass_node::api::{
    ApiError,
    member::{ChainInfo, MemberHealth},
};
use windlass_types::BlockRef;

/// A process that takes longer to answer is not ready.
const LOOK: Duration = Duration::from_secs(3);

/// The whole network.
pub async fn status(call: Call, _: Nothing) -> Result<Status, ApiError> {
    Ok(look(&call.hub).await)
}

/// What one process answers.
#[derive(Debug, Clone)]
enum Seen {
    Member(Box<ChainInfo>, Option<BlockRef>, MemberHealth),
    Node(BlockRef),
}

/// Looks at everything, side by side.
pub async fn look(hub: &Hub) -> Status {
    let run = hub.run();
    let tip = tokio::time::timeout(LOOK, hub.bitcoind().tip()).await.ok().and_then(Result::ok);
    let (seen, wallets) = tokio::join!(seen(hub), all_balances(hub));
    let processes: Vec<ProcessStatus> = children::names(&run)
        .iter()
        .map(|name| {
            let ready = if name == children::BITCOIND { tip.is_some() } else { seen.contains_key(name) };
            hub.children().status(&run, name, ready)
        })
        .collect();
    let sidechain = seen
        .values()
        .filter_map(|seen| match seen {
            Seen::Member(chain, ..) => Some(chain.as_ref()),
            Seen::Node(_) => None,
        })
        .max_by_key(|chain| chain.height)
        .cloned();
    let troubles = troubles(&processes, tip, &seen);
    let layout = hub.layout();
    let member_runs = |name: &str| processes.iter().any(|process| process.name == name && process.ready);
    Status {
        name: layout.name().into(),
        dir: layout.root().display().to_string(),
        api: hub.api(),
        bitcoind: run.bitcoind_is.clone(),
        bitcoin: tip,
        sidechain,
        members_running: run.members.iter().filter(|member| member_runs(&member.name)).count(),
        members: run.members.len(),
        threshold: run.threshold,
        processes,
        wallets,
        disk_bytes: files::size(layout.root()),
        healthy: troubles.is_empty(),
        troubles,
    }
}

async fn seen(hub: &Hub) -> BTreeMap<String, Seen> {
    let mut tasks = JoinSet::new();
    for (name, member) in hub.running_members() {
        tasks.spawn(async move {
            let chain = tokio::time::timeout(LOOK, member.chain()).await.ok()?.ok()?;
            let bitcoin = tokio::time::timeout(LOOK, member.bitcoin()).await.ok()?.ok()?;
            let federation = tokio::time::timeout(LOOK, member.federation()).await.ok()?.ok()?;
            Some((name, Seen::Member(Box::new(chain), bitcoin.tip, federation.health)))
        });
    }
    for (name, wallet) in hub.running_wallets() {
        tasks.spawn(async move {
            let info = tokio::time::timeout(LOOK, wallet.info()).await.ok()?.ok()?;
            Some((name, Seen::Node(info.synced)))
        });
    }
    tasks.join_all().await.into_iter().flatten().collect()
}

fn troubles(processes: &[ProcessStatus], tip: Option<BlockRef>, seen: &BTreeMap<String, Seen>) -> Vec<String> {
    let mut troubles = Vec::new();
    for process in processes {
        let name = &process.name;
        match (&process.exit, process.pid, process.ready) {
            (Some(exit), _, _) => {
                troubles.push(format!("{name} ended ({exit}): see `windlass logs {name}`, start it with `windlass up`"))
            }
            (None, None, _) => troubles.push(format!("{name} does not run: start it with `windlass up`")),
            (None, Some(_), false) => {
                troubles.push(format!("{name} runs but does not answer: see `windlass logs {name}`"))
            }
            (None, Some(_), true) => {}
        }
    }
    for (name, seen) in seen {
        if let Seen::Member(_, _, health) = seen {
            troubles.extend(health.complaints().into_iter().map(|complaint| format!("{name} {complaint}")));
        }
    }
    let Some(tip) = tip else { return troubles };
    for (name, seen) in seen {
        let at = match seen {
            Seen::Member(_, bitcoin, _) => *bitcoin,
            Seen::Node(synced) => Some(*synced),
        };
        match at {
            Some(at) if at.height >= tip.height => {}
            Some(at) => troubles.push(format!("{name} has seen Bitcoin block {} of {}", at.height, tip.height)),
            None => troubles.push(format!("{name} does not reach bitcoind")),
        }
    }
    troubles
}

/// One process.
pub async fn process_status(hub: &Hub, name: &str) -> ProcessStatus {
    let ready = seen(hub).await.contains_key(name);
    hub.children().status(&hub.run(), name, ready)
}
