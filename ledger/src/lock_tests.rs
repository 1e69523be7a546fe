//! L70 to L76: policy accounts in the ledger: hash locks, multisig, vaults.

use crate::testkit::{Net, account, keypair, sat, terms, wpkh, x_only};
use crate::{
    AssetTerms, BitcoinInputs, Block, Checked, Clause, LeafWitness, Output, Policy, PolicyWitness, PolicyWitnessError,
    Receipt, Transaction, TxBody, TxError, Witness, apply_checked, build, query,
};
use bitcoin::Amount;
use bitcoin::hashes::{Hash as _, sha256};
use proptest::prelude::*;
use std::sync::Arc;
use windlass_types::{AccountId, BtcHeight, Digest, SideHeight};

const PREIMAGE: [u8; 32] = [42; 32];

fn hash() -> [u8; 32] {
    *sha256::Hash::hash(&PREIMAGE).as_byte_array()
}

fn two_of_three() -> Policy {
    Policy::new(Clause::Threshold { k: 2, clauses: (1..4).map(|seed| Clause::Key(x_only(seed))).collect() })
        .expect("good")
}

/// Bob (2) by the preimage, Alice (1) from `timeout` on.
fn lock(timeout: BtcHeight) -> Policy {
    Policy::hash_lock(x_only(2), hash(), x_only(1), timeout).expect("good")
}

fn pay(net: &mut Net, to: AccountId, amount: Amount) {
    let transaction = net.sign(1, |from, nonce| TxBody::Transfer {
        from,
        nonce,
        outputs: vec![Output::btc(to, amount)],
        fee: Amount::ZERO,
        memo: vec![],
        expiry: None,
    });
    net.accept(vec![transaction]);
}

fn transfer(net: &Net, policy: &Policy, to: u8, amount: Amount) -> Transaction {
    let from = policy.account();
    let nonce = query::next_nonce(&net.state, &from).expect("memory");
    let outputs = vec![Output::btc(account(to), amount)];
    let body = TxBody::Transfer { from, nonce, outputs, fee: Amount::ZERO, memo: vec![], expiry: None };
    Transaction { chain: net.genesis.chain_id(), body, witness: Witness::None }
}

/// Satisfies the policy by the keys of `seeds`, and by preimage and height if so.
fn satisfy(mut transaction: Transaction, policy: &Policy, seeds: &[u8], preimage: bool, late: bool) -> Transaction {
    let id = transaction.id();
    let witness = PolicyWitness::satisfy(policy.clone(), |leaf| match leaf {
        Clause::Key(key) => {
            let seed = seeds.iter().find(|seed| x_only(**seed) == *key)?;
            Some(LeafWitness::signature(&id, &keypair(*seed)))
        }
        Clause::Sha256(_) => preimage.then_some(LeafWitness::Preimage(PREIMAGE)),
        _ => late.then_some(LeafWitness::Reached),
    });
    transaction.witness = Witness::Policy(Box::new(witness.expect("enough")));
    transaction
}

fn leaves(transaction: &mut Transaction) -> &mut Vec<LeafWitness> {
    let Witness::Policy(witness) = &mut transaction.witness else { panic!("a policy's") };
    &mut witness.leaves
}

fn funded(policy: &Policy) -> Net {
    let mut net = Net::new();
    net.fund(1, sat(1_000_000));
    pay(&mut net, policy.account(), sat(10_000));
    net
}

