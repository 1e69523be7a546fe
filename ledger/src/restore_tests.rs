use super::*;
use crate::testkit::{Net, account, sat, wpkh};
use crate::{AssetTerms, MemoryState, Output, TxBody};

fn rows(state: &MemoryState) -> Vec<Entry> {
    let proper = state.iter().filter(|(key, _)| key.starts_with(keys::STATE));
    proper.map(|(key, value)| (key.to_vec(), value.to_vec())).collect()
}

/// The state of these rows, so many at a time.
fn restore(header: Header, rows: &[Entry], at_a_time: usize) -> Result<MemoryState, RestoreError> {
    let (mut state, mut restore) = (MemoryState::default(), Restore::new(header));
    for piece in rows.chunks(at_a_time) {
        let changes = restore.take(&state, piece.to_vec())?;
        state.commit(&changes);
    }
    let changes = restore.finish(&state)?;
    state.commit(&changes);
    Ok(state)
}

/// From its rows alone the state is as it was, tree, indices and header included.
pub(crate) fn check(net: &Net) {
    assert_eq!(restore(net.tip, &rows(&net.state), 7).as_ref(), Ok(&net.state));
}

/// Coins, an asset, a deposit that waits, a batch in flight and a peg-out.
fn busy() -> Net {
    let mut net = Net::new();
    net.fund(1, sat(1_000_000));
    let terms = AssetTerms { ticker: "OIL".into(), name: "Oil".into(), decimals: 0, units: 100, reissuable: true };
    let issue =
        net.sign(1, |from, nonce| TxBody::Issue { from, nonce, terms: terms.clone(), fee: Amount::ZERO, expiry: None });
    let asset = terms.id(net.genesis.chain_id(), &account(1), issue.nonce().expect("it has one"));
    net.accept(vec![issue]);
    let outputs = vec![Output { to: account(2), asset, units: 40 }, Output::btc(account(2), sat(9_000))];
    let pay = net.sign(1, |from, nonce| TxBody::Transfer {
        from,
        nonce,
        outputs,
        fee: Amount::ZERO,
        memo: vec![],
        expiry: None,
    });
    net.accept(vec![pay]);
    net.accept(vec![net.peg_out(1, &wpkh(1), sat(50_000))]);
    let claim = net.deposit(&crate::testkit::terms(3, 0), sat(70_000));
    net.accept(vec![net.claim(claim)]);
    net
}

#[test]
fn a_state_is_made_from_its_rows_however_they_come() {
    let net = busy();
    let rows = rows(&net.state);
    for at_a_time in [1, 2, 5, rows.len()] {
        assert_eq!(restore(net.tip, &rows, at_a_time).as_ref(), Ok(&net.state), "{at_a_time}");
    }
    // And the chain goes on from it.
    let mut net = net;
    net.state = restore(net.tip, &rows, 3).expect("good");
    net.settle();
    check(&net);
}

#[test]
fn rows_that_are_not_the_headers_are_refused_by_name() {
    let net = busy();
    let good = rows(&net.state);
    let with = |change: &dyn Fn(&mut Vec<Entry>)| {
        let mut rows = good.clone();
        change(&mut rows);
        restore(net.tip, &rows, 4).expect_err("refused")
    };
    let root = |error: RestoreError| assert!(matches!(error, RestoreError::Root { .. }), "{error}");
    root(with(&|rows| drop(rows.remove(3))));
    root(with(&|rows| rows.push((b"szz".to_vec(), Vec::new()))));
    root(with(&|rows| {
        let (_, value) = rows.iter_mut().find(|(key, _)| key.starts_with(keys::ACCOUNTS)).expect("an account");
        value[0] ^= 1;
    }));
    assert!(matches!(with(&|rows| rows.swap(1, 2)), RestoreError::Order(_)));
    assert!(matches!(with(&|rows| rows.insert(2, rows[1].clone())), RestoreError::Order(_)));
    assert!(matches!(with(&|rows| rows.insert(0, (b"mt".to_vec(), Vec::new()))), RestoreError::Namespace(_)));
    assert!(matches!(restore(net.tip, &[], 1), Err(RestoreError::Root { .. })));
}

/// A quorum that signed books that do not add up: the root is right, and the state is refused.
#[test]
fn a_signed_root_is_no_excuse_for_books_that_do_not_add_up() {
    let net = busy();
    let refused = |change: &dyn Fn(&mut Vec<Entry>, &mut Header)| {
        let (mut rows, mut header) = (rows(&net.state), net.tip);
        change(&mut rows, &mut header);
        header.state_root = smt::root_of(rows.iter().map(|(key, value)| (key.as_slice(), value.as_slice())));
        restore(header, &rows, 5).expect_err("refused")
    };
    let more = |rows: &mut Vec<Entry>, prefix: &[u8]| {
        let (_, value) = rows.iter_mut().find(|(key, _)| key.starts_with(prefix)).expect("a row");
        value[0] ^= 1;
    };
    let sum = |error: RestoreError| match error {
        RestoreError::Sum { what, .. } => what,
        other => panic!("{other}"),
    };
    assert_eq!(sum(refused(&|rows, _| more(rows, keys::ACCOUNTS))), "the supply");
    assert_eq!(sum(refused(&|_, header| header.supply += sat(1))), "the supply");
    assert_eq!(sum(refused(&|_, header| header.owed += sat(1))), "what is owed");
    let treasury = refused(&|rows, _| {
        let (_, value) = rows.iter_mut().find(|(key, _)| key == keys::TREASURY).expect("a treasury");
        // The amount stands behind the outpoint.
        value[36] ^= 1;
    });
    assert_eq!(sum(treasury), "the treasury");
    assert!(matches!(refused(&|rows, _| more(rows, keys::UNITS)), RestoreError::Asset { .. }));
    let nobodys = refused(&|rows, _| {
        rows.push((keys::units(&account(9), &AssetId([0xff; 32])), 1_u64.to_le_bytes().to_vec()));
        rows.sort();
    });
    assert_eq!(nobodys, RestoreError::NoAsset(1));
    let foreign = refused(&|_, header| header.chain = ChainId(Digest::default()));
    assert!(matches!(foreign, RestoreError::Chain { .. }));
}
