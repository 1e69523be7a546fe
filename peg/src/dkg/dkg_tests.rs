use super::*;
use crate::share::{ShareFile, StoredShare};
use bitcoin::key::{Keypair, Secp256k1};
use bitcoin::secp256k1::{Message, SecretKey, schnorr};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use std::collections::VecDeque;

const N: u16 = 4;

/// BIP340 identities: any signature scheme will do.
#[derive(Clone)]
struct Keys(u16);

fn pair(member: u16) -> Keypair {
    let key = SecretKey::from_slice(&[u8::try_from(member).unwrap() + 1; 32]).unwrap();
    Keypair::from_secret_key(&Secp256k1::new(), &key)
}

impl Identity for Keys {
    fn sign(&self, digest: &[u8; 32]) -> [u8; 64] {
        Secp256k1::new().sign_schnorr_no_aux_rand(&Message::from_digest(*digest), &pair(self.0)).serialize()
    }
    fn verify(&self, member: u16, digest: &[u8; 32], signature: &[u8; 64]) -> bool {
        let signature = schnorr::Signature::from_slice(signature).unwrap();
        let key = pair(member).x_only_public_key().0;
        Secp256k1::new().verify_schnorr(&signature, &Message::from_digest(*digest), &key).is_ok()
    }
}

type Member = Dkg<Keys, StdRng>;

fn terms(me: u16) -> Terms {
    Terms { me, members: N, threshold: 3, digest: Digest([9; 32]) }
}

/// Alters or drops what one member sends to another: (from, to, message) -> message.
type Wire = Box<dyn FnMut(u16, u16, DkgMessage) -> Option<DkgMessage>>;

struct Net {
    members: Vec<Option<Member>>,
    queue: VecDeque<(u16, u16, Vec<u8>)>,
    files: Vec<(tempfile::TempDir, ShareFile)>,
    failures: Vec<(u16, DkgFailure)>,
    complete: Vec<u16>,
    wire: Wire,
    /// Members that crash after writing their share and before saying so.
    crash_on_save: Vec<u16>,
    seed: u64,
}

impl Net {
    fn new() -> Self {
        let files = (0..N)
            .map(|_| {
                let dir = tempfile::tempdir().unwrap();
                let file = ShareFile::new(dir.path());
                (dir, file)
            })
            .collect();
        Self {
            members: (0..N).map(|_| None).collect(),
            queue: VecDeque::new(),
            files,
            failures: vec![],
            complete: vec![],
            wire: Box::new(|_, _, m| Some(m)),
            crash_on_save: vec![],
            seed: 1,
        }
    }

    /// Starts a member from what its directory holds.
    fn start(&mut self, m: u16) {
        self.seed += 1;
        let rng = StdRng::seed_from_u64(self.seed);
        let (dkg, events) = match self.files[usize::from(m)].1.load().unwrap() {
            StoredShare::None => Dkg::new(terms(m), Keys(m), rng),
            StoredShare::Pending(share) => Dkg::resume(terms(m), Keys(m), rng, &share),
            StoredShare::Complete(share) => (Dkg::completed(terms(m), Keys(m), rng, &share), vec![]),
        };
        self.members[usize::from(m)] = Some(dkg);
        self.handle(m, events);
    }

    fn kill(&mut self, m: u16) {
        self.members[usize::from(m)] = None;
        self.queue.retain(|(from, to, _)| *from != m && *to != m);
    }

