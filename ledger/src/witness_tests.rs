//! L72, L73: what satisfies a policy, against its meaning.

use super::*;
use crate::policy::tests::policy;
use crate::testkit::{keypair, x_only};
use proptest::prelude::*;

const ID: Digest = Digest([3; 32]);

/// What satisfies a leaf of the strategies in `policy_tests`.
fn good(leaf: &Clause) -> LeafWitness {
    match leaf {
        Clause::Key(key) => {
            let seed = (1..9).find(|seed| x_only(*seed) == *key).expect("one of the eight");
            LeafWitness::signature(&ID, &keypair(seed))
        }
        Clause::Sha256(hash) => {
            let preimage =
                (0..9).map(|byte| [byte; 32]).find(|bytes| sha256::Hash::hash(bytes).as_byte_array() == hash);
            LeafWitness::Preimage(preimage.expect("one of the nine"))
        }
        _ => LeafWitness::Reached,
    }
}

fn witness(policy: &Policy, used: &[bool]) -> PolicyWitness {
    let leaves = policy.leaves().into_iter().zip(used);
    let leaves = leaves.map(|(leaf, used)| if *used { good(leaf) } else { LeafWitness::Unused }).collect();
    PolicyWitness { policy: policy.clone(), leaves }
}

/// What the words say: a leaf is true if it is used, a threshold if at least k of its clauses are. Plain, and
/// written otherwise than the rule.
fn meaning(clause: &Clause, used: &mut std::slice::Iter<'_, bool>) -> bool {
    match clause {
        Clause::Threshold { k, clauses } => {
            let all: Vec<bool> = clauses.iter().map(|clause| meaning(clause, used)).collect();
            all.into_iter().filter(|satisfied| *satisfied).count() >= usize::from(*k)
        }
        _ => *used.next().expect("one for each leaf"),
    }
}

fn satisfied(policy: &Policy, used: &[bool]) -> bool {
    meaning(policy.root(), &mut used.iter())
}

/// Satisfied, and by nothing less.
fn minimal(policy: &Policy, used: &[bool]) -> bool {
    let without = |place: usize| {
        let mut less = used.to_vec();
        less[place] = false;
        less
    };
    let places = (0..used.len()).filter(|place| used[*place]);
    satisfied(policy, used) && places.into_iter().all(|place| !satisfied(policy, &without(place)))
}

proptest! {
    /// L73: taken is what satisfies the policy with nothing to spare, and nothing else.
    #[test]
    fn a_witness_holds_exactly_if_it_is_a_least_one(policy in policy(), bits in any::<u16>()) {
        let count = policy.leaves().len();
        let used: Vec<bool> = (0..count).map(|place| bits >> place & 1 == 1).collect();
        let verdict = witness(&policy, &used).verify(&policy.account(), &ID);
        prop_assert_eq!(verdict.is_ok(), minimal(&policy, &used), "{} {:?} {:?}", policy, used, verdict);
        // What there is, is made into a witness exactly if it is enough; and that one holds.
        let made = PolicyWitness::satisfy(policy.clone(), |leaf| {
            // Twins are used alike.
            let place = policy.leaves().into_iter().position(|other| other == leaf).expect("a leaf");
            used[place].then(|| good(leaf))
        });
        let leaves = policy.leaves();
        let like_first: Vec<bool> = leaves.iter().map(|leaf| used[leaves.iter().position(|one| one == leaf).expect("it")]).collect();
        prop_assert_eq!(made.is_some(), satisfied(&policy, &like_first));
        if let Some(made) = made {
            prop_assert_eq!(made.verify(&policy.account(), &ID), Ok(()));
        }
    }

    /// L72: each part that is changed is seen.
    #[test]
    fn a_changed_witness_does_not_hold(policy in policy(), place in any::<prop::sample::Index>(), byte in 0_usize..64) {
        let made = PolicyWitness::satisfy(policy.clone(), |leaf| Some(good(leaf))).expect("all there is");
        prop_assert_eq!(made.verify(&policy.account(), &ID), Ok(()));
        let place = place.index(made.leaves.len());
        let mut changed = made.clone();
        changed.leaves[place] = match changed.leaves[place] {
            LeafWitness::Signature(mut bytes) => { bytes[byte] ^= 1; LeafWitness::Signature(bytes) }
            LeafWitness::Preimage(mut bytes) => { bytes[byte % 32] ^= 1; LeafWitness::Preimage(bytes) }
            LeafWitness::Reached => LeafWitness::Unused,
            LeafWitness::Unused => good(policy.leaves()[place]),
        };
        prop_assert!(changed.verify(&policy.account(), &ID).is_err());
        let other = AccountId { bytes: [1; 32], ..policy.account() };
        prop_assert!(made.verify(&other, &ID).is_err());
        let mut longer = made.clone();
        longer.leaves.push(LeafWitness::Unused);
        prop_assert!(longer.verify(&policy.account(), &ID).is_err());
        if made.leaves.iter().any(|leaf| matches!(leaf, LeafWitness::Signature(_))) {
            prop_assert!(made.verify(&policy.account(), &Digest([4; 32])).is_err(), "each has a signature: L71");
        } else {
            prop_assert!(false, "a policy without a signature");
        }
        let bytes = borsh::to_vec(&made).expect("small");
        prop_assert_eq!(borsh::from_slice::<PolicyWitness>(&bytes).expect("its own"), made);
        prop_assert!(borsh::from_slice::<PolicyWitness>(&[bytes, vec![0]].concat()).is_err());
    }
}

/// L72: what is shown is of the leaf's kind.
#[test]
fn a_leaf_is_satisfied_by_its_own_kind_only() {
    let leaves = [
        Clause::Key(x_only(1)),
        Clause::Sha256(*sha256::Hash::hash(&[1; 32]).as_byte_array()),
        Clause::After(BtcHeight::new(1)),
    ];
    for (one, leaf) in leaves.iter().enumerate() {
        for (other, shown) in leaves.iter().map(good).enumerate() {
            assert_eq!(shown.satisfies(leaf, &ID), one == other);
        }
    }
    assert!(!LeafWitness::Signature([0; 64]).satisfies(&Clause::Key([0xff; 32]), &ID), "no point of the curve");
}
