//! Receipts of a federation of four whose keys are known here.

use super::*;
use bitcoin::hashes::Hash as _;
use bitcoin::secp256k1::{Keypair, Secp256k1, SecretKey};
use commonware_codec::DecodeExt as _;
use commonware_cryptography::Signer as _;
use commonware_cryptography::ed25519::PrivateKey;
use std::path::Path;
use windlass_ledger::{ENDORSEMENT_NAMESPACE, GenesisMember, Params};
use windlass_types::{ChainNetwork, Epoch};

fn private(index: u8) -> PrivateKey {
    PrivateKey::decode(vec![index + 1; 32]).expect("any 32 bytes")
}

fn key(seed: u8) -> [u8; 32] {
    let pair = Keypair::from_secret_key(&Secp256k1::new(), &SecretKey::from_slice(&[seed; 32]).expect("a scalar"));
    pair.x_only_public_key().0.serialize()
}

fn genesis() -> Genesis {
    let member = |index: u8| GenesisMember {
        name: format!("f{}", index + 1),
        identity: private(index).public_key().as_ref().try_into().expect("32 bytes"),
        emergency_key: key(200 + index),
    };
    Genesis {
        version: windlass_ledger::VERSION,
        network: ChainNetwork::Regtest,
        members: (0..4).map(member).collect(),
        threshold: 3,
        treasury_key: key(250),
        start: BlockRef::new(BtcHeight::new(100), bitcoin::BlockHash::all_zeros()),
        params: Params::default(),
    }
}

fn account() -> AccountId {
    AccountId { bytes: key(1), ..AccountId::from_key(&bitcoin::XOnlyPublicKey::from_slice(&key(1)).expect("a key")) }
}

fn address() -> Promise {
    let terms = DepositTerms { account: account(), nonce: 7, epoch: Epoch::new(0), user_key: key(2) };
    Promise::Address(AddressPromise {
        terms,
        script: terms.spend_info(&genesis()).expect("a script").script,
        min: Amount::from_sat(10_000),
        max: Amount::from_sat(100_000_000),
        fee_max: Amount::from_sat(338),
        reclaim_blocks: Blocks::new(1008),
        since: SideHeight::new(0),
    })
}

fn mint() -> Promise {
    Promise::Mint(MintPromise {
        outpoint: OutPoint::new(Txid::from_byte_array([3; 32]), 1),
        account: account(),
        deposited: Amount::from_sat(50_000),
        minted: Amount::from_sat(49_800),
        sweep: Txid::from_byte_array([4; 32]),
        block: BlockRef::new(BtcHeight::new(120), bitcoin::BlockHash::from_byte_array([5; 32])),
        height: SideHeight::new(9),
    })
}

fn peg_out() -> Promise {
    Promise::PegOut(PegOutPromise {
        id: Digest([6; 32]),
        account: account(),
        script: ScriptBuf::from_bytes(vec![0x51; 22]),
        amount: Amount::from_sat(20_000),
        fee_max: Amount::from_sat(308),
        height: SideHeight::new(11),
        anchor: BtcHeight::new(130),
        deadline: BtcHeight::new(274),
    })
}

fn sign(promise: &Promise, index: u8) -> ReceiptSignature {
    let signature = private(index).sign(ENDORSEMENT_NAMESPACE, &promise.digest(genesis().chain_id()));
    let signature = AsRef::<[u8]>::as_ref(&signature).try_into().expect("64 bytes");
    ReceiptSignature { member: format!("f{}", index + 1), signature }
}

fn receipt(promise: &Promise, members: &[u8]) -> ReceiptFile {
    let signatures = members.iter().map(|index| sign(promise, *index)).collect();
    ReceiptFile::new(genesis().chain_id(), promise, signatures)
}

#[test]
fn golden_receipts_hold_and_say_who_promised() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/golden/receipts.json");
    let made: Vec<ReceiptFile> =
        [address(), mint(), peg_out()].iter().map(|promise| receipt(promise, &[0, 3, 2])).collect();
    let text = serde_json::to_string_pretty(&made).expect("JSON") + "\n";
    if std::env::var_os("WINDLASS_GOLDEN").is_some_and(|value| value == "write") {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(&path, &text).expect("written");
    }
    let known = std::fs::read_to_string(&path).expect("the golden file");
    assert_eq!(text, known, "the encoding of receipts has changed: those that people have would not hold");
    let files: Vec<ReceiptFile> = serde_json::from_str(&known).expect("receipts");
    for (file, promise) in files.iter().zip([address(), mint(), peg_out()]) {
        let again = ReceiptFile::read(&serde_json::to_string(file).expect("JSON")).expect("a receipt");
        let members = ["f1", "f4", "f3"].map(str::to_owned).to_vec();
        assert_eq!(again.verify(&genesis()), Ok(Promised { promise, members }));
    }
}