    fn handle(&mut self, m: u16, events: Vec<DkgEvent>) {
        for event in events {
            match event {
                DkgEvent::Send(Recipient::All, bytes) => {
                    for to in (0..N).filter(|to| *to != m) {
                        self.queue.push_back((m, to, bytes.clone()));
                    }
                }
                DkgEvent::Send(Recipient::One(to), bytes) => self.queue.push_back((m, to, bytes)),
                DkgEvent::Save(share) => {
                    self.files[usize::from(m)].1.save_pending(&share).unwrap();
                    if let Some(i) = self.crash_on_save.iter().position(|c| *c == m) {
                        self.crash_on_save.remove(i);
                        self.kill(m);
                        return;
                    }
                    let more = self.members[usize::from(m)].as_mut().unwrap().saved();
                    self.handle(m, more);
                }
                DkgEvent::Discard => self.files[usize::from(m)].1.discard_pending().unwrap(),
                DkgEvent::Complete => {
                    self.files[usize::from(m)].1.promote().unwrap();
                    self.complete.push(m);
                }
                DkgEvent::Failed(DkgFailure::AlreadyComplete { transcript, .. })
                    if self.files[usize::from(m)].1.take_back(transcript).unwrap() =>
                {
                    let StoredShare::Pending(share) = self.files[usize::from(m)].1.load().unwrap() else { panic!() };
                    let more = self.members[usize::from(m)].as_mut().unwrap().take_back(&share);
                    self.handle(m, more);
                }
                DkgEvent::Failed(failure) => self.failures.push((m, failure)),
            }
        }
    }

    fn deliver(&mut self) {
        while let Some((from, to, bytes)) = self.queue.pop_front() {
            let Some(message) = (self.wire)(from, to, DkgMessage::decode(&bytes).unwrap()) else { continue };
            if let Some(member) = self.members[usize::from(to)].as_mut() {
                let events = member.receive(from, &message.encode());
                self.handle(to, events);
            }
        }
    }

    fn rounds(&mut self, n: usize) {
        for _ in 0..n {
            self.deliver();
            for m in 0..N {
                if let Some(member) = &self.members[usize::from(m)] {
                    let events = member.tick();
                    self.handle(m, events);
                }
            }
        }
        self.deliver();
    }

    fn assert_one_key(&self) {
        let shares: Vec<_> = self.files.iter().map(|(_, f)| f.load().unwrap()).collect();
        let keys: Vec<_> = shares
            .iter()
            .map(|s| match s {
                StoredShare::Complete(share) => share.group().clone(),
                other => panic!("not complete: {other:?}"),
            })
            .collect();
        assert!(keys.windows(2).all(|w| w[0] == w[1]), "all members hold the same key");
    }
}

#[test]
fn four_members_make_one_key() {
    let mut net = Net::new();
    (0..N).for_each(|m| net.start(m));
    net.rounds(1);
    assert_eq!(net.failures, vec![]);
    net.assert_one_key();
}

#[test]
fn lost_messages_are_repeated() {
    let mut net = Net::new();
    let mut rng = StdRng::seed_from_u64(3);
    net.wire = Box::new(move |_, _, m| rng.gen_bool(0.3).then_some(m));
    (0..N).for_each(|m| net.start(m));
    net.rounds(60);
    assert_eq!(net.failures, vec![]);
    net.assert_one_key();
}

#[test]
fn case_27_an_offline_member_is_named_and_joins_later() {
    let mut net = Net::new();
    (0..3).for_each(|m| net.start(m));
    net.rounds(5);
    for m in 0..3 {
        assert_eq!(net.members[m].as_ref().unwrap().waiting_for(), vec![3]);
    }
    net.start(3);
    net.rounds(2);
    net.assert_one_key();
}

#[test]
fn case_27_an_equivocating_member_is_named_by_all() {
    let mut net = Net::new();
    // Member 2 signs another package for member 0 than for the rest.
    net.wire = Box::new(|from, to, message| match message {
        DkgMessage::Round1 { session, mut package } if from == 2 && to == 0 => {
            let mut other = frost_secp256k1_tr::keys::dkg::part1(
                crate::share::identifier(2).unwrap(),
                N,
                3,
                StdRng::seed_from_u64(77),
            )
            .unwrap()
            .1
            .serialize()
            .unwrap();
            std::mem::swap(&mut package.package, &mut other);
            package.signature = Keys(2).sign(&SignedPackage::digest(&session, 2, &package.package));
            Some(DkgMessage::Round1 { session, package })
        }
        other => Some(other),
    });
    (0..N).for_each(|m| net.start(m));
    net.rounds(2);
    for m in [0, 1, 3] {
        let (_, failure) = net.failures.iter().find(|(by, _)| *by == m).expect("everyone stops");
        assert!(matches!(failure, DkgFailure::Equivocated { member: 2, .. }), "{failure}");
    }
    assert!(net.complete.is_empty());
}

