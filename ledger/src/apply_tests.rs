//! Blocks, transfers and the header.

use super::*;
use crate::testkit::{Net, account, keypair, sat, terms, wpkh};
use crate::{DepositState, MAX_TRANSFER_OUTPUTS, Output, PegOutState, TxBody, Witness, query};
use windlass_types::{AccountId, AccountKind, BtcHeight};

/// L36, L40.
#[test]
fn the_whole_way_in_and_out() {
    let mut net = Net::new();
    let claim = net.deposit(&terms(1, 0), sat(1_000_000));
    let outpoint = claim.outpoint().expect("decodes");
    net.accept(vec![net.claim(claim)]);
    assert_eq!(net.balance(1), Amount::ZERO, "a claim alone mints nothing");
    let record = query::deposit(&net.state, outpoint).expect("memory").expect("claimed");
    assert_eq!(record.state, DepositState::Batched { batch: 0 });

    net.settle();
    // 10.5 + 57.5 + 43 = 111 vB at 2 sat.
    assert_eq!(net.balance(1), sat(1_000_000 - 222));
    assert_eq!(net.tip.supply, sat(1_000_000 - 222));

    net.accept(vec![net.transfer(1, 2, sat(400_000))]);
    assert_eq!((net.balance(1), net.balance(2)), (sat(599_778), sat(400_000)));

    let out = net.peg_out(2, &wpkh(9), sat(400_000));
    let id = out.id();
    net.accept(vec![out]);
    assert_eq!((net.tip.supply, net.tip.owed), (sat(599_778), sat(400_000)));
    let tx = net.batch_tx();
    net.settle();
    assert_eq!((net.tip.supply, net.tip.owed), (sat(599_778), Amount::ZERO));
    let record = query::peg_out(&net.state, &id).expect("memory").expect("asked for");
    let PegOutState::Paid { outpoint, amount, .. } = record.state else { panic!("{record:?}") };
    // 10.5 + 57.5 + 43 + 31 = 142 vB.
    assert_eq!(amount, sat(400_000 - 284));
    assert_eq!(outpoint.txid, tx.compute_txid());
    assert_eq!(tx.output[usize::try_from(outpoint.vout).expect("small")].script_pubkey, wpkh(9));
}

/// L35, L14.
#[test]
fn all_of_the_supply_can_leave() {
    let mut net = Net::new();
    net.fund(1, sat(1_000_000));
    let all = net.balance(1);
    net.accept(vec![net.peg_out(1, &wpkh(9), all)]);
    let tx = net.batch_tx();
    assert_eq!(tx.output.len(), 1, "no change");
    net.settle();
    assert_eq!((net.tip.supply, net.tip.owed), (Amount::ZERO, Amount::ZERO));
    assert_eq!(query::treasury(&net.state), Ok(None));
    // And the peg begins anew.
    net.fund(2, sat(50_000));
    assert_eq!(net.balance(2), sat(50_000 - 222));
}

/// L14.
#[test]
fn a_supply_of_dust_can_not_be_left() {
    let mut net = Net::new();
    net.fund(1, sat(1_000_000));
    let all = net.balance(1);
    let error = net.refuse(net.peg_out(1, &wpkh(9), all - sat(329)));
    assert_eq!(error, TxError::DustLeft { rest: sat(329), min: sat(330) });
    net.accept(vec![net.peg_out(1, &wpkh(9), all - sat(330))]);
    assert_eq!(net.batch_tx().output[0].value, sat(330));
    net.settle();
}

