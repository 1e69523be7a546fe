//! A nonce signs once.

use super::*;

/// A signer in the middle of a session: it has committed, and the coordinator's package is ready.
pub(super) fn committed(net: &mut Net, job: &Job) -> (u16, u16, Vec<u8>) {
    net.give_all(job);
    loop {
        let (from, to, bytes) = net.queue.front().unwrap().clone();
        if matches!(SigningMessage::decode(&bytes).unwrap(), SigningMessage::Package { .. }) {
            return (from, to, bytes);
        }
        net.step();
    }
}

fn shares_in(events: &[SignerEvent]) -> Vec<Vec<u8>> {
    events
        .iter()
        .filter_map(|e| match e {
            SignerEvent::Send(_, bytes) => match SigningMessage::decode(bytes).unwrap() {
                SigningMessage::Shares { .. } => Some(bytes.clone()),
                _ => None,
            },
            _ => None,
        })
        .collect()
}

#[test]
fn case_23_a_commitment_is_void_after_a_restart() {
    let mut net = Net::new();
    let job = job(&net.group(), 0, 99_000);
    let (from, to, package) = committed(&mut net, &job);
    net.kill(to);
    net.start(to);
    net.give(to, &job);
    let events = net.signer(to).receive(from, &package, 1_000);
    assert!(shares_in(&events).is_empty(), "no nonces, no share");
}

#[test]
fn case_23_a_nonce_signs_one_package_and_a_replay_brings_the_same_bytes() {
    let mut net = Net::new();
    let job = job(&net.group(), 0, 99_000);
    let (from, to, package) = committed(&mut net, &job);
    let first = shares_in(&net.signer(to).receive(from, &package, 1_000));
    assert_eq!(first.len(), 1);
    let again = shares_in(&net.signer(to).receive(from, &package, 1_000));
    assert_eq!(first, again, "the same answer, not a second signature");

    // The same session with one other commitment of another signer's: another challenge.
    let SigningMessage::Package { session, signers, mut commitments } = SigningMessage::decode(&package).unwrap()
    else {
        panic!()
    };
    let other = signers.iter().position(|m| *m != to).unwrap();
    commitments[other].reverse();
    let altered = SigningMessage::Package { session, signers, commitments };
    assert!(shares_in(&net.signer(to).receive(from, &altered.encode(), 1_000)).is_empty());

    // Asking for new commitments under the used session brings none.
    let propose = SigningMessage::Propose { session, batch: 0, attempt: 0, txid: job.txid().to_byte_array() };
    assert!(net.signer(to).receive(from, &propose.encode(), 1_000).is_empty());
}

#[test]
fn case_23_two_sessions_never_share_a_nonce() {
    let mut net = Net::new();
    let job = job(&net.group(), 0, 99_000);
    net.give_all(&job);
    net.queue.clear();
    let mut seen = BTreeSet::new();
    let coordinators = [(0, 0), (1, 1), (2, 2), (0, 4), (1, 5)];
    for (round, (from, attempt)) in coordinators.into_iter().enumerate() {
        let session = [u8::try_from(round).unwrap(); 32];
        let propose = SigningMessage::Propose { session, batch: 0, attempt, txid: job.txid().to_byte_array() };
        let events = net.signer(3).receive(from, &propose.encode(), 1_000);
        let [SignerEvent::Send(_, bytes)] = &events[..] else { panic!("{events:?}") };
        let SigningMessage::Commit { commitments, .. } = SigningMessage::decode(bytes).unwrap() else { panic!() };
        for c in commitments {
            assert!(seen.insert(c.hiding) && seen.insert(c.binding), "a nonce came twice");
        }
    }
}

#[test]
fn case_23_a_snapshot_of_the_data_directory_holds_no_nonce() {
    // The directory is copied after a commitment, the original signs, and the copy is started in its
    // place with the same random seed of its session as seen on the wire: it can't sign, and what it
    // commits to is new.
    let mut net = Net::new();
    let job = job(&net.group(), 0, 99_000);
    let (from, to, package) = committed(&mut net, &job);
    let commitments_before: Vec<_> = net.log.iter().filter(|(f, _, _)| *f == to).cloned().collect();
    let snapshot = tempfile::tempdir().unwrap();
    assert_eq!(shares_in(&net.signer(to).receive(from, &package, 1_000)).len(), 1);
    net.kill(to);
    let file = net.dirs[usize::from(to)].path().join("store");
    std::fs::copy(&file, snapshot.path().join("store")).unwrap();
    net.dirs[usize::from(to)] = snapshot;
    net.start(to);
    net.give(to, &job);
    assert!(shares_in(&net.signer(to).receive(from, &package, 1_000)).is_empty());
    let (_, _, proposal) = net
        .log
        .iter()
        .find(|(_, t, b)| *t == to && matches!(SigningMessage::decode(b), Ok(SigningMessage::Propose { .. })))
        .cloned()
        .unwrap();
    let events = net.signer(to).receive(from, &proposal, 1_000);
    let [SignerEvent::Send(_, fresh)] = &events[..] else { panic!("{events:?}") };
    assert!(commitments_before.iter().all(|(_, _, old)| old != fresh));
}

#[test]
fn case_23_two_processes_cannot_use_one_directory() {
    let net = Net::new();
    assert!(Store::open(net.dirs[0].path().join("store")).is_err());
}
