//! Merkle proofs that lie, and bytes that are no claim.

use super::*;
use crate::testkit::{Net, bitcoin_block, bitcoin_tx, sat, terms, wpkh};
use crate::{Transaction, TxError};
use bitcoin::hashes::{Hash as _, sha256d};
use bitcoin::{ScriptBuf, TxMerkleNode};
use proptest::prelude::*;

fn refused(net: &mut Net, claim: DepositClaim) -> ClaimError {
    match net.refuse(Transaction::claim(net.genesis.chain_id(), claim)) {
        TxError::Claim(error) => error,
        other => panic!("{other}"),
    }
}

fn bounds(net: &Net) -> DepositBounds {
    crate::query::params(&net.state).expect("memory").deposit_bounds(BtcHeight::new(101))
}

fn anchored(net: &Net) -> (Anchor, DepositClaim) {
    let claim = net.claim_of(BtcHeight::new(101), net.bitcoin[1].1.txdata[2].compute_txid(), 0, &terms(1, 0));
    let anchor = crate::query::anchor(&net.state, BtcHeight::new(101)).expect("memory").expect("anchored");
    (anchor, claim)
}

/// A net whose block 101 has a deposit among five transactions.
fn net_with_deposit() -> Net {
    let mut net = Net::new();
    let script = terms(1, 0).spend_info(&net.genesis).expect("keys").script;
    let others: Vec<OutPoint> = (0..5).map(|_| net.coin()).collect();
    let txs = others.iter().enumerate().map(|(at, coin)| {
        let to = if at == 1 { script.clone() } else { wpkh(1) };
        bitcoin_tx(&[*coin], &[(to, sat(1_000_000))])
    });
    net.mine(txs.collect());
    net.block(vec![]);
    net
}

#[test]
fn a_claim_of_the_middle_of_a_block_holds() {
    let net = net_with_deposit();
    let (anchor, claim) = anchored(&net);
    let shown = claim.verify(&net.genesis, &bounds(&net), &anchor).expect("holds");
    assert_eq!(shown.amount, sat(1_000_000));
    assert_eq!(Ok(shown.outpoint), claim.outpoint());
    assert_eq!(claim.block_hash(), Ok(anchor.block.hash()));
}

#[test]
fn a_witness_has_no_place_in_a_claim() {
    let mut net = net_with_deposit();
    let (_, mut claim) = anchored(&net);
    claim.transaction = serialize(&net.bitcoin[1].1.txdata[2]);
    assert!(matches!(refused(&mut net, claim), ClaimError::Transaction(_)));
}

#[test]
fn a_transaction_that_is_not_in_the_block_is_refused() {
    let mut net = net_with_deposit();
    let (_, claim) = anchored(&net);
    let script = terms(1, 0).spend_info(&net.genesis).expect("keys").script;
    let coin = net.coin();
    let forged = bitcoin_tx(&[coin], &[(script, sat(2_000_000))]);
    let transaction = serialize(&without_witness(&forged));
    assert!(matches!(refused(&mut net, DepositClaim { transaction, ..claim }), ClaimError::Proof(_)));
}

/// A proof of the right size that matches the forged transaction: of a tree that no block has.
#[test]
fn a_proof_of_another_root_is_refused() {
    let mut net = net_with_deposit();
    let (_, claim) = anchored(&net);
    let script = terms(1, 0).spend_info(&net.genesis).expect("keys").script;
    let coin = net.coin();
    let forged = without_witness(&bitcoin_tx(&[coin], &[(script, sat(2_000_000))]));
    let mut txids: Vec<Txid> = net.bitcoin[1].1.txdata.iter().map(BitcoinTransaction::compute_txid).collect();
    txids[2] = forged.compute_txid();
    let matches: Vec<bool> = (0..txids.len()).map(|index| index == 2).collect();
    let proof = serialize(&PartialMerkleTree::from_txids(&txids, &matches));
    let claim = DepositClaim { transaction: serialize(&forged), proof, ..claim };
    assert_eq!(refused(&mut net, claim), ClaimError::Proof("its root is not the block's".into()));
}

/// L23.
#[test]
fn a_changed_header_is_another_block() {
    let mut net = net_with_deposit();
    let (_, claim) = anchored(&net);
    for index in 0..80 {
        let mut changed = claim.clone();
        changed.header[index] ^= 1;
        assert!(matches!(refused(&mut net, changed), ClaimError::ForeignBlock { .. }));
    }
}

