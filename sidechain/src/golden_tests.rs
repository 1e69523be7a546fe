//! A chain on disk as this version writes it, kept in `golden/chain.txt`: one row a line, `table key value`. A later version
//! opens these rows, or refuses them by name and says so in the changelog. After a wanted change:
//! `WINDLASS_GOLDEN=write cargo test --workspace --lib -- case_39`, then read the difference.

use crate::chain_store::{ChainStore, ChainStoreError, Finalised, TABLES};
use crate::fixture::{FakeBitcoin, account, confirm_batch_in, deposit, genesis, keypair, peg_out, transfer};
use crate::ports::BitcoinPort as _;
use bitcoin::{Amount, ScriptBuf};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use windlass_ledger::{BitcoinInputs, Block, Transaction, build, query, smt};
use windlass_store::{Store, Writes};
use windlass_types::SideHeight;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/golden/chain.txt");

fn block(chain: &ChainStore, inputs: BitcoinInputs, transactions: Vec<Transaction>) {
    let (block, applied, left_out) =
        build(chain.genesis(), &*chain.view(), &chain.tip(), inputs, transactions).expect("a block");
    assert_eq!(left_out, []);
    let (block, applied) = (Arc::new(block), Arc::new(applied));
    chain.commit(&[Finalised { block, certificate: vec![7; 3], applied }]).expect("room");
}

fn consume(chain: &ChainStore, bitcoin: &FakeBitcoin, transactions: Vec<Transaction>) {
    let inputs = futures::executor::block_on(bitcoin.propose(chain.view(), chain.tip()));
    block(chain, inputs, transactions);
}

/// A deposit, its mint, a transfer, and a peg-out that waits.
fn live(chain: &ChainStore) {
    let (bitcoin, genesis) = (FakeBitcoin::default(), genesis());
    let claims = deposit(&bitcoin, &genesis, &[1], Amount::from_sat(5_000_000));
    consume(chain, &bitcoin, claims);
    assert!(confirm_batch_in(&bitcoin, &genesis, &*chain.view()), "the batch is due");
    consume(chain, &bitcoin, vec![]);
    block(chain, BitcoinInputs::default(), vec![transfer(&genesis, 1, 2, 0, 1_000)]);
    let script = ScriptBuf::new_p2tr_tweaked(bitcoin::key::TweakedPublicKey::dangerous_assume_tweaked(
        keypair(9).x_only_public_key().0,
    ));
    block(chain, BitcoinInputs::default(), vec![peg_out(&genesis, 1, 1, 50_000, &script)]);
}

fn open(dir: &Path) -> Arc<Store> {
    Store::open(dir.join("chain.redb")).expect("a new store")
}

fn rows(store: &Store) -> String {
    let mut text = String::new();
    for table in TABLES {
        for (key, value) in store.scan(table, b"").expect("reads") {
            writeln!(text, "{table} {} {}", hex::encode(key), hex::encode(value)).expect("memory");
        }
    }
    text
}

fn fill(store: &Store, text: &str) {
    let mut writes = Writes::new();
    for line in text.lines() {
        let row: Vec<&str> = line.split(' ').collect();
        let [table, key, value] = row[..] else { panic!("no row: {line}") };
        writes.add_put(table, &hex::decode(key).expect("hex"), &hex::decode(value).expect("hex"));
    }
    store.commit(writes).expect("room");
}

#[test]
fn case_39_a_chain_is_written_as_it_was() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    live(&ChainStore::open(store.clone(), Arc::new(genesis())).expect("a new chain"));
    let written = rows(&store);
    if std::env::var_os("WINDLASS_GOLDEN").is_some_and(|value| value == "write") {
        std::fs::write(GOLDEN, &written).expect("written");
    }
    let known = std::fs::read_to_string(GOLDEN).unwrap_or_default();
    for (written, known) in written.lines().zip(known.lines()) {
        assert_eq!(written, known);
    }
    assert_eq!(written.lines().count(), known.lines().count());
}

#[test]
fn case_39_a_chain_that_was_written_is_opened_and_goes_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    fill(&store, &std::fs::read_to_string(GOLDEN).expect("it is kept"));
    let chain = ChainStore::open(store, Arc::new(genesis())).expect("its rows are read");
    let tip = chain.tip();
    assert_eq!(tip.height, SideHeight::new(4));
    assert_eq!(smt::root(&*chain.view()), Ok(tip.state_root));
    assert_eq!(query::balance(&*chain.view(), &account(2)), Ok(Amount::from_sat(1_000)));
    for height in 1..=4 {
        let (block, certificate) = chain.block(SideHeight::new(height)).expect("reads").expect("there");
        assert_eq!((block.header.height, certificate), (SideHeight::new(height), vec![7; 3]));
        let again = Block::decode(&block.encode()).expect("decodes");
        assert_eq!(again.digest(), block.digest());
        for (index, transaction) in (0..).zip(&block.transactions) {
            let place = chain.location(&transaction.id()).expect("reads").expect("there");
            assert_eq!((place.height, place.index), (block.header.height, index));
        }
    }
    block(&chain, BitcoinInputs::default(), vec![transfer(&genesis(), 2, 1, 0, 10)]);
    assert_eq!(chain.tip().height, SideHeight::new(5));
}

/// Of other rules: the genesis has their version, so it is another chain, and is named.
#[test]
fn case_39_a_chain_of_other_rules_is_refused_by_name() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    fill(&store, &std::fs::read_to_string(GOLDEN).expect("it is kept"));
    let mut other = genesis();
    other.version += 1;
    let expected = other.chain_id();
    match ChainStore::open(store, Arc::new(other)) {
        Err(ChainStoreError::OtherChain { expected: named, .. }) => assert_eq!(named, expected),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("opened"),
    }
}
