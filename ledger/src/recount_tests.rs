//! What the independent recount refuses, though a quorum signed it and this crate's rules were fooled: blocks are
//! planted past the rules and shown to the recount alone. That it agrees with every block that the rules take, each
//! test of this crate says (`testkit`).

use crate::testkit::{Net, account, sat, terms, wpkh};
use crate::{BitcoinInputs, Block, Header, Transaction, TxBody, build, query};
use bitcoin::Amount;
use windlass_recount::{Fault, Objection, Recount, SavedError, TxFault};
use windlass_types::{AssetId, Digest};

/// An honest next block with `transactions`, not taken by anyone yet.
fn next(net: &Net, transactions: Vec<Transaction>) -> Block {
    let (block, _, left_out) =
        build(&net.genesis, &net.state, &net.tip, net.inputs(), transactions).expect("a block can be built");
    assert_eq!(left_out, []);
    block
}

/// What the recount says of a block past the rules; and from then on it allows nothing.
fn planted(net: &Net, block: &Block) -> Fault {
    let mut recount = net.recount.clone();
    let fault = recount.take(&block.encode()).expect_err("it does not add up");
    let honest = next(net, vec![]);
    assert_eq!(recount.take(&honest.encode()), Err(fault.clone()), "it never forgets");
    assert_eq!(recount.fault(), Some(&fault));
    let batch = query::batch(&net.state).expect("memory");
    let batch = batch.map_or_else(|| net.last_batch_tx(), |batch| batch.transaction(&net.genesis).expect("keys"));
    assert_eq!(recount.allows(0, &batch, &[]), Err(Objection::Fault(fault.clone())));
    fault
}

fn rich() -> Net {
    let mut net = Net::new();
    net.fund(1, sat(1_000_000));
    net
}

impl Net {
    /// Any transaction, for asking.
    fn last_batch_tx(&self) -> bitcoin::Transaction {
        crate::testkit::bitcoin_tx(&[], &[(wpkh(1), sat(1))])
    }
}

/// The block as a quorum could sign it whose rules took `transactions` and found `change` of supply.
fn forged(net: &Net, transactions: Vec<Transaction>, change: impl FnOnce(&mut Header)) -> Block {
    let mut block = next(net, vec![]);
    block.transactions = transactions;
    block.header.body_root = block.body_root();
    change(&mut block.header);
    block
}

#[test]
fn case_01_a_supply_that_nothing_backs() {
    let net = rich();
    let supply = net.tip.supply;
    let more = supply + sat(1);
    let fault = planted(&net, &forged(&net, vec![], |header| header.supply = more));
    assert_eq!(
        fault,
        Fault::Supply { height: net.tip.height.next().expect("it is there"), said: more, counted: supply }
    );
    let fault = planted(&net, &forged(&net, vec![], |header| header.owed = sat(1)));
    assert!(matches!(fault, Fault::Owed { counted: Amount::ZERO, .. }), "{fault}");
}

#[test]
fn case_01_money_from_nothing_that_leaves_the_supply_as_it_was() {
    let net = rich();
    let has = net.balance(1).to_sat();
    let too_much = net.transfer(1, 2, sat(has + 1));
    let fault = planted(&net, &forged(&net, vec![too_much], |_| ()));
    let short = TxFault::Short { account: account(1), asset: AssetId::BTC, has, wanted: has + 1 };
    assert_eq!(
        fault,
        Fault::Transaction { height: net.tip.height.next().expect("it is there"), index: 0, fault: short }
    );

    let stolen = net.peg_out(2, &wpkh(9), sat(50_000));
    let fault = planted(&net, &forged(&net, vec![stolen], |header| header.owed = sat(50_000)));
    assert!(matches!(fault, Fault::Transaction { fault: TxFault::Short { .. }, .. }), "{fault}");
}

#[test]
fn case_01_a_peg_out_that_its_owner_did_not_sign() {
    let net = rich();
    let mut transaction = net.peg_out(1, &wpkh(9), sat(50_000));
    let crate::Witness::Key(signature) = &mut transaction.witness else { panic!("a key's") };
    signature[63] ^= 1;
    let block = forged(&net, vec![transaction], |header| {
        header.supply -= sat(50_000);
        header.owed = sat(50_000);
    });
    let signature = TxFault::Signature(account(1));
    assert!(matches!(planted(&net, &block), Fault::Transaction { fault, .. } if fault == signature));
}

