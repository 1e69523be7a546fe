//! Batches and peg-outs: settled, voided, refused.

use crate::testkit::{Net, account, bitcoin_tx, keypair, sat, terms, wpkh};
use crate::{
    ApplyError, BatchState, ClaimError, DepositState, InputsError, PegOutState, Receipt, Transaction, TxBody, TxError,
    build, query,
};
use bitcoin::{Amount, OutPoint, ScriptBuf};
use windlass_types::Blocks;

fn claim_error(error: TxError) -> ClaimError {
    match error {
        TxError::Claim(error) => error,
        other => panic!("{other}"),
    }
}

fn deposit_state(net: &Net, outpoint: OutPoint) -> DepositState {
    query::deposit(&net.state, outpoint).expect("memory").expect("claimed").state
}

/// L37, L38.
#[test]
fn case_12_a_reclaim_wins_against_the_sweep_and_nothing_is_minted() {
    let mut net = Net::new();
    net.fund(3, sat(500_000));
    let mine = net.deposit(&terms(1, 0), sat(1_000_000));
    let other = net.deposit(&terms(2, 0), sat(2_000_000));
    let reclaimed = mine.outpoint().expect("decodes");
    let out = net.peg_out(3, &wpkh(9), sat(100_000));
    let out_id = out.id();
    net.accept(vec![net.claim(mine), net.claim(other.clone()), out]);
    let first = query::batch(&net.state).expect("memory").expect("in flight");
    assert_eq!(first.inputs.len(), 3);

    let reclaim = bitcoin_tx(&[reclaimed], &[(wpkh(1), sat(999_000))]);
    let supply = net.tip.supply;
    net.mine(vec![reclaim.clone()]);
    net.block(vec![]);
    assert_eq!(net.tip.supply, supply, "nothing is minted");
    assert!(
        matches!(deposit_state(&net, reclaimed), DepositState::Reclaimed { txid, .. } if txid == reclaim.compute_txid())
    );
    let record = query::batch_by_id(&net.state, first.id).expect("memory").expect("fixed");
    assert!(matches!(record.state, BatchState::Voided { outpoint, .. } if outpoint == reclaimed));
    // The rest is in the next batch, which conflicts with the first through its other inputs.
    let second = query::batch(&net.state).expect("memory").expect("in flight");
    assert_eq!(second.id, first.id + 1);
    assert_eq!(second.inputs.len(), 2);
    assert!(second.inputs.iter().all(|input| first.inputs.iter().any(|old| old.outpoint == input.outpoint)));
    assert_eq!(second.payouts[0].id, out_id);
    net.settle();
    assert_eq!(net.balance(1), Amount::ZERO);
    assert!(net.balance(2) > sat(1_999_000));
    let paid = query::peg_out(&net.state, &out_id).expect("memory").expect("asked for");
    assert!(matches!(paid.state, PegOutState::Paid { batch, .. } if batch == second.id));
}

#[test]
fn case_12_a_reclaim_before_any_batch() {
    let mut net = Net::new();
    let first = net.deposit(&terms(1, 0), sat(1_000_000));
    net.accept(vec![net.claim(first)]);
    // The batch in flight holds the second one back.
    let second = net.deposit(&terms(2, 0), sat(2_000_000));
    let outpoint = second.outpoint().expect("decodes");
    net.accept(vec![net.claim(second)]);
    assert_eq!(deposit_state(&net, outpoint), DepositState::Claimed);
    net.mine(vec![bitcoin_tx(&[outpoint], &[(wpkh(1), sat(1_999_000))])]);
    net.block(vec![]);
    assert!(matches!(deposit_state(&net, outpoint), DepositState::Reclaimed { .. }));
    net.settle();
    assert_eq!(net.tip.supply, sat(1_000_000 - 222));
    assert_eq!(query::batch(&net.state), Ok(None), "nothing is left to do");
}

#[test]
fn case_12_never_swept_later_than_the_buffer_before_the_reclaim() {
    let mut genesis = crate::testkit::genesis();
    genesis.params.reclaim_blocks = Blocks::new(20);
    genesis.params.reclaim_buffer = Blocks::new(8);
    let mut net = Net::with(genesis);
    let claim = net.deposit(&terms(1, 0), sat(1_000_000));
    let deposited = claim.block;
    let blocker = net.deposit(&terms(2, 0), sat(1_000_000));
    net.accept(vec![net.claim(blocker)]);
    // anchor + 8 < deposited + 20 holds up to anchor = deposited + 11.
    while net.tip.anchor.height.since(deposited) < Some(Blocks::new(11)) {
        net.mine(vec![]);
        net.block(vec![]);
    }
    let mut late = net.clone();
    let outpoint = claim.outpoint().expect("decodes");
    let claim = net.claim(claim);
    net.accept(vec![claim.clone()]);
    late.mine(vec![]);
    late.block(vec![]);
    assert!(matches!(claim_error(late.refuse(claim)), ClaimError::TooLate { .. }));

    // Claimed in time, but the batch before it took too long: let go, and the user's.
    net.settle();
    assert_eq!(deposit_state(&net, outpoint), DepositState::Lapsed { lapsed: net.tip.height });
    assert_eq!(query::batch(&net.state), Ok(None));
    assert_eq!(net.balance(1), Amount::ZERO);
    // The reclaim later is nothing to the ledger.
    net.mine(vec![bitcoin_tx(&[outpoint], &[(wpkh(1), sat(999_000))])]);
    net.block(vec![]);
    assert!(matches!(deposit_state(&net, outpoint), DepositState::Lapsed { .. }));
}

