//! What counts as a proof, and what outlives a restart.

use super::*;
use crate::fixture::{genesis, seed};
use crate::fuzzing::certificate;
use windlass_ledger::{BitcoinInputs, Block, Genesis, MemoryState, build, genesis_state};
use windlass_types::Amount;

fn members(genesis: &Genesis) -> Epochs {
    Epochs::of_genesis(genesis).expect("members")
}

/// The first block as it is, and as it would be with another root: what two quorums could sign.
fn two_blocks(genesis: &Genesis) -> (Block, Block) {
    let (changes, header) = genesis_state(genesis);
    let mut state = MemoryState::default();
    state.commit(&changes);
    let (block, _, _) = build(genesis, &state, &header, BitcoinInputs::default(), Vec::new()).expect("a block");
    let mut other = block.clone();
    other.header.supply = Amount::from_sat(21);
    (block, other)
}

fn side(genesis: &Genesis, block: &Block, members: &[usize]) -> (Header, Vec<u8>) {
    let seeds: Vec<_> = members.iter().map(|member| seed(*member)).collect();
    (block.header, certificate(&seeds, genesis, block))
}

#[test]
fn case_35_two_final_headers_at_one_height_are_a_proof_that_names_who_signed_both() {
    let genesis = genesis();
    let members = members(&genesis);
    let (one, two) = two_blocks(&genesis);
    let (first, second) = (side(&genesis, &one, &[0, 1, 2]), side(&genesis, &two, &[1, 2, 3]));
    let proof = ForkProof { first: first.clone(), second: second.clone() };
    assert_eq!(proof.verify(&members), Ok(vec![1, 2]), "more than a third did");

    let same = ForkProof { first: first.clone(), second: side(&genesis, &one, &[1, 2, 3]) };
    assert!(matches!(same.verify(&members), Err(ForkError::Agree { .. })), "one block, signed by many");
    let mut later = second.clone();
    later.0.height = SideHeight::new(2);
    let proof = ForkProof { first: first.clone(), second: later };
    assert!(matches!(proof.verify(&members), Err(ForkError::Agree { .. })), "another height");
    let swapped = ForkProof { first: first.clone(), second: (second.0, first.1.clone()) };
    assert!(matches!(swapped.verify(&members), Err(ForkError::Certificate(_))), "another's votes");
    for at in 0..second.1.len() {
        let mut bad = second.clone();
        bad.1[at] ^= 1;
        let proof = ForkProof { first: first.clone(), second: bad };
        assert!(proof.verify(&members).is_err(), "byte {at}");
    }
}

#[test]
fn proofs_outlive_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    let proofs = Proofs::open(dir.path()).expect("nothing there yet");
    assert_eq!((proofs.fork(), proofs.misbehaviour()), (None, Vec::new()));
    let found = Misbehaviour { member: 2, what: Misbehaviour::TWO_BLOCKS, view: 17, proof: vec![1, 2, 3] };
    proofs.note_misbehaviour(found.clone());
    proofs.note_misbehaviour(Misbehaviour { view: 18, ..found.clone() });
    let again = Proofs::open(dir.path()).expect("readable");
    assert_eq!(again.misbehaviour(), vec![found], "the first of its kind");
    assert_eq!(again.fork(), None, "one member alone is no fork");

    let genesis = genesis();
    let (one, two) = two_blocks(&genesis);
    let proof = ForkProof { first: side(&genesis, &one, &[0, 1, 2]), second: side(&genesis, &two, &[1, 2, 3]) };
    again.note_fork(&proof, &[1, 2]);
    let why = Proofs::open(dir.path()).expect("readable").fork().expect("it is known");
    let file = dir.path().join(PROOFS_DIR).join("fork-1.json");
    assert!(why.contains(&file.display().to_string()), "{why}");
    // The file alone convinces: it has both headers and both certificates.
    let value: Value = serde_json::from_slice(&std::fs::read(&file).expect("it is there")).expect("JSON");
    let bytes = |side: &str, field: &str| hex::decode(value[side][field].as_str().expect("hex")).expect("hex");
    let read = |side: &str| (borsh::from_slice(&bytes(side, "header")).expect("a header"), bytes(side, "certificate"));
    let read = ForkProof { first: read("first"), second: read("second") };
    assert_eq!(read, proof);
    assert_eq!(read.verify(&members(&genesis)), Ok(vec![1, 2]));
    // A damaged one still stops this member.
    std::fs::write(&file, b"{").expect("writable");
    assert!(Proofs::open(dir.path()).expect("readable").fork().is_some());
}
