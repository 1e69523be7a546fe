//! Inputs that a hostile proposer makes up. Members compare them with their own bitcoind; but even
//! if they did not, the books would hold.

use super::*;
use crate::testkit::{Net, bitcoin_tx, sat, terms, wpkh};
use crate::{Transaction, build};
use bitcoin::hashes::Hash as _;
use proptest::prelude::*;

/// A net with a batch in flight (treasury, two deposits, a peg-out) and a deposit that waits.
fn busy_net() -> Net {
    let mut net = Net::new();
    net.fund(1, sat(1_000_000));
    let claims = [(1, 7), (2, 0)].map(|(who, nonce)| net.deposit(&terms(who, nonce), sat(500_000)));
    let mut transactions: Vec<Transaction> = claims.into_iter().map(|claim| net.claim(claim)).collect();
    transactions.push(net.peg_out(1, &wpkh(1), sat(50_000)));
    net.accept(transactions);
    let waits = net.deposit(&terms(3, 0), sat(500_000));
    net.accept(vec![net.claim(waits)]);
    net
}

thread_local!(static NET: Net = busy_net());

/// L5.
#[test]
fn what_is_watched_is_what_can_change_the_books() {
    let net = busy_net();
    let batch = query::batch(&net.state).expect("memory").expect("in flight");
    // Treasury, two deposits of the batch, its change, and the deposit that waits.
    assert_eq!(batch.inputs.len(), 3);
    assert_eq!(watched(&net.state).expect("memory").len(), 5);
}

#[test]
fn facts_of_a_block_are_only_what_is_watched() {
    let mut net = busy_net();
    let (stranger, watched) = (net.coin(), watched(&net.state).expect("memory"));
    let waits = query::pending_deposits(&net.state).expect("memory")[0].outpoint;
    let spend = bitcoin_tx(&[stranger, waits], &[(wpkh(1), sat(1))]);
    net.mine(vec![bitcoin_tx(&[stranger], &[(wpkh(2), sat(1))]), spend.clone()]);
    let inputs = net.inputs();
    assert_eq!(inputs.blocks[0].spends, [Spend { outpoint: waits, txid: spend.compute_txid() }]);
    assert_eq!(inputs.blocks[0].transactions, 3);
    assert_eq!(inputs.anchor(), inputs.blocks[0].at());
    assert!(inputs.verify(net.tip.anchor, &watched).is_ok());
}

proptest! {
    #[test]
    fn made_up_spends_never_break_the_books(
        facts in prop::collection::vec(prop::collection::btree_map(0..6_usize, 0..3_u8, 0..6), 1..4),
    ) {
        let mut net = NET.with(Clone::clone);
        let batch = query::batch(&net.state).expect("memory").expect("in flight");
        let mut coins: Vec<OutPoint> = watched(&net.state).expect("memory").into_iter().collect();
        coins.push(net.coin());
        for _ in &facts {
            net.mine(vec![]);
        }
        let mut inputs = net.inputs();
        for (block, facts) in inputs.blocks.iter_mut().zip(&facts) {
            let spends = facts.iter().map(|(coin, by)| Spend {
                outpoint: coins[*coin],
                txid: if *by == 0 { Txid::from_byte_array([9; 32]) } else { batch.txid },
            });
            block.spends = spends.collect();
            block.spends.sort_by_key(|spend| spend.outpoint);
        }
        let supply = net.tip.supply;
        let outcome = build(&net.genesis, &net.state, &net.tip, inputs.clone(), vec![]);
        let Ok((block, applied, _)) = outcome else {
            prop_assert!(matches!(outcome, Err(crate::ApplyError::Inputs(_))), "{outcome:?}");
            return Ok(());
        };
        if let Err(fault) = net.recount.take(&block.encode()) {
            // The rules overlook that the batch's own transaction can't spend what is none of its inputs; no
            // bitcoind says so, and the recount does not overlook it.
            let overlooked = "Bitcoin would have spent a coin by a transaction that does not have it";
            prop_assert!(fault.to_string().contains(overlooked), "{fault}");
            return Ok(());
        }
        net.state.commit(&applied.changes);
        net.tip = applied.header;
        net.check();
        let settled = inputs.blocks.iter().any(|block| {
            batch.inputs.iter().all(|input| {
                block.spends.contains(&Spend { outpoint: input.outpoint, txid: batch.txid })
            })
        });
        prop_assert!(net.tip.supply == supply || settled);
    }
}
