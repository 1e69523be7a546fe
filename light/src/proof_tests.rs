//! Proof files of a federation of four whose keys are known here.

use super::*;
use crate::Certificate;
use crate::committee::Committee;
use crate::committee::{EPOCH, Votes};
use bitcoin::hashes::{Hash as _, sha256};
use bitcoin::secp256k1::{Keypair, Secp256k1, SecretKey};
use bitcoin::{Amount, BlockHash};
use commonware_codec::{DecodeExt as _, Encode as _};
use commonware_consensus::simplex::types::{Finalize, Proposal};
use commonware_consensus::types::{Round, View};
use commonware_cryptography::Signer as _;
use commonware_cryptography::ed25519::PrivateKey;
use commonware_cryptography::sha256::Digest as EngineDigest;
use commonware_parallel::Sequential;
use commonware_utils::non_empty;
use windlass_ledger::{BitcoinInputs, Block, GenesisMember, Params, TxBody};
use windlass_types::{BlockRef, BtcHeight, ChainNetwork, tagged_hash};

fn private(index: u8) -> PrivateKey {
    PrivateKey::decode(vec![index + 1; 32]).expect("any 32 bytes")
}

pub(crate) fn account(seed: u8) -> AccountId {
    AccountId::from_key(&keypair(seed).x_only_public_key().0)
}

fn keypair(seed: u8) -> Keypair {
    Keypair::from_secret_key(&Secp256k1::new(), &SecretKey::from_slice(&[seed; 32]).expect("a scalar"))
}

pub(crate) fn genesis() -> Genesis {
    let member = |index: u8| GenesisMember {
        name: format!("f{}", index + 1),
        identity: private(index).public_key().as_ref().try_into().expect("32 bytes"),
        emergency_key: account(200 + index).bytes,
    };
    Genesis {
        version: windlass_ledger::VERSION,
        network: ChainNetwork::Regtest,
        members: (0..4).map(member).collect(),
        threshold: 3,
        treasury_key: account(250).bytes,
        start: BlockRef::new(BtcHeight::new(100), BlockHash::all_zeros()),
        params: Params::default(),
    }
}

pub(crate) fn header(state_root: Digest, body_root: Digest) -> Header {
    let (_, first) = genesis_state(&genesis());
    Header { height: SideHeight::new(7), state_root, body_root, ..first }
}

pub(crate) fn certificate(header: &Header, members: &[u8]) -> Vec<u8> {
    let chain = header.chain;
    let identities = genesis().identities();
    let committee = Committee::new(&identities).expect("a committee");
    let round = Round::new(EPOCH, View::new(9));
    let proposal = Proposal::new(round, View::new(8), EngineDigest(header.digest().0));
    let scheme = |index: u8| committee.signer(chain, private(index)).expect("a member");
    let votes = members.iter().map(|&index| Finalize::sign(&scheme(index), proposal.clone()).expect("it signs"));
    let votes = Votes::from_owned_finalizes(&scheme(0), non_empty![@votes], &Sequential).expect("votes");
    Certificate { descendants: Vec::new(), votes: votes.encode().to_vec() }.encode()
}

/// The proof of the only entry of a state.
fn alone(key: &[u8], value: &[u8]) -> Vec<u8> {
    let end = [tagged_hash("Windlass/key", &[key]), sha256::Hash::hash(value).to_byte_array()].concat();
    [&0_u32.to_le_bytes()[..], &[1], &end].concat()
}

/// The account 1 has 5,000 sat, and nothing else is in the state.
fn balance() -> ProofFile {
    let key = keys::account(&account(1));
    let value = borsh::to_vec(&Account { balance: Amount::from_sat(5_000), ..Account::default() }).expect("encodes");
    let header = header(smt::root_of([(key.as_slice(), value.as_slice())]), Digest::default());
    let proof = alone(&key, &value);
    ProofFile::new(&header, certificate(&header, &[0, 1, 3]), Claim::Entry { key, value: Some(HexBytes(value)), proof })
}

fn transfer(nonce: u64) -> Transaction {
    let body = TxBody::PegOut {
        from: account(1),
        nonce,
        script: Vec::new(),
        amount: Amount::ZERO,
        fee_max: Amount::ZERO,
        fee: Amount::ZERO,
        expiry: None,
    };
    Transaction::signed(genesis().chain_id(), body, &keypair(1))
}

