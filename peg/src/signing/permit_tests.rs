//! What is asked before each share.

use super::*;

fn veto(net: &Net, member: u16, veto: Veto) {
    *net.permits[usize::from(member)].0.lock().unwrap() = Some(veto);
}

fn fork() -> Veto {
    Veto::Fork("two blocks are final at height 3: see proofs/fork-3.json".into())
}

#[test]
fn case_04_one_member_whose_recount_disagrees_gives_no_share_and_the_others_sign() {
    let mut net = Net::new();
    let job = job(&net.group(), 0, 99_000);
    let objection = Objection::OtherTransaction { batch: 0, counted: job.txid(), asked: job.txid() };
    veto(&net, 2, objection.clone().into());
    net.give_all(&job);
    net.deliver();
    assert!(net.log.iter().all(|(from, _, bytes)| *from != 2
        || !matches!(
            SigningMessage::decode(bytes),
            Ok(SigningMessage::Shares { .. } | SigningMessage::Commit { .. })
        )));
    assert_eq!(net.signer(2).veto(), Some(Veto::Recount(objection)));
    assert!(net.signed.iter().filter(|(member, _)| *member != 2).count() == 3, "{:?}", net.signed);
}

/// A hundred ticks, and all that is said meanwhile.
fn tick(net: &mut Net) {
    for _ in 0..100 {
        net.deliver();
        net.now_ms += TICK_MS;
        let now = net.now_ms;
        for member in 0..N {
            let events = net.signer(member).tick(now);
            net.handle(member, events);
        }
    }
}

#[test]
fn case_35_after_a_fork_no_share_leaves_and_who_refuses_says_why() {
    let mut net = Net::new();
    let job = job(&net.group(), 0, 99_000);
    for member in [1, 2] {
        veto(&net, member, fork());
    }
    net.give_all(&job);
    tick(&mut net);
    assert!(net.signed.is_empty(), "two of four are enough to stop it");
    assert_eq!(net.signer(1).veto(), Some(fork()));
    assert_eq!(net.signer(0).veto(), None);
    // The proof was false, or a person has looked into it: it goes on.
    for permit in &net.permits {
        *permit.0.lock().unwrap() = None;
    }
    tick(&mut net);
    assert_eq!(net.signed.len(), usize::from(N));
}

#[test]
fn case_35_a_share_that_was_given_before_the_fork_is_not_given_again() {
    let mut net = Net::new();
    let job = job(&net.group(), 0, 99_000);
    let (from, to, package) = super::nonces::committed(&mut net, &job);
    let of = |events: &[SignerEvent]| {
        let shares = |event: &&SignerEvent| match event {
            SignerEvent::Send(_, bytes) => matches!(SigningMessage::decode(bytes), Ok(SigningMessage::Shares { .. })),
            _ => false,
        };
        events.iter().filter(shares).count()
    };
    assert_eq!(of(&net.signer(to).receive(from, &package, 1_000)), 1);
    assert_eq!(of(&net.signer(to).receive(from, &package, 1_000)), 1, "the same bytes again");
    veto(&net, to, fork());
    assert_eq!(of(&net.signer(to).receive(from, &package, 1_000)), 0);
}
