use super::super::journal::{DepositAddress, PegOut};
use super::*;
use bitcoin::hashes::Hash as _;
use bitcoin::{Amount, BlockHash, TxIn, TxOut};
use windlass_ledger::DepositTerms;
use windlass_types::{AccountId, BtcHeight, Epoch};

fn script(byte: u8) -> ScriptBuf {
    ScriptBuf::from_bytes(vec![0x6a, byte])
}

fn at(height: u32, byte: u8) -> BlockRef {
    BlockRef::new(BtcHeight::new(height), BlockHash::from_byte_array([byte; 32]))
}

fn transaction(inputs: &[OutPoint], outputs: &[(u8, u64)]) -> Transaction {
    Transaction {
        version: bitcoin::transaction::Version::TWO,
        lock_time: bitcoin::absolute::LockTime::ZERO,
        input: inputs.iter().map(|coin| TxIn { previous_output: *coin, ..TxIn::default() }).collect(),
        output: outputs
            .iter()
            .map(|(byte, sat)| TxOut { value: Amount::from_sat(*sat), script_pubkey: script(*byte) })
            .collect(),
    }
}

fn block(transactions: Vec<Transaction>) -> Block {
    let mut block = bitcoin::constants::genesis_block(bitcoin::Network::Regtest);
    block.txdata = transactions;
    block
}

/// Deposit addresses with scripts 1 and 2, a peg-out to script 3.
fn pages() -> Pages {
    let mut pages = Pages::default();
    for nonce in [1, 2] {
        let terms = DepositTerms { account: AccountId::FEES, nonce, epoch: Epoch::new(0), user_key: [0; 32] };
        let address = DepositAddress { terms, address: nonce.to_string(), script: script(nonce as u8) };
        pages.addresses.insert(nonce, address);
    }
    let id = Digest([7; 32]);
    pages.peg_outs.insert(id, PegOut { id, script: script(3), info: None, seen: Vec::new() });
    pages
}

fn take(pages: &mut Pages, block: &Block, at: BlockRef) -> usize {
    let facts = look(pages, block, at);
    facts.into_iter().filter_map(|fact| fact.note(pages)).count()
}

#[test]
fn coins_spends_and_payments_are_seen_once_however_often_the_block_comes() {
    let mut pages = pages();
    let deposits = transaction(&[], &[(1, 10), (9, 5), (1, 20), (2, 30)]);
    let txid = deposits.compute_txid();
    let first = block(vec![deposits]);
    assert_eq!(take(&mut pages, &first, at(5, 5)), 3);
    let before = pages.clone();
    assert_eq!(take(&mut pages, &first, at(5, 5)), 3);
    assert_eq!(pages.coins, before.coins);
    let ids: Vec<String> = pages.coins.values().map(|coin| pages.coin_id(coin)).collect();
    let (one, two) = (pages.addresses[&1].id(), pages.addresses[&2].id());
    assert_eq!(ids, [one.clone(), format!("{one}.1"), two]);

    let spent = OutPoint::new(txid, 0);
    let sweep = block(vec![transaction(&[spent, OutPoint::new(txid, 1)], &[(3, 7)])]);
    assert_eq!(take(&mut pages, &sweep, at(6, 6)), 2);
    assert_eq!(pages.coins[&spent].spent.map(|by| by.block), Some(at(6, 6)));
    assert_eq!(pages.peg_outs[&Digest([7; 32])].seen.len(), 1);
}

#[test]
fn a_coin_that_comes_and_goes_in_one_block_is_spent() {
    let mut pages = pages();
    let deposit = transaction(&[], &[(1, 10)]);
    let coin = OutPoint::new(deposit.compute_txid(), 0);
    take(&mut pages, &block(vec![deposit, transaction(&[coin], &[(9, 9)])]), at(5, 5));
    assert!(pages.coins[&coin].spent.is_some());
}

#[test]
fn a_reorganisation_takes_back_exactly_what_its_block_brought() {
    let mut pages = pages();
    let deposit = transaction(&[], &[(1, 10), (2, 10)]);
    let (kept, moved) = (OutPoint::new(deposit.compute_txid(), 0), OutPoint::new(deposit.compute_txid(), 1));
    take(&mut pages, &block(vec![deposit.clone()]), at(5, 5));
    let before = pages.clone();
    take(&mut pages, &block(vec![transaction(&[kept], &[(3, 1)])]), at(6, 6));
    assert_eq!(forget(&mut pages, at(6, 6)).len(), 2);
    assert_eq!((&pages.coins, &pages.peg_outs), (&before.coins, &before.peg_outs));

    // The deposit's own block goes, too; it comes back elsewhere, under the same id.
    assert_eq!(forget(&mut pages, at(5, 5)).len(), 2);
    assert!(pages.coins.values().all(|coin| coin.block.is_none()));
    take(&mut pages, &block(vec![deposit]), at(6, 66));
    assert_eq!(pages.coins[&moved].block, Some(at(6, 66)));
    assert_eq!(pages.coins.len(), 2);
}