#[test]
fn case_01_the_same_transaction_twice() {
    let mut net = rich();
    let transfer = net.transfer(1, 2, sat(1_000));
    net.accept(vec![transfer.clone()]);
    let fault = planted(&net, &forged(&net, vec![transfer.clone()], |_| ()));
    assert!(matches!(fault, Fault::Transaction { fault: TxFault::Replay { nonce: 0, .. }, .. }), "{fault}");
    let other = net.transfer(1, 2, sat(1_000));
    let fault = planted(&net, &forged(&net, vec![other.clone(), other], |_| ()));
    assert!(matches!(fault, Fault::Transaction { index: 1, fault: TxFault::Replay { .. }, .. }), "{fault}");
}

#[test]
fn case_01_a_deposit_that_bitcoin_does_not_have() {
    let mut net = rich();
    let claim = net.deposit(&terms(2, 0), sat(500_000));
    let mut larger = claim.clone();
    let mut transaction: bitcoin::Transaction =
        bitcoin::consensus::deserialize(&claim.transaction).expect("it is there");
    transaction.output[0].value = sat(50_000_000);
    larger.transaction = bitcoin::consensus::serialize(&transaction);
    let fault = planted(&net, &forged(&net, vec![net.claim(larger)], |_| ()));
    let what = TxFault::Claim("does not show its transaction in the block");
    assert!(matches!(&fault, Fault::Transaction { fault, .. } if *fault == what), "{fault}");

    // Another's, for this account.
    let mut redirected = claim.clone();
    redirected.terms.account = account(3);
    let fault = planted(&net, &forged(&net, vec![net.claim(redirected)], |_| ()));
    let what = TxFault::Claim("is of an output that pays another address");
    assert!(matches!(&fault, Fault::Transaction { fault, .. } if *fault == what), "{fault}");

    // Once is right, twice is not.
    net.accept(vec![net.claim(claim.clone())]);
    let fault = planted(&net, &forged(&net, vec![net.claim(claim)], |_| ()));
    let what = TxFault::Claim("is of a deposit that was claimed before");
    assert!(matches!(&fault, Fault::Transaction { fault, .. } if *fault == what), "{fault}");
    // Minted before Bitcoin has the sweep.
    let minted = forged(&net, vec![], |header| header.supply += sat(499_000));
    assert!(matches!(planted(&net, &minted), Fault::Supply { .. }));
}

#[test]
fn case_01_an_asset_that_grows_by_itself() {
    let mut net = rich();
    let terms =
        crate::AssetTerms { ticker: "GOLD".into(), name: "Gold".into(), decimals: 0, units: 100, reissuable: false };
    let issue = net.sign(1, |from, nonce| TxBody::Issue { from, nonce, terms, fee: Amount::ZERO, expiry: None });
    net.accept(vec![issue]);
    let (asset, _) = query::assets(&net.state).expect("memory")[0].clone();
    assert_eq!((net.recount.supply(&asset), net.recount.balance(&account(1), &asset)), (100, 100));
    let more = |from, nonce| TxBody::Reissue { from, nonce, asset, units: 1, fee: Amount::ZERO, expiry: None };
    let fault = planted(&net, &forged(&net, vec![net.sign(1, more)], |_| ()));
    assert!(matches!(fault, Fault::Transaction { fault: TxFault::Reissue(_), .. }), "{fault}");
    let btc =
        |from, nonce| TxBody::Burn { from, nonce, asset: AssetId::BTC, units: 1, fee: Amount::ZERO, expiry: None };
    let fault = planted(&net, &forged(&net, vec![net.sign(1, btc)], |_| ()));
    assert!(matches!(fault, Fault::Transaction { fault: TxFault::BurnsBitcoin, .. }), "{fault}");
}

