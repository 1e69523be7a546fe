//! Transfers per second through four members to finality, from a client that signs its own transactions and
//! hands them in by the batch. What needs no processes is measured beside: `sidechain/examples/bench`.

use crate::{
    Setup,
    report::{Latencies, Report, round},
};
use anyhow::{Context as _, Result, bail};
use bitcoin::Amount;
use bitcoin::secp256k1::{Keypair, Secp256k1, rand::thread_rng};
use serde_json::json;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use windlass_ledger::{Block, Output, Transaction, TxBody};
use windlass_node::api::member::{SubmitOutcome, TransactionStatus};
use windlass_node::client::MemberClient;
use windlass_types::{AccountId, ChainId, ChainNetwork, Digest, SideHeight};

/// Each has one transfer in flight at most.
const ACCOUNTS: usize = 20_000;
const BALANCE: Amount = Amount::from_sat(2_000);
/// Transfers in flight while the greatest rate is looked for.
const IN_FLIGHT: usize = 8_000;
const RUN: Duration = Duration::from_secs(20);
/// Handed in this often.
const TICK: Duration = Duration::from_millis(25);
const WAIT: Duration = Duration::from_secs(30);
/// Lone transfers, one after the other.
const LONE: usize = 100;

struct Account {
    keys: Keypair,
    nonce: u64,
}

impl Account {
    fn new() -> Self {
        Self { keys: Keypair::new(&Secp256k1::new(), &mut thread_rng()), nonce: 0 }
    }

    fn id(&self) -> AccountId {
        AccountId::from_key(&self.keys.x_only_public_key().0)
    }

    fn transfer(&mut self, chain: ChainId, outputs: Vec<(AccountId, Amount)>) -> Transaction {
        let body = TxBody::Transfer {
            from: self.id(),
            nonce: self.nonce,
            outputs: outputs.into_iter().map(|(to, amount)| Output::btc(to, amount)).collect(),
            fee: Amount::ZERO,
            memo: Vec::new(),
            expiry: None,
        };
        self.nonce += 1;
        Transaction::signed(chain, body, &self.keys)
    }
}

/// What is in flight, and what came down.
#[derive(Default)]
struct Sky {
    flying: HashMap<Digest, (usize, Instant)>,
    free: VecDeque<usize>,
    latencies: Vec<Duration>,
    refused: usize,
    failure: Option<String>,
}

type Shared = Arc<Mutex<Sky>>;

/// How much is handed in.
enum Pace {
    /// As many in flight as this.
    InFlight(usize),
    /// So many a second.
    PerSecond(f64),
}

pub fn run(setup: &Setup, report: &mut Report) -> Result<()> {
    let network = setup.network("bench-sidechain");
    network.ok(&["peg", "in", "alice", "1btc"]);
    let members: Vec<MemberClient> = (1..=4).map(|i| MemberClient::new(network.api(&format!("f{i}")))).collect();
    let mut bank = Account::new();
    network.ok(&["transfer", "alice", &bank.id().address(ChainNetwork::Regtest), "0.9btc"]);
    setup.runtime.block_on(async {
        let chain = members[0].chain().await?.chain;
        let mut accounts: Vec<Account> = (0..ACCOUNTS).map(|_| Account::new()).collect();
        for part in accounts.chunks(250) {
            let outputs = part.iter().map(|account| (account.id(), BALANCE)).collect();
            finalise(&members[0], &bank.transfer(chain, outputs)).await?;
        }
        let target = bank.id();
        let mut latencies = Vec::new();
        for turn in 0..LONE {
            let transaction = bank.transfer(chain, vec![(target, Amount::ONE_SAT)]);
            let sent = Instant::now();
            // One member: the others may know of the last one's finality a moment later.
            finalise(&members[turn / (LONE / 4) % 4], &transaction).await?;
            latencies.push(sent.elapsed());
        }
        row(report, "a lone transfer", Latencies::new(latencies), None)?;
        let shared: Shared = Shared::default();
        lock(&shared).free = (0..ACCOUNTS).collect();
        let most = load(&members, chain, target, &mut accounts, &shared, Pace::InFlight(IN_FLIGHT)).await?;
        let rate = most.0;
        row(report, "as fast as it goes", most.1, Some((rate, lock(&shared).refused)))?;
        for percent in [10, 50, 90] {
            let pace = Pace::PerSecond(rate * f64::from(percent) / 100.0);
            let (rate, latencies) = load(&members, chain, target, &mut accounts, &shared, pace).await?;
            let what = format!("{percent} % of that");
            row(report, &what, latencies, Some((rate, lock(&shared).refused)))?;
        }
        anyhow::Ok(())
    })?;
    for process in network.ok(&["status"])["processes"].as_array().into_iter().flatten() {
        report.row(json!({ "process": process["name"], "resident_kb": process["memory_kb"] }))?;
    }
    network.assert_reserves();
    Ok(())
}

fn row(report: &mut Report, what: &str, latencies: Latencies, load: Option<(f64, usize)>) -> Result<()> {
    let (rate, refused) = load.unzip();
    report.row(json!({
        "what": format!("four members over TCP, {what}"), "members": 4, "transfers": latencies.count(),
        "transfers_per_s": rate.map(round), "refused": refused,
        "finality_p50_ms": latencies.ms(50), "finality_p99_ms": latencies.ms(99),
    }))
}

