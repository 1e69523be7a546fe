//! The pool: bounds, order, sleepers, replacement.

use super::*;
use crate::fixture::{account, genesis, keypair, transfer};
use bitcoin::Amount;
use windlass_ledger::{BitcoinInputs, Header, Transaction, TxBody, genesis_state};

fn put(pool: &Mempool, transaction: &Transaction) -> Result<bool, PoolError> {
    pool.insert(Arc::new(Checked::new(transaction.clone()).expect("a good signature")), false)
}

fn ids(list: &[Arc<Checked>]) -> Vec<Digest> {
    list.iter().map(|waiting| waiting.id()).collect()
}

fn finalised(pool: &Mempool, block: &Block) {
    let ids: Vec<Digest> = block.transactions.iter().map(Transaction::id).collect();
    pool.finalised(block, &ids);
}

fn block(height: u64, transactions: Vec<Transaction>) -> Block {
    let header = Header { height: SideHeight::new(height), ..genesis_state(&genesis()).1 };
    Block { header, inputs: BitcoinInputs::default(), transactions }
}

fn insufficient() -> TxError {
    TxError::Insufficient { have: Amount::ZERO, need: Amount::ONE_SAT }
}

#[test]
fn nonces_come_in_order_and_within_the_bounds() {
    let (pool, genesis) = (Mempool::default(), genesis());
    let list: Vec<Transaction> = [2, 0, 1].into_iter().map(|nonce| transfer(&genesis, 1, 2, nonce, 5)).collect();
    let other = transfer(&genesis, 3, 2, 0, 5);
    put(&pool, &list[0]).expect("room");
    put(&pool, &other).expect("room");
    put(&pool, &list[1]).expect("room");
    put(&pool, &list[2]).expect("room");
    let all = pool.select(10, usize::MAX, |_| false);
    assert_eq!(ids(&all), [list[1].id(), other.id(), list[2].id(), list[0].id()]);
    assert_eq!(pool.select(2, usize::MAX, |_| false).len(), 2);
    let size = other.encode().len();
    assert_eq!(pool.select(10, 2 * size, |_| false).len(), 2);
    assert_eq!(ids(&pool.select(1, usize::MAX, |id| *id != other.id())), [other.id()]);
    assert_eq!(pool.nonces(&account(1), Nonces::default()).next(), 3);
    assert_eq!(pool.outflow_besides(&account(1), 7), [(AssetId::BTC, 15)].into());
    assert_eq!(pool.outflow_besides(&account(1), 1), [(AssetId::BTC, 10)].into());
}

#[test]
fn a_nonce_waits_once_unless_the_state_refuses_it() {
    let (pool, genesis) = (Mempool::default(), genesis());
    let (first, second) = (transfer(&genesis, 1, 2, 0, 5), transfer(&genesis, 1, 2, 0, 6));
    assert_eq!(put(&pool, &first), Ok(true));
    assert_eq!(put(&pool, &first), Ok(false));
    assert_eq!(put(&pool, &second), Err(PoolError::Conflict(first.id())));
    pool.refused(&first.id(), &insufficient());
    assert!(pool.first_awake(|_| false).is_none());
    assert_eq!(put(&pool, &second), Ok(true));
    assert!(pool.dropped(&first.id()).expect("it says why").contains(&second.id().to_string()));
    assert_eq!(pool.len(), 1);
}

#[test]
fn sleepers_wake_when_something_happened() {
    let (pool, genesis) = (Mempool::default(), genesis());
    let list: Vec<Transaction> = [0, 64].map(|nonce| transfer(&genesis, 1, 2, nonce, 5)).into();
    put(&pool, &list[1]).expect("room");
    pool.refused(&list[1].id(), &TxError::NonceAhead { next: 0, found: 64 });
    assert!(pool.first_awake(|_| false).is_none());
    // The one that it waited for.
    put(&pool, &list[0]).expect("room");
    assert_eq!(pool.select(10, usize::MAX, |_| false).len(), 2);
    pool.refused(&list[0].id(), &insufficient());
    pool.refused(&list[1].id(), &insufficient());
    finalised(&pool, &block(1, Vec::new()));
    assert!(pool.first_awake(|_| false).is_none(), "nothing happened");
    finalised(&pool, &block(2, vec![transfer(&genesis, 3, 1, 0, 50)]));
    assert!(pool.first_awake(|_| false).is_some());
}

#[test]
fn what_can_never_be_final_goes_and_says_why() {
    let (pool, genesis) = (Mempool::default(), genesis());
    let (mine, winner) = (transfer(&genesis, 1, 2, 0, 5), transfer(&genesis, 1, 2, 0, 6));
    put(&pool, &mine).expect("room");
    finalised(&pool, &block(1, vec![winner.clone()]));
    assert_eq!(pool.len(), 0);
    assert!(pool.dropped(&mine.id()).expect("it says why").contains(&winner.id().to_string()));
    let bad = transfer(&genesis, 1, 2, 1, 5);
    put(&pool, &bad).expect("room");
    pool.refused(&bad.id(), &TxError::Signature(account(1)));
    assert!(pool.dropped(&bad.id()).is_some());
    let late = transfer(&genesis, 1, 2, 1, 7);
    put(&pool, &late).expect("room");
    finalised(&pool, &block(2 + MAX_WAITING_BLOCKS, Vec::new()));
    assert!(pool.dropped(&late.id()).is_some());
}