/// L72, L75: claimed by the preimage, which anyone can read then, from the block, its receipts and the state.
#[test]
fn l75_a_hash_lock_is_claimed_by_its_preimage() {
    let policy = lock(BtcHeight::new(1_000));
    let mut net = funded(&policy);
    assert_eq!(query::balance(&net.state, &policy.account()), Ok(sat(10_000)));
    assert_eq!(query::revealed(&net.state, &hash()), Ok(None));
    let claim = satisfy(transfer(&net, &policy, 2, sat(10_000)), &policy, &[2], true, false);
    let id = claim.id();
    let mut wrong = claim.clone();
    leaves(&mut wrong)[1] = LeafWitness::Preimage([43; 32]);
    assert_eq!(net.refuse(wrong), PolicyWitnessError::Leaf(1).into());
    let mut hidden = claim.clone();
    leaves(&mut hidden)[1] = LeafWitness::Unused;
    assert_eq!(net.refuse(hidden), PolicyWitnessError::NotExact.into());
    // Who saw the preimage has not the key.
    let thief = transfer(&net, &policy, 3, sat(10_000));
    let mut stolen = claim.clone();
    stolen.body = thief.body;
    assert_eq!(net.refuse(stolen), PolicyWitnessError::Leaf(0).into());
    net.accept(vec![claim]);
    assert_eq!(net.balance(2), sat(10_000));
    let revealed = query::revealed(&net.state, &hash()).expect("memory").expect("shown");
    assert_eq!((revealed.preimage, revealed.id, revealed.height), (PREIMAGE, id, net.tip.height));
    let (from, preimage) = (policy.account(), Digest(PREIMAGE));
    let receipt = Receipt::Revealed { id, from, hash: Digest(hash()), preimage };
    assert!(net.last.as_ref().expect("a block").receipts.contains(&receipt));
    // Shown again, the first stays.
    pay(&mut net, policy.account(), sat(5));
    let again = satisfy(transfer(&net, &policy, 2, sat(5)), &policy, &[2], true, false);
    net.accept(vec![again]);
    assert_eq!(query::revealed(&net.state, &hash()).expect("memory"), Some(revealed));
}

/// L74: refunded once the anchor is at the height, in the very block that brings it there, and not before.
#[test]
fn l74_a_hash_lock_is_refunded_after_its_height() {
    let mut net = Net::new();
    net.fund(1, sat(1_000_000));
    let timeout = net.tip.anchor.height.checked_add(windlass_types::Blocks::new(3)).expect("low");
    let policy = lock(timeout);
    pay(&mut net, policy.account(), sat(10_000));
    let refund = satisfy(transfer(&net, &policy, 1, sat(10_000)), &policy, &[1], false, true);
    while net.tip.anchor.height.next().expect("low") < timeout {
        let early = TxError::NotYet { after: timeout, anchor: net.tip.anchor.height };
        assert_eq!(net.refuse(refund.clone()), early);
        assert!(early.is_transient());
        net.mine(vec![]);
        net.block(vec![]);
    }
    net.mine(vec![]);
    let before = net.balance(1);
    net.accept(vec![refund]);
    assert_eq!((net.tip.anchor.height, net.balance(1)), (timeout, before + sat(10_000)));
}

/// L73: two of three, whichever; one is too few, three are too many.
#[test]
fn l73_two_of_three_is_exactly_two() {
    let policy = two_of_three();
    let mut net = funded(&policy);
    for seeds in [[1, 2], [1, 3], [2, 3]] {
        let spend = satisfy(transfer(&net, &policy, 3, sat(100)), &policy, &seeds, false, false);
        net.accept(vec![spend]);
    }
    assert_eq!(net.balance(3), sat(300));
    let good = satisfy(transfer(&net, &policy, 3, sat(100)), &policy, &[1, 3], false, false);
    let mut one = good.clone();
    leaves(&mut one)[2] = LeafWitness::Unused;
    assert_eq!(net.refuse(one), PolicyWitnessError::NotExact.into());
    let mut three = good.clone();
    leaves(&mut three)[1] = LeafWitness::signature(&good.id(), &keypair(2));
    assert_eq!(net.refuse(three.clone()), PolicyWitnessError::NotExact.into());
    // One id, whoever signed: the witness is not in it. The block commits to it.
    assert_eq!((three.id(), three.leaf() == good.leaf()), (good.id(), false));
    let mut none = good.clone();
    leaves(&mut none).fill(LeafWitness::Unused);
    assert_eq!(net.refuse(none), PolicyWitnessError::NotExact.into());
    let mut short = good.clone();
    leaves(&mut short).pop();
    assert_eq!(net.refuse(short), PolicyWitnessError::Leaves { expected: 3, found: 2 }.into());
    let mut swapped = good.clone();
    leaves(&mut swapped).swap(0, 2);
    assert_eq!(net.refuse(swapped), PolicyWitnessError::Leaf(0).into());
    net.accept(vec![good]);
}

