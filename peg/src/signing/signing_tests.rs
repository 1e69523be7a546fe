use super::*;
use crate::testing::shares;
use bitcoin::{
    Amount, OutPoint, ScriptBuf, Sequence, TapNodeHash, TxIn, TxOut, Witness,
    absolute::LockTime,
    key::Secp256k1,
    sighash::{Prevouts, SighashCache, TapSighashType},
    transaction::Version,
};
use rand::{SeedableRng as _, rngs::StdRng};
use std::collections::{BTreeSet, VecDeque};
use std::sync::Mutex;
use windlass_recount::Objection;
use windlass_store::Store;

#[path = "nonce_tests.rs"]
mod nonces;
#[path = "permit_tests.rs"]
mod permits;

const N: u16 = 4;
const T: u16 = 3;
const PACE: Pace = Pace { attempt_ms: 3_000, reply_ms: 1_000 };
const TICK_MS: u64 = 250;

/// A transaction with two inputs of the group's, each with its own tweak.
fn job(group: &GroupKey, batch: u64, pays: u64) -> Job {
    let secp = Secp256k1::new();
    let roots = [TapNodeHash::from_byte_array([1; 32]), TapNodeHash::from_byte_array([2; 32])];
    let prevouts: Vec<TxOut> = roots
        .iter()
        .map(|root| TxOut {
            value: Amount::from_sat(50_000),
            script_pubkey: ScriptBuf::new_p2tr(&secp, group.x_only(), Some(*root)),
        })
        .collect();
    let input = |vout| TxIn {
        previous_output: OutPoint::new(Txid::from_byte_array([7; 32]), vout),
        script_sig: ScriptBuf::new(),
        sequence: Sequence::MAX,
        witness: Witness::new(),
    };
    let transaction = Transaction {
        version: Version::TWO,
        lock_time: LockTime::ZERO,
        input: vec![input(0), input(1)],
        output: vec![TxOut { value: Amount::from_sat(pays), script_pubkey: ScriptBuf::new() }],
    };
    let mut cache = SighashCache::new(&transaction);
    let inputs = (0..2)
        .map(|i| JobInput {
            sighash: cache
                .taproot_key_spend_signature_hash(i, &Prevouts::All(&prevouts), TapSighashType::Default)
                .unwrap()
                .to_byte_array(),
            root: roots[i],
        })
        .collect();
    Job { batch, transaction, inputs }
}

/// Vetoes what a test has it veto.
#[derive(Default)]
struct Says(Mutex<Option<Veto>>);

impl Permit for Says {
    fn permits(&self, _: &Job) -> Result<(), Veto> {
        self.0.lock().unwrap().clone().map_or(Ok(()), Err)
    }
}

type Wire = Box<dyn FnMut(u16, u16, SigningMessage) -> Option<SigningMessage>>;

struct Net {
    signers: Vec<Option<Signer<StdRng>>>,
    permits: Vec<Arc<Says>>,
    dirs: Vec<tempfile::TempDir>,
    queue: VecDeque<(u16, u16, Vec<u8>)>,
    signed: BTreeSet<(u16, Txid)>,
    faults: Vec<(u16, u16, String)>,
    wire: Wire,
    now_ms: u64,
    starts: u64,
    /// Everything that was ever sent, for replays.
    log: Vec<(u16, u16, Vec<u8>)>,
}

impl Net {
    fn new() -> Self {
        let mut net = Self {
            signers: (0..N).map(|_| None).collect(),
            permits: (0..N).map(|_| Arc::default()).collect(),
            dirs: (0..N).map(|_| tempfile::tempdir().unwrap()).collect(),
            queue: VecDeque::new(),
            signed: BTreeSet::new(),
            faults: vec![],
            wire: Box::new(|_, _, m| Some(m)),
            now_ms: 1_000,
            starts: 0,
            log: vec![],
        };
        (0..N).for_each(|m| net.start(m));
        net
    }

    fn start(&mut self, m: u16) {
        self.starts += 1;
        let share = shares(N, T).swap_remove(usize::from(m));
        let store = Store::open(self.dirs[usize::from(m)].path().join("store")).unwrap();
        let rng = StdRng::seed_from_u64(self.starts);
        let permit = self.permits[usize::from(m)].clone();
        self.signers[usize::from(m)] = Some(Signer::new(share, Intents::new(store), permit, rng, PACE));
    }

    fn kill(&mut self, m: u16) {
        self.signers[usize::from(m)] = None;
        self.queue.retain(|(from, to, _)| *from != m && *to != m);
    }

