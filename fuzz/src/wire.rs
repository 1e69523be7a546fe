//! Decoders of what comes over a wire: what they accept is the one encoding of what they return.

use bitcoin::Txid;
use bitcoin::hashes::Hash;
use borsh::{BorshDeserialize, BorshSerialize};
use windlass_ledger::{
    AssetTerms, Block, Genesis, LeafWitness, MemoryState, Policy, PolicyWitness, StateRead as _, Transaction, keys, smt,
};
use windlass_light::{Fact, Promise, ProofFile, ReceiptFile};
use windlass_peg::dkg::DkgMessage;
use windlass_peg::signing::SigningMessage;

use crate::seeds;
use std::sync::OnceLock;
use windlass_types::AssetId;

pub(crate) fn transaction(bytes: &[u8]) -> bool {
    let Ok(transaction) = Transaction::decode(bytes) else { return false };
    assert_eq!(transaction.encode(), bytes);
    let _ = (
        transaction.id(),
        transaction.from(),
        transaction.nonce(),
        transaction.verify_witness(),
        transaction.witness.after(),
    );
    if let windlass_ledger::TxBody::Claim(claim) = &transaction.body {
        let _ = (claim.outpoint(), claim.block_hash());
    }
    true
}

pub(crate) fn block(bytes: &[u8]) -> bool {
    let Ok(block) = Block::decode(bytes) else { return false };
    assert_eq!(block.encode(), bytes);
    let _ = (block.digest(), block.body_root());
    true
}

fn strict<T: BorshSerialize + BorshDeserialize>(bytes: &[u8]) -> Option<T> {
    let value = T::try_from_slice(bytes).ok()?;
    assert_eq!(borsh::to_vec(&value).expect("writing to a vector does not fail"), bytes);
    Some(value)
}

pub(crate) fn genesis(bytes: &[u8]) -> bool {
    let Some(genesis) = strict::<Genesis>(bytes) else { return false };
    let valid = genesis.validate().is_ok();
    if valid {
        let _ = genesis.chain_id();
    }
    valid
}

/// The terms of an asset, and the text of an id.
pub(crate) fn asset(bytes: &[u8]) -> bool {
    let named = std::str::from_utf8(bytes).ok().and_then(|text| text.parse::<AssetId>().ok());
    if let Some(asset) = named {
        assert_eq!(asset.to_string().parse(), Ok(asset));
    }
    let Some(terms) = strict::<AssetTerms>(bytes) else { return named.is_some() };
    let plain = AssetTerms { ticker: "A".into(), name: "A".into(), decimals: 0, units: 1, reissuable: false };
    let _ = (windlass_ledger::likeness(&terms, &plain), windlass_ledger::resembles_bitcoin(&terms));
    let valid = terms.validate().is_ok();
    if valid {
        assert!(terms.ticker.is_ascii() && terms.name.is_ascii());
    }
    valid
}

/// A policy, or one with what satisfies it.
pub(crate) fn policy(bytes: &[u8]) -> bool {
    let policy = strict::<Policy>(bytes).or_else(|| strict::<PolicyWitness>(bytes).map(|witness| witness.policy));
    let Some(policy) = policy else { return false };
    // It is a good one, however it came; what it is written as is read as it.
    assert_eq!(Policy::new(policy.root().clone()).as_ref(), Ok(&policy));
    assert_eq!(policy.to_string().parse().as_ref(), text_of(&policy).as_ref());
    let leaves = policy.leaves().len();
    assert!((1..=windlass_ledger::MAX_POLICY_LEAVES).contains(&leaves));
    // With all that it could ask for it is satisfied.
    let all = PolicyWitness::satisfy(policy, |_| Some(LeafWitness::Reached)).expect("all there is");
    assert_eq!(all.leaves.len(), leaves);
    true
}

/// The policy as its text says it, but where a key is no point of the curve: the text has none of those.
fn text_of(policy: &Policy) -> Result<Policy, windlass_ledger::PolicyTextError> {
    let on_curve = |leaf: &&windlass_ledger::Clause| match leaf {
        windlass_ledger::Clause::Key(key) => bitcoin::XOnlyPublicKey::from_slice(key).is_ok(),
        _ => true,
    };
    if policy.leaves().iter().all(on_curve) { Ok(policy.clone()) } else { policy.to_string().parse() }
}

pub(crate) fn proof(bytes: &[u8]) -> bool {
    let Some(proof) = strict::<smt::Proof>(bytes) else { return false };
    let root = windlass_types::Digest::default();
    assert!(!smt::verify(&root, b"key", Some(b"value"), &proof), "a proof for a root that no state has");
    true
}