/// L70, L10: a policy account shows its own policy, a key account signs, and neither passes for the other.
#[test]
fn l70_each_account_has_its_own_kind_of_witness() {
    let policy = two_of_three();
    let mut net = funded(&policy);
    let good = satisfy(transfer(&net, &policy, 3, sat(100)), &policy, &[1, 2], false, false);
    let other = Policy::new(Clause::Key(x_only(9))).expect("good");
    let theirs = satisfy(Transaction { witness: Witness::None, ..good.clone() }, &other, &[9], false, false);
    assert_eq!(net.refuse(theirs.clone()), PolicyWitnessError::OtherPolicy.into());
    for witness in [Witness::None, Transaction::signed(good.chain, good.body.clone(), &keypair(1)).witness] {
        assert_eq!(net.refuse(Transaction { witness, ..good.clone() }), TxError::WitnessKind(policy.account()));
    }
    let key = net.transfer(1, 2, sat(1));
    for witness in [Witness::None, theirs.witness] {
        assert_eq!(net.refuse(Transaction { witness, ..key.clone() }), TxError::WitnessKind(account(1)));
    }
    // A lone key as a policy is another account than the key's own.
    assert_ne!(other.account(), account(9));
}

/// L76: a policy account does whatever a key account does: deposits, assets, peg-outs.
#[test]
fn l76_a_policy_account_can_do_all() {
    let policy = two_of_three();
    let mut net = Net::new();
    let from = policy.account();
    let claim = net.deposit(&crate::DepositTerms { account: from, ..terms(1, 0) }, sat(1_000_000));
    let claim = net.claim(claim);
    net.accept(vec![claim]);
    net.settle();
    let have = query::balance(&net.state, &from).expect("memory");
    assert!(have > sat(900_000), "{have}");
    let spend = |net: &Net, nonce: u64, body: &dyn Fn(u64) -> TxBody| {
        let unsigned = Transaction { chain: net.genesis.chain_id(), body: body(nonce), witness: Witness::None };
        satisfy(unsigned, &policy, &[2, 3], false, false)
    };
    let asset = AssetTerms { ticker: "OIL".into(), name: "Oil".into(), decimals: 0, units: 5, reissuable: false };
    let issue = |nonce| TxBody::Issue { from, nonce, terms: asset.clone(), fee: Amount::ZERO, expiry: None };
    let script = wpkh(9).to_bytes();
    let peg_out = |nonce| TxBody::PegOut {
        from,
        nonce,
        script: script.clone(),
        amount: sat(50_000),
        fee_max: sat(1_000),
        fee: Amount::ZERO,
        expiry: Some(SideHeight::new(1_000)),
    };
    let list = vec![spend(&net, 0, &issue), spend(&net, 1, &peg_out)];
    net.accept(list);
    let id = asset.id(net.genesis.chain_id(), &from, 0);
    assert_eq!(query::units(&net.state, &from, &id), Ok(5));
    assert_eq!(query::balance(&net.state, &from), Ok(have - sat(50_000)));
    net.settle();
}