#[test]
fn blocks_come_one_by_one_and_of_one_chain() {
    let net = rich();
    let block = next(&net, vec![]);
    let mut later = block.clone();
    later.header.height = later.header.height.next().expect("it is there");
    assert!(matches!(planted(&net, &later), Fault::Gap { .. }));
    let mut aside = block.clone();
    aside.header.parent = windlass_types::Digest([7; 32]);
    assert!(matches!(planted(&net, &aside), Fault::Parent(_)));
    let mut foreign = block.clone();
    foreign.header.chain = windlass_types::ChainId(windlass_types::Digest([7; 32]));
    assert!(matches!(planted(&net, &foreign), Fault::OtherChain(_)));
    let mut recount = net.recount.clone();
    assert!(matches!(recount.take(&block.encode()[1..]), Err(Fault::Unreadable { .. })));
    let mut unanchored = Net::new();
    unanchored.mine(vec![]);
    let mut block = next(&unanchored, vec![]);
    block.inputs = BitcoinInputs::default();
    assert!(matches!(planted(&unanchored, &block), Fault::Anchor { .. }));
}

#[test]
fn case_24_only_the_one_transaction_that_is_due_is_allowed() {
    let mut net = rich();
    let before = net.recount.clone();
    let peg_out = net.peg_out(1, &wpkh(9), sat(50_000));
    net.accept(vec![peg_out]);
    let batch = query::batch(&net.state).expect("memory").expect("it is due");
    let transaction = batch.transaction(&net.genesis).expect("keys");
    let messages = batch.sighashes(&net.genesis).expect("keys");
    let recount: &Recount = &net.recount;
    assert_eq!(recount.allows(batch.id, &transaction, &messages), Ok(()));
    let coins = recount.coins();
    assert_eq!(coins.iter().map(|coin| coin.outpoint).collect::<Vec<_>>(), [batch.inputs[0].outpoint]);
    assert_eq!(coins[0].output.value, batch.inputs[0].amount);

    let mut redirected = transaction.clone();
    redirected.output[1].script_pubkey = wpkh(10);
    assert!(matches!(recount.allows(batch.id, &redirected, &messages), Err(Objection::OtherTransaction { .. })));
    let mut dearer = transaction.clone();
    dearer.output[0].value -= sat(1);
    assert!(matches!(recount.allows(batch.id, &dearer, &messages), Err(Objection::OtherTransaction { .. })));
    let mut other = messages.clone();
    other[0][0] ^= 1;
    let objection = Objection::OtherMessage { batch: batch.id, input: 0 };
    assert_eq!(recount.allows(batch.id, &transaction, &other), Err(objection));
    assert!(matches!(recount.allows(batch.id, &transaction, &[]), Err(Objection::OtherMessage { .. })));
    assert!(matches!(recount.allows(batch.id + 1, &transaction, &messages), Err(Objection::NotDue { .. })));
    // It has not come so far yet.
    assert!(matches!(before.allows(batch.id, &transaction, &messages), Err(Objection::NotDue { .. })));
}

/// The recount is behind the ledger, or has gone past what is asked: it allows nothing, says at which block it is, and
/// allows what is due once both have the same tip.
#[test]
fn case_36_a_recount_at_another_tip_allows_nothing_until_both_agree() {
    let mut net = rich();
    let behind = net.recount.clone();
    let claim = net.deposit(&terms(2, 0), sat(500_000));
    let claim = net.claim(claim);
    net.accept(vec![claim]);
    let batch = query::batch(&net.state).expect("memory").expect("in flight");
    let transaction = batch.transaction(&net.genesis).expect("keys");
    let messages = batch.sighashes(&net.genesis).expect("keys");
    let asked = |recount: &Recount| recount.allows(batch.id, &transaction, &messages);

    let not_due = |recount: &Recount| Err(Objection::NotDue { batch: batch.id, height: recount.height() });
    assert!(behind.height() < net.tip.height);
    assert_eq!(asked(&behind), not_due(&behind));
    assert!(asked(&behind).expect_err("behind").to_string().contains(&behind.height().to_string()));
    assert_eq!(asked(&net.recount), Ok(()), "at the ledger's tip");

    // The ledger of a member that lags behind asks for what is settled already.
    net.settle();
    assert!(net.recount.height() > behind.height());
    assert_eq!(asked(&net.recount), not_due(&net.recount));
}

