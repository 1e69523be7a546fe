//! L70, L71: policies, their encoding and their text.

use super::*;
use crate::testkit::x_only;
use bitcoin::hashes::{Hash as _, sha256};
use proptest::prelude::*;

/// A clause of at most this depth; mostly a good one.
pub(crate) fn clause() -> impl Strategy<Value = Clause> {
    let leaf = prop_oneof![
        6 => (1_u8..9).prop_map(|seed| Clause::Key(x_only(seed))),
        2 => (0_u8..9).prop_map(|byte| Clause::Sha256(*sha256::Hash::hash(&[byte; 32]).as_byte_array())),
        2 => (0_u32..200).prop_map(|height| Clause::After(BtcHeight::new(height))),
    ];
    leaf.prop_recursive(5, 24, 5, |inner| {
        (0_u8..6, prop::collection::vec(inner, 1..6)).prop_map(|(k, clauses)| Clause::Threshold { k, clauses })
    })
}

pub(crate) fn policy() -> impl Strategy<Value = Policy> {
    clause().prop_filter_map("no policy", |clause| Policy::new(clause).ok())
}

fn key(seed: u8) -> Clause {
    Clause::Key(x_only(seed))
}

fn hash(byte: u8) -> Clause {
    Clause::Sha256([byte; 32])
}

fn after(height: u32) -> Clause {
    Clause::After(BtcHeight::new(height))
}

fn of(k: u8, clauses: Vec<Clause>) -> Clause {
    Clause::Threshold { k, clauses }
}

fn nested(depth: usize) -> Clause {
    (0..depth).fold(key(1), |clause, level| of(2, vec![clause, after(u32::try_from(level).expect("small") + 1)]))
}

/// Decodes what can't be made otherwise.
fn decoded(clause: &Clause) -> Result<Policy, String> {
    borsh::from_slice(&borsh::to_vec(clause).expect("small")).map_err(|error| error.to_string())
}

/// L71: each by name, and the decoder says the same.
#[test]
fn what_is_no_policy_is_refused() {
    let keys = |count: u8| (1..=count).map(key).collect::<Vec<_>>();
    let cases = [
        (of(1, vec![key(1)]), PolicyError::Few),
        (of(0, vec![]), PolicyError::Few),
        (of(0, keys(2)), PolicyError::Threshold { k: 0, n: 2 }),
        (of(3, keys(2)), PolicyError::Threshold { k: 3, n: 2 }),
        (of(2, keys(17)), PolicyError::Leaves),
        (of(2, vec![key(1), key(2), key(1)]), PolicyError::Twice),
        (of(2, vec![key(1), after(0)]), PolicyError::Height(0)),
        (of(2, vec![key(1), after(500_000_000)]), PolicyError::Height(500_000_000)),
        (nested(5), PolicyError::Depth),
        (nested(1_000), PolicyError::Depth),
        (hash(1), PolicyError::NoKey),
        (of(2, vec![hash(1), after(1)]), PolicyError::NoKey),
        (of(1, vec![key(1), hash(1)]), PolicyError::NoKey),
        (of(2, vec![key(1), hash(1), after(5)]), PolicyError::NoKey),
    ];
    for (clause, expected) in cases {
        assert_eq!(Policy::new(clause.clone()), Err(expected));
        if expected != PolicyError::Depth || clause == nested(5) {
            assert_eq!(decoded(&clause), Err(expected.to_string()));
        }
    }
    for good in
        [key(1), nested(4), of(2, keys(16)), of(2, vec![key(1), key(2), hash(1)]), of(2, vec![key(1), after(1)])]
    {
        assert_eq!(decoded(&good), Ok(Policy::new(good).expect("good")));
    }
}

/// L71: a stream that nests for ever ends at the bound, whatever it says.
#[test]
fn the_decoder_does_not_follow_for_ever() {
    for head in [[THRESHOLD, 1, 255], [THRESHOLD, 1, 2]] {
        let bytes = head.repeat(100_000);
        let error = borsh::from_slice::<Policy>(&bytes).expect_err("too deep");
        assert_eq!(error.to_string(), PolicyError::Depth.to_string());
    }
    // The most thresholds that there can be, each with 255 empty ones below.
    let wide = [vec![THRESHOLD, 1, 255], [THRESHOLD, 1, 0].repeat(255)].concat();
    assert!(borsh::from_slice::<Policy>(&wide).is_err());
    for cut in 0..wide.len().min(50) {
        assert!(borsh::from_slice::<Policy>(&wide[..cut]).is_err());
    }
    assert!(borsh::from_slice::<Policy>(&[4]).is_err());
}