/// Case 2: blocks with policies are judged alike, whatever was checked before and stands at whichever place.
#[test]
fn case_02_policies_are_judged_alike_with_any_witness() {
    let timeout = BtcHeight::new(10_000);
    let (multi, lock) = (two_of_three(), lock(timeout));
    let mut net = funded(&multi);
    pay(&mut net, lock.account(), sat(10_000));
    let good = satisfy(transfer(&net, &multi, 3, sat(100)), &multi, &[1, 2], false, false);
    let otherwise = satisfy(Transaction { witness: Witness::None, ..good.clone() }, &multi, &[2, 3], false, false);
    let claim = satisfy(transfer(&net, &lock, 2, sat(100)), &lock, &[2], true, false);
    // Its signature holds, so it may be remembered; its height is not reached.
    let early = satisfy(Transaction { witness: Witness::None, ..claim.clone() }, &lock, &[1], false, true);
    assert_eq!(claim.id(), early.id());
    let mut forged = good.clone();
    leaves(&mut forged)[0] = LeafWitness::Signature([1; 64]);
    let mut guessed = claim.clone();
    leaves(&mut guessed)[1] = LeafWitness::Preimage([1; 32]);
    let checked = |one: &Transaction| Arc::new(Checked::new(one.clone()).expect("it holds"));
    let known = [&good, &otherwise, &claim, &early].map(checked);
    assert!(Checked::new(forged.clone()).is_err() && Checked::new(guessed.clone()).is_err());
    let cases =
        [(&good, true), (&otherwise, true), (&claim, true), (&early, false), (&forged, false), (&guessed, false)];
    for (transaction, expected) in cases {
        let list = vec![if expected { transaction.clone() } else { good.clone() }];
        let (mut block, _, _): (Block, _, _) =
            build(&net.genesis, &net.state, &net.tip, BitcoinInputs::default(), list).expect("a block");
        if !expected {
            block.transactions = vec![transaction.clone()];
            block.header.body_root = block.body_root();
        }
        let without = net.apply(&block);
        assert_eq!(without.is_ok(), expected, "{without:?}");
        for witness in known.iter().cloned().map(Some).chain([None]) {
            assert_eq!(apply_checked(&net.genesis, &net.state, &net.tip, &block, &[witness]), without);
        }
    }
}

fn any_leaf() -> impl Strategy<Value = LeafWitness> {
    let bytes = || 0_u8..3;
    prop_oneof![
        Just(LeafWitness::Unused),
        Just(LeafWitness::Reached),
        bytes().prop_map(|byte| LeafWitness::Signature([byte; 64])),
        bytes().prop_map(|byte| LeafWitness::Preimage([byte; 32])),
    ]
}

fn any_witness() -> impl Strategy<Value = Witness> {
    let policy = (crate::policy::tests::policy(), prop::collection::vec(any_leaf(), 0..4))
        .prop_map(|(policy, leaves)| Witness::Policy(Box::new(PolicyWitness { policy, leaves })));
    prop_oneof![Just(Witness::None), (0_u8..3).prop_map(|byte| Witness::Key([byte; 64])), policy]
}

proptest! {
    /// Case 2: with any witness, no two transactions share an encoding, and so none share what a cache looks up;
    /// the id is of the body alone.
    #[test]
    fn case_02_no_two_witnesses_share_an_encoding(one in any_witness(), two in any_witness()) {
        let body = TxBody::Transfer { from: account(1), nonce: 0, outputs: vec![], fee: Amount::ZERO, memo: vec![], expiry: None };
        let make = |witness: Witness| Transaction { chain: windlass_types::ChainId(Digest([1; 32])), body: body.clone(), witness };
        let (one, two) = (make(one), make(two));
        prop_assert_eq!(one == two, one.encode() == two.encode());
        prop_assert_eq!(one == two, one.leaf() == two.leaf());
        prop_assert_eq!(one.id(), two.id());
        prop_assert_eq!(&Transaction::decode(&one.encode()).expect("its own"), &one);
        prop_assert!(Transaction::decode(&[one.encode(), vec![0]].concat()).is_err());
    }
}
