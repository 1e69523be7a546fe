//! What is remembered changes no verdict.

use super::*;
use crate::fixture::{FakeBitcoin, confirm_batch_in, deposit, genesis, keypair, transfer};
use crate::ports::BitcoinPort as _;
use bitcoin::Amount;
use windlass_ledger::{
    BitcoinInputs, Clause, Header, LeafWitness, MemoryState, Output, Policy, PolicyWitness, TxBody, Witness, apply,
    apply_checked, build, genesis_state,
};
use windlass_types::ChainId;

/// A state in which the accounts 1 and 2 have coins.
fn funded() -> (MemoryState, Header) {
    let (bitcoin, genesis) = (FakeBitcoin::default(), genesis());
    let mut state = MemoryState::default();
    let (changes, mut tip) = genesis_state(&genesis);
    state.commit(&changes);
    let claims = deposit(&bitcoin, &genesis, &[1, 2], Amount::from_sat(1_000_000));
    for transactions in [claims, Vec::new()] {
        let view: Arc<dyn windlass_ledger::StateRead> = Arc::new(state.clone());
        let inputs = futures::executor::block_on(bitcoin.propose(view, tip));
        let (_, applied, left_out) = build(&genesis, &state, &tip, inputs, transactions).expect("a block");
        assert!(left_out.is_empty(), "{left_out:?}");
        state.commit(&applied.changes);
        tip = applied.header;
        confirm_batch_in(&bitcoin, &genesis, &state);
    }
    (state, tip)
}

/// A block with these transactions, and the header that a member would give it.
fn block(state: &MemoryState, tip: &Header, transactions: Vec<Transaction>) -> Block {
    let (mut block, _, _) =
        build(&genesis(), state, tip, BitcoinInputs::default(), transactions.clone()).expect("a block");
    block.transactions = transactions;
    block.header.body_root = block.body_root();
    block
}

