//! Case 5: the books hold under random operations, and at the ends of the number range; and no
//! bytes make a decoder panic or pass for a block.

use crate::testkit::{Net, account, bitcoin_tx, keypair, sat, terms, wpkh};
use crate::{
    ApplyError, AssetTerms, BatchState, BitcoinInputs, Block, ClaimError, DepositClaim, DepositState, Genesis,
    InvariantError, Output, PegOutState, ScriptError, Transaction, TxBody, TxError, build, query,
};
use bitcoin::{Amount, OutPoint, Transaction as BitcoinTx};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use windlass_types::BtcHeight;

#[derive(Debug, Clone)]
enum Op {
    Deposit { who: u8, amount: u64 },
    Claim { index: usize },
    Transfer { from: u8, to: u8, amount: u64 },
    PegOut { from: u8, amount: u64, tag: u8 },
    EverybodyOut,
    Mine,
    MineBatch,
    Reclaim { index: usize },
    Reorg { blocks: usize },
    Block,
}

fn op() -> impl Strategy<Value = Op> {
    let who = 1..5_u8;
    prop_oneof![
        3 => (who.clone(), 9_000..2_000_000_u64).prop_map(|(who, amount)| Op::Deposit { who, amount }),
        4 => any::<usize>().prop_map(|index| Op::Claim { index }),
        2 => (who.clone(), 1..5_u8, 0..1_500_000_u64).prop_map(|(from, to, amount)| Op::Transfer { from, to, amount }),
        3 => (who, 9_000..1_500_000_u64, 0..3_u8)
            .prop_map(|(from, amount, tag)| Op::PegOut { from, amount, tag }),
        1 => Just(Op::EverybodyOut),
        3 => Just(Op::Mine),
        4 => Just(Op::MineBatch),
        1 => any::<usize>().prop_map(|index| Op::Reclaim { index }),
        1 => (1..3_usize).prop_map(|blocks| Op::Reorg { blocks }),
        5 => Just(Op::Block),
    ]
}

/// A sidechain at depth 3, and who paid what to where on Bitcoin.
struct World {
    net: Net,
    /// Deposit transactions by their coin.
    deposits: Vec<(BitcoinTx, u8)>,
    pending: Vec<Transaction>,
}

impl World {
    fn new() -> Self {
        let mut net = Net::new();
        net.depth = 3;
        Self { net, deposits: vec![], pending: vec![] }
    }

    /// The coins that Bitcoin has unspent, up to and with `height`.
    fn unspent(&self, height: BtcHeight) -> BTreeMap<OutPoint, Amount> {
        let mut coins = BTreeMap::new();
        for (_, block) in self.net.bitcoin.iter().filter(|(at, _)| *at <= height) {
            for tx in &block.txdata {
                for input in &tx.input {
                    coins.remove(&input.previous_output);
                }
                let txid = tx.compute_txid();
                let outputs = tx.output.iter().enumerate();
                coins.extend(outputs.map(|(vout, out)| (OutPoint { txid, vout: vout as u32 }, out.value)));
            }
        }
        coins
    }

    fn tip(&self) -> BtcHeight {
        self.net.bitcoin.last().expect("never empty").0
    }

    /// Mines `tx` if Bitcoin could.
    fn mine(&mut self, tx: BitcoinTx) {
        let unspent = self.unspent(self.tip());
        let known = tx.input.iter().all(|input| unspent.contains_key(&input.previous_output));
        self.net.mine(if known { vec![tx] } else { vec![] });
    }