    fn signer(&mut self, m: u16) -> &mut Signer<StdRng> {
        self.signers[usize::from(m)].as_mut().unwrap()
    }

    fn group(&self) -> GroupKey {
        shares(N, T)[0].group().clone()
    }

    fn give(&mut self, m: u16, job: &Job) {
        let now = self.now_ms;
        let events = self.signer(m).set_job(Some(job.clone()), now);
        self.handle(m, events);
    }

    fn give_all(&mut self, job: &Job) {
        for m in 0..N {
            if self.signers[usize::from(m)].is_some() {
                self.give(m, job);
            }
        }
    }

    fn handle(&mut self, m: u16, events: Vec<SignerEvent>) {
        for event in events {
            match event {
                SignerEvent::Send(Recipient::All, bytes) => {
                    for to in (0..N).filter(|to| *to != m) {
                        self.queue.push_back((m, to, bytes.clone()));
                    }
                }
                SignerEvent::Send(Recipient::One(to), bytes) => {
                    assert_ne!(to, m, "nobody writes to itself");
                    self.queue.push_back((m, to, bytes));
                }
                SignerEvent::Signed { transaction, .. } => {
                    self.signed.insert((m, transaction.compute_txid()));
                }
                SignerEvent::Fault { member, reason } => self.faults.push((m, member, reason)),
            }
        }
    }

    fn step(&mut self) -> bool {
        let Some((from, to, bytes)) = self.queue.pop_front() else { return false };
        let Some(message) = (self.wire)(from, to, SigningMessage::decode(&bytes).unwrap()) else { return true };
        self.log.push((from, to, message.encode()));
        let now = self.now_ms;
        if let Some(signer) = self.signers[usize::from(to)].as_mut() {
            let events = signer.receive(from, &message.encode(), now);
            self.handle(to, events);
        }
        true
    }

    fn deliver(&mut self) {
        while self.step() {}
    }

    /// Lets time pass, in ticks.
    fn run_ms(&mut self, ms: u64) {
        self.deliver();
        let end = self.now_ms + ms;
        while self.now_ms < end {
            self.now_ms += TICK_MS;
            for m in 0..N {
                let now = self.now_ms;
                if let Some(signer) = self.signers[usize::from(m)].as_mut() {
                    let events = signer.tick(now);
                    self.handle(m, events);
                }
            }
            self.deliver();
        }
    }

    fn everyone_signed(&self, job: &Job) -> bool {
        (0..N).filter(|m| self.signers[usize::from(*m)].is_some()).all(|m| self.signed.contains(&(m, job.txid())))
    }
}

/// The members whose turn as coordinator comes first for the batch.
fn coordinator(batch: u64) -> u16 {
    coordinator_of(batch, 0, N)
}

#[test]
fn three_of_four_sign_and_everyone_has_it_at_once() {
    let mut net = Net::new();
    let job = job(&net.group(), 0, 99_000);
    net.give_all(&job);
    net.deliver();
    assert!(net.everyone_signed(&job), "without any tick");
    assert_eq!(net.faults, vec![]);
    let Status::Signed { signers, .. } = net.signer(0).status() else { panic!() };
    assert_eq!(signers.len(), usize::from(T));
    let transaction = net.signer(0).signed().unwrap().clone();
    assert!(transaction.input.iter().all(|i| i.witness.len() == 1 && i.witness[0].len() == 64));
}

#[test]
fn case_26_any_one_member_may_be_missing() {
    for missing in 0..N {
        for batch in 0..u64::from(N) {
            let mut net = Net::new();
            net.kill(missing);
            let job = job(&net.group(), batch, 99_000);
            net.give_all(&job);
            net.run_ms(PACE.attempt_ms + TICK_MS);
            assert!(net.everyone_signed(&job), "missing {missing}, batch {batch}");
        }
    }
}

#[test]
fn case_26_two_missing_stall_cleanly_and_it_resumes_when_one_is_back() {
    let mut net = Net::new();
    net.kill(1);
    net.kill(2);
    let job = job(&net.group(), 0, 99_000);
    net.give_all(&job);
    net.run_ms(40_000);
    assert_eq!(net.signed, BTreeSet::new());
    assert!(net.queue.is_empty());
    assert!(matches!(net.signer(0).status(), Status::Signing { .. }));
    net.start(2);
    net.give(2, &job);
    net.run_ms(4 * PACE.attempt_ms);
    assert!(net.everyone_signed(&job));
}