/// CVE-2017-12842: a transaction of 64 bytes in a block, the last half of which is the id of a
/// forged deposit. One level deeper the proof holds; the number of transactions, which members
/// count themselves, forbids the level.
/// L24.
#[test]
fn a_transaction_can_not_pass_for_an_inner_node() {
    let mut net = Net::new();
    let script = terms(1, 0).spend_info(&net.genesis).expect("keys").script;
    let coin = net.coin();
    let forged = without_witness(&bitcoin_tx(&[coin], &[(script, sat(1_000_000_000))]));
    // What a miner would grind into the form of a transaction is simply put there.
    let left = [5; 32];
    let node = sha256d::Hash::hash(&[left, forged.compute_txid().to_byte_array()].concat()).to_byte_array();
    let mut block = bitcoin_block(net.bitcoin[0].1.block_hash(), 101, vec![]);
    let coinbase = block.txdata[0].clone();
    let coinbase_id = coinbase.compute_txid().to_byte_array();
    block.txdata.push(coinbase);
    let root = sha256d::Hash::hash(&[coinbase_id, node].concat());
    block.header.merkle_root = TxMerkleNode::from_raw_hash(root);
    let height = BtcHeight::new(101);
    net.bitcoin.push((height, block.clone()));
    net.block(vec![]);
    // A tree of four: the coinbase's side folded, the other one opened down to the forged id.
    let hashes = [&coinbase_id[..], &left, &forged.compute_txid().to_byte_array()].concat();
    let proof = [&4_u32.to_le_bytes()[..], &[3], &hashes, &[1, 0b10101]].concat();
    let tree: PartialMerkleTree = deserialize(&proof).expect("well-formed");
    let (mut matches, mut indexes) = (vec![], vec![]);
    assert_eq!(tree.extract_matches(&mut matches, &mut indexes), Ok(block.header.merkle_root), "the lie holds");
    assert_eq!(matches, [forged.compute_txid()]);
    let header = serialize(&block.header).try_into().expect("80");
    let transaction = serialize(&forged);
    let claim = DepositClaim { transaction, vout: 0, block: height, header, proof, terms: terms(1, 0) };
    assert_eq!(refused(&mut net, claim), ClaimError::Proof("it is of a tree of another size".into()));
}

/// L24.
#[test]
fn a_transaction_of_64_bytes_is_refused() {
    let mut net = net_with_deposit();
    let (_, mut claim) = anchored(&net);
    let mut tiny = without_witness(&bitcoin_tx(&[OutPoint::null()], &[(ScriptBuf::from_bytes(vec![0; 4]), sat(1))]));
    tiny.input[0].previous_output = OutPoint { txid: Txid::all_zeros(), vout: 0 };
    claim.transaction = serialize(&tiny);
    assert_eq!(claim.transaction.len(), 64);
    assert_eq!(refused(&mut net, claim), ClaimError::SixtyFourBytes);
}

#[test]
fn sizes_are_bounded() {
    let mut net = net_with_deposit();
    let (_, claim) = anchored(&net);
    let transaction = vec![0; MAX_CLAIM_TRANSACTION_BYTES + 1];
    assert!(matches!(refused(&mut net, DepositClaim { transaction, ..claim.clone() }), ClaimError::TransactionSize(_)));
    let proof = vec![0; MAX_CLAIM_PROOF_BYTES + 1];
    assert!(matches!(refused(&mut net, DepositClaim { proof, ..claim.clone() }), ClaimError::Proof(_)));
    let mut signed = Transaction::claim(net.genesis.chain_id(), claim);
    signed.witness = crate::Witness::Key([0; 64]);
    assert_eq!(net.refuse(signed), TxError::ClaimSigned);
}

#[test]
fn the_longest_proof_fits() {
    // 2^17 transactions are more than a block of 4 MB can have.
    let txids: Vec<Txid> = (0..100_000_u32)
        .map(|n| Txid::from_byte_array([n.to_le_bytes(); 8].concat().try_into().expect("32")))
        .collect();
    let matches: Vec<bool> = (0..txids.len()).map(|index| index == 77_777).collect();
    assert!(serialize(&PartialMerkleTree::from_txids(&txids, &matches)).len() < MAX_CLAIM_PROOF_BYTES);
}

proptest! {
    /// Any changed bytes of the proof or the transaction are refused, and nothing panics.
    #[test]
    fn changed_claims_are_refused(
        at in any::<prop::sample::Index>(), to in any::<u8>(), in_proof in any::<bool>(), cut in any::<bool>(),
    ) {
        let net = net_with_deposit();
        let (anchor, claim) = anchored(&net);
        let mut changed = claim.clone();
        let bytes = if in_proof { &mut changed.proof } else { &mut changed.transaction };
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] = to }
        let verdict = changed.verify(&net.genesis, &bounds(&net), &anchor);
        // Unused flag bits of the proof may differ; what is shown may not.
        prop_assert!(changed == claim || verdict.is_err() || verdict == claim.verify(&net.genesis, &bounds(&net), &anchor));
    }

    #[test]
    fn random_bytes_are_no_claim(
        transaction in prop::collection::vec(any::<u8>(), 0..200), proof in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let net = net_with_deposit();
        let (anchor, claim) = anchored(&net);
        let changed = [DepositClaim { transaction, ..claim.clone() }, DepositClaim { proof, ..claim }];
        prop_assert!(changed.iter().all(|claim| claim.verify(&net.genesis, &bounds(&net), &anchor).is_err()));
    }

    /// The proof alone, with the block's own count of transactions in front.
    #[test]
    fn random_proofs_of_the_right_size_are_refused(rest in prop::collection::vec(any::<u8>(), 0..200)) {
        let net = net_with_deposit();
        let (anchor, claim) = anchored(&net);
        let proof = [&6_u32.to_le_bytes()[..], &rest].concat();
        let changed = DepositClaim { proof, ..claim };
        prop_assert!(changed.verify(&net.genesis, &bounds(&net), &anchor).is_err());
    }
}
