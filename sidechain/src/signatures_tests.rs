//! What is remembered changes no verdict.

use super::*;
use crate::fixture::{FakeBitcoin, confirm_batch_in, deposit, genesis, transfer};
use crate::ports::BitcoinPort as _;
use bitcoin::Amount;
use windlass_ledger::{BitcoinInputs, Header, MemoryState, apply, apply_checked, build, genesis_state};
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
        ("forged", with(&|list| list[5].signature[3] ^= 1)),
        ("signed by another", with(&|list| list[2].signature = transfer(&genesis, 2, 1, 0, 10).signature)),
        ("another's signature moved", with(&|list| list[4].signature = list[3].signature)),
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