#[test]
fn lost_messages_are_repeated() {
    use rand::Rng as _;
    let mut net = Net::new();
    let mut rng = StdRng::seed_from_u64(4);
    net.wire = Box::new(move |_, _, m| rng.gen_bool(0.5).then_some(m));
    let job = job(&net.group(), 0, 99_000);
    net.give_all(&job);
    net.run_ms(60_000);
    assert!(net.signed.iter().any(|(_, txid)| *txid == job.txid()));
}

#[test]
fn case_25_a_garbage_share_is_named_and_its_sender_left_out() {
    let mut net = Net::new();
    let coordinator = coordinator(0);
    let cheater = 1;
    net.wire = Box::new(move |from, _, message| match message {
        SigningMessage::Shares { session, mut shares } if from == cheater => {
            shares[1][31] ^= 1;
            Some(SigningMessage::Shares { session, shares })
        }
        other => Some(other),
    });
    let job = job(&net.group(), 0, 99_000);
    net.give_all(&job);
    net.deliver();
    assert!(net.everyone_signed(&job), "the same coordinator goes on without the cheater, at once");
    assert!(net.faults.iter().any(|(by, member, _)| *by == coordinator && *member == cheater), "{:?}", net.faults);
    assert!(net.faults.iter().all(|(_, member, _)| *member == cheater));
}

#[test]
fn case_25_garbage_commitments_zero_points_and_silence_do_not_stop_the_rest() {
    let faults: [fn(SigningMessage) -> Option<SigningMessage>; 4] = [
        |m| match m {
            SigningMessage::Commit { session, mut commitments } => {
                commitments[0].hiding = [0; 33];
                Some(SigningMessage::Commit { session, commitments })
            }
            other => Some(other),
        },
        |m| match m {
            SigningMessage::Commit { session, commitments } => {
                Some(SigningMessage::Commit { session, commitments: commitments[..1].to_vec() })
            }
            other => Some(other),
        },
        |m| match m {
            SigningMessage::Shares { session, .. } => {
                Some(SigningMessage::Shares { session, shares: vec![[0xff; 32]; 2] })
            }
            other => Some(other),
        },
        |m| (!matches!(m, SigningMessage::Shares { .. })).then_some(m),
    ];
    for fault in faults {
        let mut net = Net::new();
        let cheater = 1;
        net.wire = Box::new(move |from, _, m| if from == cheater { fault(m) } else { Some(m) });
        let job = job(&net.group(), 0, 99_000);
        net.give_all(&job);
        net.run_ms(PACE.attempt_ms);
        assert!(net.signed.contains(&(0, job.txid())));
        assert!(net.faults.iter().any(|(_, member, _)| *member == cheater), "named");
    }
}

#[test]
fn case_24_a_coordinator_with_another_transaction_is_refused_and_named() {
    let mut net = Net::new();
    let liar = coordinator(0);
    let honest = job(&net.group(), 0, 99_000);
    let theft = job(&net.group(), 0, 1_000);
    net.give_all(&honest);
    net.queue.clear();
    net.give(liar, &theft);
    net.run_ms(TICK_MS);
    assert!(net.signed.is_empty());
    for m in (0..N).filter(|m| *m != liar) {
        assert!(net.faults.iter().any(|(by, member, _)| *by == m && *member == liar));
    }
    net.run_ms(4 * PACE.attempt_ms);
    assert!((0..N).filter(|m| *m != liar).all(|m| net.signed.contains(&(m, honest.txid()))));
    assert!(!net.signed.iter().any(|(_, txid)| *txid == theft.txid()), "the liar finds no second signer");
}

#[test]
fn case_24_a_package_that_differs_from_what_a_signer_committed_to_is_refused() {
    let mut net = Net::new();
    let liar = coordinator(0);
    // The coordinator shows each signer the commitments of its neighbour as its own.
    net.wire = Box::new(move |from, _, message| match message {
        SigningMessage::Package { session, signers, mut commitments } if from == liar => {
            commitments.rotate_left(1);
            Some(SigningMessage::Package { session, signers, commitments })
        }
        other => Some(other),
    });
    let job = job(&net.group(), 0, 99_000);
    net.give_all(&job);
    net.deliver();
    assert!(net.signed.is_empty());
    assert!(net.faults.iter().any(|(_, member, reason)| *member == liar && reason.contains("package")));
    net.run_ms(PACE.attempt_ms + TICK_MS);
    assert!(net.everyone_signed(&job), "the next coordinator is honest");
}

