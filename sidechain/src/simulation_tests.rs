//! Four members in the deterministic runtime, from one printed seed: late and lost messages,
//! a member cut off, a member that dies, no quorum at all, and the power gone for everyone.
//!
//! `WINDLASS_SEED=7 cargo test -p windlass-sidechain simulation` replays one run.

use crate::engine::committee::private_key;
use crate::engine::lines::{CHANNELS, Lines, quota};
use crate::fixture::{self, FakeBitcoin, MEMBERS, balance, deposit, peg_out, transfer};
use crate::member::{Joined, Place};
use crate::simulation_peg_tests::{Given, Peg, genesis};
use crate::{FinalizedPort, Handle, StartError, Timing, TxStatus};
use bitcoin::hashes::Hash as _;
use bitcoin::{Amount, ScriptBuf};
use commonware_cryptography::Signer as _;
use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::simulated::{self, Link, Oracle};
use commonware_runtime::deterministic::{Config, Context, Runner};
use commonware_runtime::{Clock as _, Runner as _, Spawner as _, Supervisor as _};
use commonware_utils::{NZUsize, probability};
use futures::future::BoxFuture;
use rand_core_10::Rng as _;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use windlass_ledger::{Applied, Block, Header, PegOutState, StateRead, query};
use windlass_peg::signing::Veto;
use windlass_store::OpenError;
use windlass_types::{Digest, SideHeight};

/// What all members ever called final. A second digest for a height is a fork.
#[derive(Clone, Default)]
pub(crate) struct History(Arc<Mutex<BTreeMap<SideHeight, (Digest, Digest)>>>);

/// One member's port: checks order, and the history.
struct Witness {
    history: History,
    last: Mutex<Option<SideHeight>>,
}

impl FinalizedPort for Witness {
    fn finalized(&self, block: Arc<Block>, applied: Arc<Applied>, view: Arc<dyn StateRead>) -> BoxFuture<'static, ()> {
        let header = block.header;
        assert_eq!(header, applied.header);
        assert_eq!(query::tip(&*view).expect("readable"), header, "the view is the block's");
        let mut last = self.last.lock().expect("no panic");
        assert!(last.is_none_or(|last| header.height <= last.next().expect("small")), "in order");
        *last = Some(header.height);
        let mut history = self.history.0.lock().expect("no panic");
        let found = *history.entry(header.height).or_insert((header.digest(), header.state_root));
        assert_eq!(found, (header.digest(), header.state_root), "a fork at {}", header.height);
        check_books(&header, &*view);
        Box::pin(std::future::ready(()))
    }
}

/// The supply rule, counted anew: what all accounts have is the supply, the treasury is what stands against it,
/// and the root is that of the entries themselves.
fn check_books(header: &Header, view: &dyn StateRead) {
    let accounts = query::accounts(view).expect("readable");
    let sum: u64 = accounts.iter().map(|(_, account)| account.balance.to_sat()).sum();
    assert_eq!(sum, header.supply.to_sat(), "the accounts at {}", header.height);
    let treasury = query::treasury(view).expect("readable").map_or(Amount::ZERO, |coin| coin.amount);
    assert_eq!(treasury, header.supply + header.owed, "the treasury at {}", header.height);
    let entries = view.scan(windlass_ledger::keys::STATE).expect("readable");
    let root = windlass_ledger::smt::root_of(entries.iter().map(|(key, value)| (key.as_slice(), value.as_slice())));
    assert_eq!(root, header.state_root, "the root at {}", header.height);
}

/// What outlives the power: disks, Bitcoin, and what people remember.
#[derive(Clone)]
pub(crate) struct World {
    pub dir: PathBuf,
    pub bitcoin: FakeBitcoin,
    pub history: History,
    pub given: Given,
    pub heartbeat: Duration,
}

impl World {
    pub fn new(dir: &Path) -> Self {
        let heartbeat = Duration::from_millis(800);
        Self {
            dir: dir.to_owned(),
            bitcoin: FakeBitcoin::default(),
            history: History::default(),
            given: Given::default(),
            heartbeat,
        }
    }
}

pub(crate) struct Alive {
    pub handle: Handle,
    /// Why its signer signs nothing now, as of its last tick.
    pub veto: Arc<Mutex<Option<Veto>>>,
    task: commonware_runtime::Handle<()>,
}

