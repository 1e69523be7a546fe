//! The wallet against a real bitcoind.

mod common;

use bitcoin::{Amount, FeeRate, Network, Psbt};
use common::Rig;
use std::sync::Arc;
use windlass_chain::{BroadcastError, BuildError, Quantity, SendError, Wallet, WalletSync};
use windlass_store::Store;
use windlass_types::BtcHeight;

const RATE: FeeRate = FeeRate::from_sat_per_kwu(500);
const REWARD: Amount = Amount::from_sat(5_000_000_000);

struct Side {
    wallet: Arc<Wallet>,
    sync: WalletSync,
    dir: tempfile::TempDir,
}

fn open(dir: &tempfile::TempDir, seed: u8) -> Arc<Wallet> {
    let store = Store::open(dir.path().join("wallet.redb")).expect("a store");
    Wallet::open(&[seed; 32], Network::Regtest, store).expect("a wallet")
}

fn side(rig: &Rig, seed: u8) -> Side {
    let dir = tempfile::tempdir().expect("a directory");
    let wallet = open(&dir, seed);
    let sync = WalletSync::new(wallet.clone(), rig.bitcoind.clone());
    Side { wallet, sync, dir }
}

impl Side {
    async fn step(&mut self) {
        self.sync.step().await.expect("steps");
    }

