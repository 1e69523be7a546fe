use super::*;
use crate::testkit::{Net, identity};
use crate::{ENDORSEMENT_NAMESPACE, MemberSignature, ParamsChange, Proposal, Transaction, TxError, smt};
use commonware_cryptography::Signer as _;

fn public(key: u8) -> [u8; 32] {
    identity(key).public_key().as_ref().try_into().expect("32 bytes")
}

fn endorse(key: u8, digest: &Digest) -> [u8; 64] {
    identity(key).sign(ENDORSEMENT_NAMESPACE, &digest.0).as_ref().try_into().expect("64 bytes")
}

/// A proposal by these members, whose keys are given beside them.
fn signed(net: &Net, change: ParamsChange, members: &[(u16, u8)]) -> Transaction {
    let chain = net.genesis.chain_id();
    let number = query::params(&net.state).expect("memory").proposals + 1;
    let mut proposal = Proposal { number, change, signatures: vec![] };
    let digest = proposal.digest(chain);
    for &(member, key) in members {
        proposal.signatures.push(MemberSignature { member, signature: endorse(key, &digest) });
    }
    Transaction::proposal(chain, proposal)
}

const GENESIS: [(u16, u8); 3] = [(0, 1), (1, 2), (2, 3)];

fn replace(net: &Net, after: u64, member: u16, key: u8) -> ParamsChange {
    let consent = endorse(key, &enrolment(net.genesis.chain_id(), member, &public(key)));
    let height = SideHeight::new(net.tip.height.get() + 1 + after);
    ParamsChange::Replace { height, member, identity: public(key), consent }
}

fn refusal(error: TxError) -> ProposalError {
    match error {
        TxError::Proposal(error) => error,
        other => panic!("{other:?}"),
    }
}

fn reach(net: &mut Net, height: u64) {
    while net.tip.height.get() < height {
        net.block(vec![]);
    }
}

fn membership(net: &Net) -> Membership {
    query::membership(&net.state).expect("memory")
}

/// L87: the members stand in the state from the first block on, under the root.
#[test]
fn the_members_stand_in_the_state() {
    let net = Net::new();
    let first = EpochRecord::first(&net.genesis);
    assert_eq!(membership(&net), Membership { in_force: first.clone(), next: None, former: vec![] });
    let proof = smt::prove(&net.state, &keys::epoch(0)).expect("memory");
    assert!(smt::verify(&net.tip.state_root, &keys::epoch(0), Some(&encode(&first)), &proof));
    let json = serde_json::to_string(&membership(&net)).expect("it encodes");
    assert_eq!(serde_json::from_str::<Membership>(&json).expect("it decodes"), membership(&net));
}

/// L87: from its height on the member has another identity, and its word counts under that one alone (L81).
#[test]
fn a_member_gets_another_identity_at_a_height() {
    let mut net = Net::new();
    let first = net.tip.height.get() + 1 + 20;
    net.accept(vec![signed(&net, replace(&net, 20, 3, 14), &GENESIS)]);
    let next = membership(&net).next.expect("it is to come");
    assert_eq!((next.number, next.first), (1, SideHeight::new(first)));
    assert_eq!(next.identities, [public(1), public(2), public(3), public(14)]);
    let origin = EpochOrigin { member: 3, proposed: net.tip.height, members: vec![0, 1, 2] };
    assert_eq!(next.origin, Some(origin));
    // The old one is in force up to the last block before.
    reach(&mut net, first - 2);
    let change = |net: &Net| replace(net, 20, 0, 11);
    let early = signed(&net, change(&net), &[(0, 1), (1, 2), (3, 14)]);
    assert!(matches!(refusal(net.refuse(early)), ProposalError::Settled { .. }), "nor is it the time");
    net.block(vec![]);
    assert_eq!(query::epoch_at(&net.state, net.tip.height), Ok(0));
    let begun = net.block(vec![]);
    assert!(begun.is_empty());
    let receipts = &net.last.as_ref().expect("a block").receipts;
    assert!(receipts.contains(&Receipt::EpochBegan { epoch: 1 }), "{receipts:?}");
    assert_eq!(query::epoch_at(&net.state, net.tip.height), Ok(1));
    assert_eq!(membership(&net).in_force, next);
    assert_eq!(membership(&net).former, [public(4)]);
    let old = signed(&net, change(&net), &[(0, 1), (1, 2), (3, 4)]);
    assert_eq!(refusal(net.refuse(old)), ProposalError::Signature(3));
    net.accept(vec![signed(&net, change(&net), &[(0, 1), (1, 2), (3, 14)])]);
    assert_eq!(query::epochs(&net.state).expect("memory").len(), 3);
}

