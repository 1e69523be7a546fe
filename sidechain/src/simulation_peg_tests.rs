//! The peg's part of a member in the simulation: key generation once, then signing over the members' links, each
//! share asked for at the recount, and a bitcoind that checks what it is given.
//!
//! The state machines are the real ones (`windlass-peg`, `windlass-recount`); what drives them here, `Peg`, does
//! what `node/src/member/signing.rs` does with sockets and a real bitcoind.

use crate::fixture::{self, FakeBitcoin, MEMBERS, seed};
use crate::fuzzing::certificate;
use crate::simulation_tests::{Network, World};
use crate::{Handle, LinkSender, Links, PROOFS_DIR, To, endorse, endorsed, identity_of};
use bitcoin::{Amount, Txid};
use commonware_macros::select;
use commonware_runtime::deterministic::{Config, Context, Runner};
use commonware_runtime::{Clock as _, Runner as _};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use windlass_ledger::{Genesis, query};
use windlass_peg::dkg::{Dkg, DkgEvent, Identity, Terms};
use windlass_peg::share::{KeyShare, ShareFile, StoredShare};
use windlass_peg::signing::{Intents, Job, Pace, Permit, Signer, SignerEvent, SigningMessage, Veto, ask};
use windlass_peg::wire::Recipient;
use windlass_recount::{Objection, Recount};
use windlass_store::Store;
use windlass_types::{Digest, SideHeight};

const TICK: Duration = Duration::from_millis(200);
/// Each member says again what was not answered so often: more than key generation takes.
const ROUNDS: usize = 8;
const PACE: Pace = Pace { attempt_ms: 1_500, reply_ms: 500 };

fn number(index: usize) -> u16 {
    u16::try_from(index).expect("few members")
}

struct Keys(usize);

impl Identity for Keys {
    fn sign(&self, digest: &[u8; 32]) -> [u8; 64] {
        endorse(&seed(self.0), digest)
    }

    fn verify(&self, member: u16, digest: &[u8; 32], signature: &[u8; 64]) -> bool {
        endorsed(&identity_of(&seed(usize::from(member))), digest, signature)
    }
}

/// Folders with a share each, made once in a process; the same key in each, for the randomness is fixed.
fn folders() -> &'static Path {
    static MADE: OnceLock<tempfile::TempDir> = OnceLock::new();
    MADE.get_or_init(|| {
        let dir = tempfile::tempdir().expect("a directory");
        generate(dir.path());
        dir
    })
    .path()
}

fn generate(dir: &Path) {
    let files: Vec<ShareFile> = (0..MEMBERS)
        .map(|index| {
            let dir = dir.join(index.to_string());
            std::fs::create_dir_all(&dir).expect("writable");
            ShareFile::new(dir)
        })
        .collect();
    let mut queue: VecDeque<(usize, SentTo, Vec<u8>)> = VecDeque::new();
    let mut members = Vec::new();
    for me in 0..MEMBERS {
        let terms = Terms { me: number(me), members: number(MEMBERS), threshold: 3, digest: Digest([9; 32]) };
        let (dkg, events) = Dkg::new(terms, Keys(me), StdRng::seed_from_u64(u64::from(number(me))));
        members.push(dkg);
        take(&mut members[me], &files[me], me, events, &mut queue);
    }
    for _ in 0..ROUNDS {
        while let Some((from, to, bytes)) = queue.pop_front() {
            for to in (0..MEMBERS).filter(|index| *index != from && to.is_none_or(|to| to == *index)) {
                let events = members[to].receive(number(from), &bytes);
                take(&mut members[to], &files[to], to, events, &mut queue);
            }
        }
        for me in 0..MEMBERS {
            let events = members[me].tick();
            take(&mut members[me], &files[me], me, events, &mut queue);
        }
    }
    assert!(members.iter().all(Dkg::is_complete), "key generation is complete");
}

/// One member, or all.
type SentTo = Option<usize>;