/// L12, L13.
#[test]
fn case_19_peg_outs_that_would_lose_coins_are_refused() {
    let mut net = Net::new();
    net.fund(1, sat(1_000_000));
    let bare = ScriptBuf::new_p2tr(
        &bitcoin::secp256k1::Secp256k1::new(),
        crate::script::x_only(&net.genesis.treasury_key).expect("key"),
        None,
    );
    let treasury = query::treasury(&net.state).expect("memory").expect("funded");
    let treasury = treasury.spend_info(&net.genesis).expect("keys").script;
    let deposit = terms(1, 0).spend_info(&net.genesis).expect("keys").script;
    for own in [bare, treasury, deposit] {
        assert_eq!(net.refuse(net.peg_out(1, &own, sat(50_000))), TxError::OwnScript(own));
    }
    let off_curve = ScriptBuf::from_bytes([&[0x51, 0x20][..], &[0xff; 32]].concat());
    let anchor = ScriptBuf::from_hex("51024e73").expect("hex");
    let future = ScriptBuf::from_bytes([&[0x60, 0x20][..], &[1; 32]].concat());
    let multisig = ScriptBuf::from_bytes([&[0x51, 0x21][..], &[2; 33], &[0x51, 0xae]].concat());
    for odd in [
        ScriptBuf::new_op_return([1, 2, 3]),
        ScriptBuf::new(),
        off_curve,
        anchor,
        future,
        multisig,
        ScriptBuf::from_bytes(vec![0; 100_000]),
    ] {
        assert_eq!(net.refuse(net.peg_out(1, &odd, sat(50_000))), TxError::Script(odd));
    }
    let (min, max) = (net.genesis.params.min_peg_out, net.genesis.params.max_peg_out);
    for amount in [Amount::ZERO, sat(1), sat(283), min - sat(1), max + sat(1), Amount::MAX_MONEY] {
        assert_eq!(net.refuse(net.peg_out(1, &wpkh(1), amount)), TxError::PegOutAmount { amount, min, max });
    }
    assert!(matches!(net.refuse(net.peg_out(1, &wpkh(1), sat(1_000_001))), TxError::Insufficient { .. }));
    let with_fee_max = |net: &Net, fee_max| {
        net.sign(1, |from, nonce| TxBody::PegOut {
            from,
            nonce,
            script: wpkh(1).to_bytes(),
            amount: sat(50_000),
            fee_max,
            fee: Amount::ZERO,
            expiry: None,
        })
    };
    let error = net.refuse(with_fee_max(&net, sat(283)));
    assert_eq!(error, TxError::FeeMax { fee: sat(284), fee_max: sat(283) });
    net.accept(vec![with_fee_max(&net, sat(284))]);
    net.settle();
}

/// A peg-out that can't be paid, whatever is wrong with it, is named and left out; the block has all the others, and
/// they are paid.
#[test]
fn case_30_a_poisonous_peg_out_is_named_and_the_rest_goes_on() {
    let mut net = Net::new();
    for seed in 1..4 {
        net.fund(seed, sat(1_000_000));
    }
    let (max, has) = (net.genesis.params.max_peg_out, net.balance(1));
    let (huge, odd) = (ScriptBuf::from_bytes(vec![0x51; 600_000]), ScriptBuf::new_op_return([1]));
    let poison = [
        (net.peg_out(1, &huge, sat(50_000)), "600"),
        (net.peg_out(1, &odd, sat(50_000)), "no standard Bitcoin address"),
        (net.peg_out(1, &wpkh(1), max + sat(1)), "peg-out"),
        (net.peg_out(1, &wpkh(1), Amount::MAX), "amounts"),
    ];
    let healthy = [net.peg_out(2, &wpkh(2), sat(50_000)), net.peg_out(3, &wpkh(3), sat(60_000))];
    let mut mixed: Vec<Transaction> = poison.iter().map(|(transaction, _)| transaction.clone()).collect();
    mixed.insert(2, healthy[0].clone());
    mixed.push(healthy[1].clone());
    let left_out = net.block(mixed);
    assert_eq!(left_out.len(), poison.len());
    for ((transaction, field), (id, error)) in poison.iter().zip(&left_out) {
        assert_eq!(*id, transaction.id());
        assert!(error.to_string().contains(field), "{error} should name {field}");
        assert!(!error.is_transient(), "it never becomes good: {error}");
    }
    net.settle();
    for transaction in healthy {
        let record = query::peg_out(&net.state, &transaction.id()).expect("memory").expect("burned");
        assert!(matches!(record.state, PegOutState::Paid { .. }), "{record:?}");
    }
    assert_eq!(net.balance(1), has, "who asked for what can't be paid has lost nothing");
}

