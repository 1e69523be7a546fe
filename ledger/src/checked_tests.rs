//! A witness spares a signature's check and changes no outcome.

use super::*;
use crate::testkit::{Net, account, keypair, sat};
use crate::{Block, BlockError, Output, TxBody, Witness, apply_checked, build_checked};
use bitcoin::Amount;
use bitcoin::secp256k1::{Message, Secp256k1};
use proptest::prelude::*;
use std::sync::Arc;
use windlass_types::{ChainId, SideHeight};

fn checked(transaction: &Transaction) -> Arc<Checked> {
    Arc::new(Checked::new(transaction.clone()).expect("a good signature"))
}

/// Changes a byte of the signature.
fn forge(transaction: &mut Transaction, index: usize) {
    let Witness::Key(signature) = &mut transaction.witness else { panic!("a key's") };
    signature[index] ^= 1;
}

/// Every way to prime a cache that the chain's own code leaves: what it holds was checked, but it may stand for
/// something else than what lies at its place.
fn primed(net: &Net, good: &Transaction) -> Vec<Option<Arc<Checked>>> {
    let message = Message::from_digest(good.id().0);
    let signature = Secp256k1::new().sign_schnorr_with_aux_rand(&message, &keypair(1), &[7; 32]);
    let other_signature = Transaction { witness: Witness::Key(signature.serialize()), ..good.clone() };
    assert_eq!(other_signature.id(), good.id());
    let elsewhere = Transaction::signed(ChainId(Digest([9; 32])), good.body.clone(), &keypair(1));
    let other_body = net.transfer(1, 3, sat(777));
    vec![
        None,
        Some(checked(good)),
        Some(checked(&other_signature)),
        Some(checked(&elsewhere)),
        Some(checked(&other_body)),
        Some(checked(&net.transfer(2, 1, sat(1)))),
    ]
}

#[test]
fn case_02_the_outcome_is_the_same_with_any_witness() {
    let mut net = Net::new();
    net.fund(1, sat(1_000_000));
    net.fund(2, sat(1_000_000));
    let good = net.transfer(1, 2, sat(1_000));
    let mut forged = good.clone();
    forge(&mut forged, 9);
    let TxBody::Transfer { outputs, .. } = &good.body else { panic!("a transfer") };
    let mut stolen = good.clone();
    if let TxBody::Transfer { outputs: to, .. } = &mut stolen.body {
        *to = vec![Output { to: account(3), ..outputs[0] }];
    }
    let foreign = Transaction { chain: ChainId(Digest([9; 32])), ..good.clone() };
    for (name, transaction) in [("good", &good), ("forged", &forged), ("stolen", &stolen), ("foreign", &foreign)] {
        let inputs = crate::BitcoinInputs::default();
        let (mut block, _, _) =
            crate::build(&net.genesis, &net.state, &net.tip, inputs, vec![good.clone()]).expect("a block");
        block.transactions = vec![transaction.clone()];
        block.header.body_root = block.body_root();
        let without = net.apply(&block);
        assert_eq!(without.is_ok(), name == "good", "{name}: {without:?}");
        for (place, witness) in primed(&net, &good).into_iter().enumerate() {
            let with = apply_checked(&net.genesis, &net.state, &net.tip, &block, &[witness]);
            assert_eq!(with, without, "{name}, witness {place}");
        }
        let many = vec![Some(checked(&good)); 5];
        assert_eq!(apply_checked(&net.genesis, &net.state, &net.tip, &block, &many), without, "{name}, too many");
    }
}

#[test]
fn a_witness_is_made_of_a_good_signature_only() {
    let mut net = Net::new();
    net.fund(1, sat(1_000_000));
    let good = net.transfer(1, 2, sat(1_000));
    for index in 0..64 {
        let mut forged = good.clone();
        forge(&mut forged, index);
        assert_eq!(Checked::new(forged), Err(TxError::Signature(account(1))));
    }
    let one = checked(&good);
    assert_eq!((one.id(), one.leaf(), one.bytes()), (good.id(), good.leaf(), good.encode().len()));
}

#[test]
fn a_block_of_witnesses_is_the_same_block() {
    let mut net = Net::new();
    net.fund(1, sat(1_000_000));
    let transactions = vec![net.transfer(1, 2, sat(1_000)), net.transfer(2, 1, sat(5))];
    let witnesses: Vec<Arc<Checked>> = transactions.iter().map(checked).collect();
    let inputs = crate::BitcoinInputs::default;
    let plain = crate::build(&net.genesis, &net.state, &net.tip, inputs(), transactions).expect("a block");
    let with = build_checked(&net.genesis, &net.state, &net.tip, inputs(), &witnesses).expect("a block");
    assert_eq!(plain, with);
    let (block, _, _): (Block, _, _) = with;
    assert_eq!(block.header.body_root, block.body_root());
    assert_eq!(block.body_root(), block.body_root_with(&block.leaves()));
    let mut forged = block;
    forge(&mut forged.transactions[0], 0);
    forged.header.body_root = forged.body_root();
    let known: Vec<Option<Arc<Checked>>> = witnesses.into_iter().map(Some).collect();
    let refused = apply_checked(&net.genesis, &net.state, &net.tip, &forged, &known);
    assert!(matches!(refused, Err(BlockError::Transaction { index: 0, error: TxError::Signature(_), .. })));
}

fn any_transaction() -> impl Strategy<Value = Transaction> {
    let outputs = prop::collection::vec((1_u8..4, 0_u64..4), 0..4);
    let memo = prop::collection::vec(0_u8..3, 0..4);
    let expiry = prop::option::of(0_u64..3);
    (0_u8..2, 1_u8..4, 0_u64..3, outputs, 0_u64..3, memo, expiry, 0_u8..2).prop_map(
        |(chain, from, nonce, outputs, fee, memo, expiry, signature)| {
            let body = match outputs.first() {
                // A peg-out has lists of the same kinds elsewhere.
                Some((1, sat)) => TxBody::PegOut {
                    from: account(from),
                    nonce,
                    script: memo,
                    amount: Amount::from_sat(*sat),
                    fee_max: Amount::from_sat(fee),
                    fee: Amount::from_sat(fee),
                    expiry: expiry.map(SideHeight::new),
                },
                _ => TxBody::Transfer {
                    from: account(from),
                    nonce,
                    outputs: outputs
                        .iter()
                        .map(|(to, sat)| Output::btc(account(*to), Amount::from_sat(*sat)))
                        .collect(),
                    fee: Amount::from_sat(fee),
                    memo,
                    expiry: expiry.map(SideHeight::new),
                },
            };
            Transaction { chain: ChainId(Digest([chain; 32])), body, witness: Witness::Key([signature; 64]) }
        },
    )
}

proptest! {
    /// What a cache of witnesses looks up: two transactions share it only if they are one. The encoding is what
    /// is hashed, so that is enough: it reads back as what was written, and nothing is left over.
    #[test]
    fn case_02_the_key_of_a_witness_is_injective(one in any_transaction(), two in any_transaction()) {
        prop_assert_eq!(one == two, one.encode() == two.encode());
        prop_assert_eq!(one == two, one.leaf() == two.leaf());
        prop_assert_eq!(Transaction::decode(&one.encode()), Ok(one.clone()));
        let long = [one.encode(), vec![0]].concat();
        prop_assert!(Transaction::decode(&long).is_err());
    }
}