fn lock(shared: &Shared) -> std::sync::MutexGuard<'_, Sky> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hands in transfers of one satoshi to `target` for a while, over the members in turn. Timed: from handing in to
/// the block as the first member's API shows it. Returns how many a second became final.
async fn load(
    members: &[MemberClient],
    chain: ChainId,
    target: AccountId,
    accounts: &mut [Account],
    shared: &Shared,
    pace: Pace,
) -> Result<(f64, Latencies)> {
    {
        let mut sky = lock(shared);
        sky.latencies.clear();
        sky.refused = 0;
    }
    let from = members[0].chain().await?.height;
    let watcher = tokio::spawn(watch(members[0].clone(), from, shared.clone()));
    let start = Instant::now();
    let mut sent = 0;
    while start.elapsed() < RUN {
        let begun = Instant::now();
        let wanted = match pace {
            Pace::InFlight(most) => most.saturating_sub(lock(shared).flying.len()),
            Pace::PerSecond(rate) => ((start.elapsed().as_secs_f64() * rate) as usize).saturating_sub(sent),
        };
        // All in one request would be one long wait for all.
        let wanted = wanted.min(4 * 1_000);
        sent += wanted;
        let mut requests = Vec::new();
        let turns: Vec<usize> = {
            let mut sky = lock(shared);
            let count = wanted.min(sky.free.len());
            sky.free.drain(..count).collect()
        };
        for (lot, member) in turns.chunks(turns.len().div_ceil(members.len()).max(1)).zip(members) {
            let signed: Vec<(usize, Transaction)> = lot
                .iter()
                .map(|&index| (index, accounts[index].transfer(chain, vec![(target, Amount::ONE_SAT)])))
                .collect();
            requests.push(tokio::spawn(hand_in(member.clone(), signed, shared.clone())));
        }
        for request in requests {
            for index in request.await?? {
                accounts[index].nonce -= 1;
            }
        }
        if let Some(failure) = lock(shared).failure.clone() {
            bail!("{failure}");
        }
        tokio::time::sleep(TICK.saturating_sub(begun.elapsed())).await;
    }
    let (in_time, elapsed) = (lock(shared).latencies.len(), start.elapsed());
    let deadline = Instant::now() + WAIT;
    while !lock(shared).flying.is_empty() {
        if Instant::now() > deadline {
            bail!("{} transfers are not final after {WAIT:?}", lock(shared).flying.len());
        }
        tokio::time::sleep(TICK).await;
    }
    watcher.abort();
    let latencies = std::mem::take(&mut lock(shared).latencies);
    Ok((in_time as f64 / elapsed.as_secs_f64(), Latencies::new(latencies)))
}

/// Returns the accounts whose transfer was refused: they are free again.
async fn hand_in(member: MemberClient, signed: Vec<(usize, Transaction)>, shared: Shared) -> Result<Vec<usize>> {
    let hex = signed.iter().map(|(_, transaction)| hex::encode(transaction.encode())).collect();
    let ids: Vec<Digest> = signed.iter().map(|(_, transaction)| transaction.id()).collect();
    let now = Instant::now();
    lock(&shared).flying.extend(signed.iter().zip(&ids).map(|((index, _), id)| (*id, (*index, now))));
    let outcomes = member.submit_batch(hex).await?;
    let mut sky = lock(&shared);
    let mut refused = Vec::new();
    for (((index, _), id), outcome) in signed.iter().zip(&ids).zip(outcomes) {
        if let SubmitOutcome::Refused { error } = outcome {
            if sky.refused == 0 {
                eprintln!("refused: {error}");
            }
            sky.refused += 1;
            sky.flying.remove(id);
            sky.free.push_back(*index);
            refused.push(*index);
        }
    }
    Ok(refused)
}

/// Reads block after block.
async fn watch(member: MemberClient, mut height: SideHeight, shared: Shared) {
    loop {
        let next = SideHeight::new(height.get() + 1);
        let blocks = match member.blocks(next, 16).await {
            Ok(blocks) => blocks,
            Err(error) => {
                lock(&shared).failure = Some(error.to_string());
                return;
            }
        };
        let seen = Instant::now();
        for answer in &blocks {
            height = answer.height;
            let block = hex::decode(&answer.hex).ok().and_then(|bytes| Block::decode(&bytes).ok());
            for transaction in block.into_iter().flat_map(|block| block.transactions) {
                let mut sky = lock(&shared);
                if let Some((index, sent)) = sky.flying.remove(&transaction.id()) {
                    sky.latencies.push(seen - sent);
                    sky.free.push_back(index);
                }
            }
        }
        if blocks.is_empty() {
            tokio::time::sleep(Duration::from_millis(4)).await;
        }
    }
}

async fn finalise(member: &MemberClient, transaction: &Transaction) -> Result<()> {
    let id = member.submit(hex::encode(borsh::to_vec(transaction)?)).await.context("a transfer is handed in")?.id;
    match member.transaction(id, WAIT).await? {
        TransactionStatus::Final { .. } => Ok(()),
        other => bail!("transaction {id} is {other:?} after {WAIT:?}"),
    }
}