#[test]
fn a_false_echo_is_pinned_on_the_echoer_not_the_author() {
    let mut net = Net::new();
    net.wire = Box::new(|from, to, message| match message {
        DkgMessage::Echo { session, mut packages } if from == 1 && to == 3 => {
            packages[0].package[5] ^= 1;
            Some(DkgMessage::Echo { session, packages })
        }
        other => Some(other),
    });
    (0..N).for_each(|m| net.start(m));
    net.rounds(2);
    assert!(matches!(&net.failures[0], (3, DkgFailure::Misbehaved { member: 1, .. })), "{:?}", net.failures);
    assert!(net.failures.iter().any(|(m, f)| *m == 0 && matches!(f, DkgFailure::Accused { by: 3, member: 1, .. })));
}

#[test]
fn a_wrong_secret_share_names_its_sender_and_a_restart_succeeds() {
    let mut net = Net::new();
    net.wire = Box::new(|from, to, message| match message {
        DkgMessage::Round2 { session, mut package } if from == 1 && to == 0 => {
            *package.last_mut().unwrap() ^= 1;
            Some(DkgMessage::Round2 { session, package })
        }
        other => Some(other),
    });
    (0..N).for_each(|m| net.start(m));
    net.rounds(1);
    assert!(matches!(&net.failures[0], (0, DkgFailure::Misbehaved { member: 1, .. })), "{:?}", net.failures);
    assert!(net.complete.is_empty(), "a key that one member lacks a share of is never complete");
    net.wire = Box::new(|_, _, m| Some(m));
    net.queue.clear();
    for m in 0..N {
        let events = net.members[usize::from(m)].as_mut().unwrap().restart();
        net.handle(m, events);
    }
    net.rounds(8);
    net.assert_one_key();
}

#[test]
fn case_27_a_member_that_restarts_at_any_point_ends_in_one_key() {
    // Kill member `victim` after `step` messages; it comes back with what its disk holds.
    for victim in 0..N {
        for step in (0..60).step_by(if victim == 0 { 1 } else { 7 }) {
            let mut net = Net::new();
            (0..N).for_each(|m| net.start(m));
            for _ in 0..step {
                let Some((from, to, bytes)) = net.queue.pop_front() else { break };
                if let Some(member) = net.members[usize::from(to)].as_mut() {
                    let events = member.receive(from, &bytes);
                    net.handle(to, events);
                }
            }
            net.kill(victim);
            net.rounds(1);
            net.start(victim);
            net.rounds(8);
            assert_eq!(net.failures, vec![], "victim {victim} step {step}");
            net.assert_one_key();
        }
    }
}

#[test]
fn a_crash_between_saving_and_saying_so_is_survived() {
    for crashed in [vec![0], vec![1, 2], vec![0, 1, 2, 3]] {
        let mut net = Net::new();
        net.crash_on_save = crashed;
        (0..N).for_each(|m| net.start(m));
        for _ in 0..8 {
            net.rounds(3);
            let dead: Vec<u16> = (0..N).filter(|m| net.members[usize::from(*m)].is_none()).collect();
            dead.into_iter().for_each(|m| net.start(m));
        }
        assert_eq!(net.crash_on_save, Vec::<u16>::new());
        assert_eq!(net.failures, vec![]);
        net.assert_one_key();
    }
}

#[test]
fn a_member_that_one_other_lies_to_still_completes() {
    // Member 3 tells everyone but member 1 that it has saved.
    let mut net = Net::new();
    net.wire = Box::new(|from, to, message| match message {
        DkgMessage::Hello { terms, nonce, .. } if from == 3 && to == 1 => {
            Some(DkgMessage::Hello { terms, nonce, progress: Progress::Working })
        }
        other => Some(other),
    });
    (0..N).for_each(|m| net.start(m));
    net.rounds(3);
    assert_eq!(net.failures, vec![]);
    net.assert_one_key();
}

