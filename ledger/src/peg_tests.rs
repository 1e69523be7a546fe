//! Deposits, batches and peg-outs: the failure cases of the peg that are the ledger's.

use crate::testkit::{Net, account, bitcoin_block, bitcoin_tx, keypair, sat, terms, wpkh, x_only};
use crate::{
    ApplyError, BatchState, BitcoinInputs, BlockError, ClaimError, DepositState, InputsError, PegOutState, Receipt,
    Transaction, TxBody, TxError, build, query,
};
use bitcoin::hashes::Hash as _;
use bitcoin::{Amount, OutPoint, ScriptBuf};
use windlass_types::{Blocks, BtcHeight, Epoch};

fn claim_error(error: TxError) -> ClaimError {
    match error {
        TxError::Claim(error) => error,
        other => panic!("{other}"),
    }
}

fn deposit_state(net: &Net, outpoint: OutPoint) -> DepositState {
    query::deposit(&net.state, outpoint).expect("memory").expect("claimed").state
}

#[test]
fn case_06_same_outpoint_claimed_twice_in_one_block() {
    let mut net = Net::new();
    let claim = net.deposit(&terms(1, 0), sat(1_000_000));
    let claim = net.claim(claim);
    let inputs = BitcoinInputs::default;
    let (mut block, _, left_out) =
        build(&net.genesis, &net.state, &net.tip, inputs(), vec![claim.clone(), claim.clone()]).expect("builds");
    assert!(matches!(left_out.as_slice(), [(_, TxError::Claim(ClaimError::Again { .. }))]));
    block.transactions.push(claim);
    let error = net.apply(&block).expect_err("twice");
    assert!(matches!(error, BlockError::Transaction { index: 1, error: TxError::Claim(ClaimError::Again { .. }), .. }));
}

#[test]
fn case_06_same_outpoint_claimed_twice_across_blocks() {
    let mut net = Net::new();
    let claim = net.deposit(&terms(1, 0), sat(1_000_000));
    let claim = net.claim(claim);
    net.accept(vec![claim.clone()]);
    assert!(matches!(net.refuse(claim.clone()), TxError::Claim(ClaimError::Again { .. })));
    net.settle();
    assert!(matches!(net.refuse(claim.clone()), TxError::Claim(ClaimError::Again { .. })));
    assert_eq!(net.balance(1), sat(1_000_000 - 222), "minted once");
    // A restart: all there is comes from the store.
    let mut restarted = net.clone();
    assert!(matches!(restarted.refuse(claim), TxError::Claim(ClaimError::Again { .. })));
}

#[test]
fn case_06_same_outpoint_claimed_by_two_accounts() {
    let mut net = Net::new();
    let claim = net.deposit(&terms(1, 0), sat(1_000_000));
    for changed in [terms(2, 0), terms(1, 1), crate::DepositTerms { user_key: x_only(3), ..terms(1, 0) }] {
        let stolen = net.claim(crate::DepositClaim { terms: changed, ..claim.clone() });
        assert_eq!(claim_error(net.refuse(stolen)), ClaimError::ForeignScript);
    }
    // A stranger may send the claim: it credits whom the address says.
    net.accept(vec![net.claim(claim)]);
    net.settle();
    assert_eq!((net.balance(1), net.balance(2)), (sat(1_000_000 - 222), Amount::ZERO));
}

#[test]
fn case_07_an_anchor_that_is_not_on_the_chain_is_refused() {
    let mut net = Net::new();
    net.mine(vec![]);
    net.mine(vec![]);
    let good = net.inputs();
    let attempt = |inputs: BitcoinInputs| match build(&net.genesis, &net.state, &net.tip, inputs, vec![]) {
        Err(ApplyError::Inputs(error)) => error,
        other => panic!("{other:?}"),
    };
    let mut skipped = good.clone();
    skipped.blocks.remove(0);
    assert!(matches!(attempt(skipped), InputsError::Height { .. }));
    let mut fork = good.clone();
    let parent = bitcoin::BlockHash::from_byte_array([7; 32]);
    let stranger = bitcoin_block(parent, 5, vec![]);
    fork.blocks[0].header = bitcoin::consensus::serialize(&stranger.header).try_into().expect("80");
    assert!(matches!(attempt(fork), InputsError::Parent { .. }));
    let mut fork = good.clone();
    fork.blocks[1].header = bitcoin::consensus::serialize(&stranger.header).try_into().expect("80");
    assert!(matches!(attempt(fork), InputsError::Parent { height, .. } if height == BtcHeight::new(102)));
    let mut twice = good.clone();
    twice.blocks.push(twice.blocks[1].clone());
    assert!(matches!(attempt(twice), InputsError::Height { .. }));
    let mut many = good.clone();
    many.blocks = vec![many.blocks[0].clone(); 145];
    assert_eq!(attempt(many), InputsError::TooMany(145));
    let mut empty = good;
    empty.blocks[0].transactions = 0;
    assert!(matches!(attempt(empty), InputsError::Empty(_)));
}

