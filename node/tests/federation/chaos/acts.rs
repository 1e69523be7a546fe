//! What happens to the world, at random.

use super::liar;
use super::world::{Condition, DEPTH, Deposit, MEMBERS, PegOut, Waiting, World};
use crate::fed::LIAR_DIR;
use crate::purse::{FEE, address, terms};
use bitcoin::hashes::Hash as _;
use bitcoin::{Amount, OutPoint, TapNodeHash};
use rand::Rng as _;
use rand::seq::SliceRandom as _;
use std::time::Duration;
use windlass_ledger::{Output, Transaction, TxBody};
use windlass_peg::deposit;
use windlass_types::{BtcHeight, Digest};

/// What a peg-out may cost.
const FEE_MAX: Amount = Amount::from_sat(5_000);
/// What a replacement pays, above [`FEE`].
const HIGHER_FEE: Amount = Amount::from_sat(20_000);

#[derive(Debug, Clone, Copy)]
enum Act {
    Deposit,
    Transfer,
    PegOut,
    ClaimAgain,
    Mine,
    Reorganise,
    Replace,
    Kill,
    KillAll,
    Stop,
    Revive,
    Lie,
    Bitcoind,
}

/// Each with how often it comes.
const ACTS: [(Act, u32); 13] = [
    (Act::Deposit, 16),
    (Act::Transfer, 16),
    (Act::PegOut, 12),
    (Act::ClaimAgain, 3),
    (Act::Mine, 28),
    (Act::Reorganise, 6),
    (Act::Replace, 3),
    (Act::Kill, 6),
    (Act::KillAll, 1),
    (Act::Stop, 4),
    (Act::Revive, 14),
    (Act::Lie, 3),
    (Act::Bitcoind, 1),
];

impl World {
    pub async fn act(&mut self) {
        let act = ACTS.choose_weighted(&mut self.rng, |(_, weight)| *weight).expect("weights").0;
        match act {
            Act::Deposit => self.deposit().await,
            Act::Transfer => self.transfer(),
            Act::PegOut => self.peg_out(),
            Act::ClaimAgain => self.claim_again().await,
            Act::Mine => self.mine().await,
            Act::Reorganise => self.reorganise().await,
            Act::Replace => self.replace().await,
            Act::Kill => self.kill(),
            Act::KillAll => {
                self.say("kill -9 of all");
                self.fed.kill_all();
                self.members = [Condition::Dead; MEMBERS];
            }
            Act::Stop => self.stop(),
            Act::Revive => self.revive(),
            Act::Lie => self.lie(),
            Act::Bitcoind => {
                self.say("bitcoind stops and starts");
                self.fed.stop_bitcoind().await;
                let away = self.rng.gen_range(0..2_000);
                tokio::time::sleep(Duration::from_millis(away)).await;
                self.fed.start_bitcoind().await;
            }
        }
        self.claim().await;
        self.deliver().await;
        self.all_live();
    }

    async fn height(&self) -> u32 {
        self.fed.bitcoind.tip().await.expect("a tip").height.get()
    }

    async fn deposit(&mut self) {
        let user = self.rng.gen_range(0..self.users.len());
        let amount = Amount::from_sat(self.rng.gen_range(20_000..2_000_000));
        let nonce = self.users[user].deposits;
        self.users[user].deposits += 1;
        let to = terms(&self.users[user].key, nonce).address(&self.genesis).expect("an address").script_pubkey();
        let coin = self.fed.purse.coin();
        let transaction = self.fed.purse.spend(coin, &[(to, amount)], FEE);
        let txid = self.fed.bitcoind.broadcast(&transaction).await.expect("broadcast");
        let change = OutPoint::new(txid, 1);
        self.fed.purse.put((change, transaction.output[1].value));
        let height = self.height().await;
        self.say(format_args!("user {user} deposits {amount} in {txid}"));
        let claim = None;
        self.deposits.push(Deposit { user, nonce, coin, change, txid, amount, height, claim, replaced: false });
    }

    fn hand_in(&mut self, user: usize, takes: Amount, body: impl FnOnce(u64) -> TxBody) -> Digest {
        let nonce = self.users[user].nonce;
        self.users[user].nonce += 1;
        let transaction = Transaction::signed(self.genesis.chain_id(), body(nonce), &self.users[user].key);
        let (id, hex) = (transaction.id(), hex::encode(transaction.encode()));
        let takes = Some((self.users[user].account(), takes));
        self.waiting.push(Waiting { id, hex, takes, said: String::new() });
        id
    }

