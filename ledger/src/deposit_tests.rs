//! Deposits and anchors: the failure cases of the way in.

use crate::testkit::{Net, account, bitcoin_block, bitcoin_tx, sat, terms, wpkh, x_only};
use crate::{ApplyError, BitcoinInputs, BlockError, ClaimError, InputsError, TxError, build, query};
use bitcoin::hashes::Hash as _;
use bitcoin::{Amount, ScriptBuf};
use windlass_types::{Blocks, BtcHeight, Epoch};

fn claim_error(error: TxError) -> ClaimError {
    match error {
        TxError::Claim(error) => error,
        other => panic!("{other}"),
    }
}

/// L27.
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

/// L27.
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

/// L5.
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

/// L22, L25.
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

/// L21, L20.
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

/// L6.
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

/// L26.
#[test]
fn the_last_heights_of_a_deposit_are_the_rules() {
    let mut net = Net::new();
    let claim = net.deposit(&terms(1, 0), sat(1_000_000));
    let (height, outpoint) = (claim.block, claim.outpoint().expect("decodes"));
    net.accept(vec![net.claim(claim)]);
    let record = query::deposit(&net.state, outpoint).expect("memory").expect("claimed");
    let params = &net.genesis.params;
    assert_eq!(record.reclaim_height(params), height.checked_add(Blocks::new(1008)));
    assert_eq!(record.lapse_height(params), height.checked_add(Blocks::new(1008 - 144)));
}