#[test]
fn case_07_a_deposit_counts_only_when_anchored() {
    let mut net = Net::new();
    let script = terms(1, 0).spend_info(&net.genesis).expect("keys").script;
    let coin = net.coin();
    let tx = bitcoin_tx(&[coin], &[(script.clone(), sat(1_000_000))]);
    let height = net.mine(vec![tx.clone()]);
    let claim = net.claim(net.claim_of(height, tx.compute_txid(), 0, &terms(1, 0)));
    let error = net.refuse(claim.clone());
    assert!(error.is_transient(), "a mempool keeps it");
    assert!(matches!(claim_error(error), ClaimError::NotAnchored { .. }));
    // In the very block that anchors it, it counts.
    net.accept(vec![claim]);

    // A block of the same height on a branch that was reorganised away.
    let coin = net.coin();
    let lost = bitcoin_tx(&[coin], &[(script, sat(1_000_000))]);
    let (_, parent) = net.bitcoin[0].clone();
    let stale = bitcoin_block(parent.block_hash(), 9, vec![lost.clone()]);
    let claim = crate::DepositClaim::new(&stale, height, lost.compute_txid(), 0, terms(1, 0)).expect("in it");
    assert!(matches!(claim_error(net.refuse(net.claim(claim))), ClaimError::ForeignBlock { .. }));
}

#[test]
fn case_07_a_batch_settles_only_when_anchored() {
    let mut net = Net::new();
    let claim = net.deposit(&terms(1, 0), sat(1_000_000));
    net.accept(vec![net.claim(claim)]);
    let tx = net.batch_tx();
    net.block(vec![]);
    assert_eq!(net.balance(1), Amount::ZERO);
    net.mine(vec![tx]);
    assert_eq!(net.balance(1), Amount::ZERO, "mined, but not anchored");
    net.block(vec![]);
    assert_eq!(net.balance(1), sat(1_000_000 - 222));
}

#[test]
fn case_08_one_transaction_pays_two_outputs_to_one_address() {
    let mut net = Net::new();
    let script = terms(1, 0).spend_info(&net.genesis).expect("keys").script;
    let coin = net.coin();
    let tx = bitcoin_tx(&[coin], &[(script.clone(), sat(20_000)), (script, sat(30_000)), (wpkh(1), sat(40_000))]);
    let txid = tx.compute_txid();
    let height = net.mine(vec![tx]);
    net.block(vec![]);
    let claims = [0, 1].map(|vout| net.claim(net.claim_of(height, txid, vout, &terms(1, 0))));
    net.accept(claims.to_vec());
    for vout in [2, 3, u32::MAX] {
        let claim = net.claim_of(height, txid, vout, &terms(1, 0));
        let expected = if vout == 2 { ClaimError::ForeignScript } else { ClaimError::NoOutput { vout, outputs: 3 } };
        assert_eq!(claim_error(net.refuse(net.claim(claim))), expected);
    }
    net.settle();
    // 10.5 + 2 * 57.5 + 43 = 169 vB.
    assert_eq!(net.balance(1), sat(50_000 - 338));
    assert_eq!(query::deposits_of(&net.state, &account(1)).expect("memory").len(), 2);
}

