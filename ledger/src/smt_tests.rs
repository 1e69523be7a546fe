use super::*;
use crate::MemoryState;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn commit_all(state: &mut MemoryState, changes: &[(u8, Option<u8>)]) -> Digest {
    let mut set = ChangeSet::default();
    for (key, value) in changes {
        match value {
            Some(value) => set.put(vec![b's', *key], vec![*value]),
            None => set.delete(vec![b's', *key]),
        }
    }
    let root = commit(state, &mut set).expect("memory");
    state.commit(&set);
    root
}

fn state_entries(state: &MemoryState) -> BTreeMap<Vec<u8>, Vec<u8>> {
    state.iter().filter(|(key, _)| key.starts_with(b"s")).map(|(k, v)| (k.to_vec(), v.to_vec())).collect()
}

fn nodes(state: &MemoryState) -> usize {
    state.iter().filter(|(key, _)| key.starts_with(b"n")).count()
}

#[test]
fn empty_tree_has_the_empty_root() {
    let mut state = MemoryState::default();
    assert_eq!(commit_all(&mut state, &[]), EMPTY);
    assert_eq!(root(&state), Ok(EMPTY));
    assert_eq!(root_of([]), EMPTY);
    assert_eq!(commit_all(&mut state, &[(1, Some(1))]), root_of([(&b"s\x01"[..], &[1_u8][..])]));
    assert_eq!(commit_all(&mut state, &[(1, None)]), EMPTY);
    assert_eq!(nodes(&state), 0, "nothing is left behind");
}

/// L50.
#[test]
fn only_state_proper_is_in_the_root() {
    let mut set = ChangeSet::default();
    set.put(b"i1".to_vec(), vec![1]);
    set.put(b"m1".to_vec(), vec![1]);
    assert_eq!(commit(&MemoryState::default(), &mut set), Ok(EMPTY));
}

/// L53.
#[test]
fn a_proof_is_of_one_value_at_one_key_under_one_root() {
    let mut state = MemoryState::default();
    let changes: Vec<(u8, Option<u8>)> = (0..100).map(|key| (key, Some(key))).collect();
    let root = commit_all(&mut state, &changes);
    let proof = prove(&state, b"s\x07").expect("memory");
    assert!(verify(&root, b"s\x07", Some(&[7]), &proof));
    assert!(!verify(&root, b"s\x07", Some(&[8]), &proof));
    assert!(!verify(&root, b"s\x08", Some(&[7]), &proof));
    assert!(!verify(&root, b"s\x07", None, &proof));
    assert!(!verify(&EMPTY, b"s\x07", Some(&[7]), &proof));
    let absent = prove(&state, b"s\xff").expect("memory");
    assert!(verify(&root, b"s\xff", None, &absent));
    assert!(!verify(&root, b"s\x07", None, &absent));
    let mut cut = proof.clone();
    cut.siblings.pop();
    assert!(!verify(&root, b"s\x07", Some(&[7]), &cut));
    let long = Proof { siblings: vec![EMPTY; 257], end: None };
    assert!(!verify(&root, b"s\x07", None, &long));
}

#[test]
fn the_root_of_three_entries_is_pinned() {
    let entries: [(&[u8], &[u8]); 3] = [(b"sa", b"1"), (b"sb", b"2"), (b"sc", b"3")];
    let pinned = "9b7b333187a18795a40660117e03c61bd6794befaf20573a805775743cb07c78";
    assert_eq!(root_of(entries).to_string(), pinned);
}

/// Recomputes the three pinned entries' root by hand from the specification's words.
/// L50, L51.
#[test]
fn the_specification_gives_the_same_root() {
    use windlass_types::tagged_hash;
    let leaf = |key: &[u8], value: &[u8]| {
        let path = tagged_hash("Windlass/key", &[key]);
        let value = sha256::Hash::hash(value).to_byte_array();
        (path, tagged_hash("Windlass/leaf", &[&path, &value]))
    };
    fn subtree(leaves: &[([u8; 32], [u8; 32])], depth: usize) -> [u8; 32] {
        match leaves {
            [] => [0; 32],
            [(_, hash)] => *hash,
            _ => {
                let is_right = |path: &[u8; 32]| path[depth / 8] >> (7 - depth % 8) & 1 == 1;
                let (right, left): (Vec<_>, Vec<_>) = leaves.iter().partition(|(path, _)| is_right(path));
                let (left, right) = (subtree(&left, depth + 1), subtree(&right, depth + 1));
                tagged_hash("Windlass/node", &[&left, &right])
            }
        }
    }
    let leaves = [leaf(b"sa", b"1"), leaf(b"sb", b"2"), leaf(b"sc", b"3")];
    let entries: [(&[u8], &[u8]); 3] = [(b"sa", b"1"), (b"sb", b"2"), (b"sc", b"3")];
    assert_eq!(root_of(entries).0, subtree(&leaves, 0));
}