/// A proof file that holds says what is so: the chain is known to its first block, which has no transaction.
pub(crate) fn proof_file(bytes: &[u8]) -> bool {
    static KNOWN: OnceLock<(Genesis, [MemoryState; 2])> = OnceLock::new();
    let (genesis, states) = KNOWN.get_or_init(|| (seeds::genesis(), seeds::states()));
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let Ok(file) = ProofFile::read(text) else { return false };
    let again = serde_json::to_string(&file).expect("JSON");
    assert_eq!(ProofFile::read(&again).as_ref(), Ok(&file), "what is written is read");
    let Ok(proven) = file.verify(genesis) else { return false };
    let height = usize::try_from(proven.header.height.get()).expect("a low height");
    let state = states.get(height).expect("nobody signed a later block");
    let has = |key: &[u8]| state.get(key).expect("memory");
    let decode = |value: Vec<u8>| borsh::from_slice::<u64>(&value).expect("a number");
    match proven.fact {
        Fact::Account(id, account) => assert_eq!(
            has(&keys::account(&id)),
            account.map(|account| borsh::to_vec(&account).expect("writing to a vector does not fail"))
        ),
        Fact::Units(id, asset, units) => assert_eq!(has(&keys::units(&id, &asset)).map_or(0, decode), units),
        Fact::Params(record) => {
            assert_eq!(has(keys::PARAMS), Some(borsh::to_vec(&*record).expect("writing to a vector does not fail")))
        }
        Fact::Entry(key, value) => assert_eq!(has(&key), value),
        Fact::Lock(lock) => {
            let bytes = |account| borsh::to_vec(&account).expect("writing to a vector does not fail");
            assert_eq!(has(&keys::account(&lock.policy.account())), lock.account.map(bytes));
            for (hash, shown) in &lock.hashes {
                assert_eq!((has(&keys::revealed(&hash.0)), shown), (None, &None), "nobody has shown a preimage");
            }
        }
        Fact::Transaction(..) => panic!("no block of this chain has a transaction"),
    }
    true
}

/// A receipt that holds is one of those that the members of the seeds signed. A promise alone is its one encoding.
pub(crate) fn receipt_file(bytes: &[u8]) -> bool {
    static GENESIS: OnceLock<Genesis> = OnceLock::new();
    let promise = Promise::decode(bytes);
    if let Ok(promise) = &promise {
        assert_eq!(promise.encode(), bytes);
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return promise.is_ok() };
    let Ok(file) = ReceiptFile::read(text) else { return promise.is_ok() };
    let again = serde_json::to_string(&file).expect("JSON");
    assert_eq!(ReceiptFile::read(&again).as_ref(), Ok(&file), "what is written is read");
    let genesis = GENESIS.get_or_init(seeds::genesis);
    let Ok(promised) = file.verify(genesis) else { return false };
    assert!(promised.members.len() >= usize::from(genesis.threshold));
    assert!(seeds::promises().contains(&promised.promise), "nobody promised {:?}", promised.promise);
    true
}

pub(crate) fn signing(bytes: &[u8]) -> bool {
    let Ok(message) = SigningMessage::decode(bytes) else { return false };
    assert_eq!(message.encode(), bytes);
    true
}

pub(crate) fn dkg(bytes: &[u8]) -> bool {
    let Ok(message) = DkgMessage::decode(bytes) else { return false };
    assert_eq!(message.encode(), bytes);
    true
}

/// BIP37's Merkle block, as in a claim, behind the txid that it is to show.
pub(crate) fn merkle_proof(bytes: &[u8]) -> bool {
    let Some((txid, proof)) = bytes.split_at_checked(32) else { return false };
    let Ok(txid) = Txid::from_slice(txid) else { return false };
    windlass_chain::verify_merkle_proof(proof, txid).is_some()
}

pub(crate) fn share(bytes: &[u8]) -> bool {
    windlass_peg::share::fuzz_share(bytes)
}

pub(crate) fn sealed_block(bytes: &[u8]) -> bool {
    windlass_sidechain::fuzzing::sealed_block(bytes)
}

pub(crate) fn gossip(bytes: &[u8]) -> bool {
    windlass_sidechain::fuzzing::gossip(bytes)
}

/// A certificate for a block of a known federation. Nobody else has its keys: only what its members signed
/// holds.
pub(crate) fn certificate(bytes: &[u8]) -> bool {
    static KNOWN: OnceLock<(Genesis, Block, Vec<u8>)> = OnceLock::new();
    let (genesis, block, good) = KNOWN.get_or_init(|| {
        let (genesis, block) = (seeds::genesis(), seeds::first_block());
        let good = seeds::certificate();
        (genesis, block, good)
    });
    let members = genesis.identities();
    let holds = windlass_sidechain::verify_block(&members, genesis.chain_id(), block, bytes).is_ok();
    assert!(!holds || bytes == good, "a certificate that nobody signed");
    let _ = windlass_sidechain::signers(&members, bytes);
    holds
}

/// A snapshot of a known federation's chain: only what its members signed is taken, and it is that state.
pub(crate) fn state_snapshot(bytes: &[u8]) -> bool {
    static KNOWN: OnceLock<(Genesis, MemoryState)> = OnceLock::new();
    let (genesis, state) = KNOWN.get_or_init(|| {
        let [_, state] = seeds::states();
        (seeds::genesis(), state)
    });
    let Some(taken) = windlass_sidechain::fuzzing::snapshot(genesis, bytes) else { return false };
    assert!(taken == *state, "a state that nobody signed");
    true
}

pub(crate) fn backup(bytes: &[u8]) -> bool {
    windlass_channels::fuzzing::backup(bytes)
}

pub(crate) fn name_proof(bytes: &[u8]) -> bool {
    windlass_channels::fuzzing::name_proof(bytes)
}

pub(crate) fn gossip_snapshot(bytes: &[u8]) -> bool {
    windlass_channels::fuzzing::gossip_snapshot(bytes)
}