/// L11, L15, L16, L18.
#[test]
fn transfers_are_refused_by_rule() {
    let mut net = Net::new();
    net.fund(1, sat(1_000_000));
    let have = net.balance(1);
    let make = |net: &Net, edit: &dyn Fn(&mut TxBody)| {
        net.sign(1, |from, nonce| {
            let outputs = vec![Output::btc(account(2), sat(5))];
            let mut body = TxBody::Transfer { from, nonce, outputs, fee: Amount::ZERO, memo: vec![], expiry: None };
            edit(&mut body);
            body
        })
    };
    macro_rules! refuse {
        ($field:ident = $value:expr, $expected:pat) => {{
            let transaction = make(&net, &|body| {
                if let TxBody::Transfer { $field, .. } = body {
                    *$field = $value;
                }
            });
            let error = net.refuse(transaction);
            assert!(matches!(error, $expected), "{error}");
        }};
    }
    refuse!(nonce = 64, TxError::NonceAhead { next: 0, found: 64 });
    refuse!(outputs = vec![], TxError::Outputs(0));
    refuse!(outputs = vec![Output::btc(account(2), sat(1)); 257], TxError::Outputs(257));
    refuse!(outputs = vec![Output::btc(account(2), Amount::ZERO)], TxError::ZeroOutput(0));
    refuse!(memo = vec![0; 81], TxError::Memo(81));
    refuse!(outputs = vec![Output::btc(account(2), have + sat(1))], TxError::Insufficient { .. });
    refuse!(outputs = vec![Output::btc(account(2), Amount::MAX_MONEY); 2], TxError::Overflow);
    refuse!(fee = have, TxError::Insufficient { .. });
    refuse!(fee = Amount::MAX_MONEY, TxError::Overflow);
    refuse!(expiry = Some(net.tip.height), TxError::Expired { .. });
    for to in [
        AccountId::FEES,
        AccountId { kind: AccountKind::System, bytes: [1; 32] },
        AccountId { kind: AccountKind::Key, bytes: [0xff; 32] },
    ] {
        refuse!(outputs = vec![Output::btc(to, sat(5))], TxError::Recipient { index: 0, .. });
    }
    refuse!(from = AccountId::FEES, TxError::NoKey(_));
    refuse!(from = account(2), TxError::Signature(_));
    let next = net.tip.height.next();
    net.accept(vec![make(&net, &|body| {
        if let TxBody::Transfer { expiry, .. } = body {
            *expiry = next;
        }
    })]);
    refuse!(nonce = 0, TxError::NonceUsed { next: 1, found: 0 });
}

/// L10.
#[test]
fn another_chains_transaction_is_refused() {
    let mut net = Net::new();
    net.fund(1, sat(1_000_000));
    let mut transaction = net.transfer(1, 2, sat(5));
    transaction.chain = ChainId(Digest([9; 32]));
    assert!(matches!(net.refuse(transaction), TxError::ForeignChain { .. }));
}

/// L10.
#[test]
fn any_changed_byte_of_a_transaction_breaks_its_signature() {
    let mut net = Net::new();
    net.fund(1, sat(1_000_000));
    let good = net.transfer(1, 2, sat(5)).encode();
    for index in 0..good.len() {
        let mut bytes = good.clone();
        bytes[index] ^= 1;
        if let Ok(changed) = Transaction::decode(&bytes) {
            assert!(check(&net.genesis, &net.state, &changed).is_err(), "byte {index}");
        }
    }
}

/// L17.
#[test]
fn fees_go_to_the_pot() {
    let mut net = Net::new();
    net.fund(1, sat(1_000_000));
    let supply = net.tip.supply;
    let transaction = net.sign(1, |from, nonce| TxBody::Transfer {
        from,
        nonce,
        outputs: [(account(2), 100), (account(2), 11), (from, 7)].map(|(to, paid)| Output::btc(to, sat(paid))).into(),
        fee: sat(3),
        memo: b"for the crew".to_vec(),
        expiry: None,
    });
    net.accept(vec![transaction]);
    assert_eq!(query::balance(&net.state, &AccountId::FEES), Ok(sat(3)));
    assert_eq!(net.balance(2), sat(111));
    assert_eq!(net.balance(1) + sat(114), supply);
}

/// L17: the least that the chain asks for, and nothing else decides.
#[test]
fn a_fee_below_the_least_is_refused() {
    let mut genesis = crate::testkit::genesis();
    genesis.params.transfer_fee_min = sat(3);
    let mut net = Net::with(genesis);
    net.fund(1, sat(1_000_000));
    let with_fee = |net: &Net, paid: u64| {
        net.sign(1, |from, nonce| {
            let outputs = vec![Output::btc(account(2), sat(5))];
            TxBody::Transfer { from, nonce, outputs, fee: sat(paid), memo: vec![], expiry: None }
        })
    };
    assert_eq!(net.refuse(with_fee(&net, 2)), TxError::FeeTooLow { fee: sat(2), min: sat(3) });
    net.accept(vec![with_fee(&net, 3)]);
}