pub(crate) struct Network {
    pub context: Context,
    pub world: World,
    pub oracle: Oracle<PublicKey, Context>,
    pub keys: Vec<PublicKey>,
    pub alive: Vec<Option<Alive>>,
    /// What a liar knows of the others: the first member, while it lives.
    pub spied: Arc<Mutex<Option<Handle>>>,
    /// By place: which of a member's folders and identities runs next; see [`World::folder`].
    pub generation: Vec<usize>,
    lives: u64,
    burns: u8,
}

/// A peg-out that was asked for.
pub(crate) struct PendingPayment {
    pub id: Digest,
    pub script: ScriptBuf,
}

impl Network {
    pub async fn new(context: Context, world: World) -> Self {
        Self::without(context, world, None).await
    }

    /// As [`Self::new`], but the member in one place doesn't run our code: see `simulation_lies_tests`.
    pub async fn without(context: Context, world: World, liar: Option<usize>) -> Self {
        // All identities that any member ever has in these tests are peers from the beginning.
        let keys: Vec<PublicKey> =
            (0..MEMBERS * GENERATIONS).map(|i| private_key(fixture::seed(i).bytes()).public_key()).collect();
        let config = simulated::Config {
            max_size: crate::MAX_MESSAGE_BYTES,
            max_peers_per_set: NZUsize!(MEMBERS * GENERATIONS),
            disconnect_on_block: true,
            tracked_peer_sets: NZUsize!(1),
        };
        let (network, oracle) =
            simulated::Network::new_with_peers(context.child("network"), config, keys.clone()).await;
        network.start();
        let mut this = Self {
            context,
            world,
            oracle,
            keys,
            alive: Vec::new(),
            spied: Arc::default(),
            generation: vec![0; MEMBERS],
            lives: 0,
            burns: 0,
        };
        this.heal().await;
        for index in 0..MEMBERS {
            let alive = if liar == Some(index) { None } else { Some(this.start(index).await) };
            this.alive.push(alive);
        }
        this
    }

    /// Connects all, with late and lost messages.
    pub async fn heal(&self) {
        self.link(|_| true, Duration::from_millis(10), Duration::from_millis(8)).await;
    }

    /// Connects those that `which` names with all others anew, with other delays.
    pub async fn link(&self, which: impl Fn(usize) -> bool, latency: Duration, jitter: Duration) {
        let which = |key: usize| which(key % MEMBERS);
        self.each_pair(|a, b| which(a) || which(b), None).await;
        let link = Link { latency, jitter, success_rate: probability!(0.98) };
        self.each_pair(|a, b| which(a) || which(b), Some(link)).await;
    }

    /// Disconnects those on different sides.
    pub async fn split(&self, side: impl Fn(usize) -> bool) {
        self.each_pair(|a, b| side(a % MEMBERS) != side(b % MEMBERS), None).await;
    }

    async fn each_pair(&self, which: impl Fn(usize, usize) -> bool, link: Option<Link>) {
        for (a, from) in self.keys.iter().enumerate() {
            for (b, to) in self.keys.iter().enumerate() {
                if a == b || !which(a, b) {
                    continue;
                }
                // An error: it is as wanted already.
                let _ = match &link {
                    Some(link) => self.oracle.add_link(from.clone(), to.clone(), link.clone()).await,
                    None => self.oracle.remove_link(from.clone(), to.clone()).await,
                };
            }
        }
    }

    /// Starts a member; it has to start.
    pub async fn start(&mut self, index: usize) -> Alive {
        match self.try_start(index).await {
            Ok(alive) => alive,
            // The tasks of its former life are not all gone.
            Err(StartError::Open(OpenError::InUse { .. })) => panic!("member {index} is not dead yet"),
            Err(error) => panic!("member {index} does not start: {error}"),
        }
    }