/// L87: no key that is or was a member's, none that nobody holds, no place that is not there.
#[test]
fn who_may_come_in() {
    let mut net = Net::new();
    type Edit<'a> = &'a dyn Fn(&mut u16, &mut [u8; 32], &mut [u8; 64]);
    let with = |edit: Edit, net: &Net| {
        let mut change = replace(net, 20, 3, 14);
        if let ParamsChange::Replace { member, identity, consent, .. } = &mut change {
            edit(member, identity, consent);
        }
        signed(net, change, &GENESIS)
    };
    let error = refusal(net.refuse(with(&|member, _, _| *member = 4, &net)));
    assert_eq!(error, ProposalError::NoSuchMember(4));
    for taken in [1, 4] {
        let change = signed(&net, replace(&net, 20, 3, taken), &GENESIS);
        assert_eq!(refusal(net.refuse(change)), ProposalError::UsedIdentity(hex::encode(public(taken))));
    }
    let stolen = |name: u8| ProposalError::Consent(hex::encode(public(name)));
    assert_eq!(refusal(net.refuse(with(&|_, _, consent| consent[0] ^= 1, &net))), stolen(14));
    assert_eq!(refusal(net.refuse(with(&|member, _, _| *member = 2, &net))), stolen(14));
    assert_eq!(refusal(net.refuse(with(&|_, identity, _| *identity = public(15), &net))), stolen(15));
    // The delay of L82 is this change's, too, and so is the number of signatures of L81.
    let error = refusal(net.refuse(signed(&net, replace(&net, 19, 3, 14), &GENESIS)));
    assert!(matches!(error, ProposalError::TooSoon { .. }), "{error}");
    let error = refusal(net.refuse(signed(&net, replace(&net, 20, 3, 14), &GENESIS[..2])));
    assert_eq!(error, ProposalError::Signatures { found: 2, needed: 3 });
    // Once out, never in again.
    net.accept(vec![signed(&net, replace(&net, 20, 3, 14), &GENESIS)]);
    let first = membership(&net).next.expect("to come").first;
    reach(&mut net, first.get());
    let back = signed(&net, replace(&net, 20, 3, 4), &GENESIS);
    assert_eq!(refusal(net.refuse(back)), ProposalError::UsedIdentity(hex::encode(public(4))));
}

/// L84, L88: one to come at a time; a newer one takes its place and a cancellation drops it, as long as it is far.
#[test]
fn an_epoch_to_come_can_be_changed_until_it_is_near() {
    let mut net = Net::new();
    let cancel = |net: &Net| signed(net, ParamsChange::Cancel, &GENESIS);
    assert_eq!(refusal(net.refuse(cancel(&net))), ProposalError::NothingPending);
    net.accept(vec![signed(&net, replace(&net, 25, 3, 14), &GENESIS)]);
    net.accept(vec![signed(&net, replace(&net, 25, 2, 13), &GENESIS)]);
    let next = membership(&net).next.expect("to come");
    assert_eq!((next.number, next.identities[2], next.identities[3]), (1, public(13), public(4)));
    net.accept(vec![cancel(&net)]);
    assert_eq!(membership(&net).next, None);
    assert_eq!(query::newest_epoch(&net.state).map(|newest| newest.number), Ok(0));
    assert_eq!(refusal(net.refuse(cancel(&net))), ProposalError::NothingPending);
    // An identity that never came in may still come.
    net.accept(vec![signed(&net, replace(&net, 25, 3, 14), &GENESIS)]);
    let first = membership(&net).next.expect("to come").first.get();
    // The last block that could drop it is the eleventh before.
    reach(&mut net, first - SETTLED_BLOCKS - 2);
    let view = net.clone();
    net.accept(vec![cancel(&net)]);
    assert_eq!(membership(&net).next, None);
    let mut net = view;
    reach(&mut net, first - SETTLED_BLOCKS - 1);
    let settled = ProposalError::Settled { epoch: 1, first: SideHeight::new(first) };
    assert_eq!(refusal(net.refuse(cancel(&net))), settled);
    assert_eq!(refusal(net.refuse(signed(&net, replace(&net, 25, 3, 15), &GENESIS))), settled);
    // Dials that are to come can be dropped; the epoch comes all the same.
    let mut params = query::params(&net.state).expect("memory").params;
    params.max_block_txs = 7;
    let height = SideHeight::new(net.tip.height.get() + 30);
    net.accept(vec![signed(&net, ParamsChange::Set { height, params }, &GENESIS)]);
    net.accept(vec![cancel(&net)]);
    assert_eq!(query::params(&net.state).expect("memory").pending, None);
    reach(&mut net, first);
    assert_eq!(membership(&net).in_force.number, 1);
}
