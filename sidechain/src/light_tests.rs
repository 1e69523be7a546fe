//! Certificates, made by hand: what is accepted, what is not, and the bytes as `docs/spec/agreement.md` has them.

use crate::engine::block::Sealed;
use crate::engine::committee::{EPOCH, Votes, identity_of, private_key};
use crate::fixture::{MEMBERS, genesis, seed};
use crate::{FollowError, Follower};
use commonware_codec::{DecodeExt as _, Encode as _};
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::{Finalize, Notarize, Proposal};
use commonware_consensus::types::{Round, View};
use commonware_cryptography::ed25519::Signature;
use commonware_cryptography::{Digestible as _, Verifier as _, sha256};
use commonware_parallel::Sequential;
use commonware_utils::non_empty;
use std::sync::Arc;
use windlass_ledger::{BitcoinInputs, Block, Header, MemoryState, genesis_state};
use windlass_light::committee::Committee;
use windlass_light::{Certificate, CertificateError, MAX_DESCENDANTS, signers, verify_block};
use windlass_types::{ChainId, Digest, SideHeight};

const VIEW: u64 = 300;

fn identities() -> Vec<[u8; 32]> {
    genesis().identities()
}

fn committee() -> Committee {
    Committee::new(&identities()).expect("a committee")
}

fn scheme(index: usize, chain: ChainId) -> Scheme {
    committee().signer(chain, private_key(seed(index).bytes())).expect("a member")
}

fn proposal(digest: Digest) -> Proposal<sha256::Digest> {
    Proposal::new(Round::new(EPOCH, View::new(VIEW)), View::new(VIEW - 1), sha256::Digest(digest.0))
}

fn votes(chain: ChainId, digest: Digest, members: &[usize]) -> Votes {
    let votes = members.iter().map(|&i| Finalize::sign(&scheme(i, chain), proposal(digest)).expect("it signs"));
    Votes::from_owned_finalizes(&scheme(0, chain), non_empty![@votes], &Sequential).expect("a quorum")
}

fn certificate(digest: Digest) -> Vec<u8> {
    let votes = votes(genesis().chain_id(), digest, &[0, 1, 3]).encode().to_vec();
    Certificate { descendants: Vec::new(), votes }.encode()
}

/// Empty blocks 1, 2, … on the genesis.
fn blocks(count: usize) -> Vec<Block> {
    let genesis = genesis();
    let (changes, mut header) = genesis_state(&genesis);
    let mut state = MemoryState::default();
    state.commit(&changes);
    let mut blocks = Vec::new();
    for _ in 0..count {
        let (block, applied, _) =
            windlass_ledger::build(&genesis, &state, &header, BitcoinInputs::default(), Vec::new()).expect("a block");
        state.commit(&applied.changes);
        header = block.header;
        blocks.push(block);
    }
    blocks
}

fn verify(block: &Block, certificate: &[u8]) -> Result<(), CertificateError> {
    verify_block(&identities(), genesis().chain_id(), block, certificate)
}

#[test]
fn a_quorum_is_enough_and_no_byte_may_differ() {
    let block = &blocks(1)[0];
    let good = certificate(block.digest());
    verify(block, &good).expect("three of four");
    assert_eq!(signers(&identities(), &good), Ok(vec![0, 1, 3]));
    for place in 0..good.len() {
        for bit in [1, 0x80] {
            let mut bad = good.clone();
            bad[place] ^= bit;
            assert!(verify(block, &bad).is_err(), "byte {place} ^ {bit:#x}");
        }
        assert!(verify(block, &good[..place]).is_err(), "cut at {place}");
    }
    assert!(verify(block, &[good, vec![0]].concat()).is_err(), "one more byte");
}

#[test]
fn votes_for_something_else_prove_nothing() {
    let (list, chain) = (blocks(2), genesis().chain_id());
    let other = verify(&list[0], &certificate(list[1].digest()));
    assert!(matches!(other, Err(CertificateError::OtherBlock { .. })));

    // Votes of the same members on another chain.
    let foreign = votes(ChainId(Digest([7; 32])), list[0].digest(), &[0, 1, 2]).encode().to_vec();
    let foreign = Certificate { descendants: Vec::new(), votes: foreign }.encode();
    assert!(matches!(verify(&list[0], &foreign), Err(CertificateError::Signatures(_))));

    // Notarize votes are not finalize votes.
    let mut votes = votes(chain, list[0].digest(), &[0, 1, 2]);
    for (place, index) in [0, 1, 2].into_iter().enumerate() {
        let vote = Notarize::sign(&scheme(index, chain), proposal(list[0].digest())).expect("it signs");
        votes.certificate.signatures[place] = vote.attestation.signature;
    }
    let notarized = Certificate { descendants: Vec::new(), votes: votes.encode().to_vec() }.encode();
    assert!(matches!(verify(&list[0], &notarized), Err(CertificateError::Signatures(_))));

    // Another body under the same header.
    let mut swapped = list[0].clone();
    swapped.transactions.push(crate::fixture::transfer(&genesis(), 1, 2, 0, 1));
    assert!(matches!(verify(&swapped, &certificate(list[0].digest())), Err(CertificateError::Body(_))));
    assert!(Sealed::decode(Sealed::new(Arc::new(swapped)).encode()).is_err());
}