    /// Starts a member under the newest of its identities, in that one's folder.
    pub async fn try_start(&mut self, index: usize) -> Result<Alive, StartError> {
        self.lives += 1;
        let number = index + self.generation[index] * MEMBERS;
        let dir = self.world.dir.join(format!("f{}", number + 1));
        std::fs::create_dir_all(&dir).expect("a writable directory");
        let control = self.oracle.control(self.keys[number].clone());
        let mut channels = Vec::new();
        for channel in 0..CHANNELS {
            channels.push(control.register(channel, quota(channel)).await.expect("the network runs"));
        }
        let mut channels = channels.into_iter();
        let mut next = || channels.next().expect("as many as there are channels");
        let (votes, certificates, resolver, blocks, backfill) = (next(), next(), next(), next(), next());
        let (links, gossip) = (next(), next());
        let lines = Lines { votes, certificates, resolver, blocks, backfill, gossip };
        let addresses: Vec<SocketAddr> = vec![([127, 0, 0, 1], 1).into(); MEMBERS];
        let timing = Timing::with_heartbeat(self.world.heartbeat);
        let mut config = fixture::config(index, &addresses, &dir, timing);
        config.seed = fixture::seed(number);
        let mut place = Place::new(config).expect("a member");
        place.storage = format!("f{}-", number + 1);
        let manager = self.oracle.manager();
        let (bitcoin, history) = (self.world.bitcoin.clone(), self.world.history.clone());
        let (ready, started) = tokio::sync::oneshot::channel();
        let (chain, given) = (self.world.bitcoin.clone(), self.world.given.clone());
        let randomness = u64::from(self.context.next_u32()) << 32 | u64::from(self.context.next_u32());
        let veto: Arc<Mutex<Option<Veto>>> = Arc::default();
        let vetoes = veto.clone();
        let context = self.context.child("member").with_attribute("life", self.lives);
        let task = context.spawn(move |context| async move {
            let network = (control, manager, Arc::new(|_, _| {}) as crate::core::Track);
            let (joined, links) = Joined::new(&context, place, lines, links, network);
            let port = Arc::new(Witness { history, last: Mutex::new(None) });
            let begun = joined.start(&context, genesis(), Arc::new(bitcoin), port).await;
            let handle = begun.as_ref().ok().cloned();
            ready.send(begun).map_err(drop).expect("someone waits");
            if let Some(handle) = handle {
                Peg::new(index, &dir, handle, chain, given, randomness, vetoes).run(context, links).await;
            }
            std::future::pending::<()>().await;
        });
        let handle = match started.await.expect("it answers") {
            Ok(handle) => handle,
            Err(error) => {
                task.abort();
                self.context.sleep(Duration::from_secs(1)).await;
                return Err(error);
            }
        };
        if index == 0 {
            *self.spied.lock().expect("no panic") = Some(handle.clone());
        }
        Ok(Alive { handle, veto, task })
    }

    pub async fn kill(&mut self, index: usize) {
        let alive = self.alive[index].take().expect("it is alive");
        if index == 0 {
            *self.spied.lock().expect("no panic") = None;
        }
        alive.task.abort();
        drop(alive);
        self.context.sleep(Duration::from_secs(1)).await;
    }

    pub fn handles(&self) -> Vec<Handle> {
        self.alive.iter().flatten().map(|alive| alive.handle.clone()).collect()
    }

    pub fn pick(&mut self, choices: usize) -> usize {
        usize::try_from(self.context.next_u32()).expect("64 bits") % choices
    }

    pub async fn wait(&self, what: &str, mut done: impl FnMut() -> bool) {
        let deadline = self.context.current() + Duration::from_secs(120);
        while !done() {
            assert!(self.context.current() < deadline, "not within two minutes: {what}");
            self.context.sleep(Duration::from_millis(5)).await;
        }
    }

    pub async fn fund(&self, name: u8) {
        let handles = self.handles();
        let claims = deposit(&self.world.bitcoin, &genesis(), &[name], Amount::from_sat(10_000_000));
        handles.iter().for_each(|handle| handle.note_anchor(self.world.bitcoin.tip()));
        let tip = self.world.bitcoin.tip();
        self.wait("the deposit is anchored", || handles[0].tip().anchor.height == tip).await;
        handles[0].submit(claims[0].clone()).expect("a good claim");
        self.wait("the sweep is signed", || self.world.bitcoin.waiting() > 0).await;
        self.mine_waiting();
        self.wait("the deposit is minted", || handles.iter().all(|handle| balance(handle, name) > Amount::ZERO)).await;
    }

    /// A Bitcoin block with what members have signed.
    pub fn mine_waiting(&self) {
        self.world.bitcoin.mine_waiting();
        self.handles().iter().for_each(|handle| handle.note_anchor(self.world.bitcoin.tip()));
    }