#[test]
fn case_19_peg_out_twice_to_one_destination() {
    let mut net = Net::new();
    net.fund(1, sat(1_000_000));
    let first = net.peg_out(1, &wpkh(7), sat(50_000));
    let second = Transaction::signed(
        net.genesis.chain_id(),
        TxBody::PegOut {
            from: account(1),
            nonce: 1,
            script: wpkh(7).to_bytes(),
            amount: sat(50_000),
            fee_max: sat(1_000),
            fee: Amount::ZERO,
            expiry: None,
        },
        &keypair(1),
    );
    let ids = [first.id(), second.id()];
    assert_ne!(ids[0], ids[1]);
    net.accept(vec![first.clone(), second]);
    assert!(matches!(net.refuse(first), TxError::NonceUsed { .. }));
    net.settle();
    let outpoints = ids.map(|id| match query::peg_out(&net.state, &id).expect("memory").expect("asked").state {
        PegOutState::Paid { outpoint, .. } => outpoint,
        other => panic!("{other:?}"),
    });
    assert_ne!(outpoints[0], outpoints[1]);
    assert_eq!(query::peg_outs_of(&net.state, &account(1)).expect("memory").len(), 2);
}

#[test]
fn case_19_a_peg_out_to_an_unclaimed_deposit_address_is_a_new_deposit() {
    let mut net = Net::new();
    net.fund(1, sat(1_000_000));
    let fresh = terms(2, 77);
    let script = fresh.spend_info(&net.genesis).expect("keys").script;
    net.accept(vec![net.peg_out(1, &script, sat(50_000))]);
    let tx = net.batch_tx();
    let height = net.mine(vec![tx.clone()]);
    net.block(vec![]);
    net.accept(vec![net.claim(net.claim_of(height, tx.compute_txid(), 1, &fresh))]);
    net.settle();
    assert!(net.balance(2) > sat(49_000));
}

/// L31.
#[test]
fn case_21_more_peg_outs_than_a_batch_holds_wait_their_turn() {
    let mut genesis = crate::testkit::genesis();
    genesis.params.max_batch_peg_outs = 2;
    genesis.params.max_batch_deposits = 1;
    let mut net = Net::with(genesis);
    net.fund(1, sat(10_000_000));
    let mut ids = Vec::new();
    for tag in 0..5 {
        let out = net.peg_out(1, &wpkh(tag), sat(50_000));
        ids.push(out.id());
        net.accept(vec![out]);
    }
    let mut order = Vec::new();
    while let Some(batch) = query::batch(&net.state).expect("memory") {
        assert!(batch.payouts.len() <= 2);
        order.extend(batch.payouts.iter().map(|payout| payout.id));
        net.settle();
    }
    assert_eq!(order, ids, "first come, first paid");
}

/// L44.
#[test]
fn a_treasury_that_was_spent_otherwise_closes_the_peg() {
    let mut net = Net::new();
    net.fund(1, sat(1_000_000));
    let out = net.peg_out(1, &wpkh(9), sat(50_000));
    net.accept(vec![out]);
    let coin = query::treasury(&net.state).expect("memory").expect("funded");
    let theft = bitcoin_tx(&[coin.outpoint], &[(wpkh(66), coin.amount)]);
    net.mine(vec![theft.clone()]);
    net.block(vec![]);
    let breach = query::breach(&net.state).expect("memory").expect("seen");
    assert_eq!((breach.txid, breach.amount), (theft.compute_txid(), coin.amount));
    assert_eq!(query::batch(&net.state), Ok(None));
    assert!(net.last.as_ref().expect("applied").receipts.iter().any(|r| matches!(r, Receipt::Breached { .. })));
    assert!(matches!(net.refuse(net.peg_out(1, &wpkh(9), sat(50_000))), TxError::Breached(_)));
    let claim = net.deposit(&terms(2, 0), sat(1_000_000));
    assert!(matches!(net.refuse(net.claim(claim)), TxError::Breached(_)));
    // Accounts still answer to their keys, and the deficit stands in each header.
    net.accept(vec![net.transfer(1, 2, sat(5))]);
    assert_eq!(net.tip.owed, sat(50_000));
}