/// L2.
#[test]
fn a_header_field_that_lies_is_named() {
    let mut net = Net::new();
    net.fund(1, sat(1_000_000));
    let inputs = BitcoinInputs::default();
    let transactions = vec![net.transfer(1, 2, sat(5))];
    let (good, ..) = build(&net.genesis, &net.state, &net.tip, inputs, transactions).expect("builds");
    let lie = |edit: &dyn Fn(&mut Header)| {
        let mut block = good.clone();
        edit(&mut block.header);
        match net.apply(&block) {
            Err(BlockError::Header { field, .. }) => field,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(lie(&|h| h.chain = ChainId(Digest([1; 32]))), "chain");
    assert_eq!(lie(&|h| h.height = SideHeight::new(9)), "height");
    assert_eq!(lie(&|h| h.parent = Digest([1; 32])), "parent");
    assert_eq!(lie(&|h| h.anchor = windlass_types::BlockRef::new(BtcHeight::new(0), h.anchor.hash())), "anchor");
    assert_eq!(lie(&|h| h.supply = sat(1)), "supply");
    assert_eq!(lie(&|h| h.owed = sat(1)), "owed");
    assert_eq!(lie(&|h| h.state_root = Digest([1; 32])), "state_root");
    assert_eq!(lie(&|h| h.body_root = Digest([1; 32])), "body_root");
}

/// L4.
#[test]
fn the_body_root_commits_to_signatures() {
    let mut net = Net::new();
    net.fund(1, sat(1_000_000));
    let transaction = net.transfer(1, 2, sat(5));
    let inputs = BitcoinInputs::default();
    let (mut block, ..) = build(&net.genesis, &net.state, &net.tip, inputs, vec![transaction.clone()]).expect("builds");
    let message = bitcoin::secp256k1::Message::from_digest(transaction.id().0);
    let other = bitcoin::secp256k1::Secp256k1::new().sign_schnorr_with_aux_rand(&message, &keypair(1), &[1; 32]);
    block.transactions[0].witness = Witness::Key(other.serialize());
    assert_eq!(block.transactions[0].id(), transaction.id());
    assert!(matches!(net.apply(&block), Err(BlockError::Header { field: "body_root", .. })));
}

/// L3.
#[test]
fn a_block_is_bounded_in_number() {
    let mut genesis = crate::testkit::genesis();
    genesis.params.max_block_txs = 1;
    let mut net = Net::with(genesis);
    net.fund(1, sat(1_000_000));
    net.fund(2, sat(1_000_000));
    let (first, second) = (net.transfer(1, 2, sat(5)), net.transfer(2, 1, sat(5)));
    let (mut block, _, left_out) =
        build(&net.genesis, &net.state, &net.tip, BitcoinInputs::default(), vec![first, second.clone()])
            .expect("builds");
    assert_eq!(left_out, vec![(second.id(), TxError::BlockFull)]);
    block.transactions.push(second);
    assert!(matches!(net.apply(&block), Err(BlockError::TooMany { found: 2, max: 1 })));
}

/// L11: far beyond the bound, through the decoder and the rules; and at the bound it is good.
#[test]
fn a_transfer_with_10_000_outputs_is_refused_by_name() {
    let mut net = Net::new();
    net.fund(1, sat(1_000_000));
    let many = |net: &Net, count: usize| {
        net.sign(1, |from, nonce| TxBody::Transfer {
            from,
            nonce,
            outputs: vec![Output::btc(account(2), sat(5)); count],
            fee: Amount::ZERO,
            memo: vec![],
            expiry: None,
        })
    };
    let too_many = many(&net, 10_000);
    let bytes = too_many.encode();
    let outcome = Transaction::decode(&bytes).map(|decoded| net.refuse(decoded));
    match outcome {
        Ok(TxError::TooLarge { bytes: found, .. }) => assert_eq!(found, bytes.len()),
        Ok(TxError::Outputs(found)) => assert_eq!(found, 10_000),
        other => panic!("refused by its size or its outputs: {other:?}"),
    }
    let one_more = many(&net, MAX_TRANSFER_OUTPUTS + 1);
    assert_eq!(net.refuse(one_more), TxError::Outputs(MAX_TRANSFER_OUTPUTS + 1));
    let most = many(&net, MAX_TRANSFER_OUTPUTS);
    net.accept(vec![most]);
}

/// L3: bytes of a block that is one byte too large are not even looked at; noise of the greatest size is malformed.
#[test]
fn noise_of_a_blocks_greatest_size_is_refused() {
    for byte in [0, 1, 0x7f, 0xff] {
        let largest = Block::decode(&vec![byte; MAX_BLOCK_BYTES]);
        assert!(matches!(largest, Err(crate::DecodeError::Malformed(_))), "{byte}");
        let larger = Block::decode(&vec![byte; MAX_BLOCK_BYTES + 1]);
        let found = MAX_BLOCK_BYTES + 1;
        assert_eq!(larger, Err(crate::DecodeError::TooLarge { found, max: MAX_BLOCK_BYTES }));
    }
}

/// L3.
#[test]
fn a_block_is_bounded_in_bytes() {
    let mut net = Net::new();
    net.fund(1, sat(1_000_000));
    // Eleven deposits in transactions of 390 kB each: ten claims fit.
    let mut claims = Vec::new();
    for nonce in 0..11 {
        let terms = terms(2, nonce);
        let script = terms.spend_info(&net.genesis).expect("keys").script;
        let mut outputs = vec![(wpkh(1), sat(10_000)); 12_500];
        outputs.push((script, sat(10_000)));
        let coin = net.coin();
        let tx = crate::testkit::bitcoin_tx(&[coin], &outputs);
        let txid = tx.compute_txid();
        let height = net.mine(vec![tx]);
        claims.push(net.claim(net.claim_of(height, txid, 12_500, &terms)));
    }
    net.block(vec![]);
    let inputs = BitcoinInputs::default;
    let (mut block, _, left_out) = build(&net.genesis, &net.state, &net.tip, inputs(), claims.clone()).expect("builds");
    assert_eq!(left_out, [(claims[10].id(), TxError::BlockFull)]);
    assert!(block.encode().len() <= MAX_BLOCK_BYTES);
    block.transactions.push(claims.remove(10));
    assert!(matches!(net.apply(&block), Err(BlockError::TooLarge { max: MAX_BLOCK_BYTES, .. })));
    assert!(Block::decode(&block.encode()).is_err());

    let long = net.sign(1, |from, nonce| TxBody::Transfer {
        from,
        nonce,
        outputs: vec![Output::btc(account(2), sat(5))],
        fee: Amount::ZERO,
        memo: vec![0; MAX_TRANSACTION_BYTES],
        expiry: None,
    });
    assert!(matches!(check(&net.genesis, &net.state, &long), Err(TxError::TooLarge { .. })));
    assert!(Transaction::decode(&long.encode()).is_err());
    let (_, _, left_out) = build(&net.genesis, &net.state, &net.tip, inputs(), vec![long]).expect("builds");
    assert!(matches!(left_out.as_slice(), [(_, TxError::TooLarge { .. })]));
}

#[test]
fn a_state_of_another_block_is_not_judged_on() {
    let mut net = Net::new();
    let genesis_tip = net.tip;
    net.block(vec![]);
    let error = build(&net.genesis, &net.state, &genesis_tip, BitcoinInputs::default(), vec![]).expect_err("stale");
    assert!(matches!(error, ApplyError::ForeignState { .. }));
    let mut other = net.genesis.clone();
    other.params.min_deposit = sat(20_000);
    let error = build(&other, &net.state, &net.tip, BitcoinInputs::default(), vec![]).expect_err("foreign");
    assert!(matches!(error, ApplyError::ForeignChain { .. }));
}

#[test]
fn an_overlay_is_as_good_as_a_commit() {
    use crate::Overlay;
    use std::sync::Arc;
    let mut net = Net::new();
    net.fund(1, sat(1_000_000));
    let below = net.clone();
    let transactions = vec![net.transfer(1, 2, sat(5))];
    net.accept(transactions);
    let first = net.last.clone().expect("applied");
    let overlay = Overlay::new(Arc::new(below.state), first.changes);
    let transactions = vec![net.transfer(2, 1, sat(2))];
    let inputs = BitcoinInputs::default;
    let (_, over, _) = build(&net.genesis, &overlay, &net.tip, inputs(), transactions.clone()).expect("builds");
    let (_, committed, _) = build(&net.genesis, &net.state, &net.tip, inputs(), transactions).expect("builds");
    assert_eq!(over, committed);
}
