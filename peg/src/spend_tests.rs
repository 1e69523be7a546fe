use crate::{
    CoinToSpend, deposit,
    emergency::{EmergencyError, EmergencySpend},
    spend::leaf_sighash,
    testing,
};
use bitcoin::{
    Amount, FeeRate, OutPoint, ScriptBuf, Sequence,
    hashes::Hash as _,
    key::{Keypair, Secp256k1},
    secp256k1::{Message, SecretKey, schnorr::Signature},
};
use std::collections::BTreeMap;
use windlass_ledger::{DepositTerms, Genesis, GenesisMember, Params, TreasuryCoin};
use windlass_types::{AccountId, BlockRef, BtcHeight, ChainNetwork, Epoch};

fn pair(n: u8) -> Keypair {
    Keypair::from_secret_key(&Secp256k1::new(), &SecretKey::from_slice(&[n; 32]).unwrap())
}

fn genesis() -> Genesis {
    let member = |n: u8| GenesisMember {
        name: format!("f{n}"),
        identity: [n; 32],
        emergency_key: pair(n).x_only_public_key().0.serialize(),
    };
    Genesis {
        version: windlass_ledger::VERSION,
        network: ChainNetwork::Regtest,
        members: (1..=4).map(member).collect(),
        threshold: 3,
        treasury_key: testing::shares(4, 3)[0].group().x_only().serialize(),
        start: BlockRef::new(BtcHeight::new(0), bitcoin::BlockHash::all_zeros()),
        params: Params::default(),
    }
}

fn terms() -> DepositTerms {
    let key = pair(9).x_only_public_key().0;
    DepositTerms { account: AccountId::from_key(&key), nonce: 3, epoch: Epoch::new(0), user_key: key.serialize() }
}

fn coin() -> CoinToSpend {
    CoinToSpend { outpoint: OutPoint::null(), amount: Amount::from_sat(50_000) }
}

fn to() -> ScriptBuf {
    ScriptBuf::new_p2tr(&Secp256k1::new(), pair(10).x_only_public_key().0, None)
}

#[test]
fn a_reclaim_is_138_vbytes_and_signed_by_the_user() {
    let genesis = genesis();
    genesis.validate().unwrap();
    let rate = FeeRate::from_sat_per_vb(2).unwrap();
    let tx = deposit::reclaim(&genesis, &terms(), coin(), to(), rate, &pair(9)).unwrap();
    assert_eq!(tx.vsize(), 138);
    assert_eq!(tx.output[0].value, Amount::from_sat(50_000 - 276));
    assert_eq!(tx.input[0].sequence, Sequence::from_height(1008));
    let info = terms().spend_info(&genesis).unwrap();
    assert_eq!(info.script, terms().address(&genesis).unwrap().script_pubkey());
    let sighash = leaf_sighash(&tx, coin(), &info);
    let signature = Signature::from_slice(&tx.input[0].witness[0]).unwrap();
    let key = pair(9).x_only_public_key().0;
    Secp256k1::new().verify_schnorr(&signature, &Message::from_digest(sighash), &key).unwrap();
}

#[test]
fn a_reclaim_with_a_foreign_key_or_of_dust_is_refused() {
    let rate = FeeRate::from_sat_per_vb(2).unwrap();
    let foreign = deposit::reclaim(&genesis(), &terms(), coin(), to(), rate, &pair(8)).unwrap_err();
    assert!(matches!(foreign, deposit::ReclaimError::ForeignKey { .. }), "{foreign}");
    let dust = CoinToSpend { amount: Amount::from_sat(605), ..coin() };
    let error = deposit::reclaim(&genesis(), &terms(), dust, to(), rate, &pair(9)).unwrap_err();
    assert!(matches!(error, deposit::ReclaimError::TooSmall(_)), "{error}");
    let enough = CoinToSpend { amount: Amount::from_sat(606), ..coin() };
    assert!(deposit::reclaim(&genesis(), &terms(), enough, to(), rate, &pair(9)).is_ok());
}

#[test]
fn an_emergency_spend_takes_exactly_k_signatures() {
    let treasury = TreasuryCoin {
        outpoint: coin().outpoint,
        amount: coin().amount,
        batch: 0,
        epoch: Epoch::new(0),
        hidden: [5; 32],
        block: BlockRef::new(BtcHeight::new(7), bitcoin::BlockHash::all_zeros()),
    };
    let spend = EmergencySpend::new(&genesis(), &treasury, to(), FeeRate::from_sat_per_vb(2).unwrap()).unwrap();
    let mut signatures: BTreeMap<usize, Signature> = [4, 2].iter().map(|n| spend.sign(&pair(*n)).unwrap()).collect();
    assert!(matches!(spend.finish(&signatures), Err(EmergencyError::TooFew { found: 2, needed: 3 })));
    assert!(spend.sign(&pair(9)).is_err());
    signatures.extend([spend.sign(&pair(1)).unwrap()]);
    let tx = spend.finish(&signatures).unwrap();
    // Bottom to top: the last key's item first, an empty one for who did not sign.
    let lengths: Vec<usize> = tx.input[0].witness.iter().take(4).map(<[u8]>::len).collect();
    assert_eq!(lengths, vec![64, 0, 64, 64]);
    assert_eq!(tx.input[0].sequence, Sequence::from_height(4032));
    let paid = coin().amount - tx.output[0].value;
    assert_eq!(paid, Amount::from_sat(2 * u64::try_from(tx.vsize()).unwrap()));
    signatures.insert(2, signatures[&0]);
    signatures.remove(&3);
    assert!(matches!(spend.finish(&signatures), Err(EmergencyError::Invalid { .. })));
}