/// The rules are a block ahead of the recount: it permits nothing yet, and says where it is. On another branch it never does.
#[test]
fn case_36_a_recount_at_another_tip_permits_nothing_and_says_where_it_is() {
    let mut net = rich();
    let behind = net.recount.clone();
    net.accept(vec![net.peg_out(1, &wpkh(1), sat(50_000))]);
    let batch = query::batch(&net.state).expect("memory").expect("in flight");
    let (id, transaction) = (batch.id, batch.transaction(&net.genesis).expect("keys"));
    let messages = batch.sighashes(&net.genesis).expect("keys");
    assert_eq!(net.recount.allows(id, &transaction, &messages), Ok(()));
    let height = behind.height();
    assert_eq!(behind.allows(id, &transaction, &messages), Err(Objection::NotDue { batch: id, height }));
    // It went on over another block at the same height.
    let mut other = rich();
    other.block(vec![]);
    let mut astray = other.recount.clone();
    assert_eq!(astray.height(), net.recount.height());
    let height = astray.height();
    assert_eq!(astray.allows(id, &transaction, &messages), Err(Objection::NotDue { batch: id, height }));
    let block = next(&net, vec![]);
    let parent = Fault::Parent(height.next().expect("low"));
    assert_eq!(astray.take(&block.encode()), Err(parent.clone()));
    assert_eq!(astray.allows(id, &transaction, &messages), Err(parent.into()));
}

/// A recount with a batch in flight, what it saves, and its newest block.
fn saved() -> (Net, Vec<u8>, Block) {
    let mut net = rich();
    net.accept(vec![net.peg_out(1, &wpkh(1), sat(50_000))]);
    let block = next(&net, vec![net.transfer(1, 2, sat(54_321))]);
    net.recount.take(&block.encode()).expect("honest");
    let saved = net.recount.save().expect("nothing is wrong");
    (net, saved, block)
}

/// With the checksum that makes damaged bytes look whole.
fn resealed(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(bytes.len() - 32);
    let sum = Digest::tagged("Windlass/recount", &[&bytes]);
    bytes.extend_from_slice(sum.as_bytes());
    bytes
}

#[test]
fn a_saved_recount_is_believed_whole_or_not_at_all() {
    let (net, saved, block) = saved();
    let resumed = net.resumed(&saved, &block).expect("good");
    assert_eq!((resumed.height(), resumed.due()), (block.header.height, net.recount.due()));
    assert_eq!(resumed.save(), Some(saved.clone()));
    for place in 0..saved.len() {
        let mut bad = saved.clone();
        bad[place] ^= 1;
        assert!(matches!(net.resumed(&bad, &block), Err(SavedError::Damaged(_))), "byte {place}");
        assert!(matches!(net.resumed(&saved[..place], &block), Err(SavedError::Damaged(_))), "cut at {place}");
    }
    let other = next(&net, vec![]);
    assert!(matches!(net.resumed(&saved, &other), Err(SavedError::OtherBlock(_))));
    let mut foreign = net.clone();
    foreign.genesis.threshold = 4;
    assert!(matches!(foreign.resumed(&saved, &block), Err(SavedError::OtherChain(_))));
}

/// Whoever can write the file can write its checksum: what it says must add up all the same.
#[test]
fn a_saved_recount_that_does_not_add_up_is_not_believed() {
    let (net, saved, block) = saved();
    let changed = |from: u64, to: u64| {
        let (from, to) = (from.to_le_bytes(), to.to_le_bytes());
        let mut bytes = saved.clone();
        let places: Vec<usize> = (0..bytes.len() - 8).filter(|at| bytes[*at..*at + 8] == from).collect();
        assert!(!places.is_empty());
        places.iter().for_each(|at| bytes[*at..*at + 8].copy_from_slice(&to));
        net.resumed(&resealed(bytes), &block).err()
    };
    let sums = |error: Option<SavedError>| match error {
        Some(SavedError::Sums(_, what)) => what,
        other => panic!("{other:?}"),
    };
    let has = net.recount.balance(&account(2), &AssetId::BTC);
    assert_eq!(sums(changed(has, has + 1)), "the balances are not the supply");
    let owed = sums(changed(50_000, 60_000));
    assert!(owed.contains("owed"), "{owed}");
    // Nothing is saved of a recount that has found something wrong.
    let mut wrong = net.recount.clone();
    wrong.take(b"no block").expect_err("no block");
    assert_eq!(wrong.save(), None);
}
