//! The window of nonces.

use super::*;
use crate::testkit::{Net, account, keypair, sat};
use crate::{Output, Transaction, TxBody, TxError, query};
use proptest::prelude::*;
use std::collections::BTreeSet;
use windlass_types::SideHeight;

proptest! {
    /// L15: against a set of all that was ever used.
    #[test]
    fn a_nonce_is_used_once_and_within_the_window(
        start in prop_oneof![Just(0), Just(u64::MAX - 70), any::<u64>()],
        steps in prop::collection::vec(0..80_u64, 1..400),
    ) {
        let mut nonces = Nonces { next: start, used: 0 };
        let mut used = BTreeSet::new();
        for step in steps {
            let lowest = (start..=u64::MAX).find(|n| !used.contains(n)).expect("few are used");
            prop_assert_eq!(nonces.next(), lowest);
            let ahead: Vec<u64> = used.range(lowest..).copied().collect();
            prop_assert_eq!(nonces.used_ahead(), ahead);
            let nonce = lowest.saturating_sub(8).saturating_add(step);
            let open = nonce >= lowest && nonce - lowest < NONCE_WINDOW && nonce < u64::MAX && !used.contains(&nonce);
            match nonces.take(nonce) {
                Ok(after) => {
                    prop_assert!(open);
                    used.insert(nonce);
                    nonces = after;
                }
                Err(NonceError::Used) => prop_assert!(nonce < start || nonce < lowest || used.contains(&nonce)),
                Err(NonceError::Ahead) => prop_assert!(nonce - lowest >= NONCE_WINDOW || nonce == u64::MAX),
            }
            prop_assert_eq!(borsh::from_slice::<Nonces>(&borsh::to_vec(&nonces).expect("a vector")).ok(), Some(nonces));
        }
    }
}

#[test]
fn a_whole_window_backwards_moves_it_by_all() {
    let mut nonces = Nonces::default();
    for nonce in (0..NONCE_WINDOW).rev() {
        nonces = nonces.take(nonce).expect("open");
    }
    assert_eq!(nonces, Nonces { next: 64, used: 0 });
}

#[test]
fn only_one_encoding_of_a_window_is_read() {
    assert!(borsh::from_slice::<Nonces>(&borsh::to_vec(&(5_u64, 3_u64)).expect("a vector")).is_err());
    assert!(borsh::from_slice::<Nonces>(&borsh::to_vec(&(5_u64, 2_u64)).expect("a vector")).is_ok());
}

fn transfer(net: &Net, nonce: u64, expiry: Option<SideHeight>) -> Transaction {
    let body = TxBody::Transfer {
        from: account(1),
        nonce,
        outputs: vec![Output::btc(account(2), sat(5))],
        fee: sat(0),
        memo: vec![],
        expiry,
    };
    Transaction::signed(net.genesis.chain_id(), body, &keypair(1))
}

/// L15, L16: in any order, each once, in one block or over several; and a gap that is never filled holds back no more
/// than what is 64 ahead of it.
#[test]
fn transactions_are_taken_in_any_order_and_none_twice() {
    let mut net = Net::new();
    net.fund(1, sat(1_000_000));
    let list: Vec<Transaction> = [3, 63, 1].into_iter().map(|nonce| transfer(&net, nonce, None)).collect();
    net.accept(list.clone());
    for transaction in &list {
        let error = net.refuse(transaction.clone());
        assert!(matches!(error, TxError::NonceUsed { next: 0, .. }), "{error}");
    }
    let ahead = transfer(&net, 64, None);
    assert_eq!(net.refuse(ahead.clone()), TxError::NonceAhead { next: 0, found: 64 });
    assert!(TxError::NonceAhead { next: 0, found: 64 }.is_transient());
    // In one block the window moves as the block goes on.
    net.accept(vec![transfer(&net, 0, None), ahead.clone(), transfer(&net, 2, None)]);
    let of = query::account(&net.state, &account(1)).expect("memory").nonces;
    assert_eq!((of.next(), of.used_ahead()), (4, vec![63, 64]));
    assert_eq!(net.refuse(ahead), TxError::NonceUsed { next: 4, found: 64 });
    // What was signed for a block that has gone by is not taken in its place.
    let expired = transfer(&net, 4, Some(net.tip.height));
    assert!(matches!(net.refuse(expired), TxError::Expired { .. }));
    net.accept(vec![transfer(&net, 4, net.tip.height.next())]);
}