#[test]
fn a_balance_is_proven_through_the_file() {
    let text = serde_json::to_string(&balance()).expect("encodes");
    let proven = ProofFile::read(&text).expect("reads").verify(&genesis()).expect("holds");
    assert_eq!(proven.signers, [0, 1, 3]);
    let Fact::Account(id, Some(found)) = proven.fact else { panic!("an account: {:?}", proven.fact) };
    assert_eq!((id, found.balance), (account(1), Amount::from_sat(5_000)));
}

/// L80: the parameters are an entry of the state like any other, and shown as what they are.
#[test]
fn the_parameters_are_proven() {
    let key = keys::PARAMS.to_vec();
    let file = |record: &ParamsRecord, shown: &ParamsRecord| {
        let (value, shown) = (borsh::to_vec(record).expect("encodes"), borsh::to_vec(shown).expect("encodes"));
        let header = header(smt::root_of([(key.as_slice(), value.as_slice())]), Digest::default());
        let claim = Claim::Entry { key: key.clone(), value: Some(HexBytes(shown)), proof: alone(&key, &value) };
        ProofFile::new(&header, certificate(&header, &[0, 1, 3]), claim)
    };
    let record = ParamsRecord::first(&Params::default());
    let proven = file(&record, &record).verify(&genesis()).expect("holds");
    assert_eq!(proven.fact, Fact::Params(Box::new(record.clone())));
    let dearer = ParamsRecord::first(&Params { transfer_fee_min: Amount::from_sat(1), ..Params::default() });
    assert_eq!(file(&record, &dearer).verify(&genesis()), Err(ProofError::Claim(SideHeight::new(7))));
}

#[test]
fn no_other_balance_is_proven() {
    let good = balance();
    let Claim::Entry { key, value: Some(value), proof } = good.claim.clone() else { panic!("an entry") };
    let more = borsh::to_vec(&Account { balance: Amount::from_sat(5_001), ..Account::default() }).expect("encodes");
    for claim in [
        Claim::Entry { key: key.clone(), value: Some(HexBytes(more.clone())), proof: proof.clone() },
        Claim::Entry { key: key.clone(), value: Some(HexBytes(more.clone())), proof: alone(&key, &more) },
        Claim::Entry { key: key.clone(), value: None, proof: proof.clone() },
        Claim::Entry { key: keys::account(&account(2)), value: Some(value), proof },
    ] {
        let refused = ProofFile { claim, ..good.clone() }.verify(&genesis());
        assert_eq!(refused, Err(ProofError::Claim(SideHeight::new(7))));
    }
}

#[test]
fn units_of_an_asset_are_proven_and_no_others() {
    let asset = AssetId([7; 32]);
    let key = keys::units(&account(1), &asset);
    let value = 21_u64.to_le_bytes().to_vec();
    let header = header(smt::root_of([(key.as_slice(), value.as_slice())]), Digest::default());
    let proof = alone(&key, &value);
    let claim =
        |value: Option<Vec<u8>>| Claim::Entry { key: key.clone(), value: value.map(HexBytes), proof: proof.clone() };
    let file = |claim| ProofFile::new(&header, certificate(&header, &[0, 1, 3]), claim).verify(&genesis());
    assert_eq!(file(claim(Some(value))).expect("holds").fact, Fact::Units(account(1), asset, 21));
    assert_eq!(file(claim(Some(22_u64.to_le_bytes().to_vec()))), Err(ProofError::Claim(SideHeight::new(7))));
    assert_eq!(file(claim(None)), Err(ProofError::Claim(SideHeight::new(7))));
    // Another account has none: where its way ends is this entry.
    let other = keys::units(&account(2), &asset);
    let none = Claim::Entry { key: other, value: None, proof: proof.clone() };
    assert_eq!(file(none).expect("holds").fact, Fact::Units(account(2), asset, 0));
}