    /// Burns for a payment to a script of its own at a member picked from `at`, without waiting for it.
    pub async fn burn(&mut self, at: &[usize]) -> PendingPayment {
        self.burns += 1;
        let script = ScriptBuf::new_p2wpkh(&bitcoin::WPubkeyHash::from_byte_array([self.burns; 20]));
        let index = at[self.pick(at.len())];
        let handle = self.alive[index].as_ref().expect("it is alive").handle.clone();
        let nonce = || query::next_nonce(&*handle.view(), &fixture::account(1)).expect("readable");
        let known = |handle: &Handle| query::next_nonce(&*handle.view(), &fixture::account(1)).expect("readable");
        let newest = self.handles().iter().map(known).max();
        self.wait("it knows the newest nonce", || Some(nonce()) >= newest).await;
        let id = handle.submit(peg_out(&genesis(), 1, nonce(), 20_000, &script)).expect("a good peg-out");
        PendingPayment { id, script }
    }

    /// Waits until the ledgers of all that live say that it is paid; Bitcoin has it once.
    pub async fn paid(&self, payment: &PendingPayment) {
        let handles = self.handles();
        let is_paid = |handle: &Handle| {
            let record = query::peg_out(&*handle.view(), &payment.id).expect("readable");
            record.is_some_and(|record| matches!(record.state, PegOutState::Paid { .. }))
        };
        self.wait("the peg-out is paid", || {
            if self.world.bitcoin.waiting() > 0 {
                self.mine_waiting();
            }
            handles.iter().all(is_paid)
        })
        .await;
        assert_eq!(self.world.bitcoin.payments(&payment.script), 1, "paid once");
    }

    /// Makes `count` transfers at members picked from `at`, one after the other.
    pub async fn transfer(&mut self, count: u64, at: &[usize]) {
        for _ in 0..count {
            let index = at[self.pick(at.len())];
            let handle = self.alive[index].as_ref().expect("it is alive").handle.clone();
            let nonce = || query::next_nonce(&*handle.view(), &fixture::account(1)).expect("readable");
            let newest = self
                .handles()
                .iter()
                .map(|other| query::next_nonce(&*other.view(), &fixture::account(1)).expect("readable"))
                .max();
            self.wait("it knows the newest nonce", || Some(nonce()) >= newest).await;
            let id = handle.submit(transfer(&genesis(), 1, 2, nonce(), 1_000)).expect("a good transfer");
            self.wait("it is final", || matches!(handle.tx_status(&id), Ok(TxStatus::Final { .. }))).await;
        }
    }

    pub async fn all_at(&self, goal: SideHeight) {
        let handles = self.handles();
        self.wait("all are there", || handles.iter().all(|handle| handle.tip().height >= goal)).await;
    }

    pub fn highest(&self) -> SideHeight {
        self.handles().iter().map(|handle| handle.tip().height).max().expect("some are alive")
    }
}

pub(crate) const ALL: [usize; 4] = [0, 1, 2, 3];
/// How many identities a member may have, one after the other.
pub(crate) const GENERATIONS: usize = 4;

async fn until_the_power_goes(context: Context, world: World) {
    let mut network = Network::new(context, world).await;
    network.fund(1).await;
    network.transfer(8, &ALL).await;

    // One is cut off: it stands still, the others don't.
    let lone = network.pick(MEMBERS);
    let others: Vec<usize> = ALL.into_iter().filter(|index| *index != lone).collect();
    network.split(|index| index == lone).await;
    network.transfer(6, &others).await;
    network.heal().await;
    network.all_at(network.highest()).await;

    // One dies and comes back.
    let victim = network.pick(MEMBERS);
    let others: Vec<usize> = ALL.into_iter().filter(|index| *index != victim).collect();
    network.kill(victim).await;
    network.transfer(6, &others).await;
    let alive = network.start(victim).await;
    network.alive[victim] = Some(alive);
    network.all_at(network.highest()).await;
    network.transfer(2, &[victim]).await;

    // Two against two: nothing becomes final but what was on its way.
    let friend = (victim + 1) % MEMBERS;
    network.split(|index| index == victim || index == friend).await;
    network.context.sleep(Duration::from_secs(2)).await;
    let before = network.highest();
    network.context.sleep(Duration::from_secs(20)).await;
    assert_eq!(network.highest(), before, "no quorum, no block");
    network.heal().await;
    network.transfer(4, &ALL).await;

    // In the middle of something.
    let handle = network.handles()[victim].clone();
    network.all_at(network.highest()).await;
    let nonce = query::next_nonce(&*handle.view(), &fixture::account(1)).expect("readable");
    for nonce in nonce..nonce + 5 {
        handle.submit(transfer(&genesis(), 1, 2, nonce, 1_000)).expect("a good transfer");
    }
    let rest = u64::try_from(network.pick(150)).expect("small");
    network.context.sleep(Duration::from_millis(rest)).await;
}