    fn transfer(&mut self) {
        let (from, to) = (self.rng.gen_range(0..self.users.len()), self.rng.gen_range(0..self.users.len()));
        let most = self.spendable(from).to_sat();
        // The ledger keeps 64 nonces of an account open.
        if most < 1_000 || self.waiting.len() > 40 {
            return;
        }
        let amount = Amount::from_sat(self.rng.gen_range(1..=most / 2));
        let (account, outputs) = (self.users[from].account(), vec![Output::btc(self.users[to].account(), amount)]);
        let body =
            |nonce| TxBody::Transfer { from: account, nonce, outputs, fee: Amount::ZERO, memo: vec![], expiry: None };
        self.hand_in(from, amount, body);
        self.say(format_args!("user {from} transfers {amount} to user {to}"));
    }

    fn peg_out(&mut self) {
        let from = self.rng.gen_range(0..self.users.len());
        let most = self.spendable(from).to_sat() / 2;
        let least = self.genesis.params.min_peg_out.to_sat();
        if most < least || self.waiting.len() > 40 {
            return;
        }
        let amount = Amount::from_sat(self.rng.gen_range(least..=most));
        let script = self.fresh_script();
        let (account, bytes) = (self.users[from].account(), script.clone().into_bytes());
        let body = |nonce| TxBody::PegOut {
            from: account,
            nonce,
            script: bytes,
            amount,
            fee_max: FEE_MAX,
            fee: Amount::ZERO,
            expiry: None,
        };
        let id = self.hand_in(from, amount, body);
        self.say(format_args!("user {from} pegs out {amount}: {id}"));
        self.peg_outs.push(PegOut { id, script, amount, fee_max: FEE_MAX });
    }

    /// An address that nothing else pays.
    fn fresh_script(&self) -> bitcoin::ScriptBuf {
        let mut place = [0xff; 32];
        place[..8].copy_from_slice(&u64::try_from(self.peg_outs.len()).expect("few").to_le_bytes());
        let key = self.users[0].key.x_only_public_key().0;
        let secp = bitcoin::secp256k1::Secp256k1::new();
        let root = Some(TapNodeHash::from_byte_array(place));
        bitcoin::Address::p2tr(&secp, key, root, bitcoin::Network::Regtest).script_pubkey()
    }

    /// Claims what is anchored and not claimed yet.
    pub async fn claim(&mut self) {
        let anchor = self.audit.anchor().get();
        let open = |deposit: &&mut Deposit| deposit.claim.is_none() && !deposit.replaced;
        for deposit in self.deposits.iter_mut().filter(open) {
            // A reorganisation may have put it into a block below.
            for height in deposit.height.saturating_sub(DEPTH)..=anchor {
                let height = BtcHeight::new(height);
                let Some(hash) = self.fed.bitcoind.block_hash(height).await.expect("bitcoind") else { break };
                let block = self.fed.bitcoind.block(hash).await.expect("bitcoind").expect("a block");
                let terms = terms(&self.users[deposit.user].key, deposit.nonce);
                let found = deposit::find(&self.genesis, &terms, &block, height).expect("terms");
                if let Some(found) = found.into_iter().find(|found| found.outpoint == deposit.outpoint()) {
                    let claim = Transaction::claim(self.genesis.chain_id(), found.claim);
                    let hex = hex::encode(claim.encode());
                    deposit.claim = Some(hex.clone());
                    self.waiting.push(Waiting { id: claim.id(), hex, takes: None, said: String::new() });
                    break;
                }
            }
        }
    }

    /// To all members at once.
    async fn claim_again(&mut self) {
        let claims: Vec<&String> = self.deposits.iter().filter_map(|deposit| deposit.claim.as_ref()).collect();
        let Some(claim) = claims.choose(&mut self.rng) else { return };
        for member in self.reachable().await {
            // Taken or refused: the books must not move.
            let _ = member.submit((*claim).clone()).await;
        }
        self.say("claims once more what is claimed");
    }