/// L70: pinned; a change here is a new version of the rules.
#[test]
fn l70_the_account_is_the_hash_of_the_policy() {
    let lock = Policy::hash_lock(x_only(1), [7; 32], x_only(2), BtcHeight::new(500)).expect("good");
    let text = format!(
        "or(and(key({}),sha256({})),and(key({}),after(500)))",
        hex::encode(x_only(1)),
        "07".repeat(32),
        hex::encode(x_only(2))
    );
    assert_eq!(lock.to_string(), text);
    assert_eq!(text.parse(), Ok(lock.clone()));
    let account = lock.account();
    assert_eq!(account.kind, AccountKind::Policy);
    assert_eq!(hex::encode(account.bytes), PINNED);
    let swapped = Policy::new(match lock.root().clone() {
        Clause::Threshold { k, clauses } => of(k, clauses.into_iter().rev().collect()),
        leaf => leaf,
    });
    assert_ne!(swapped.expect("good").account(), account, "the order is in it");
}

const PINNED: &str = "baac54729692aadb9bc8b407739a59424a1a0e4d20b9ad5cc87a0834e77a6311";

#[test]
fn texts_are_read_and_refused_with_their_place() {
    let (a, h) = (hex::encode(x_only(1)), "07".repeat(32));
    let named = |name: &str| if name == "bob" { Ok(x_only(2)) } else { Err(format!("{name:?} is nobody")) };
    let spaced = format!(" thresh( 2 , key(bob), key( {a} ) ,sha256({h}) ) ");
    let policy = Policy::parse_with(&spaced, named).expect("good");
    assert_eq!(policy.root(), &of(2, vec![key(2), key(1), hash(7)]));
    assert_eq!(format!("or(key({a}),and(key({a}),after(9)))").parse::<Policy>().expect("good").leaves().len(), 3);
    for (text, at) in [
        ("", 1),
        ("key", 4),
        ("keys(1)", 1),
        ("key(bob", 8),
        ("key(carol)", 5),
        ("key(bob))", 9),
        ("and(key(bob),after(-1))", 20),
        ("and(key(bob),sha256(07))", 21),
        ("thresh(x,key(bob))", 8),
        ("thresh(1key(bob))", 8),
        ("and(key(bob) key(bob))", 14),
        ("and()", 5),
        ("ü(key(bob))", 1),
    ] {
        match Policy::parse_with(text, named) {
            Err(PolicyTextError::Syntax { at: found, .. }) => assert_eq!(found, at, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
    let deep = "and(".repeat(100_000);
    assert!(matches!(
        deep.get(..4_000).expect("ASCII").parse::<Policy>(),
        Err(PolicyTextError::Policy(PolicyError::Depth))
    ));
    assert!(matches!(deep.parse::<Policy>(), Err(PolicyTextError::Syntax { at: 1, .. })));
    let wide = format!("or({})", vec!["key(bob)"; 400].join(","));
    assert!(matches!(Policy::parse_with(&wide, named), Err(PolicyTextError::Policy(PolicyError::Leaves))));
}

proptest! {
    /// L71: a policy has one encoding, one text and one account, and the decoder makes no other.
    #[test]
    fn encodings_and_texts_are_one_to_one(one in policy(), two in policy()) {
        let (bytes, other) = (encode(&one), encode(&two));
        prop_assert_eq!(&borsh::from_slice::<Policy>(&bytes).expect("its own"), &one);
        prop_assert_eq!(&one.to_string().parse::<Policy>().expect("its own"), &one);
        prop_assert_eq!(one == two, bytes == other);
        prop_assert_eq!(one == two, one.account() == two.account());
        prop_assert_eq!(one == two, one.to_string() == two.to_string());
        prop_assert!(borsh::from_slice::<Policy>(&[bytes.clone(), vec![0]].concat()).is_err());
        prop_assert!(borsh::from_slice::<Policy>(&bytes[..bytes.len() - 1]).is_err());
    }

    #[test]
    fn any_bytes_are_a_policy_or_refused(bytes in prop::collection::vec(prop_oneof![0_u8..5, any::<u8>()], 0..200)) {
        if let Ok(policy) = borsh::from_slice::<Policy>(&bytes) {
            prop_assert_eq!(encode(&policy), bytes);
        }
    }

    #[test]
    fn any_clause_is_judged_alike_by_constructor_and_decoder(clause in clause()) {
        prop_assert_eq!(decoded(&clause).is_ok(), Policy::new(clause).is_ok());
    }
}
