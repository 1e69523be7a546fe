//! Proofs of hash locks' states, under trees of one entry and of two.

use super::*;
use crate::proof::tests::{account, certificate, genesis, header};
use crate::{Claim, Fact, ProofFile};
use bitcoin::Amount;
use bitcoin::hashes::{Hash as _, sha256};
use windlass_ledger::{Clause, HashLock};
use windlass_types::{BtcHeight, SideHeight, tagged_hash};

const PREIMAGE: [u8; 32] = [42; 32];

type Entry = (Vec<u8>, Vec<u8>);

fn hash() -> [u8; 32] {
    sha256::Hash::hash(&PREIMAGE).to_byte_array()
}

fn policy(timeout: u32) -> Policy {
    Policy::hash_lock(account(2).bytes, hash(), account(1).bytes, BtcHeight::new(timeout)).expect("a hash lock")
}

fn bytes<T: borsh::BorshSerialize>(value: &T) -> Vec<u8> {
    borsh::to_vec(value).expect("encodes")
}

/// The lock's account with `sat`, `spent` from so often.
fn funds(sat: u64, spent: u64) -> Entry {
    let mut account = Account { balance: Amount::from_sat(sat), ..Account::default() };
    for nonce in 0..spent {
        account.nonces = account.nonces.take(nonce).expect("open");
    }
    (keys::account(&policy(500).account()), bytes(&account))
}

fn shown() -> Revealed {
    Revealed { preimage: PREIMAGE, id: Digest([9; 32]), height: SideHeight::new(5) }
}

fn bit(path: &[u8; 32], depth: usize) -> u8 {
    path[depth / 8] >> (7 - depth % 8) & 1
}

/// What a tree of one entry, or of two, has at the end of the way to `key`.
fn prove(entries: &[Entry], key: &[u8]) -> Vec<u8> {
    let path = |key: &[u8]| tagged_hash("Windlass/key", &[key]);
    let way = path(key);
    let shared = |other: &[u8; 32]| (0..256).take_while(|at| bit(&way, *at) == bit(other, *at)).count();
    // From the next of the entries, and what is beside the way to it.
    let (place, (end, value)) =
        entries.iter().enumerate().max_by_key(|(_, (key, _))| shared(&path(key))).expect("an entry");
    let mut siblings = Vec::new();
    if let Some((key, value)) = entries.get(1 - place) {
        let apart = (0..256).take_while(|at| bit(&path(end), *at) == bit(&path(key), *at)).count();
        siblings = vec![smt::EMPTY; apart];
        siblings.push(smt::root_of([(key.as_slice(), value.as_slice())]));
    }
    let end = [path(end), sha256::Hash::hash(value).to_byte_array()].concat();
    [bytes(&siblings), vec![1], end].concat()
}

fn part(entries: &[Entry], key: &[u8]) -> Part {
    let value = entries.iter().find(|(known, _)| known == key).map(|(_, value)| HexBytes(value.clone()));
    Part { value, proof: prove(entries, key) }
}

fn claim(entries: &[Entry], policy: &Policy) -> Claim {
    Claim::Lock {
        policy: bytes(policy),
        account: part(entries, &keys::account(&policy.account())),
        preimages: policy.hashes().iter().map(|hash| part(entries, &keys::revealed(hash))).collect(),
    }
}

fn file(entries: &[Entry], claim: Claim) -> ProofFile {
    let root = smt::root_of(entries.iter().map(|(key, value)| (key.as_slice(), value.as_slice())));
    let header = header(root, Digest::default());
    ProofFile::new(&header, certificate(&header, &[0, 1, 3]), claim)
}

fn proven(entries: &[Entry], claim: Claim) -> Result<Lock, ProofError> {
    let text = serde_json::to_string(&file(entries, claim)).expect("encodes");
    match ProofFile::read(&text).expect("reads").verify(&genesis())?.fact {
        Fact::Lock(lock) => Ok(*lock),
        other => panic!("a lock: {other:?}"),
    }
}

