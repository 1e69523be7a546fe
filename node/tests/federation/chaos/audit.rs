//! The books of the chaos: every block that any member shows is replayed, and compared with what the users know that they
//! paid, asked for and got.

use super::world::{Deposit, PegOut, User};
use bitcoin::{Amount, OutPoint, ScriptBuf};
use std::collections::BTreeMap;
use std::time::Duration;
use windlass_chain::{Bitcoind, Unspent};
use windlass_ledger::{Block, DepositState, Genesis, PegOutState, TxBody, query};
use windlass_node::api::PAGE_MAX;
use windlass_node::client::MemberClient;
use windlass_peg::reserves::Recount;
use windlass_sidechain::verify_block;
use windlass_types::{AccountId, BtcHeight, Digest, SideHeight};

/// A deposit's share of the fee is below this, whoever it shares with.
const FEE_MAX: Amount = Amount::from_sat(1_000);
/// A member may fall silent in the middle of an answer.
const ANSWER: Duration = Duration::from_secs(5);

pub struct Audit {
    recount: Recount,
    /// Of each block from the genesis on.
    digests: Vec<Digest>,
    /// Which transactions are final, and where.
    pub finals: BTreeMap<Digest, SideHeight>,
    came: BTreeMap<AccountId, Amount>,
    left: BTreeMap<AccountId, Amount>,
    pub reserves: u32,
}

impl Audit {
    pub fn new(genesis: Genesis) -> Self {
        let recount = Recount::new(genesis).expect("a genesis");
        let digests = vec![recount.tip().digest()];
        let (came, left) = (BTreeMap::new(), BTreeMap::new());
        Self { recount, digests, finals: BTreeMap::new(), came, left, reserves: 0 }
    }

    pub fn height(&self) -> SideHeight {
        self.recount.tip().height
    }

    /// What the sidechain has consumed of Bitcoin.
    pub fn anchor(&self) -> BtcHeight {
        self.recount.tip().anchor.height
    }

    pub fn balance(&self, account: &AccountId) -> Amount {
        query::balance(self.recount.state(), account).expect("memory")
    }

    pub fn is_minted(&self, outpoint: OutPoint) -> bool {
        let record = query::deposit(self.recount.state(), outpoint).expect("memory");
        record.is_some_and(|record| matches!(record.state, DepositState::Minted { .. }))
    }

    pub fn is_paid(&self, id: &Digest) -> bool {
        let record = query::peg_out(self.recount.state(), id).expect("memory");
        record.is_some_and(|record| matches!(record.state, PegOutState::Paid { .. }))
    }

    /// Takes what the member has and nobody had before; of what is known it must have the same.
    pub async fn follow(&mut self, member: &MemberClient) {
        let Ok(Ok(tip)) = tokio::time::timeout(ANSWER, member.chain()).await else { return };
        if let Some(known) = usize::try_from(tip.height.get()).ok().and_then(|height| self.digests.get(height)) {
            assert_eq!(*known, tip.block, "two final blocks {}: one is at {}", tip.height, member.base());
            return;
        }
        loop {
            let next = self.height().next().expect("few");
            let Ok(Ok(answers)) = tokio::time::timeout(ANSWER, member.blocks(next, PAGE_MAX)).await else { return };
            if answers.is_empty() {
                return;
            }
            for answer in &answers {
                let block = Block::decode(&hex::decode(&answer.hex).expect("hex")).expect("a block");
                self.take(&block, &hex::decode(&answer.certificate).expect("hex"));
            }
        }
    }

    fn take(&mut self, block: &Block, certificate: &[u8]) {
        let identities = self.recount.genesis().identities();
        let chain = self.recount.tip().chain;
        let certified = |block: &_| verify_block(&identities, chain, block, certificate);
        self.recount.push(block, certified).unwrap_or_else(|error| panic!("a final block does not hold: {error:?}"));
        self.digests.push(block.header.digest());
        for transaction in &block.transactions {
            let before = self.finals.insert(transaction.id(), block.header.height);
            assert_eq!(before, None, "{} is in two blocks", transaction.id());
            match &transaction.body {
                TxBody::Transfer { from, outputs, .. } => {
                    for output in outputs {
                        let amount = Amount::from_sat(output.units);
                        *self.left.entry(*from).or_default() += amount;
                        *self.came.entry(output.to).or_default() += amount;
                    }
                }
                TxBody::PegOut { from, amount, .. } => *self.left.entry(*from).or_default() += *amount,
                TxBody::Claim(_) => {}
                other => panic!("nobody sent {other:?}"),
            }
        }
    }

    /// Each account has what was minted to it for deposits that its user really made, each once, and what came, less what left.
    pub fn accounts(&self, users: &[User], deposits: &[Deposit]) {
        let state = self.recount.state();
        let mut all = Amount::ZERO;
        for (place, user) in users.iter().enumerate() {
            let account = user.account();
            let mut minted = Amount::ZERO;
            for record in query::deposits_of(state, &account).expect("memory") {
                let made = deposits.iter().find(|deposit| deposit.outpoint() == record.outpoint);
                let made = made.unwrap_or_else(|| panic!("nobody paid {}", record.outpoint));
                assert!(made.user == place && made.amount == record.amount, "{} is another's", record.outpoint);
                assert!(!made.replaced, "{} never was", record.outpoint);
                if let DepositState::Minted { amount, .. } = record.state {
                    assert!(amount <= record.amount && record.amount - amount < FEE_MAX, "{record:?}");
                    minted += amount;
                }
            }
            let moved = |map: &BTreeMap<AccountId, Amount>| map.get(&account).copied().unwrap_or_default();
            let balance = self.balance(&account);
            let (came, left) = (moved(&self.came), moved(&self.left));
            assert_eq!(
                balance + left,
                minted + came,
                "user {place}: has {balance}, gave {left}, got {came} + {minted}"
            );
            all += balance;
        }
        assert_eq!(all, self.recount.tip().supply, "the users have the supply among them");
    }

    /// A peg-out is paid at most once, as its terms say, and only if its burn is final. Each pays an address of its own.
    pub fn payments(&self, peg_outs: &[PegOut], paid: &[Unspent]) {
        let mut seen: BTreeMap<&ScriptBuf, OutPoint> = BTreeMap::new();
        for coin in paid {
            let before = seen.insert(&coin.script, coin.outpoint);
            assert_eq!(before, None, "paid twice: {} and {:?}", coin.outpoint, before);
            let peg_out =
                peg_outs.iter().find(|peg_out| peg_out.script == coin.script).expect("only these were asked for");
            assert!(self.finals.contains_key(&peg_out.id), "{} is paid and not burned", peg_out.id);
            assert!(coin.value <= peg_out.amount && peg_out.amount - coin.value <= peg_out.fee_max, "{}", coin.value);
        }
        // What the sidechain says is paid is paid.
        for peg_out in peg_outs.iter().filter(|peg_out| self.is_paid(&peg_out.id)) {
            assert!(seen.contains_key(&peg_out.script), "{} is struck off and not paid", peg_out.id);
        }
    }

    /// reserve = supply + owed, at Bitcoin's tip.
    pub async fn reserve(&mut self, bitcoind: &Bitcoind) {
        let report = self.recount.check(bitcoind).await.expect("it can be counted");
        assert!(report.ok, "{report:#?}");
        assert_eq!(report.reserve, report.supply + report.owed);
        self.reserves += 1;
    }
}