fn caches(blocks: &[(&'static str, Block)]) -> Vec<(&'static str, Signatures)> {
    let on = Signatures::new(MAX_REMEMBERED);
    let off = Signatures::new(0);
    let small = Signatures::new(1);
    // An attacker has this member see all of its transactions, the forged ones too, for other chains as well.
    let primed = Signatures::new(MAX_REMEMBERED);
    for (_, block) in blocks {
        drop(primed.of_block(block));
        for mut transaction in block.transactions.clone() {
            for checked in primed.check(vec![transaction.clone()]).into_iter().flatten() {
                primed.remember(&checked);
            }
            transaction.chain = ChainId(Digest([7; 32]));
            drop(primed.check(vec![transaction]));
        }
    }
    let after_restart = Signatures::new(MAX_REMEMBERED);
    vec![("on", on), ("off", off), ("small", small), ("primed", primed), ("after a restart", after_restart)]
}

#[test]
fn case_02_blocks_are_judged_alike_with_any_cache() {
    let ((state, tip), genesis) = (funded(), genesis());
    let list: Vec<Transaction> = (0..6).map(|nonce| transfer(&genesis, 1, 2, nonce, 10)).collect();
    let with = |change: &dyn Fn(&mut Vec<Transaction>)| {
        let mut list = list.clone();
        change(&mut list);
        block(&state, &tip, list)
    };
    let blocks = [
        ("good", with(&|_| {})),
        ("forged", with(&|list| list[5].witness = Witness::Key([3; 64]))),
        ("signed by another", with(&|list| list[2].witness = transfer(&genesis, 2, 1, 0, 10).witness)),
        ("another's signature moved", with(&|list| list[4].witness = list[3].witness.clone())),
        ("of another chain", with(&|list| list[0].chain = ChainId(Digest([7; 32])))),
        ("other outputs", with(&|list| list[1].body = transfer(&genesis, 1, 3, 1, 10).body)),
        ("twice", with(&|list| list.push(list[0].clone()))),
    ];
    for (cache, signatures) in caches(&blocks) {
        for round in 0..2 {
            for (name, block) in &blocks {
                let plain = apply(&genesis, &state, &tip, block);
                assert_eq!(plain.is_ok(), *name == "good", "{name}: {plain:?}");
                let known = signatures.of_block(block);
                let with = apply_checked(&genesis, &state, &tip, block, &known);
                assert_eq!(with, plain, "{name}, cache {cache}, round {round}");
            }
        }
    }
}

fn x_only(seed: u8) -> [u8; 32] {
    keypair(seed).x_only_public_key().0.serialize()
}

/// Two of the keys 1 to 3, or one of them late.
fn policy() -> Policy {
    let keys = || (1..4).map(|seed| Clause::Key(x_only(seed))).collect();
    let late =
        vec![Clause::Threshold { k: 1, clauses: keys() }, Clause::After(windlass_types::BtcHeight::new(400_000))];
    let two = Clause::Threshold { k: 2, clauses: keys() };
    let late = Clause::Threshold { k: 2, clauses: late };
    Policy::new(Clause::Threshold { k: 1, clauses: vec![two, late] }).expect("a good policy")
}

/// Pays from the policy account; `seeds` sign: two, or one late.
fn spend(nonce: u64, seeds: &[u8]) -> Transaction {
    let outputs = vec![Output::btc(crate::fixture::account(1), Amount::from_sat(10))];
    let from = policy().account();
    let body = TxBody::Transfer { from, nonce, outputs, fee: Amount::ZERO, memo: Vec::new(), expiry: None };
    let mut transaction = Transaction { chain: genesis().chain_id(), body, witness: Witness::None };
    let id = transaction.id();
    let witness = PolicyWitness::satisfy(policy(), |leaf| match leaf {
        Clause::Key(key) => {
            let seed = seeds.iter().find(|seed| x_only(**seed) == *key)?;
            Some(LeafWitness::signature(&id, &keypair(*seed)))
        }
        _ => (seeds.len() == 1).then_some(LeafWitness::Reached),
    });
    transaction.witness = Witness::Policy(Box::new(witness.expect("enough")));
    transaction
}

fn edit(transaction: &mut Transaction, change: impl FnOnce(&mut Vec<LeafWitness>)) {
    if let Witness::Policy(witness) = &mut transaction.witness {
        change(&mut witness.leaves);
    }
}

#[test]
fn case_02_blocks_of_policies_are_judged_alike_with_any_cache() {
    let ((mut state, tip), genesis) = (funded(), genesis());
    let pay = TxBody::Transfer {
        from: crate::fixture::account(1),
        nonce: 0,
        outputs: vec![Output::btc(policy().account(), Amount::from_sat(1_000))],
        fee: Amount::ZERO,
        memo: Vec::new(),
        expiry: None,
    };
    let pay = Transaction::signed(genesis.chain_id(), pay, &keypair(1));
    let (_, applied, left_out) = build(&genesis, &state, &tip, BitcoinInputs::default(), vec![pay]).expect("a block");
    assert!(left_out.is_empty(), "{left_out:?}");
    state.commit(&applied.changes);
    let tip = applied.header;
    let list: Vec<Transaction> = (0..6).map(|nonce| spend(nonce, &[1, 2])).collect();
    let with = |change: &dyn Fn(&mut Vec<Transaction>)| {
        let mut list = list.clone();
        change(&mut list);
        block(&state, &tip, list)
    };
    let blocks = [
        ("good", with(&|_| {})),
        ("good, by others", with(&|list| list[3] = spend(3, &[2, 3]))),
        // All that needs no state holds, so it may be remembered, under the same id as a good one.
        ("too early", with(&|list| list[3] = spend(3, &[2]))),
        ("a signature forged", with(&|list| edit(&mut list[5], |leaves| leaves[0] = LeafWitness::Signature([3; 64])))),
        ("a signature left out", with(&|list| edit(&mut list[5], |leaves| leaves[0] = LeafWitness::Unused))),
        ("one too many", with(&|list| edit(&mut list[5], |leaves| leaves[3] = leaves[0]))),
        ("the signatures swapped", with(&|list| edit(&mut list[5], |leaves| leaves.swap(0, 1)))),
        ("another's witness", with(&|list| list[4].witness = list[3].witness.clone())),
        ("a lone signature", with(&|list| list[4].witness = transfer(&genesis, 1, 2, 4, 10).witness)),
        ("none", with(&|list| list[4].witness = Witness::None)),
        ("of another chain", with(&|list| list[0].chain = ChainId(Digest([7; 32])))),
        ("twice", with(&|list| list.push(list[0].clone()))),
    ];
    for (cache, signatures) in caches(&blocks) {
        for round in 0..2 {
            for (name, block) in &blocks {
                let plain = apply(&genesis, &state, &tip, block);
                assert_eq!(plain.is_ok(), name.starts_with("good"), "{name}: {plain:?}");
                let known = signatures.of_block(block);
                let with = apply_checked(&genesis, &state, &tip, block, &known);
                assert_eq!(with, plain, "{name}, cache {cache}, round {round}");
            }
        }
    }
}

#[test]
fn a_signature_is_checked_once() {
    let ((state, tip), genesis) = (funded(), genesis());
    let list: Vec<Transaction> = (0..6).map(|nonce| transfer(&genesis, 1, 2, nonce, 10)).collect();
    let signatures = Signatures::new(MAX_REMEMBERED);
    let first: Vec<_> = signatures.check(list.clone()).into_iter().flatten().collect();
    assert_eq!(first.len(), 6);
    assert!(first.iter().all(|checked| signatures.find(&checked.leaf()).is_none()), "a check alone is not kept");
    first.iter().for_each(|checked| signatures.remember(checked));
    let block = block(&state, &tip, list);
    for (known, first) in signatures.of_block(&block).into_iter().zip(&first) {
        assert!(Arc::ptr_eq(&known.expect("good"), first), "the very one that was checked before");
    }
}

#[test]
fn what_is_remembered_is_bounded() {
    let genesis = genesis();
    let signatures = Signatures::new(4);
    let list: Vec<Transaction> = (0..20).map(|nonce| transfer(&genesis, 1, 2, nonce, 10)).collect();
    for checked in signatures.check(list).into_iter().flatten() {
        signatures.remember(&checked);
        let known = signatures.lock();
        assert!(known.young.len() <= 4 && known.old.len() <= 4);
    }
}