#[test]
fn a_locked_amount_is_proven() {
    let state = [funds(10_000, 0)];
    let lock = proven(&state, claim(&state, &policy(500))).expect("holds");
    assert_eq!(
        lock.policy.as_hash_lock(),
        Some(HashLock {
            receiver: account(2).bytes,
            hash: hash(),
            sender: account(1).bytes,
            timeout: BtcHeight::new(500)
        })
    );
    assert_eq!(lock.account.map(|account| account.balance), Some(Amount::from_sat(10_000)));
    assert_eq!((lock.spent_from(), lock.hashes), (false, vec![(Digest(hash()), None)]));
    // Another lock of the same hash is another account, that nobody has paid.
    let other = proven(&state, claim(&state, &policy(501))).expect("holds");
    assert_eq!((other.spent_from(), other.account), (false, None));
}

#[test]
fn a_spent_lock_shows_its_preimage() {
    let state = [funds(0, 1), (keys::revealed(&hash()), bytes(&shown()))];
    let lock = proven(&state, claim(&state, &policy(500))).expect("holds");
    assert!(lock.spent_from());
    assert_eq!(lock.hashes, [(Digest(hash()), Some(shown()))]);
}

/// Nobody makes a claimed lock look open, or an open one claimed, or one lock's money another's.
#[test]
fn no_other_state_of_a_lock_is_proven() {
    let wrong = Err(ProofError::Claim(SideHeight::new(7)));
    let state = [funds(7, 1), (keys::revealed(&hash()), bytes(&shown()))];
    let good = claim(&state, &policy(500));
    let Claim::Lock { policy: ours, account, preimages } = good else { panic!("a lock") };
    let lies = [
        // The preimage is kept back.
        (ours.clone(), account.clone(), vec![Part { value: None, ..preimages[0].clone() }]),
        (ours.clone(), account.clone(), vec![account.clone()]),
        // Another preimage, another amount.
        (
            ours.clone(),
            account.clone(),
            vec![Part {
                value: Some(HexBytes(bytes(&Revealed { preimage: [1; 32], ..shown() }))),
                ..preimages[0].clone()
            }],
        ),
        (ours.clone(), Part { value: Some(HexBytes(funds(8, 1).1)), ..account.clone() }, preimages.clone()),
        (ours.clone(), Part { value: None, ..account.clone() }, preimages.clone()),
        // Another policy's money.
        (bytes(&policy(501)), account.clone(), preimages.clone()),
    ];
    for (policy, account, preimages) in lies {
        assert_eq!(proven(&state, Claim::Lock { policy, account, preimages }), wrong);
    }
    // Nothing was shown, and a preimage is claimed.
    let open = [funds(7, 0)];
    let Claim::Lock { account, mut preimages, .. } = claim(&open, &policy(500)) else { panic!("a lock") };
    preimages[0].value = Some(HexBytes(bytes(&shown())));
    assert_eq!(proven(&open, Claim::Lock { policy: ours, account, preimages }), wrong);
}

#[test]
fn a_lock_without_its_hashes_is_malformed() {
    let state = [funds(7, 0)];
    let Claim::Lock { policy: ours, account: has, preimages } = claim(&state, &policy(500)) else { panic!("a lock") };
    for preimages in [vec![], [preimages.clone(), preimages].concat()] {
        let refused = proven(&state, Claim::Lock { policy: ours.clone(), account: has.clone(), preimages });
        assert!(matches!(refused, Err(ProofError::Malformed { what: "list of preimages", .. })), "{refused:?}");
    }
    let keys = vec![Clause::Key(account(1).bytes), Clause::Key(account(2).bytes)];
    let plain = Policy::new(Clause::Threshold { k: 2, clauses: keys }).expect("a policy");
    let refused = proven(&state, Claim::Lock { policy: bytes(&plain), account: has.clone(), preimages: vec![] });
    assert!(matches!(refused, Err(ProofError::Malformed { what: "policy", .. })), "{refused:?}");
    let refused = proven(&state, Claim::Lock { policy: vec![3; 40], account: has, preimages: vec![] });
    assert!(matches!(refused, Err(ProofError::Malformed { what: "policy", .. })), "{refused:?}");
}