#[test]
fn one_account_does_not_fill_the_pool() {
    let (pool, genesis) = (Mempool::default(), genesis());
    let with = |nonce| transfer(&genesis, 1, 2, nonce, 5);
    for nonce in 0..u64::try_from(MAX_WAITING_PER_ACCOUNT).expect("small") {
        put(&pool, &with(nonce)).expect("room");
    }
    assert_eq!(put(&pool, &with(1 << 20)), Err(PoolError::AccountFull));
    let sized = |nonce, bytes| {
        let mut body = transfer(&genesis, 4, 2, nonce, 5).body;
        if let TxBody::Transfer { memo, .. } = &mut body {
            *memo = vec![0; bytes];
        }
        Transaction::signed(genesis.chain_id(), body, &keypair(4))
    };
    assert_eq!(put(&pool, &sized(0, MAX_WAITING_BYTES)), Err(PoolError::Full));
    assert_eq!(put(&pool, &sized(0, MAX_WAITING_BYTES_PER_ACCOUNT - 1_000)), Ok(true));
    assert_eq!(put(&pool, &sized(1, 1_000)), Err(PoolError::AccountFull), "its bytes are counted, too");
    put(&pool, &transfer(&genesis, 3, 2, 0, 5)).expect("room for others");
}

/// What a user hands in is bounded, and the others' turn comes before the rest of it.
#[test]
fn case_40_10_000_transactions_of_one_account_are_bounded_and_keep_nobody_out() {
    let (pool, genesis) = (Mempool::default(), genesis());
    let template = |nonce| {
        let transaction = transfer(&genesis, 1, 2, nonce, 5);
        Arc::new(Checked::new(transaction).expect("a good signature"))
    };
    let outcomes: Vec<_> = (0..10_000).map(|nonce| pool.insert(template(nonce), true)).collect();
    let (taken, refused) = outcomes.split_at(MAX_WAITING_PER_ACCOUNT);
    assert!(taken.iter().all(|outcome| *outcome == Ok(true)));
    assert!(refused.iter().all(|outcome| *outcome == Err(PoolError::AccountFull)));
    let others: Vec<Transaction> = (3..6).map(|seed| transfer(&genesis, seed, 2, 0, 5)).collect();
    others.iter().for_each(|other| assert_eq!(put(&pool, other), Ok(true)));
    assert_eq!(pool.len(), MAX_WAITING_PER_ACCOUNT + others.len());
    // A block with room for a tenth of them has all of the others', and the first of his.
    let chosen = ids(&pool.select(100, usize::MAX, |_| false));
    assert_eq!(chosen.len(), 100);
    assert!(others.iter().all(|other| chosen.contains(&other.id())));
    let his = (0..97).map(|nonce| template(nonce).id());
    assert!(his.into_iter().all(|id| chosen.contains(&id)));
    // So has one that is full of bytes.
    let chosen = ids(&pool.select(usize::MAX, TURN_BYTES + 2_000, |_| false));
    assert!(others.iter().all(|other| chosen.contains(&other.id())));
}

#[test]
fn nonces_of_a_deep_queue_open_one_after_the_other() {
    let (pool, genesis) = (Mempool::default(), genesis());
    let after = |pool: &Mempool| pool.nonces(&account(1), Nonces::default());
    put(&pool, &transfer(&genesis, 1, 2, 63, 5)).expect("room");
    assert_eq!((after(&pool).next(), after(&pool).take(64)), (0, Err(windlass_ledger::NonceError::Ahead)));
    for nonce in 0..63 {
        put(&pool, &transfer(&genesis, 1, 2, nonce, 5)).expect("room");
    }
    assert_eq!(after(&pool).next(), 64);
    assert!(after(&pool).take(64 + 63).is_ok());
    // One with a hole before it that is too far off does not count.
    put(&pool, &transfer(&genesis, 1, 2, 900, 5)).expect("the pool takes what was checked");
    assert_eq!(after(&pool).next(), 64);
}

#[test]
fn own_transactions_are_repeated_once_they_have_waited() {
    let (pool, genesis) = (Mempool::default(), genesis());
    let (mine, other) = (transfer(&genesis, 1, 2, 0, 5), transfer(&genesis, 3, 2, 0, 5));
    put(&pool, &mine).expect("room");
    put(&pool, &other).expect("room");
    assert!(pool.note(&mine.id(), true));
    assert!(!pool.note(&Digest::default(), true));
    assert!(pool.repeat(usize::MAX).is_empty(), "it was told of a moment ago");
    assert_eq!(ids(&pool.repeat(usize::MAX)), [mine.id()]);
    assert!(pool.repeat(1).is_empty(), "no room");
    assert_eq!(ids(&pool.repeat(usize::MAX)), [mine.id()]);
    finalised(&pool, &block(1, vec![mine]));
    assert!(pool.repeat(usize::MAX).is_empty());
}