#[test]
fn two_of_four_are_no_quorum() {
    let block = &blocks(1)[0];
    let mut votes = votes(genesis().chain_id(), block.digest(), &[0, 1, 2]).encode().to_vec();
    // By hand: one signer less in the bitmap, and its signature taken away (64 bytes at the end).
    let bitmap = votes.len() - 3 * 64 - 2;
    let highest = 1 << (7 - votes[bitmap].leading_zeros());
    votes[bitmap] ^= highest;
    votes[bitmap + 1] = 2;
    votes.truncate(votes.len() - 64);
    let few = Certificate { descendants: Vec::new(), votes }.encode();
    assert_eq!(signers(&identities(), &few).map(|list| list.len()), Ok(2));
    assert!(matches!(verify(block, &few), Err(CertificateError::Signatures(_))));
}

#[test]
fn a_descendant_carries_its_ancestors() {
    let list = blocks(4);
    let votes = votes(genesis().chain_id(), list[3].digest(), &[1, 2, 3]).encode().to_vec();
    let headers: Vec<Header> = list.iter().map(|block| block.header).collect();
    let with = |descendants: Vec<Header>| Certificate { descendants, votes: votes.clone() }.encode();
    verify(&list[0], &with(headers[1..].to_vec())).expect("by way of block 4");
    verify(&list[3], &with(Vec::new())).expect("its own votes");
    for bad in [vec![], headers[2..].to_vec(), vec![headers[1], headers[3]], vec![headers[1]], headers.clone()] {
        assert!(verify(&list[0], &with(bad)).is_err());
    }
    let many = with(vec![headers[1]; MAX_DESCENDANTS + 1]);
    assert!(matches!(verify(&list[0], &many), Err(CertificateError::Malformed { .. })));
}

#[test]
fn a_follower_needs_proof_and_order() {
    let (genesis, list) = (Arc::new(genesis()), blocks(2));
    let mut state = MemoryState::default();
    state.commit(&genesis_state(&genesis).0);
    let mut follower = Follower::new(genesis, Arc::new(state)).expect("a good genesis");
    let step = |follower: &mut Follower, index: usize, proof: usize| {
        follower.follow(Arc::new(list[index].clone()), certificate(list[proof].digest())).map(drop)
    };
    assert!(matches!(step(&mut follower, 1, 1), Err(FollowError::Gap { .. })));
    assert!(matches!(step(&mut follower, 0, 1), Err(FollowError::Certificate(_))));
    step(&mut follower, 0, 0).expect("it follows");
    assert!(matches!(step(&mut follower, 0, 0), Err(FollowError::Gap { .. })));
    step(&mut follower, 1, 1).expect("it follows");
    // A quorum's signature is not validation.
    let mut theft = list[1].clone();
    theft.header.height = SideHeight::new(3);
    theft.header.parent = list[1].digest();
    theft.header.supply = windlass_types::Amount::ONE_BTC;
    let proof = certificate(theft.digest());
    assert!(matches!(follower.follow(Arc::new(theft), proof), Err(FollowError::Rules { .. })));
}

#[test]
fn the_bytes_are_as_specified() {
    let (block, chain) = (&blocks(1)[0], genesis().chain_id());
    let bytes = certificate(block.digest());
    // Borsh: no descendants, then the votes' length.
    assert_eq!(bytes[..4], [0; 4]);
    let votes = &bytes[8..];
    assert_eq!(usize::from(bytes[4]), votes.len());
    // Epoch 0, view 300, parent view 299 (LEB128), the block's digest.
    assert_eq!(votes[..5], [0, 0xac, 0x02, 0xab, 0x02]);
    assert_eq!(votes[5..37], block.digest().0);
    // How many members, which of them (in the order of their keys), how many signatures.
    assert_eq!(votes[37..45], 4u64.to_be_bytes());
    let mut sorted: Vec<(usize, [u8; 32])> = (0..MEMBERS).map(|index| (index, identity_of(&seed(index)))).collect();
    sorted.sort_by_key(|(_, identity)| *identity);
    let voted: Vec<usize> = (0..MEMBERS).filter(|place| votes[45] >> place & 1 == 1).collect();
    assert_eq!(votes[46], 3);
    // ed25519 over: length of the namespace, namespace, proposal.
    let namespace = [b"windlass/consensus/".as_slice(), chain.0.as_bytes(), b"_FINALIZE"].concat();
    for (place, signature) in voted.iter().zip(votes[47..].chunks(64)) {
        let (member, identity) = sorted[*place];
        assert!([0, 1, 3].contains(&member));
        let key = commonware_cryptography::ed25519::PublicKey::decode(identity.to_vec()).expect("a key");
        let signature = Signature::decode(signature.to_vec()).expect("64 bytes");
        assert!(key.verify(&namespace, &votes[..37], &signature));
    }
}

#[test]
fn a_block_on_the_wire_has_one_encoding() {
    let block = Arc::new(blocks(1).remove(0));
    let sealed = Sealed::new(block.clone());
    let bytes = sealed.encode().to_vec();
    assert_eq!(bytes[4..], block.encode());
    for place in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        if let Ok(other) = Sealed::decode(changed.clone()) {
            assert_eq!(other.encode().to_vec(), changed);
            assert_ne!(other.digest(), sealed.digest(), "byte {place}");
        }
        assert!(Sealed::decode(bytes[..place].to_vec()).is_err());
    }
    let (_, genesis_header) = genesis_state(&genesis());
    let first = Block { header: genesis_header, inputs: BitcoinInputs::default(), transactions: Vec::new() };
    let sealed = Sealed::new(Arc::new(first));
    assert_eq!(Sealed::decode(sealed.encode()).expect("the genesis is read back").digest(), sealed.digest());
}