#[test]
fn absence_is_proven_and_only_of_what_is_absent() {
    let good = balance();
    let Claim::Entry { proof, .. } = good.claim.clone() else { panic!("an entry") };
    let key = keys::account(&account(2));
    let proven = ProofFile { claim: Claim::Entry { key, value: None, proof }, ..good }.verify(&genesis());
    assert_eq!(proven.expect("holds").fact, Fact::Account(account(2), None));
}

#[test]
fn an_index_is_no_part_of_the_state() {
    let (key, value) = (b"ix".to_vec(), b"1".to_vec());
    let header = header(smt::root_of([(&key[..], &value[..])]), Digest::default());
    let proof = alone(&key, &value);
    let claim = Claim::Entry { key, value: Some(HexBytes(value)), proof };
    let refused = ProofFile::new(&header, certificate(&header, &[0, 1, 2]), claim).verify(&genesis());
    assert_eq!(refused, Err(ProofError::Claim(header.height)));
}

#[test]
fn each_place_of_each_size_of_block_is_proven() {
    for count in 1..10_u64 {
        let transactions: Vec<Transaction> = (0..count).map(transfer).collect();
        let (_, first) = genesis_state(&genesis());
        let block = Block { header: first, inputs: BitcoinInputs::default(), transactions };
        let header = header(Digest::default(), block.body_root());
        let votes = certificate(&header, &[1, 2, 3]);
        for (index, transaction) in block.transactions.iter().enumerate() {
            let proof = Inclusion::of(&block, index).expect("it is there");
            let claim = |transaction: &Transaction, proof: &Inclusion| Claim::Transaction {
                transaction: transaction.encode(),
                proof: borsh::to_vec(proof).expect("encodes"),
            };
            let proven = ProofFile::new(&header, votes.clone(), claim(transaction, &proof)).verify(&genesis());
            let place = u64::try_from(index).expect("small");
            assert_eq!(proven.expect("holds").fact, Fact::Transaction(Box::new(transaction.clone()), place));

            let mut unsigned = transaction.clone();
            unsigned.witness = windlass_ledger::Witness::None;
            let mut longer = proof.clone();
            longer.siblings.push(Digest::default());
            for (transaction, proof) in [
                (&transfer(99), proof.clone()),
                (&unsigned, proof.clone()),
                (transaction, Inclusion { index: place + 1, ..proof.clone() }),
                (transaction, Inclusion { count: count + 1, ..proof.clone() }),
                (transaction, longer),
            ] {
                let refused = ProofFile::new(&header, votes.clone(), claim(transaction, &proof)).verify(&genesis());
                assert_eq!(refused, Err(ProofError::Claim(header.height)), "{count} {index}");
            }
        }
        assert_eq!(Inclusion::of(&block, block.transactions.len()), None);
    }
}

#[test]
fn a_header_without_a_quorum_proves_nothing() {
    let good = balance();
    let header: Header = borsh::from_slice(&good.header).expect("decodes");
    let other = Header { supply: Amount::from_sat(1), ..header };
    let changed = ProofFile::new(&other, good.certificate.clone(), good.claim.clone());
    assert!(matches!(changed.verify(&genesis()), Err(ProofError::Certificate(_))));
    let none = ProofFile { certificate: Vec::new(), ..good.clone() };
    assert!(matches!(none.verify(&genesis()), Err(ProofError::Certificate(_))));
    // A block 0 of one's own choice.
    let zero = ProofFile::new(&Header { height: SideHeight::default(), ..header }, Vec::new(), good.claim.clone());
    assert_eq!(zero.verify(&genesis()), Err(ProofError::GenesisBlock(header.chain)));
    let mut foreign = genesis();
    foreign.threshold = 4;
    assert!(matches!(good.verify(&foreign), Err(ProofError::OtherChain { .. })));
}

#[test]
fn what_is_no_proof_file_is_named() {
    let newer = serde_json::to_string(&ProofFile { version: 1, ..balance() }).expect("encodes");
    assert_eq!(ProofFile::read(&newer), Err(ProofError::Version(1)));
    let other = serde_json::to_string(&ProofFile { format: "receipt".into(), ..balance() }).expect("encodes");
    for text in [other.as_str(), "{}", "", "[1]"] {
        assert!(matches!(ProofFile::read(text), Err(ProofError::Unreadable(_))), "{text}");
    }
}

#[path = "epochs_tests.rs"]
mod links;
