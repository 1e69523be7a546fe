//! What the chaos knows of the world: who is in what state, what was paid, asked for and promised.

use super::audit::Audit;
use crate::fed::Fed;
use crate::purse::{account, keypair};
use bitcoin::key::Keypair;
use bitcoin::{Amount, OutPoint, ScriptBuf, Txid};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use std::time::{Duration, Instant};
use windlass_ledger::{Genesis, Params};
use windlass_node::client::MemberClient;
use windlass_types::{AccountId, Blocks, Digest};

/// Members.
pub const MEMBERS: usize = 4;
/// Users with an account each.
pub const USERS: u8 = 5;
/// Reorganisations are one block shorter.
pub const DEPTH: u32 = 4;
/// A member that has not answered by then is asked another time.
const ANSWER: Duration = Duration::from_secs(3);

/// What a member is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    Up,
    Dead,
    /// SIGSTOP: its links are there and say nothing.
    Stopped,
    /// A process with its identity that lies.
    Lying,
}

pub struct User {
    pub key: Keypair,
    pub nonce: u64,
    pub deposits: u64,
}

impl User {
    pub fn account(&self) -> AccountId {
        account(&self.key)
    }
}

/// A payment to a deposit address.
pub struct Deposit {
    pub user: usize,
    pub nonce: u64,
    pub coin: (OutPoint, Amount),
    pub change: OutPoint,
    pub txid: Txid,
    pub amount: Amount,
    /// Bitcoin's height when it was paid.
    pub height: u32,
    /// The claim that was handed in.
    pub claim: Option<String>,
    /// Replaced by another transaction: it never was.
    pub replaced: bool,
}

impl Deposit {
    pub const fn outpoint(&self) -> OutPoint {
        OutPoint { txid: self.txid, vout: 0 }
    }
}

/// A peg-out that was handed in. Each pays an address of its own.
pub struct PegOut {
    pub id: Digest,
    pub script: ScriptBuf,
    pub amount: Amount,
    pub fee_max: Amount,
}

/// A sidechain transaction that is not final yet: handed in again and again.
pub struct Waiting {
    pub id: Digest,
    pub hex: String,
    /// Whose money, and how much of it.
    pub takes: Option<(AccountId, Amount)>,
    /// What a member said last.
    pub said: String,
}

pub struct World {
    pub fed: Fed,
    pub genesis: Genesis,
    pub rng: StdRng,
    pub users: Vec<User>,
    pub deposits: Vec<Deposit>,
    pub peg_outs: Vec<PegOut>,
    pub waiting: Vec<Waiting>,
    pub members: [Condition; MEMBERS],
    pub audit: Audit,
    /// The highest that Bitcoin's tip has been: what was buried then is anchored, though the tip may be lower now.
    pub highest: u32,
    begun: Instant,
}

impl World {
    /// A federation with all members up.
    pub async fn new(seed: u64) -> Self {
        let fed = Fed::up(Params { anchor_depth: Blocks::new(DEPTH), ..Params::default() }).await;
        let genesis = fed.genesis().await;
        let highest = fed.federation.start.height.get() + DEPTH - 1;
        let user = |n: u8| User { key: keypair(10 + n), nonce: 0, deposits: 0 };
        Self {
            audit: Audit::new(genesis.clone()),
            fed,
            genesis,
            rng: StdRng::seed_from_u64(seed),
            users: (0..USERS).map(user).collect(),
            deposits: Vec::new(),
            peg_outs: Vec::new(),
            waiting: Vec::new(),
            members: [Condition::Up; MEMBERS],
            // The sidechain begins at a block that must stay, however young it is.
            highest,
            begun: Instant::now(),
        }
    }

    /// One line of the log.
    pub fn say(&self, what: impl std::fmt::Display) {
        println!("{:7.2}  {what}", self.begun.elapsed().as_secs_f32());
    }

    /// The members that answer.
    pub async fn reachable(&self) -> Vec<MemberClient> {
        let mut reachable = Vec::new();
        for m in (0..MEMBERS).filter(|m| self.members[*m] == Condition::Up) {
            let Some(client) = self.fed.client(m) else { continue };
            if let Ok(Ok(_)) = tokio::time::timeout(ANSWER, client.chain()).await {
                reachable.push(client);
            }
        }
        reachable
    }

    /// Hands in what is not final yet, each to a member at random.
    pub async fn deliver(&mut self) {
        let reachable = self.reachable().await;
        if reachable.is_empty() {
            return;
        }
        for waiting in &mut self.waiting {
            let member = &reachable[self.rng.gen_range(0..reachable.len())];
            waiting.said = match tokio::time::timeout(ANSWER, member.submit(waiting.hex.clone())).await {
                Ok(Ok(_)) => "taken".into(),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer".into(),
            };
        }
    }

    /// What the user can surely spend.
    pub fn spendable(&self, user: usize) -> Amount {
        let account = self.users[user].account();
        let takes = self.waiting.iter().filter_map(|waiting| waiting.takes).filter(|(of, _)| *of == account);
        let taken: Amount = takes.map(|(_, amount)| amount).sum();
        self.audit.balance(&account).checked_sub(taken).unwrap_or(Amount::ZERO)
    }

    /// Nobody ended without being told to.
    pub fn all_live(&mut self) {
        for m in (0..MEMBERS).filter(|m| self.members[*m] != Condition::Dead).collect::<Vec<_>>() {
            if let Some(status) = self.fed.ended(m) {
                panic!("f{} ({:?}) ended by itself: {status}", m + 1, self.members[m]);
            }
        }
    }

    /// Compares the books. They can only be judged if a member answers that has every batch that may be on Bitcoin: of
    /// two members one has signed.
    pub async fn check(&mut self) {
        self.all_live();
        self.highest = self.highest.max(self.fed.bitcoind.tip().await.expect("a tip").height.get());
        let scripts: Vec<ScriptBuf> = self.peg_outs.iter().map(|peg_out| peg_out.script.clone()).collect();
        // First Bitcoin, then the sidechain: what is paid must be final there.
        let paid = if scripts.is_empty() { Vec::new() } else { self.fed.bitcoind.scan(&scripts).await.expect("scans") };
        let reachable = self.reachable().await;
        for member in &reachable {
            self.audit.follow(member).await;
        }
        let finals = &self.audit.finals;
        self.waiting.retain(|waiting| !finals.contains_key(&waiting.id));
        self.audit.accounts(&self.users, &self.deposits);
        if reachable.len() >= 2 {
            self.audit.payments(&self.peg_outs, &paid);
            self.audit.reserve(&self.fed.bitcoind).await;
        }
    }
}