    fn run(&mut self, op: Op) {
        match op {
            Op::Deposit { who, amount } => {
                let script = terms(who, 0).spend_info(&self.net.genesis).expect("keys").script;
                let coin = self.net.coin();
                let tx = bitcoin_tx(&[coin], &[(script, sat(amount))]);
                self.deposits.push((tx.clone(), who));
                self.net.mine(vec![tx]);
            }
            Op::Claim { index } => {
                let Some((tx, who)) = self.deposits.get(index % self.deposits.len().max(1)) else { return };
                let txid = tx.compute_txid();
                let claims = self
                    .net
                    .bitcoin
                    .iter()
                    .filter_map(|(height, block)| DepositClaim::new(block, *height, txid, 0, terms(*who, 0)));
                let claims: Vec<Transaction> = claims.map(|claim| self.net.claim(claim)).collect();
                self.pending.extend(claims);
            }
            Op::Transfer { from, to, amount } => {
                let transaction = self.net.transfer(from, to, sat(amount));
                self.pending.push(transaction);
            }
            Op::PegOut { from, amount, tag } => {
                let transaction = self.net.peg_out(from, &wpkh(tag), sat(amount));
                self.pending.push(transaction);
            }
            Op::EverybodyOut => {
                let holders = (1..5).filter(|who| self.net.balance(*who) > Amount::ZERO);
                let out = holders.map(|who| self.net.peg_out(who, &wpkh(9), self.net.balance(who)));
                self.pending = out.collect();
                for op in [Op::Block, Op::MineBatch, Op::Block, Op::MineBatch, Op::Block] {
                    self.run(op);
                }
            }
            Op::Mine => drop(self.net.mine(vec![])),
            Op::MineBatch => {
                if query::batch(&self.net.state).expect("memory").is_some() {
                    let tx = self.net.batch_tx();
                    self.mine(tx);
                    self.net.mine(vec![]);
                    self.net.mine(vec![]);
                }
            }
            Op::Reclaim { index } => {
                let Some((tx, _)) = self.deposits.get(index % self.deposits.len().max(1)) else { return };
                let coin = OutPoint { txid: tx.compute_txid(), vout: 0 };
                self.mine(bitcoin_tx(&[coin], &[(wpkh(200), sat(1_000))]));
            }
            Op::Reorg { blocks } => {
                // Never below the anchor: the depth makes sure of it.
                let keep = self.net.bitcoin.len().saturating_sub(blocks);
                let anchored = self.net.bitcoin.iter().filter(|(at, _)| *at <= self.net.tip.anchor.height).count();
                self.net.bitcoin.truncate(keep.max(anchored));
            }
            Op::Block => {
                let pending = std::mem::take(&mut self.pending);
                self.net.block(pending);
                self.check();
            }
        }
    }

    fn run_all(mut self, ops: Vec<Op>) -> Self {
        for op in ops {
            self.run(op);
        }
        self.run(Op::Block);
        self
    }

