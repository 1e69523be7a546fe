//! From nothing, or from whatever is left, to a network that is ready.

use super::{
    Hub, bitcoind_config,
    children::{BITCOIND, kind_of},
    configs,
    miner::rpc,
    purse::MATURITY,
    server::Call,
};
use crate::{
    api::{Stage, Started},
    files,
    process::Kind,
    verbs::status,
};
use bitcoin::{Address, Amount, Network, address::NetworkUnchecked};
use std::{
    future::Future,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::task::JoinSet;
use windlass_node::api::{ApiError, wallet::AddressRequest, wallet::ConnectRequest};

const POLL: Duration = Duration::from_millis(50);
/// How long a process may take to answer: a member reads and checks all of its chain first.
const READY: Duration = Duration::from_secs(120);
/// Older tips make nodes think that they are still syncing.
const TIP_SECONDS_MAX: u64 = 3600;
/// What each node gets at the first start.
const FIRST_COINS: Amount = Amount::from_int_btc(10);
/// Lines of a log that an error shows.
const LOG_LINES_SHOWN: usize = 8;

/// Starts what does not run, in order, and waits until all is ready.
pub async fn up(call: &Call) -> Result<Started, ApiError> {
    let hub = &call.hub;
    let _turn = hub.lifecycle.lock().await;
    let begun = Instant::now();
    let mut stages = Vec::new();
    type Step<'a> = std::pin::Pin<Box<dyn Future<Output = Result<(String, String), ApiError>> + Send + 'a>>;
    let steps: [(&str, Step<'_>); 3] = [
        ("bitcoin", Box::pin(bitcoin(hub))),
        ("federation", Box::pin(federation(hub))),
        ("lightning", Box::pin(lightning(hub))),
    ];
    for (number, (name, step)) in (1..).zip(steps) {
        let since = Instant::now();
        check_going_on(hub)?;
        call.step(number, 3, name, "starting");
        let (what, at) = step.await?;
        let seconds = since.elapsed().as_secs_f64();
        call.step(number, 3, name, format!("{what}  {at}"));
        stages.push(Stage { name: name.into(), what, at, seconds });
    }
    files::write_json(&hub.layout().ready(), &hub.api()).map_err(ApiError::failed)?;
    let status = status::look(hub).await;
    Ok(Started { stages, seconds: begun.elapsed().as_secs_f64(), status })
}

async fn bitcoin(hub: &Hub) -> Result<(String, String), ApiError> {
    let run = hub.run();
    std::fs::create_dir_all(hub.layout().bitcoin())
        .map_err(|error| ApiError::failed(format!("{}: {error}", hub.layout().bitcoin().display())))?;
    hub.children().start(&run, BITCOIND).map_err(start_failed)?;
    wait_ready(hub, BITCOIND, || async { hub.bitcoind().tip().await.map(drop).map_err(rpc) }).await?;
    let height = hub.miner().tip().await?.height.get();
    if height <= MATURITY {
        // One reward can be spent, and the chain is older than any rule that looks back.
        hub.miner().mine(MATURITY + 1 - height).await?;
    } else if tip_seconds(hub).await? > TIP_SECONDS_MAX {
        hub.miner().mine(1).await?;
    }
    if run.start.is_none() {
        let tip = hub.miner().tip().await?;
        hub.change_run(|run| run.start = Some(tip))?;
    }
    let height = hub.miner().tip().await?.height;
    let version = run.bitcoind_is.split(" (").next().unwrap_or_default().to_owned();
    Ok((format!("{version}, regtest, {height} blocks"), crate::ports::local(run.bitcoin_rpc).to_string()))
}

/// The age of the tip.
async fn tip_seconds(hub: &Hub) -> Result<u64, ApiError> {
    let hash = hub.bitcoind().best_block_hash().await.map_err(rpc)?;
    let header = hub.bitcoind().header(hash).await.map_err(rpc)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Ok(header.map_or(0, |info| now.saturating_sub(u64::from(info.header.time))))
}

async fn federation(hub: &Hub) -> Result<(String, String), ApiError> {
    let run = hub.run();
    configs::write_members(hub.layout(), &run, &bitcoind_config(hub.layout(), &run))?;
    for member in &run.members {
        hub.children().start(&run, &member.name).map_err(start_failed)?;
    }
    let mut height = None;
    for (name, member) in hub.running_members() {
        let chain = wait_ready(hub, &name, || member.chain()).await?;
        height = height.max(Some(chain.height));
    }
    let what = format!(
        "{} members, {} sign, block {}",
        run.members.len(),
        run.threshold,
        height.map_or_else(|| "none".into(), |height| height.to_string())
    );
    let first = run.members.first().map_or(0, |member| member.api);
    Ok((what, crate::ports::local(first).to_string()))
}

async fn lightning(hub: &Hub) -> Result<(String, String), ApiError> {
    let run = hub.run();
    configs::write_nodes(hub.layout(), &run, &bitcoind_config(hub.layout(), &run))?;
    for node in &run.nodes {
        hub.children().start(&run, &node.name).map_err(start_failed)?;
    }
    for (name, wallet) in hub.running_wallets() {
        wait_ready(hub, &name, || wallet.info()).await?;
    }
    fund(hub).await?;
    hub.seen(0).await?;
    connect(hub).await?;
    let mut channels = 0;
    for (_, wallet) in hub.running_wallets() {
        channels += wallet.channels().await?.iter().filter(|channel| channel.funder && is_open(channel)).count();
    }
    let names: Vec<_> = run.nodes.iter().map(|node| node.name.as_str()).collect();
    let ports: Vec<_> = run.nodes.iter().map(|node| node.lightning.to_string()).collect();
    Ok((format!("{}, {channels} channels", names.join(" ")), format!("127.0.0.1:{}", ports.join(","))))
}

fn is_open(channel: &windlass_node::api::wallet::ChannelInfo) -> bool {
    use windlass_node::api::wallet::ChannelState::{Opening, PeerAway, Usable};
    matches!(channel.state, Opening | Usable | PeerAway)
}

/// The first coins of each node that has not got them.
async fn fund(hub: &Hub) -> Result<(), ApiError> {
    let run = hub.run();
    let mut outputs = Vec::new();
    let mut names = Vec::new();
    for (name, wallet) in hub.running_wallets().into_iter().filter(|(name, _)| !run.funded.contains(name)) {
        // After a crash in between: the coins came, only our note of it is missing.
        let balance = wallet.balance().await?;
        if balance.bitcoin + balance.bitcoin_pending == Amount::ZERO {
            outputs.push((own_address(&wallet.address(&AddressRequest::Bitcoin).await?.address)?, FIRST_COINS));
        }
        names.push(name);
    }
    if !outputs.is_empty() {
        hub.miner().pay(&outputs).await?;
    }
    if names.is_empty() { Ok(()) } else { hub.change_run(|run| run.funded.extend(names)) }
}

/// An address that one of our own processes gave.
pub fn own_address(text: &str) -> Result<Address, ApiError> {
    text.parse::<Address<NetworkUnchecked>>()
        .and_then(|address| address.require_network(Network::Regtest))
        .map_err(|error| ApiError::failed(format!("{text:?} is no regtest address: {error}")))
}

/// Links each node to all others, at the ports of this start.
pub async fn connect(hub: &Hub) -> Result<(), ApiError> {
    let wallets = hub.running_wallets();
    let mut infos = Vec::new();
    for (_, wallet) in &wallets {
        infos.push(wallet.info().await?);
    }
    let mut tasks = JoinSet::new();
    for (i, (_, wallet)) in wallets.iter().enumerate() {
        for info in infos.iter().skip(i + 1).filter(|info| !infos[i].peers.contains(&info.node_id)) {
            let request = ConnectRequest { node_id: info.node_id.clone(), address: info.lightning.clone() };
            let wallet = wallet.clone();
            tasks.spawn(async move { wallet.connect(&request).await.map(drop) });
        }
    }
    tasks.join_all().await.into_iter().collect()
}

fn check_going_on(hub: &Hub) -> Result<(), ApiError> {
    if hub.is_stopping() { Err(ApiError::not_running("the network is being stopped")) } else { Ok(()) }
}

/// Starts one process and waits until it is ready.
pub async fn start_one(hub: &Hub, name: &str) -> Result<(), ApiError> {
    let _turn = hub.lifecycle.lock().await;
    check_going_on(hub)?;
    let run = hub.run();
    let bitcoind = bitcoind_config(hub.layout(), &run);
    match kind_of(&run, name) {
        Kind::Bitcoin => return bitcoin(hub).await.map(drop),
        Kind::Member => configs::write_members(hub.layout(), &run, &bitcoind)?,
        Kind::Node => configs::write_nodes(hub.layout(), &run, &bitcoind)?,
    }
    hub.children().start(&run, name).map_err(start_failed)?;
    if let Some((_, member)) = hub.running_members().into_iter().find(|(running, _)| running == name) {
        return wait_ready(hub, name, || member.chain()).await.map(drop);
    }
    let wallet = hub.wallet(name)?;
    wait_ready(hub, name, || wallet.info()).await?;
    hub.seen(0).await?;
    connect(hub).await
}

fn start_failed(error: crate::process::StartError) -> ApiError {
    ApiError::failed(crate::bitcoind::chain(&error)).hint("see what is missing", "windlass doctor")
}

/// Asks until the process answers; gives up when it ends or takes too long.
async fn wait_ready<T, F, Fut>(hub: &Hub, name: &str, ask: F) -> Result<T, ApiError>
where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<T, ApiError>>,
{
    let deadline = Instant::now() + READY;
    loop {
        let error = match ask().await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        if !hub.children().runs(name) {
            let how = hub.children().exit(name).unwrap_or_else(|| "it was stopped".into());
            let log = hub.layout().log(name);
            return Err(ApiError::failed(format!("{name} ended while it started ({how}):\n{}", log_end(&log)))
                .hint("read on", format!("windlass logs {name}")));
        }
        if Instant::now() >= deadline {
            return Err(ApiError::timeout(format!("{name} is not ready after {} s: {error}", READY.as_secs()))
                .hint("see why", format!("windlass logs {name}")));
        }
        check_going_on(hub)?;
        tokio::time::sleep(POLL).await;
    }
}

/// The last lines of a log.
pub fn log_end(path: &std::path::Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    let from = bytes.len().saturating_sub(8_000);
    let text = String::from_utf8_lossy(&bytes[from..]).into_owned();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n")
}