#[test]
fn case_08_a_coinbase_or_a_wrong_amount_is_no_deposit() {
    let mut net = Net::new();
    let script = terms(1, 0).spend_info(&net.genesis).expect("keys").script;
    let height = net.mine(vec![]);
    let (_, block) = net.bitcoin.last_mut().expect("mined");
    block.txdata[0].output[0].script_pubkey = script;
    block.header.merkle_root = block.compute_merkle_root().expect("coinbase");
    let txid = block.txdata[0].compute_txid();
    net.block(vec![]);
    let claim = net.claim_of(height, txid, 0, &terms(1, 0));
    assert_eq!(claim_error(net.refuse(net.claim(claim))), ClaimError::Coinbase);

    let (min, max) = (net.genesis.params.min_deposit, net.genesis.params.max_deposit);
    for wrong in [min - sat(1), max + sat(1)] {
        let claim = net.deposit(&terms(1, 0), wrong);
        assert_eq!(claim_error(net.refuse(net.claim(claim))), ClaimError::Amount { amount: wrong, min, max });
    }
    for right in [min, max] {
        let claim = net.deposit(&terms(1, 0), right);
        net.accept(vec![net.claim(claim)]);
    }
}

#[test]
fn case_09_an_epoch_without_a_key_is_refused() {
    let mut net = Net::new();
    let mut claim = net.deposit(&terms(1, 0), sat(1_000_000));
    claim.terms.epoch = Epoch::new(1);
    assert!(matches!(claim_error(net.refuse(net.claim(claim))), ClaimError::Terms(_)));
}

#[test]
fn case_10_a_deposit_with_2500_outputs() {
    let mut net = Net::new();
    let script = terms(1, 0).spend_info(&net.genesis).expect("keys").script;
    let coin = net.coin();
    let mut outputs = vec![(wpkh(1), sat(10_000)); 2_500];
    outputs[2_400].0 = script;
    let tx = bitcoin_tx(&[coin], &outputs);
    assert!(bitcoin::consensus::serialize(&tx).len() > 64_000);
    let txid = tx.compute_txid();
    let height = net.mine(vec![tx]);
    net.block(vec![]);
    net.accept(vec![net.claim(net.claim_of(height, txid, 2_400, &terms(1, 0)))]);
    net.settle();
    assert_eq!(net.balance(1), sat(10_000 - 222));
}

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

#[test]
fn case_13_only_our_template_of_the_reclaim_script_is_accepted() {
    use bitcoin::opcodes::all::{OP_CHECKSIG, OP_CSV, OP_DROP};
    use bitcoin::taproot::{TapNodeHash, TaprootBuilder};
    let mut net = Net::new();
    let terms = terms(1, 0);
    let user = crate::script::x_only(&terms.user_key).expect("key");
    let short = crate::script::reclaim_leaf(&user, Blocks::new(1007));
    let disabled = bitcoin::script::Builder::new()
        .push_int(1 << 31)
        .push_opcode(OP_CSV)
        .push_opcode(OP_DROP)
        .push_x_only_key(&user)
        .push_opcode(OP_CHECKSIG)
        .into_script();
    let success = ScriptBuf::from_bytes(vec![0x50]);
    for leaf in [short, disabled, success] {
        let tree = TaprootBuilder::new()
            .add_hidden_node(1, TapNodeHash::assume_hidden(terms.hidden()))
            .and_then(|tree| tree.add_leaf(1, leaf))
            .expect("full");
        let key = crate::script::x_only(&net.genesis.treasury_key).expect("key");
        let info = tree.finalize(crate::script::secp(), key).expect("full");
        let coin = net.coin();
        let tx = bitcoin_tx(&[coin], &[(ScriptBuf::new_p2tr_tweaked(info.output_key()), sat(1_000_000))]);
        let txid = tx.compute_txid();
        let height = net.mine(vec![tx]);
        net.block(vec![]);
        let claim = net.claim(net.claim_of(height, txid, 0, &terms));
        assert_eq!(claim_error(net.refuse(claim)), ClaimError::ForeignScript);
    }
}

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
fn old_anchors_are_forgotten() {
    let mut genesis = crate::testkit::genesis();
    genesis.params.reclaim_blocks = Blocks::new(20);
    genesis.params.reclaim_buffer = Blocks::new(8);
    let mut net = Net::with(genesis);
    let claim = net.deposit(&terms(1, 0), sat(1_000_000));
    for _ in 0..40 {
        net.mine(vec![]);
    }
    net.block(vec![]);
    assert_eq!(net.state.iter().filter(|(key, _)| key.starts_with(crate::keys::ANCHORS)).count(), 20);
    assert!(matches!(claim_error(net.refuse(net.claim(claim))), ClaimError::TooOld(_)));
    let before = net.genesis.start.height;
    assert_eq!(query::anchor(&net.state, before), Ok(None));
}