#[test]
fn only_the_coordinator_of_the_attempt_is_answered() {
    let mut net = Net::new();
    let job = job(&net.group(), 0, 99_000);
    let wrong = (coordinator(0) + 1) % N;
    for m in 0..N {
        net.give(m, &job);
    }
    net.queue.clear();
    let propose = SigningMessage::Propose { session: [5; 32], batch: 0, attempt: 0, txid: job.txid().to_byte_array() };
    let events = net.signer(3).receive(wrong, &propose.encode(), 1_000);
    assert!(matches!(&events[..], [SignerEvent::Fault { member, .. }] if *member == wrong), "{events:?}");
}

#[test]
fn case_16_a_member_never_signs_two_transactions_for_one_batch() {
    let mut net = Net::new();
    let first = job(&net.group(), 0, 99_000);
    net.give_all(&first);
    net.deliver();
    assert!(net.everyone_signed(&first));
    // All restart, and their ledgers (say, after a fault in the rules) have another transaction.
    for m in 0..N {
        net.kill(m);
        net.start(m);
    }
    let second = job(&net.group(), 0, 98_000);
    net.give_all(&second);
    net.run_ms(4 * PACE.attempt_ms);
    assert!(!net.signed.iter().any(|(_, txid)| *txid == second.txid()));
    // At least the three that signed refuse; asked for the first again, they sign it.
    net.give_all(&first);
    net.run_ms(TICK_MS);
    assert!(net.everyone_signed(&first));
}

#[test]
fn a_member_that_was_away_gets_the_signatures_from_the_others() {
    let mut net = Net::new();
    let away = 3;
    net.kill(away);
    let job = job(&net.group(), 0, 99_000);
    net.give_all(&job);
    net.run_ms(PACE.attempt_ms);
    assert!(net.everyone_signed(&job));
    net.start(away);
    net.give(away, &job);
    net.run_ms(4 * PACE.attempt_ms);
    assert!(net.signed.contains(&(away, job.txid())));
}

#[test]
fn a_false_signed_message_is_refused_and_named() {
    let mut net = Net::new();
    let job = job(&net.group(), 1, 99_000);
    net.give(3, &job);
    let message = SigningMessage::Signed { batch: 1, signers: vec![], signatures: vec![[1; 64]; 2] };
    let events = net.signer(3).receive(2, &message.encode(), 1_000);
    assert!(matches!(&events[..], [SignerEvent::Fault { member: 2, .. }]), "{events:?}");
}

#[test]
fn a_member_killed_after_any_message_costs_at_most_time() {
    for step in 0..40 {
        for victim in [0, 2] {
            let mut net = Net::new();
            let job = job(&net.group(), 0, 99_000);
            net.give_all(&job);
            for _ in 0..step {
                net.step();
            }
            net.kill(victim);
            net.start(victim);
            net.give(victim, &job);
            net.run_ms(3 * PACE.attempt_ms);
            assert!(net.everyone_signed(&job), "step {step}, victim {victim}");
            let txids: BTreeSet<_> = net.signed.iter().map(|(_, txid)| *txid).collect();
            assert_eq!(txids.len(), 1, "one payment");
        }
    }
}

proptest::proptest! {
    #[test]
    fn decoding_never_panics(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..600)) {
        let _ = SigningMessage::decode(&bytes);
    }

    #[test]
    fn what_decodes_encodes_to_the_same_bytes(tag in 0u8..6, count in 0u8..6, bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..600)) {
        let mut message = vec![tag];
        message.extend([0x33; 32]);
        message.extend([count, 0, 0, 0]);
        message.extend(bytes);
        if let Ok(decoded) = SigningMessage::decode(&message) {
            proptest::prop_assert_eq!(decoded.encode(), message);
        }
    }

}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(24))]

    #[test]
    fn a_signer_survives_any_bytes(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200), tag in 0u8..6) {
        let mut net = Net::new();
        let job = job(&net.group(), 0, 99_000);
        net.give_all(&job);
        let mut message = vec![tag];
        message.extend(bytes);
        let _ = net.signer(0).receive(1, &message, 1_000);
    }
}

#[test]
fn lengths_that_promise_more_than_there_is_are_refused() {
    let mut bytes = vec![1];
    bytes.extend([0; 32]);
    bytes.extend(u32::MAX.to_le_bytes());
    assert!(SigningMessage::decode(&bytes).is_err());
    assert!(SigningMessage::decode(&vec![0; crate::wire::MAX_MESSAGE_BYTES + 1]).is_err());
    let many = SigningMessage::Shares { session: [0; 32], shares: vec![[0; 32]; MAX_INPUTS + 1] };
    assert!(SigningMessage::decode(&many.encode()).is_err());
}