/// Deep enough for pages of pages: entries come and go in lots, and nothing is left behind.
#[test]
fn thousands_of_entries_come_and_go() {
    let (mut state, mut entries) = (MemoryState::default(), BTreeMap::<Vec<u8>, Vec<u8>>::new());
    let mut seed = 1_u32;
    let mut next = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        seed >> 8
    };
    for round in 0..40_u32 {
        let mut set = ChangeSet::default();
        for _ in 0..300 {
            let key = [b"s".as_slice(), &(next() % 4_000).to_be_bytes()].concat();
            // It grows at first, and shrinks to nothing.
            if next() % 40 > round {
                set.put(key.clone(), round.to_be_bytes().to_vec());
                entries.insert(key, round.to_be_bytes().to_vec());
            } else {
                set.delete(key.clone());
                entries.remove(&key);
            }
        }
        let root = commit(&state, &mut set).expect("memory");
        state.commit(&set);
        assert_eq!(root, root_of(entries.iter().map(|(k, v)| (k.as_slice(), v.as_slice()))), "round {round}");
    }
    for key in 0..100_u32 {
        let key = [b"s".as_slice(), &key.to_be_bytes()].concat();
        let proof = prove(&state, &key).expect("memory");
        assert!(verify(&root(&state).expect("memory"), &key, entries.get(&key).map(Vec::as_slice), &proof));
    }
    let mut other = MemoryState::default();
    let mut set = ChangeSet::default();
    entries.iter().for_each(|(key, value)| set.put(key.clone(), value.clone()));
    commit(&other, &mut set).expect("memory");
    other.commit(&set);
    assert_eq!(state, other, "the same entries make the same pages");
    let mut set = ChangeSet::default();
    entries.keys().for_each(|key| set.delete(key.clone()));
    assert_eq!(commit(&state, &mut set), Ok(EMPTY));
    state.commit(&set);
    assert_eq!(nodes(&state), 0, "nothing is left behind");
}

#[test]
fn a_damaged_page_is_named() {
    let mut state = MemoryState::default();
    let changes: Vec<(u8, Option<u8>)> = (0..100).map(|key| (key, Some(key))).collect();
    commit_all(&mut state, &changes);
    let pages: Vec<(Vec<u8>, Vec<u8>)> =
        state.iter().filter(|(key, _)| key.starts_with(b"n")).map(|(k, v)| (k.to_vec(), v.to_vec())).collect();
    assert!(pages.len() > 5, "{} pages", pages.len());
    for (key, value) in pages {
        for damage in
            [Some(value[..value.len() - 1].to_vec()), Some([&value[..], &[0]].concat()), Some(vec![0xff; 8]), None]
        {
            let mut damaged = state.clone();
            let mut set = ChangeSet::default();
            match damage {
                Some(value) => set.put(key.clone(), value),
                None => set.delete(key.clone()),
            }
            damaged.commit(&set);
            let mut set = ChangeSet::default();
            (0..100_u8).for_each(|key| set.put(vec![b's', key], vec![1]));
            let is_top = key == page::key(&[0; 32], 0);
            match commit(&damaged, &mut set) {
                Err(StateError::Corrupt { key: named, .. } | StateError::Missing(named)) => {
                    assert_eq!(named, hex::encode(&key));
                }
                Err(other) => panic!("{other}"),
                // Nothing says that there should be a topmost page.
                Ok(_) => assert!(is_top && !damaged.iter().any(|(key, _)| key == page::key(&[0; 32], 0))),
            }
        }
    }
}

proptest! {
    /// The root follows from the set of entries alone, whatever the history; each entry and each
    /// gap has a proof; deleting leaves no node behind.
    /// L52, L53.
    #[test]
    fn root_depends_on_the_set_alone(
        history in prop::collection::vec(prop::collection::vec((0..40_u8, prop::option::of(any::<u8>())), 0..12), 0..25),
    ) {
        let mut state = MemoryState::default();
        let mut last = EMPTY;
        for changes in &history {
            last = commit_all(&mut state, changes);
            let entries = state_entries(&state);
            prop_assert_eq!(last, root_of(entries.iter().map(|(k, v)| (k.as_slice(), v.as_slice()))));
            prop_assert_eq!(root(&state), Ok(last));
        }
        let entries = state_entries(&state);
        for key in 0..40_u8 {
            let key = vec![b's', key];
            let proof = prove(&state, &key).expect("memory");
            prop_assert!(verify(&last, &key, entries.get(&key).map(Vec::as_slice), &proof));
        }
        let fresh: Vec<(u8, Option<u8>)> = entries.iter().map(|(k, v)| (k[1], Some(v[0]))).collect();
        let mut other = MemoryState::default();
        commit_all(&mut other, &fresh);
        prop_assert_eq!(&state, &other, "the same entries make the same nodes");
    }

    #[test]
    fn proofs_decode_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(proof) = borsh::from_slice::<Proof>(&bytes) {
            prop_assert!(!verify(&Digest([7; 32]), b"s1", None, &proof));
        }
    }
}
