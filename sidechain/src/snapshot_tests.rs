use super::*;
use crate::fixture::{genesis, seed};
use crate::{ChainStore, follow_into, fuzzing};
use windlass_ledger::{BitcoinInputs, Block, MemoryState, genesis_state};

/// A chain of blocks in a file, followed from its genesis.
fn chain(dir: &Path, height: u64) -> Arc<ChainStore> {
    let store = Store::open(dir.join("chain.redb")).expect("a file");
    let chain = ChainStore::open(store, Arc::new(genesis())).expect("a chain");
    for _ in 0..height {
        let next = next(&chain);
        follow_into(&chain, [next]).expect("followed");
    }
    chain
}

/// The block after the tip, and its certificate.
fn next(chain: &ChainStore) -> (Block, Vec<u8>) {
    let genesis = genesis();
    let (block, _, _) =
        windlass_ledger::build(&genesis, &chain.view(), &chain.tip(), BitcoinInputs::default(), Vec::new())
            .expect("a block");
    let certificate = fuzzing::certificate(&[seed(0), seed(1), seed(3)], &genesis, &block);
    (block, certificate)
}

fn bytes(chain: &ChainStore) -> Vec<u8> {
    pieces(chain).expect("a snapshot").map(|piece| piece.expect("readable")).collect::<Vec<_>>().concat()
}

#[test]
fn a_chain_goes_on_from_a_snapshot_and_says_so() {
    let (old, new) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    let from = chain(old.path(), 5);
    let snapshot = bytes(&from);
    let path = new.path().join("chain.redb");
    // A process that died in the middle left this.
    std::fs::write(new.path().join("chain.redb.restoring"), b"half").expect("written");
    let header = restore(&path, &genesis(), snapshot.as_slice()).expect("restored");
    assert_eq!(header, from.tip());
    assert!(!new.path().join("chain.redb.restoring").exists());

    let open = || ChainStore::open(Store::open(&path).expect("a file"), Arc::new(genesis())).expect("a chain");
    let restored = open();
    assert_eq!(restored.tip(), from.tip());
    assert_eq!(restored.base(), Some(&crate::Base { header, signers: vec![0, 1, 3] }));
    assert_eq!(from.base(), None);
    assert_eq!(restored.block(header.height).expect("readable"), None);
    // It goes on block by block, and can be asked for a snapshot itself.
    assert_eq!(bytes(&restored), snapshot);
    let block = next(&from);
    follow_into(&from, [block.clone()]).expect("followed");
    follow_into(&restored, [block]).expect("followed");
    assert_eq!(restored.tip(), from.tip());
    assert_eq!(bytes(&restored), bytes(&from));
    drop(restored);
    assert_eq!(open().base().map(|base| base.header), Some(header));
    let refused = restore(&path, &genesis(), snapshot.as_slice());
    assert!(matches!(refused, Err(SnapshotError::Begun(_))), "{refused:?}");
}

#[test]
fn no_byte_of_a_snapshot_may_differ() {
    let dir = tempfile::tempdir().expect("a directory");
    let good = bytes(&chain(dir.path(), 2));
    let genesis = genesis();
    assert!(fuzzing::snapshot(&genesis, &good).is_some());
    for place in 0..good.len() {
        let mut bad = good.clone();
        bad[place] ^= 1;
        assert!(fuzzing::snapshot(&genesis, &bad).is_none(), "byte {place}");
        assert!(fuzzing::snapshot(&genesis, &good[..place]).is_none(), "cut at {place}");
    }
    assert!(fuzzing::snapshot(&genesis, &[good, vec![0]].concat()).is_none(), "one more byte");
}

#[test]
fn what_is_refused_leaves_no_file_and_says_why() {
    let dir = tempfile::tempdir().expect("a directory");
    let from = chain(dir.path(), 2);
    let good = bytes(&from);
    let path = dir.path().join("other.redb");
    let refused = |genesis: &Genesis, bytes: &[u8]| {
        let error = restore(&path, genesis, bytes).expect_err("refused");
        let left = std::fs::read_dir(dir.path()).expect("readable").flatten().map(|entry| entry.file_name());
        let left: Vec<_> = left.filter(|name| name.to_string_lossy().starts_with("other")).collect();
        assert!(left.is_empty(), "{left:?}");
        error
    };
    let foreign = Genesis { threshold: 4, ..genesis() };
    assert!(matches!(refused(&foreign, &good), SnapshotError::OtherChain { .. }));
    assert!(matches!(refused(&genesis(), b"wlstate2____"), SnapshotError::Malformed(_)));
    assert!(matches!(refused(&genesis(), &good[..good.len() - 4]), SnapshotError::Read(_)));
    let long = [&MAGIC[..], &u32::MAX.to_le_bytes()].concat();
    assert!(matches!(refused(&genesis(), &long), SnapshotError::Malformed(_)));

    // Whole, but two of four are no quorum; and the rows of another block.
    let block = next(&from).0;
    let state = |height: u64| {
        let mut state = MemoryState::default();
        state.commit(&genesis_state(&genesis()).0);
        for _ in 0..height {
            let tip = windlass_ledger::query::tip(&state).expect("memory");
            let built = windlass_ledger::build(&genesis(), &state, &tip, BitcoinInputs::default(), Vec::new());
            state.commit(&built.expect("a block").1.changes);
        }
        state
    };
    let certificate = fuzzing::certificate(&[seed(0), seed(1), seed(2)], &genesis(), &block);
    let unsigned = fuzzing::snapshot_of(state(2), certificate);
    assert!(matches!(refused(&genesis(), &unsigned), SnapshotError::Certificate(_)));
    let mut poor = state(2);
    let mut more = windlass_ledger::ChangeSet::default();
    more.put(b"sz".to_vec(), Vec::new());
    poor.commit(&more);
    let certificate = from.certificate(from.tip().height).expect("readable").expect("there");
    let padded = fuzzing::snapshot_of(poor, certificate);
    let error = refused(&genesis(), &padded);
    assert!(matches!(error, SnapshotError::Rows { source: RestoreError::Root { .. }, .. }), "{error:?}");
    let begun = tempfile::tempdir().expect("a directory");
    assert!(matches!(pieces(&chain(begun.path(), 0)), Err(SnapshotError::Genesis)));
}