/// L5.
#[test]
fn a_spend_that_no_bitcoin_transaction_could_make_is_refused() {
    let mut net = Net::new();
    let (a, b) = (net.deposit(&terms(1, 0), sat(1_000_000)), net.deposit(&terms(2, 0), sat(1_000_000)));
    net.accept(vec![net.claim(a), net.claim(b)]);
    let tx = net.batch_tx();
    net.mine(vec![tx]);
    let good = net.inputs();
    assert_eq!(good.blocks[0].spends.len(), 2);
    let attempt = |edit: &dyn Fn(&mut Vec<crate::Spend>)| {
        let mut inputs = good.clone();
        edit(&mut inputs.blocks[0].spends);
        match build(&net.genesis, &net.state, &net.tip, inputs, vec![]) {
            Err(ApplyError::Inputs(error)) => error,
            other => panic!("{other:?}"),
        }
    };
    assert!(matches!(attempt(&|spends| spends.truncate(1)), InputsError::Partial { .. }));
    assert!(matches!(attempt(&|spends| spends.reverse()), InputsError::Order(_)));
    assert!(matches!(attempt(&|spends| spends.push(spends[1])), InputsError::Order(_)));
    assert!(matches!(attempt(&|spends| spends[1].outpoint.vout = 9), InputsError::Unwatched { .. }));
}

#[test]
fn several_bitcoin_blocks_at_once_settle_the_same() {
    let mut net = Net::new();
    let claim = net.deposit(&terms(1, 0), sat(1_000_000));
    net.accept(vec![net.claim(claim)]);
    let tx = net.batch_tx();
    for at in 0..300 {
        net.mine(if at == 200 { vec![tx.clone()] } else { vec![] });
    }
    net.block(vec![]);
    assert_eq!(net.balance(1), Amount::ZERO, "144 blocks at a time");
    net.block(vec![]);
    net.block(vec![]);
    assert_eq!(net.balance(1), sat(1_000_000 - 222));
    assert_eq!(net.tip.anchor.height, net.bitcoin.last().expect("mined").0);
}

#[test]
fn a_treasury_that_was_spent_while_nothing_was_in_flight_closes_the_peg() {
    let mut net = Net::new();
    net.fund(1, sat(1_000_000));
    assert_eq!(query::batch(&net.state), Ok(None));
    let coin = query::treasury(&net.state).expect("memory").expect("funded");
    net.mine(vec![bitcoin_tx(&[coin.outpoint], &[(wpkh(66), coin.amount)])]);
    net.block(vec![]);
    assert!(query::breach(&net.state).expect("memory").is_some());
    assert_eq!(query::treasury(&net.state), Ok(None));
}

#[test]
fn a_treasury_spent_in_the_block_that_makes_it_closes_the_peg() {
    let mut net = Net::new();
    let claim = net.deposit(&terms(1, 0), sat(1_000_000));
    net.accept(vec![net.claim(claim)]);
    let batch = query::batch(&net.state).expect("memory").expect("in flight");
    let change = batch.change_outpoint().expect("change");
    let theft = bitcoin_tx(&[change], &[(wpkh(66), sat(900_000))]);
    net.mine(vec![net.batch_tx(), theft.clone()]);
    net.block(vec![]);
    assert_eq!(net.balance(1), sat(1_000_000 - 222), "minted before it was stolen");
    let breach = query::breach(&net.state).expect("memory").expect("seen");
    assert_eq!((breach.outpoint, breach.txid), (change, theft.compute_txid()));
}

#[test]
fn records_have_a_json() {
    let mut net = Net::new();
    net.fund(1, sat(1_000_000));
    net.accept(vec![net.peg_out(1, &wpkh(9), sat(50_000))]);
    let batch = serde_json::to_value(query::batch_by_id(&net.state, 0).expect("memory").expect("fixed")).expect("json");
    assert_eq!(batch["state"]["state"], "settled");
    assert_eq!(batch["batch"]["inputs"][0]["coin"]["coin"], "deposit");
    assert_eq!(batch["batch"]["inputs"][0]["amount"], 1_000_000);
    let deposits = query::deposits_of(&net.state, &account(1)).expect("memory");
    let deposit = serde_json::to_value(&deposits[0]).expect("json");
    assert_eq!(deposit["state"]["state"], "minted");
    assert_eq!(deposit["terms"]["account"], hex::encode(account(1).to_bytes()));
    let header = serde_json::to_value(net.tip).expect("json");
    assert_eq!(header["owed"], 50_000);
    let receipts = serde_json::to_value(&net.last.as_ref().expect("applied").receipts).expect("json");
    assert_eq!(receipts[0]["event"], "burned");
}