pub(crate) async fn after_it_is_back(context: Context, world: World) -> Vec<(SideHeight, Digest)> {
    let mut network = Network::new(context, world).await;
    network.transfer(6, &ALL).await;
    let goal = network.highest();
    network.all_at(goal).await;
    let (mut chain, mut by_descendant) = (Vec::new(), 0);
    for height in 1..=goal.get() {
        let height = SideHeight::new(height);
        let mut headers = Vec::new();
        for handle in network.handles() {
            let (block, certificate) = handle.block(height).expect("readable").expect("it is there");
            let epochs = handle.core().committees.known();
            epochs.epochs.verify_block(&block, &certificate).expect("each certificate holds");
            by_descendant += usize::from(certificate[..4] != [0; 4]);
            headers.push(block.header);
        }
        assert!(headers.iter().all(|header| *header == headers[0]), "a fork at {height}");
        chain.push((height, headers[0].state_root));
    }
    println!("{by_descendant} certificates by way of a descendant");
    assert!(network.handles().iter().all(|handle| handle.trouble().is_none()));
    chain
}

fn simulate(seed: u64, dir: &Path) -> (String, Vec<(SideHeight, Digest)>) {
    println!("WINDLASS_SEED={seed}");
    let world = World::new(dir);
    let config = Config::new().with_seed(seed).with_timeout(Some(Duration::from_secs(3600)));
    let (first, second) = (world.clone(), world);
    // The power goes: what the engine has not synced to its disk is lost.
    let ((), checkpoint) = Runner::new(config).start_and_recover(|context| until_the_power_goes(context, first));
    let (chain, checkpoint) = Runner::from(checkpoint).start_and_recover(|context| after_it_is_back(context, second));
    (checkpoint.auditor().state(), chain)
}

#[test]
fn simulation_without_a_fork() {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().try_init();
    let seeds = match std::env::var("WINDLASS_SEED") {
        Ok(seed) => vec![seed.parse().expect("WINDLASS_SEED is a number")],
        Err(_) => vec![1, 2],
    };
    for seed in seeds {
        let dir = tempfile::tempdir().expect("a directory");
        let (_, chain) = simulate(seed, dir.path());
        println!("{} blocks", chain.len());
        assert!(chain.len() > 30);
    }
}

#[test]
fn simulation_replays_from_its_seed() {
    let runs: Vec<_> = (0..2)
        .map(|_| {
            let dir = tempfile::tempdir().expect("a directory");
            simulate(11, dir.path())
        })
        .collect();
    assert_eq!(runs[0].1, runs[1].1, "the same chain");
    assert_eq!(runs[0].0, runs[1].0, "the same events");
}

#[test]
fn transactions_of_one_account_fly_in_any_order() {
    use crate::SubmitError;
    use windlass_ledger::TxError;
    let dir = tempfile::tempdir().expect("a directory");
    let world = World::new(dir.path());
    let config = Config::new().with_seed(7).with_timeout(Some(Duration::from_secs(3600)));
    Runner::new(config).start(|context| async move {
        let network = Network::new(context, world).await;
        network.fund(1).await;
        let (handles, genesis) = (network.handles(), genesis());
        let first = query::next_nonce(&*handles[0].view(), &fixture::account(1)).expect("readable");
        // From the far end to the near, each at another member: none needs the one before it.
        let sent: Vec<_> = (0..20).rev().map(|ahead| transfer(&genesis, 1, 2, first + ahead, 1_000)).collect();
        for (place, transaction) in sent.iter().enumerate() {
            handles[place % MEMBERS].submit(transaction.clone()).expect("its nonce is open");
        }
        // Each could be paid, but not all that wait at this member.
        let dear = handles[0].submit(transfer(&genesis, 1, 2, first + 20, 9_995_500));
        assert!(matches!(dear, Err(SubmitError::Refused(TxError::Insufficient { .. }))), "{dear:?}");
        let is_final = |handle: &Handle| {
            sent.iter().all(|transaction| matches!(handle.tx_status(&transaction.id()), Ok(TxStatus::Final { .. })))
        };
        network.wait("all are final everywhere", || handles.iter().all(is_final)).await;
        assert_eq!(query::next_nonce(&*handles[0].view(), &fixture::account(1)), Ok(first + 20));
        for transaction in sent {
            assert!(matches!(handles[1].submit(transaction), Err(SubmitError::Final(_))), "a replay");
        }
    });
}