    async fn mine(&mut self) {
        let blocks = self.rng.gen_range(1..=2);
        self.say(format_args!("mines {blocks}"));
        for _ in 0..blocks {
            self.fed.mine(1).await;
            self.check().await;
        }
    }

    /// So many of the newest blocks are not anchored, even by who saw the chain when it was longer.
    async fn movable(&self) -> u32 {
        (self.height().await + DEPTH - 1).saturating_sub(self.highest)
    }

    /// Never so deep that it reaches what is anchored.
    async fn reorganise(&mut self) {
        let most = self.movable().await;
        if most == 0 {
            return;
        }
        let (back, with) = (self.rng.gen_range(1..=most), self.rng.gen_range(1..=DEPTH));
        self.say(format_args!("reorganises {back} blocks into {with}"));
        self.fed.reorganise(back, with).await;
        self.check().await;
    }

    /// A deposit that is not anchored yet is taken back by another transaction of its coin.
    async fn replace(&mut self) {
        let (tip, back) = (self.height().await, self.movable().await);
        let fresh = |deposit: &Deposit| deposit.claim.is_none() && !deposit.replaced && deposit.height + DEPTH > tip;
        let Some(place) = self.deposits.iter().rposition(fresh) else { return };
        let (txid, change, coin) = {
            let deposit = &self.deposits[place];
            (deposit.txid, deposit.change, deposit.coin)
        };
        // What spends its change would go with it.
        if back == 0 || !self.fed.purse.take(change) {
            return;
        }
        self.fed.throw_away(back).await;
        let double = self.fed.purse.spend(coin, &[(address(&self.users[0].key).script_pubkey(), FEE)], HIGHER_FEE);
        match self.fed.bitcoind.broadcast(&double).await {
            Ok(other) => {
                self.say(format_args!("replaces the deposit {txid} by {other}, in a reorganisation of {back} blocks"));
                self.deposits[place].replaced = true;
                self.fed.purse.put((OutPoint::new(other, 1), double.output[1].value));
            }
            Err(error) => {
                self.say(format_args!("the deposit {txid} is too deep to be replaced: {error}"));
                let output = self.fed.purse.spend(
                    coin,
                    &[(address(&self.users[0].key).script_pubkey(), self.deposits[place].amount)],
                    FEE,
                );
                self.fed.purse.put((change, output.output[1].value));
            }
        }
        self.fed.mine_fork(back + 1).await;
        self.check().await;
    }

    fn pick(&mut self, condition: Condition) -> Option<usize> {
        let fit: Vec<usize> = (0..MEMBERS).filter(|m| self.members[*m] == condition).collect();
        fit.choose(&mut self.rng).copied()
    }

    fn kill(&mut self) {
        let Some(m) = self.pick(Condition::Up) else { return };
        self.say(format_args!("kill -9 of f{}", m + 1));
        self.fed.kill(m);
        self.members[m] = Condition::Dead;
    }

    fn stop(&mut self) {
        let Some(m) = self.pick(Condition::Up) else { return };
        self.say(format_args!("f{} hangs", m + 1));
        self.fed.signal(m, "STOP");
        self.members[m] = Condition::Stopped;
    }

    fn lie(&mut self) {
        // One liar is what three of four bear.
        if self.members.contains(&Condition::Lying) {
            return;
        }
        let Some(m) = self.pick(Condition::Up) else { return };
        self.say(format_args!("f{} lies from now on", m + 1));
        self.fed.kill(m);
        self.fed.start_as(m, liar::ROLE, LIAR_DIR);
        self.members[m] = Condition::Lying;
    }

    fn revive(&mut self) {
        let away: Vec<usize> = (0..MEMBERS).filter(|m| self.members[*m] != Condition::Up).collect();
        let Some(m) = away.choose(&mut self.rng).copied() else { return };
        self.bring_back(m);
    }

    /// Whatever it was, from now on it is a member that runs.
    pub fn bring_back(&mut self, m: usize) {
        self.say(format_args!("f{} is back ({:?})", m + 1, self.members[m]));
        match self.members[m] {
            Condition::Up => {}
            Condition::Stopped => self.fed.signal(m, "CONT"),
            Condition::Dead => self.fed.start(m),
            Condition::Lying => {
                self.fed.kill(m);
                self.fed.start(m);
            }
        }
        self.members[m] = Condition::Up;
    }
}
