//! Transfers per second through four members to finality.

use crate::{
    Setup,
    report::{Latencies, Report, round},
};
use anyhow::{Context as _, Result, bail};
use bitcoin::Amount;
use bitcoin::secp256k1::{Keypair, Secp256k1, rand::thread_rng};
use serde_json::json;
use std::time::{Duration, Instant};
use windlass_ledger::{Output, Transaction, TxBody};
use windlass_node::api::member::TransactionStatus;
use windlass_node::client::MemberClient;
use windlass_types::{AccountId, ChainId, ChainNetwork};

/// In flight (one per account), and for how long.
const RUNS: [(usize, Duration); 3] =
    [(1, Duration::from_secs(10)), (40, Duration::from_secs(10)), (400, Duration::from_secs(20))];
const ACCOUNTS: usize = 400;
const WAIT: Duration = Duration::from_secs(30);

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

pub fn run(setup: &Setup, report: &mut Report) -> Result<()> {
    let network = setup.network("bench-sidechain");
    network.ok(&["peg", "in", "alice", "1btc"]);
    let members: Vec<MemberClient> = (1..=4).map(|i| MemberClient::new(network.api(&format!("f{i}")))).collect();
    let mut bank = Account::new();
    network.ok(&["transfer", "alice", &bank.id().address(ChainNetwork::Regtest), "0.9btc"]);
    setup.runtime.block_on(async {
        let chain = members[0].chain().await?.chain;
        let mut accounts: Vec<Account> = (0..ACCOUNTS).map(|_| Account::new()).collect();
        for part in accounts.chunks(200) {
            let outputs = part.iter().map(|account| (account.id(), Amount::from_sat(200_000))).collect();
            finalise(&members[0], &bank.transfer(chain, outputs)).await?;
        }
        for (in_flight, time) in RUNS {
            let rest = accounts.split_off(in_flight);
            let (elapsed, latencies, back) = load(&members, chain, accounts, time).await?;
            accounts = back;
            accounts.extend(rest);
            let latencies = Latencies::new(latencies);
            report.row(json!({
                "members": 4, "in_flight": in_flight, "transfers": latencies.count(),
                "transfers_per_s": round(latencies.count() as f64 / elapsed.as_secs_f64()),
                "finality_p50_ms": latencies.ms(50), "finality_p99_ms": latencies.ms(99),
            }))?;
        }
        Ok(())
    })
}

/// Each account sends one satoshi to itself's neighbour, waits for finality, and again, over the
/// members in turn. Timed: from handing in to the member's word that it is final.
async fn load(
    members: &[MemberClient],
    chain: ChainId,
    accounts: Vec<Account>,
    time: Duration,
) -> Result<(Duration, Vec<Duration>, Vec<Account>)> {
    let start = Instant::now();
    let mut senders = Vec::new();
    let target = accounts.first().context("no accounts")?.id();
    for (index, mut account) in accounts.into_iter().enumerate() {
        let member = members[index % members.len()].clone();
        senders.push(tokio::spawn(async move {
            let mut latencies = Vec::new();
            while start.elapsed() < time {
                let transaction = account.transfer(chain, vec![(target, Amount::from_sat(1))]);
                let sent = Instant::now();
                finalise(&member, &transaction).await?;
                latencies.push(sent.elapsed());
            }
            anyhow::Ok((latencies, account))
        }));
    }
    let (mut latencies, mut accounts) = (Vec::new(), Vec::new());
    for sender in senders {
        let (more, account) = sender.await??;
        latencies.extend(more);
        accounts.push(account);
    }
    Ok((start.elapsed(), latencies, accounts))
}

async fn finalise(member: &MemberClient, transaction: &Transaction) -> Result<()> {
    let id = member.submit(hex::encode(borsh::to_vec(transaction)?)).await?.id;
    match member.transaction(id, WAIT).await? {
        TransactionStatus::Final { .. } => Ok(()),
        other => bail!("transaction {id} is {other:?} after {WAIT:?}"),
    }
}