fn take(
    dkg: &mut Dkg<Keys, StdRng>,
    file: &ShareFile,
    me: usize,
    events: Vec<DkgEvent>,
    queue: &mut VecDeque<(usize, SentTo, Vec<u8>)>,
) {
    for event in events {
        match event {
            DkgEvent::Send(Recipient::All, bytes) => queue.push_back((me, None, bytes)),
            DkgEvent::Send(Recipient::One(to), bytes) => queue.push_back((me, Some(usize::from(to)), bytes)),
            DkgEvent::Save(share) => {
                file.save_pending(&share).expect("writable");
                let more = dkg.saved();
                take(dkg, file, me, more, queue);
            }
            DkgEvent::Complete => file.promote().expect("it is there"),
            DkgEvent::Discard | DkgEvent::Failed(_) => panic!("nobody lies here"),
        }
    }
}

/// A member's share.
fn share(index: usize) -> KeyShare {
    match ShareFile::new(folders().join(index.to_string())).load().expect("readable") {
        StoredShare::Complete(share) => share,
        _ => panic!("key generation is complete"),
    }
}

/// The tests' genesis, with the key that the members have generated.
pub(crate) fn genesis() -> Genesis {
    static KEY: OnceLock<[u8; 32]> = OnceLock::new();
    let treasury_key = *KEY.get_or_init(|| share(0).group().x_only().serialize());
    Genesis { treasury_key, ..fixture::genesis() }
}

/// What all honest members ever gave shares for: a second transaction for a batch is a fault.
#[derive(Clone, Default)]
pub(crate) struct Given(Arc<Mutex<BTreeMap<u64, Txid>>>);

/// Asked before each share; see `node/src/member/recount.rs`.
pub(crate) struct Watch {
    handle: Handle,
    bitcoin: FakeBitcoin,
    recount: Mutex<Recount>,
}

impl Permit for Watch {
    fn permits(&self, job: &Job) -> Result<(), Veto> {
        if let Some(fork) = self.handle.fork() {
            return Err(Veto::Fork(fork));
        }
        let mut recount = self.recount.lock().expect("no panic");
        while let Some(height) = recount.height().next().filter(|height| *height <= self.handle.tip().height) {
            let block = self.handle.chain().block_bytes(height).expect("readable").expect("it is final");
            recount.take(&block).expect("the recount agrees with what is final");
        }
        ask(&recount, job)?;
        for coin in recount.coins() {
            if !self.bitcoin.has(&coin.outpoint, &coin.output) {
                return Err(Objection::NoCoin { batch: job.batch, reason: coin.outpoint.to_string() }.into());
            }
        }
        Ok(())
    }
}

/// A member's signer at work.
pub(crate) struct Peg {
    me: usize,
    handle: Handle,
    bitcoin: FakeBitcoin,
    given: Given,
    signer: Signer<StdRng>,
    /// What the signer last found to veto, for tests.
    vetoes: Arc<Mutex<Option<Veto>>>,
}

impl Peg {
    /// `number` is fresh randomness of the runtime's: nonces must be new after each start.
    pub fn new(
        me: usize,
        dir: &Path,
        handle: Handle,
        bitcoin: FakeBitcoin,
        given: Given,
        number: u64,
        vetoes: Arc<Mutex<Option<Veto>>>,
    ) -> Self {
        let store = Store::open(dir.join("member.redb")).expect("its former life is over");
        let recount = Mutex::new(Recount::new(genesis()));
        let watch = Arc::new(Watch { handle: handle.clone(), bitcoin: bitcoin.clone(), recount });
        let rng = StdRng::seed_from_u64(number);
        let signer = Signer::new(share(me), Intents::new(store), watch, rng, PACE);
        Self { me, handle, bitcoin, given, signer, vetoes }
    }

    pub async fn run(mut self, context: Context, links: Links) {
        let (links, mut incoming) = links.split();
        let start = context.current();
        let mut wake = start;
        loop {
            let now_ms = context.current().duration_since(start).expect("forwards").as_millis();
            let now_ms = u64::try_from(now_ms).expect("short");
            self.look(now_ms, &links);
            select! {
                message = incoming.recv() => {
                    let Some((from, bytes)) = message else { return };
                    let events = self.signer.receive(from, &bytes, now_ms);
                    self.handle_all(events, &links);
                },
                () = context.sleep_until(wake) => {
                    wake = context.current() + TICK;
                    let events = self.signer.tick(now_ms);
                    self.handle_all(events, &links);
                    *self.vetoes.lock().expect("no panic") = self.signer.veto();
                    if let Some(transaction) = self.signer.signed() {
                        self.bitcoin.broadcast(transaction);
                    }
                },
            }
        }
    }