    /// What a crash leaves: no flush, no goodbye.
    async fn again(self, rig: &Rig, seed: u8) -> Self {
        let Self { wallet, sync, dir } = self;
        drop((sync, wallet));
        let wallet = open(&dir, seed);
        let sync = WalletSync::new(wallet.clone(), rig.bitcoind.clone());
        Self { wallet, sync, dir }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn receives_sends_and_remembers() {
    let mut rig = Rig::start().await;
    let (mut alice, mut bob) = (side(&rig, 1), side(&rig, 2));
    let to = bob.wallet.address().expect("an address");
    let short = alice.wallet.build(&to.script_pubkey(), Quantity::Exact(REWARD), RATE).expect_err("empty");
    assert!(matches!(short, BuildError::InsufficientFunds { have: Amount::ZERO, .. }), "{short}");

    rig.miner.mine(1, &alice.wallet.address().expect("an address")).await.expect("mines");
    alice.step().await;
    assert_eq!((alice.wallet.balance().immature, alice.wallet.balance().spendable()), (REWARD, Amount::ZERO));
    let early = alice.wallet.build(&to.script_pubkey(), Quantity::All, RATE).expect_err("too young");
    assert!(matches!(early, BuildError::InsufficientFunds { waiting: REWARD, .. }), "{early}");
    rig.miner.mine(100, &rig.burn()).await.expect("mines");
    alice.step().await;
    assert_eq!(alice.wallet.balance().spendable(), REWARD);

    // Too much, dust, and then a payment.
    let script = to.script_pubkey();
    let much = alice.wallet.build(&script, Quantity::Exact(REWARD), RATE).expect_err("no room for the fee");
    assert!(matches!(much, BuildError::InsufficientFunds { have: REWARD, need, .. } if need > REWARD), "{much}");
    let dust = alice.wallet.build(&script, Quantity::Exact(Amount::from_sat(329)), RATE).expect_err("dust");
    assert!(matches!(dust, BuildError::Dust { least, .. } if least == Amount::from_sat(330)), "{dust}");
    let sent = alice.wallet.send(&rig.bitcoind, &script, Quantity::Exact(Amount::ONE_BTC), RATE).await.expect("sent");
    assert_eq!((sent.amount, sent.transaction.output[sent.vout as usize].value), (Amount::ONE_BTC, Amount::ONE_BTC));
    let vbytes = sent.transaction.vsize() as u64;
    assert!((vbytes * 2..=vbytes * 2 + 4).contains(&sent.fee.to_sat()), "{} for {vbytes} vB", sent.fee);
    assert_eq!(rig.bitcoind.broadcast(&sent.transaction).await, Ok(sent.transaction.compute_txid()), "again is fine");
    assert_eq!(alice.wallet.balance().pending_change, REWARD - Amount::ONE_BTC - sent.fee);
    bob.step().await;
    assert_eq!(bob.wallet.balance().pending_incoming, Amount::ONE_BTC);
    // Crashes before the block comes; the change can be spent meanwhile.
    let mut alice = alice.again(&rig, 1).await;
    let mut bob = bob.again(&rig, 2).await;
    alice.wallet.send(&rig.bitcoind, &script, Quantity::Exact(Amount::ONE_BTC), RATE).await.expect("chained");
    rig.miner.mine(1, &rig.burn()).await.expect("mines");
    assert_eq!(rig.bitcoind.broadcast(&sent.transaction).await, Ok(sent.transaction.compute_txid()), "in a block");
    alice.step().await;
    bob.step().await;
    assert_eq!(bob.wallet.balance().confirmed, Amount::ONE_BTC * 2);
    let listed = bob.wallet.transaction(sent.transaction.compute_txid()).expect("known");
    assert_eq!(listed.confirmed.map(|at| at.height), Some(BtcHeight::new(102)));
    assert_eq!((listed.spent, listed.received), (Amount::ZERO, Amount::ONE_BTC));
    let listed = alice.wallet.transaction(sent.transaction.compute_txid()).expect("known");
    assert_eq!((listed.spent, listed.fee), (REWARD, Some(sent.fee)));

    // All of it, over a bitcoind that is down at first.
    rig.down().await;
    let home = alice.wallet.address().expect("an address").script_pubkey();
    let error = bob.wallet.send(&rig.bitcoind, &home, Quantity::All, RATE).await.expect_err("down");
    assert!(matches!(&error, SendError::Broadcast(BroadcastError::Rpc(rpc)) if rpc.is_unreachable()), "{error}");
    rig.up().await;
    let all = bob.wallet.send(&rig.bitcoind, &home, Quantity::All, RATE).await.expect("sent");
    assert_eq!(all.amount + all.fee, Amount::ONE_BTC * 2);
    rig.miner.mine(1, &rig.burn()).await.expect("mines");
    bob.step().await;
    assert_eq!(bob.wallet.balance().total(), Amount::ZERO);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_survives_reorganisations_and_is_dropped_when_double_spent() {
    let rig = Rig::start().await;
    let (mut alice, mut bob) = (side(&rig, 1), side(&rig, 2));
    rig.miner.mine(1, &alice.wallet.address().expect("an address")).await.expect("mines");
    rig.miner.mine(100, &rig.burn()).await.expect("mines");
    alice.step().await;
    let script = bob.wallet.address().expect("an address").script_pubkey();
    let sent = alice.wallet.send(&rig.bitcoind, &script, Quantity::Exact(Amount::ONE_BTC), RATE).await.expect("sent");
    let paid_in = rig.miner.mine(1, &rig.burn()).await.expect("mines")[0];
    rig.miner.mine(2, &rig.burn()).await.expect("mines");
    bob.step().await;
    assert_eq!(bob.wallet.balance().confirmed, Amount::ONE_BTC);

    // Three blocks back, and it isn't in the new ones: it waits in the mempool again.
    rig.miner.invalidate(paid_in).await.expect("invalidated");
    for _ in 0..4 {
        rig.miner.mine_empty(&rig.burn()).await.expect("mines");
    }
    bob.step().await;
    assert_eq!(
        (bob.wallet.balance().confirmed, bob.wallet.balance().pending_incoming),
        (Amount::ZERO, Amount::ONE_BTC)
    );
    let mut bob = bob.again(&rig, 2).await;
    rig.miner.mine(1, &rig.burn()).await.expect("mines");
    bob.step().await;
    assert_eq!(bob.wallet.balance().confirmed, Amount::ONE_BTC);

    // And back again; this time another transaction of the same coin wins.
    let tip = rig.bitcoind.tip().await.expect("a tip");
    rig.miner.invalidate(tip.hash()).await.expect("invalidated");
    let coin = sent.transaction.input[0].previous_output;
    let mut other = sent.transaction.clone();
    other.output =
        vec![bitcoin::TxOut { value: REWARD - Amount::from_sat(10_000), script_pubkey: rig.burn().script_pubkey() }];
    let before = rig.bitcoind.confirmed_utxo(coin).await.expect("answers").expect("unspent again");
    let prevout = bitcoin::TxOut { value: before.value, script_pubkey: before.script };
    alice.wallet.sign_inputs(&mut other, &[prevout]).expect("signed");
    rig.bitcoind.broadcast(&other).await.expect("replaces it");
    rig.miner.mine(2, &rig.burn()).await.expect("mines");
    bob.step().await;
    assert_eq!(bob.wallet.balance().total(), Amount::ZERO);
    let bob = bob.again(&rig, 2).await;
    assert_eq!(bob.wallet.balance().total(), Amount::ZERO);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_channels_need() {
    let rig = Rig::start().await;
    let mut alice = side(&rig, 1);
    rig.miner.mine(2, &alice.wallet.address().expect("an address")).await.expect("mines");
    rig.miner.mine(98, &rig.burn()).await.expect("mines");
    alice.step().await;
    let coins = alice.wallet.confirmed_utxos();
    assert_eq!(coins.len(), 1, "the second reward is 100 blocks old only with the next block: {coins:?}");
    rig.miner.mine(1, &rig.burn()).await.expect("mines");
    alice.step().await;
    let coins = alice.wallet.confirmed_utxos();
    assert_eq!(coins.len(), 2);

    // Two built at once never share a coin, and a released coin is free again.
    let script = rig.burn().script_pubkey();
    let first = alice.wallet.build(&script, Quantity::Exact(Amount::ONE_BTC), RATE).expect("built");
    let second = alice.wallet.build(&script, Quantity::Exact(Amount::ONE_BTC), RATE).expect("built");
    assert_ne!(first.transaction.input[0].previous_output, second.transaction.input[0].previous_output);
    let third = alice.wallet.build(&script, Quantity::Exact(Amount::ONE_BTC), RATE).expect_err("all are held");
    assert!(matches!(third, BuildError::InsufficientFunds { have: Amount::ZERO, .. }), "{third}");
    alice.wallet.release(&second.transaction);
    alice.wallet.release(&first.transaction);
    let built: Vec<_> = std::thread::scope(|scope| {
        let build = || alice.wallet.build(&script, Quantity::Exact(Amount::ONE_BTC), RATE);
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(build)).collect();
        threads.into_iter().filter_map(|thread| thread.join().expect("no panic").ok()).collect()
    });
    assert_eq!(built.len(), 2, "two coins make two payments, however many ask at once");
    built.iter().for_each(|one| alice.wallet.release(&one.transaction));
    let coin = alice.wallet.confirmed_utxos().pop().expect("one is free");

    // A PSBT made elsewhere, with our coin and our change.
    let change = alice.wallet.change_script().expect("a script");
    assert!(alice.wallet.is_mine(&change) && !alice.wallet.is_mine(&script));
    let fee = Amount::from_sat(1_000);
    let unsigned = bitcoin::Transaction {
        version: bitcoin::transaction::Version::TWO,
        lock_time: bitcoin::absolute::LockTime::ZERO,
        input: vec![bitcoin::TxIn { previous_output: coin.outpoint, ..Default::default() }],
        output: vec![bitcoin::TxOut { value: coin.output.value - fee, script_pubkey: change }],
    };
    let mut psbt = Psbt::from_unsigned_tx(unsigned).expect("unsigned");
    assert!(alice.wallet.sign_psbt(&psbt).is_err(), "no word about the coin");
    psbt.inputs[0].witness_utxo = Some(coin.output.clone());
    let signed = alice.wallet.sign_psbt(&psbt).expect("signed");
    assert_eq!(rig.bitcoind.test_accept(&signed).await, Ok(Ok(())));
    let weight = signed.input[0].segwit_weight() - bitcoin::TxIn::default().legacy_weight();
    assert_eq!(weight, coin.satisfaction_weight);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_seed_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    drop(open(&dir, 1));
    let store = Store::open(dir.path().join("wallet.redb")).expect("a store");
    assert!(Wallet::open(&[2; 32], Network::Regtest, store).is_err());
}