    /// The treasury's coin is a real coin of Bitcoin, and each deposit and peg-out is settled by
    /// one real transaction at most.
    fn check(&self) {
        let state = &self.net.state;
        assert_eq!(query::breach(state), Ok(None));
        let unspent = self.unspent(self.net.tip.anchor.height);
        if let Some(coin) = query::treasury(state).expect("memory") {
            assert_eq!(unspent.get(&coin.outpoint), Some(&coin.amount));
        }
        let on_chain: BTreeSet<_> =
            self.net.bitcoin.iter().flat_map(|(_, b)| &b.txdata).map(|tx| tx.compute_txid()).collect();
        let (mut minted, mut paid) = (BTreeSet::new(), BTreeSet::new());
        for record in query::batches(state).expect("memory") {
            match record.state {
                BatchState::Settled { .. } => {
                    assert!(on_chain.contains(&record.batch.txid));
                    for input in &record.batch.inputs {
                        assert!(minted.insert(input.outpoint), "spent once");
                        assert!(!unspent.contains_key(&input.outpoint));
                    }
                    for payout in &record.batch.payouts {
                        assert!(paid.insert(payout.id), "paid once");
                    }
                }
                BatchState::Voided { outpoint, txid, .. } => {
                    assert!(!on_chain.contains(&record.batch.txid));
                    assert!(on_chain.contains(&txid) && !unspent.contains_key(&outpoint));
                }
                BatchState::InFlight => assert_eq!(query::batch(state), Ok(Some(record.batch))),
            }
        }
        for who in 1..5 {
            for deposit in query::deposits_of(state, &account(who)).expect("memory") {
                let is_minted = matches!(deposit.state, DepositState::Minted { .. });
                assert_eq!(is_minted, minted.contains(&deposit.outpoint));
            }
            for peg_out in query::peg_outs_of(state, &account(who)).expect("memory") {
                assert_eq!(matches!(peg_out.state, PegOutState::Paid { .. }), paid.contains(&peg_out.id));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Supply + owed = treasury after each block (`Net::check`, and `World::check` against Bitcoin
    /// itself), with reclaims, reorgs above the anchor and claims sent twice.
    /// L41, L43.
    #[test]
    fn case_05_supply_and_owed_are_the_treasury(ops in prop::collection::vec(op(), 1..90)) {
        World::new().run_all(ops);
    }
}

/// The property above is worth what it reaches: every outcome there is, in few runs.
#[test]
fn case_05_random_operations_reach_every_outcome() {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let ops = prop::collection::vec(op(), 60..90);
    let mut seen = BTreeSet::new();
    for _ in 0..40 {
        let world = World::new().run_all(ops.new_tree(&mut runner).expect("a strategy without filters").current());
        crate::restore::tests::check(&world.net);
        let state = &world.net.state;
        for record in query::batches(state).expect("memory") {
            seen.insert(match record.state {
                BatchState::InFlight => "in flight",
                BatchState::Settled { .. } if record.batch.change == Amount::ZERO => "settled without change",
                BatchState::Settled { .. } => "settled",
                BatchState::Voided { .. } => "voided",
            });
        }
        for who in 1..5 {
            for deposit in query::deposits_of(state, &account(who)).expect("memory") {
                seen.insert(match deposit.state {
                    DepositState::Claimed => "claimed",
                    DepositState::Batched { .. } => "batched",
                    DepositState::Minted { .. } => "minted",
                    DepositState::Reclaimed { .. } => "reclaimed",
                    DepositState::Lapsed { .. } => "lapsed",
                });
            }
            for peg_out in query::peg_outs_of(state, &account(who)).expect("memory") {
                seen.insert(match peg_out.state {
                    PegOutState::Pending => "pending",
                    PegOutState::Batched { .. } => "to be paid",
                    PegOutState::Paid { .. } => "paid",
                });
            }
        }
    }
    let all = [
        "batched",
        "claimed",
        "in flight",
        "minted",
        "paid",
        "pending",
        "reclaimed",
        "settled",
        "settled without change",
        "to be paid",
        "voided",
    ];
    assert_eq!(seen, BTreeSet::from(all));
}

/// L42.
#[test]
fn case_05_all_bitcoin_there_will_ever_be() {
    let mut genesis = crate::testkit::genesis();
    genesis.params.max_deposit = Amount::MAX_MONEY;
    genesis.params.max_peg_out = Amount::MAX_MONEY;
    let mut net = Net::with(genesis);
    net.fund(1, Amount::MAX_MONEY);
    let all = net.balance(1);
    assert_eq!(all, Amount::MAX_MONEY - sat(222));
    assert_eq!(
        net.refuse(net.transfer(1, 2, Amount::MAX_MONEY)),
        TxError::Insufficient { have: all, need: Amount::MAX_MONEY }
    );
    // More bitcoin than there is: no Bitcoin block can bring it, so the ledger stops, in order.
    let claim = net.deposit(&terms(2, 0), sat(1_000_000));
    let claim = net.claim(claim);
    let error = build(&net.genesis, &net.state, &net.tip, BitcoinInputs::default(), vec![claim]).expect_err("too much");
    assert_eq!(error, ApplyError::Script(ScriptError::Overflow));
    net.accept(vec![net.peg_out(1, &wpkh(1), all)]);
    net.settle();
    assert_eq!((net.tip.supply, net.tip.owed), (Amount::ZERO, Amount::ZERO));
}

/// L42.
#[test]
fn case_05_amounts_at_the_ends_of_their_type_do_not_wrap() {
    let mut net = Net::new();
    net.fund(1, sat(1_000_000));
    for amount in [u64::MAX, u64::MAX - 1, i64::MAX as u64, i64::MAX as u64 + 1, 2_100_000_000_000_001] {
        let transaction = net.transfer(1, 2, sat(amount));
        assert!(Transaction::decode(&transaction.encode()).is_err(), "no such amount decodes");
        let error = crate::check(&net.genesis, &net.state, &transaction).expect_err("refused");
        assert!(matches!(error, TxError::Overflow), "{error}");
        let outputs = vec![Output::btc(account(2), sat(amount)), Output::btc(account(2), sat(2))];
        for (outputs, fee) in [(outputs, Amount::ZERO), (vec![Output::btc(account(2), sat(5))], sat(amount))] {
            let transaction =
                net.sign(1, |from, nonce| TxBody::Transfer { from, nonce, outputs, fee, memo: vec![], expiry: None });
            assert!(matches!(crate::check(&net.genesis, &net.state, &transaction), Err(TxError::Overflow)));
        }
        let transaction = net.peg_out(1, &wpkh(1), sat(amount));
        assert!(crate::check(&net.genesis, &net.state, &transaction).is_err());
    }
}

/// L41, L43.
#[test]
fn case_05_books_that_do_not_add_up_stop_the_ledger() {
    let mut net = Net::new();
    net.fund(1, sat(1_000_000));
    // A database that gives somebody a satoshi.
    let mut totals = query::totals(&net.state).expect("memory");
    totals.supply += sat(1);
    let mut changes = crate::ChangeSet::default();
    changes.put(crate::keys::TOTALS.to_vec(), borsh::to_vec(&totals).expect("memory"));
    net.state.commit(&changes);
    let error = build(&net.genesis, &net.state, &net.tip, BitcoinInputs::default(), vec![]).expect_err("forged");
    assert!(matches!(error, ApplyError::Invariant(InvariantError::Reserve { .. })));
}

/// A block with everything in it, and the net that it applies to.
fn full_block() -> (Net, Block) {
    let mut net = Net::new();
    net.fund(1, sat(1_000_000));
    let first = net.deposit(&terms(1, 1), sat(100_000));
    net.accept(vec![net.claim(first)]);
    let second = net.deposit(&terms(2, 0), sat(200_000));
    net.mine(vec![net.batch_tx()]);
    let transfer = net.transfer(1, 2, sat(5));
    let out = Transaction::signed(
        net.genesis.chain_id(),
        TxBody::PegOut {
            from: account(1),
            nonce: 1,
            script: wpkh(1).to_bytes(),
            amount: sat(50_000),
            fee_max: sat(500),
            fee: sat(1),
            expiry: None,
        },
        &keypair(1),
    );
    let transactions = vec![transfer, out, net.claim(second)];
    let (block, _, left_out) = build(&net.genesis, &net.state, &net.tip, net.inputs(), transactions).expect("builds");
    assert!(left_out.is_empty(), "{left_out:?}");
    (net, block)
}

/// L4.
#[test]
fn every_byte_of_a_block_matters() {
    let (net, block) = full_block();
    assert!(net.apply(&block).is_ok());
    let good = block.encode();
    for index in 0..good.len() {
        for bit in [0x01, 0x80] {
            let mut bytes = good.clone();
            bytes[index] ^= bit;
            let Ok(changed) = Block::decode(&bytes) else { continue };
            assert_eq!(changed.encode(), bytes, "canonical");
            assert!(net.apply(&changed).is_err(), "byte {index} of {}", good.len());
        }
        assert!(Block::decode(&good[..index]).is_err(), "cut at {index}");
    }
    assert!(Block::decode(&[good, vec![0]].concat()).is_err(), "trailing bytes");
}

#[test]
fn a_claim_in_a_block_of_another_chain_state_is_judged_by_that_state() {
    let (mut net, block) = full_block();
    net.block(block.transactions.clone());
    let again = net.block(block.transactions);
    assert!(matches!(
        again.as_slice(),
        [(_, TxError::NonceUsed { .. }), (_, TxError::NonceUsed { .. }), (_, TxError::Claim(ClaimError::Again { .. }))]
    ));
}

proptest! {
    #[test]
    fn decoders_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        if let Ok(block) = Block::decode(&bytes) {
            prop_assert_eq!(block.encode(), &bytes[..]);
        }
        if let Ok(transaction) = Transaction::decode(&bytes) {
            prop_assert_eq!(transaction.encode(), &bytes[..]);
            prop_assert!(transaction.verify_witness().is_err());
        }
        if let Ok(genesis) = borsh::from_slice::<Genesis>(&bytes) {
            let _ = genesis.validate();
        }
        let _ = borsh::from_slice::<BitcoinInputs>(&bytes);
        let _ = borsh::from_slice::<crate::Batch>(&bytes);
        let _ = borsh::from_slice::<crate::ChangeSet>(&bytes);
        let _ = borsh::from_slice::<crate::smt::Proof>(&bytes);
    }

    /// Random bodies in a well-formed frame: no panic on the way through the rules.
    #[test]
    fn random_bodies_do_not_panic(tag in 0..9_u8, body in prop::collection::vec(any::<u8>(), 0..300)) {
        let (net, _) = thread_net();
        let chain = net.genesis.chain_id();
        let bytes = [&chain.0.0[..], &[tag], &body, &[0; 64]].concat();
        if let Ok(transaction) = Transaction::decode(&bytes) {
            prop_assert!(crate::check(&net.genesis, &net.state, &transaction).is_err());
        }
    }

    /// Several bytes of a good block changed at once.
    #[test]
    fn mangled_blocks_are_refused(edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let (net, block) = thread_net();
        let mut bytes = block.encode();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(changed) = Block::decode(&bytes) {
            prop_assert!(changed == block || net.apply(&changed).is_err());
        }
    }
}

/// [`full_block`], made once a thread.
fn thread_net() -> (Net, Block) {
    thread_local!(static NET: (Net, Block) = full_block());
    NET.with(Clone::clone)
}

#[test]
fn ids_are_pinned() {
    // Encodings of version 4: a change here is a new version of the rules.
    let net = Net::new();
    let (chain, from, fee) = (crate::testkit::genesis().chain_id(), account(1), sat(1));
    let (asset, expiry) = (windlass_types::AssetId([3; 32]), Some(windlass_types::SideHeight::new(9)));
    let terms = AssetTerms { ticker: "OIL".into(), name: "Oil".into(), decimals: 3, units: 9, reissuable: true };
    let outputs = vec![Output::btc(account(2), sat(5)), Output { to: account(2), asset, units: u64::MAX }];
    let id = |body| Transaction::signed(chain, body, &keypair(1)).id();
    let found = [
        net.genesis.chain_id().0,
        id(TxBody::Transfer { from, nonce: 7, outputs, fee, memo: b"memo".to_vec(), expiry }),
        id(TxBody::Issue { from, nonce: 7, terms, fee, expiry }),
        id(TxBody::Reissue { from, nonce: 7, asset, units: 5, fee, expiry }),
        id(TxBody::Burn { from, nonce: 7, asset, units: 5, fee, expiry }),
        net.tip.state_root,
        net.tip.digest(),
    ];
    let pinned = [
        "dbb61360917d6ac5f9a768fe48af3713cf7a5865415774c8c5850029673c9e06",
        "b9066e245de248369aeda2519883817e4ba050cea08c9bdcbcf8e014718e68f8",
        "9700d73f97c806350e4c355768212b0a06e33cdfd0130c7190096a8ceb84c607",
        "399e61785e4c7760a975142010dc4e975be3c9bc90b78f7cec644543bd09007a",
        "3ff3ce23f03cc95718ac20964f94623843672f71ce8955d0ea58f5d65a89efdc",
        "8705042a21a40a3321b7374c9eabca763373c1320272c24902f899e0f74e045b",
        "e702a388dbc497c5e8bba5e6671dda2094f7c7a6ead73940f8006a881beda1a1",
    ];
    assert_eq!(found.map(|digest| digest.to_string()), pinned);
}