    fn look(&mut self, now_ms: u64, links: &LinkSender) {
        let batch = query::batch(&*self.handle.view()).expect("readable");
        let job = batch.map(|batch| Job::from_batch(self.handle.genesis(), &batch).expect("good keys"));
        let events = self.signer.set_job(job, now_ms);
        self.handle_all(events, links);
    }

    fn handle_all(&self, events: Vec<SignerEvent>, links: &LinkSender) {
        for event in events {
            match event {
                SignerEvent::Send(to, bytes) => {
                    if let Ok(SigningMessage::Shares { .. }) = SigningMessage::decode(&bytes) {
                        self.gives_a_share();
                    }
                    let to = match to {
                        Recipient::All => To::All,
                        Recipient::One(member) => To::One(member),
                    };
                    // A full queue loses it, as a line does.
                    let _ = links.send(to, bytes);
                }
                SignerEvent::Signed { transaction, .. } => self.bitcoin.broadcast(&transaction),
                SignerEvent::Fault { member, reason } => {
                    // The one that lies, or one that died with a session open.
                    assert!(reason.contains("no shares") || usize::from(member) == MEMBERS - 1, "{member}: {reason}");
                }
            }
        }
    }

    /// No member signs what its own ledger refuses, and none signs two transactions of one batch.
    fn gives_a_share(&self) {
        let batch = query::batch(&*self.handle.view()).expect("readable").expect("only what is in flight is signed");
        let transaction = batch.transaction(self.handle.genesis()).expect("good keys");
        assert_eq!(transaction.compute_txid(), batch.txid);
        assert!(self.handle.fork().is_none(), "member {} signs after a fork", self.me);
        let mut given = self.given.0.lock().expect("no panic");
        assert_eq!(*given.entry(batch.id).or_insert(batch.txid), batch.txid, "two transactions for one batch");
    }
}

#[test]
fn case_35_members_that_know_of_a_fork_sign_nothing_after_a_restart_too() {
    let dir = tempfile::tempdir().expect("a directory");
    let world = World::new(dir.path());
    let config = Config::new().with_seed(6).with_timeout(Some(Duration::from_secs(3600)));
    Runner::new(config).start(|context| async move {
        let mut network = Network::new(context, world).await;
        network.fund(1).await;
        // Another first block, final by three: what a lying majority could show to some.
        let (mut block, _) = network.handles()[0].block(SideHeight::new(1)).expect("readable").expect("it is final");
        block.header.supply = Amount::from_sat(21);
        let signed = certificate(&[seed(0), seed(1), seed(2)], &genesis(), &block);
        for index in [1, 2] {
            let fork = network.handles()[index].note_final(&block.header, &signed).expect("it holds");
            assert_eq!(fork.expect("a fork").height(), SideHeight::new(1));
        }
        let payment = network.burn(&[0]).await;
        let silent = |network: &Network| {
            assert_eq!(network.world.bitcoin.waiting(), 0, "two of four are enough to stop it");
            let veto =
                |index: usize| network.alive[index].as_ref().expect("alive").veto.lock().expect("no panic").clone();
            for index in [1, 2] {
                assert!(matches!(veto(index), Some(Veto::Fork(why)) if why.contains("fork-1.json")), "{index}");
            }
            assert_eq!(veto(0), None);
        };
        network.context.sleep(Duration::from_secs(20)).await;
        silent(&network);
        for index in [1, 2] {
            network.kill(index).await;
            let alive = network.start(index).await;
            network.alive[index] = Some(alive);
        }
        network.context.sleep(Duration::from_secs(20)).await;
        silent(&network);
        // A person has looked.
        for index in [1, 2] {
            network.kill(index).await;
            std::fs::remove_dir_all(network.world.dir.join(format!("f{}", index + 1)).join(PROOFS_DIR)).expect("there");
            let alive = network.start(index).await;
            network.alive[index] = Some(alive);
        }
        network.paid(&payment).await;
    });
}