#[test]
fn a_share_that_a_liar_made_its_holder_put_aside_comes_back() {
    // Member 1 has saved, and hears of nobody else that has; then member 3 claims to begin anew.
    let mut net = Net::new();
    net.wire = Box::new(|_, to, message| match message {
        DkgMessage::Hello { progress: Progress::Saved(_) | Progress::Complete(_), .. } if to == 1 => None,
        other => Some(other),
    });
    (0..N).for_each(|m| net.start(m));
    net.rounds(3);
    net.complete.sort_unstable();
    assert_eq!(net.complete, vec![0, 2, 3]);
    let lie = DkgMessage::Hello { terms: terms(3).digest, nonce: [77; 32], progress: Progress::Working };
    let events = net.members[1].as_mut().unwrap().receive(3, &lie.encode());
    assert!(events.iter().any(|e| matches!(e, DkgEvent::Discard)));
    net.handle(1, events);
    net.wire = Box::new(|_, _, m| Some(m));
    net.rounds(4);
    assert_eq!(net.failures, vec![]);
    net.assert_one_key();
    let left = std::fs::read_dir(net.files[1].0.path()).unwrap().count();
    assert_eq!(left, 1, "nothing secret is left aside");
}

#[test]
fn a_member_that_lost_its_disk_after_completion_is_told_so() {
    let mut net = Net::new();
    (0..N).for_each(|m| net.start(m));
    net.rounds(2);
    net.assert_one_key();
    std::fs::remove_file(net.files[1].0.path().join("share.key")).unwrap();
    (0..N).for_each(|m| net.start(m));
    net.rounds(3);
    assert!(matches!(net.failures[..], [(1, DkgFailure::AlreadyComplete { .. })]), "{:?}", net.failures);
}

#[test]
fn other_terms_are_named_and_do_not_stop_the_rest() {
    let mut net = Net::new();
    (0..3).for_each(|m| net.start(m));
    let other = Terms { digest: Digest([8; 32]), ..terms(3) };
    let (dkg, events) = Dkg::new(other, Keys(3), StdRng::seed_from_u64(5));
    net.members[3] = Some(dkg);
    net.handle(3, events);
    net.rounds(2);
    assert_eq!(net.members[0].as_ref().unwrap().other_terms(), vec![3]);
    assert_eq!(net.failures, vec![]);
}

#[test]
fn the_share_file_is_private_and_checked() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut net = Net::new();
    (0..N).for_each(|m| net.start(m));
    net.rounds(2);
    let path = net.files[0].0.path().join("share.key");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let StoredShare::Complete(share) = net.files[0].1.load().unwrap() else { panic!() };
    let secret = hex::encode(share.key.signing_share().serialize());
    assert!(!format!("{share:?}").contains(&secret[..16]), "Debug shows no secret");

    let whole = std::fs::read(&path).unwrap();
    for cut in [0, 1, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..cut]).unwrap();
        assert!(net.files[0].1.load().is_err(), "cut at {cut}");
    }
    let mut bent = whole.clone();
    bent[40] ^= 1;
    std::fs::write(&path, &bent).unwrap();
    assert!(net.files[0].1.load().is_err());
    std::fs::write(&path, &whole).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(net.files[0].1.load(), Err(crate::share::ShareFileError::Exposed { .. })));
}

proptest::proptest! {
    #[test]
    fn decoding_never_panics(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
        let _ = DkgMessage::decode(&bytes);
    }

    #[test]
    fn what_decodes_encodes_to_the_same_bytes(tag in 0u8..6, bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
        let mut message = vec![tag];
        message.extend(bytes);
        if let Ok(decoded) = DkgMessage::decode(&message) {
            proptest::prop_assert_eq!(decoded.encode(), message);
        }
    }
}