#[test]
fn a_short_one_is_refused_by_the_names_that_are_there() {
    let needed = 3;
    for members in [vec![], vec![1], vec![1, 2]] {
        let names = members.iter().map(|index| format!("f{}", index + 1)).collect();
        let short = receipt(&peg_out(), &members).verify(&genesis());
        assert_eq!(short, Err(ReceiptError::TooFew { members: names, needed }));
    }
    let says = |members: &[u8]| receipt(&peg_out(), members).verify(&genesis()).expect_err("short").to_string();
    assert_eq!(says(&[1, 2]), "f2, f3 signed; a receipt takes 3 members");
    assert_eq!(says(&[]), "nobody signed; a receipt takes 3 members");
    // Nor does one member make three.
    let thrice = receipt(&peg_out(), &[1, 1, 1]).verify(&genesis());
    assert_eq!(thrice, Err(ReceiptError::Twice("f2".into())));
}

#[test]
fn a_forged_one_is_refused_by_the_name() {
    let good = receipt(&peg_out(), &[0, 1, 2]);
    let forged = |name: &str| Err(ReceiptError::Forged(name.into()));
    // Each byte of the promise and of each signature counts.
    for place in 0..good.promise.len() {
        let mut file = good.clone();
        file.promise[place] ^= 1;
        let outcome = file.verify(&genesis());
        assert!(outcome == forged("f1") || matches!(outcome, Err(ReceiptError::Malformed(_))), "{place}: {outcome:?}");
    }
    for (member, name) in [(0, "f1"), (1, "f2"), (2, "f3")] {
        for place in 0..64 {
            let mut file = good.clone();
            file.signatures[member].signature[place] ^= 1;
            assert_eq!(file.verify(&genesis()), forged(name), "{place}");
        }
    }
    // A signature under another promise, one of another member, and one more that is false beside three that hold.
    let mut file = good.clone();
    file.signatures[2] = sign(&mint(), 2);
    assert_eq!(file.verify(&genesis()), forged("f3"));
    let mut file = good.clone();
    file.signatures[2].signature = good.signatures[1].signature;
    assert_eq!(file.verify(&genesis()), forged("f3"));
    let mut file = good.clone();
    file.signatures.push(ReceiptSignature { member: "f4".into(), signature: [0; 64] });
    assert_eq!(file.verify(&genesis()), forged("f4"));
    file.signatures[3].member = "mallory".into();
    assert_eq!(file.verify(&genesis()), Err(ReceiptError::NotAMember("mallory".into())));
}

#[test]
fn of_another_chain_or_version_or_with_an_address_that_is_not_of_its_terms() {
    let good = receipt(&address(), &[0, 1, 2]);
    let other = Genesis { threshold: 4, ..genesis() };
    let (expected, found) = (other.chain_id(), genesis().chain_id());
    assert_eq!(good.verify(&other), Err(ReceiptError::OtherChain { expected, found }));
    // The chain is signed, too: naming it differently does not help.
    let file = ReceiptFile { chain: expected, ..good.clone() };
    assert_eq!(file.verify(&other), Err(ReceiptError::Forged("f1".into())));
    let Promise::Address(mut wrong) = address() else { panic!("an address") };
    wrong.terms.nonce += 1;
    let file = receipt(&Promise::Address(wrong), &[0, 1, 2]);
    assert_eq!(file.verify(&genesis()), Err(ReceiptError::Address));
    let text = |file: &ReceiptFile| serde_json::to_string(file).expect("JSON");
    let newer = ReceiptFile { version: 2, ..good.clone() };
    assert_eq!(ReceiptFile::read(&text(&newer)), Err(ReceiptError::Version(2)));
    let proof = ReceiptFile { format: "windlass-proof".into(), ..good };
    assert!(matches!(ReceiptFile::read(&text(&proof)), Err(ReceiptError::Unreadable(_))));
    assert!(matches!(Promise::decode(&[2; MAX_PROMISE_BYTES + 1]), Err(ReceiptError::Malformed(_))));
    let mut longer = peg_out().encode();
    longer.push(0);
    assert!(matches!(Promise::decode(&longer), Err(ReceiptError::Malformed(_))), "nothing may follow");
}
