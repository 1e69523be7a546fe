//! Real members on loopback.

use crate::fixture::{self, FakeBitcoin, MEMBERS, balance, confirm_batch, deposit, genesis, transfer};
use crate::{
    ChainStore, Follower, Handle, LinkSender, Links, Member, NoPorts, StartError, SubmitError, Timing, To, TxStatus,
    follow_into, verify_block,
};
use bitcoin::Amount;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use windlass_ledger::{MemoryState, TxError, genesis_state};
use windlass_store::Store;
use windlass_types::SideHeight;

const DEADLINE: Duration = Duration::from_secs(60);

pub fn addresses() -> Vec<SocketAddr> {
    let held: Vec<TcpListener> = (0..MEMBERS).map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port")).collect();
    held.iter().map(|listener| listener.local_addr().expect("bound")).collect()
}

/// A member on a thread of its own; stops when dropped.
pub struct Running {
    pub handle: Handle,
    links: LinkSender,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().expect("a member doesn't panic");
        }
    }
}

fn start(index: usize, addresses: &[SocketAddr], dir: &Path, bitcoin: &FakeBitcoin) -> Result<Running, StartError> {
    start_with(index, addresses, dir, bitcoin, Timing::with_heartbeat(Duration::from_millis(400)))
}

pub fn start_with(
    index: usize,
    addresses: &[SocketAddr],
    dir: &Path,
    bitcoin: &FakeBitcoin,
    timing: Timing,
) -> Result<Running, StartError> {
    let dir = dir.join(format!("f{}", index + 1));
    std::fs::create_dir_all(&dir).expect("a writable directory");
    let config = fixture::config(index, addresses, &dir, timing);
    let bitcoin = Arc::new(bitcoin.clone());
    let (ready, started) = mpsc::channel();
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let thread = std::thread::spawn(move || {
        crate::run(&dir, |context| async move {
            let (member, links) = Member::join(context, config).expect("it joins");
            let sender = links.sender();
            let begun = member.start_consensus(genesis(), bitcoin, Arc::new(NoPorts)).await;
            let failed = begun.is_err();
            ready.send(begun.map(|handle| (handle, sender))).expect("someone waits");
            if !failed {
                let _ = stopped.await;
            }
            drop::<Links>(links);
        });
    });
    let (handle, links) = match started.recv().expect("it answers") {
        Ok(parts) => parts,
        Err(error) => {
            thread.join().expect("a member doesn't panic");
            return Err(error);
        }
    };
    Ok(Running { handle, links, stop: Some(stop), thread: Some(thread) })
}

#[track_caller]
pub fn wait(what: &str, mut done: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < DEADLINE, "not within {DEADLINE:?}: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
    begun.elapsed()
}

pub fn fund(members: &[&Running], bitcoin: &FakeBitcoin, names: &[u8], amount: Amount) {
    let genesis = genesis();
    let claims = deposit(bitcoin, &genesis, names, amount);
    members.iter().for_each(|member| member.handle.note_anchor(bitcoin.tip()));
    wait("the deposit's block is anchored", || members[0].handle.tip().anchor.height == bitcoin.tip());
    for claim in claims {
        members[0].handle.submit(claim).expect("a good claim");
    }
    wait("the batch is fixed", || confirm_batch(bitcoin, &genesis, &members[0].handle));
    members.iter().for_each(|member| member.handle.note_anchor(bitcoin.tip()));
    for member in members {
        wait("the deposits are minted", || names.iter().all(|name| balance(&member.handle, *name) > Amount::ZERO));
    }
}

pub fn trace() {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().try_init();
}

#[test]
fn four_members_make_transfers_final_lose_one_and_catch_it_up() {
    trace();
    let dir = tempfile::tempdir().expect("a directory");
    let (addresses, bitcoin, genesis) = (addresses(), FakeBitcoin::default(), genesis());
    let mut members: Vec<Option<Running>> =
        (0..MEMBERS).map(|index| start(index, &addresses, dir.path(), &bitcoin).ok()).collect();
    let all: Vec<&Running> = members.iter().flatten().collect();
    assert_eq!(all.len(), MEMBERS);
    wait("all see each other", || all.iter().all(|member| member.links.connected().len() == MEMBERS - 1));
    fund(&all, &bitcoin, &[1, 2], Amount::from_sat(1_000_000));

    // A lone transaction is final on the member that took it well before a heartbeat is over.
    let mut waits = Vec::new();
    for nonce in 0..10 {
        let member = &all[usize::try_from(nonce).expect("small") % MEMBERS];
        wait("the account's turn", || {
            windlass_ledger::check(&genesis, &*member.handle.view(), &transfer(&genesis, 1, 3, nonce, 1_000)).is_ok()
        });
        let id = member.handle.submit(transfer(&genesis, 1, 3, nonce, 1_000)).expect("a good transfer");
        waits.push(wait("it is final", || matches!(member.handle.tx_status(&id), Ok(TxStatus::Final { .. }))));
    }
    waits.sort();
    println!("a lone transfer is final in {:?} (median), {:?} (worst)", waits[5], waits[9]);
    for member in &all {
        wait("all have it", || balance(&member.handle, 3) == Amount::from_sat(10_000));
    }

    // One dies. The others go on, and it catches up when it is back.
    members[2] = None;
    let left: Vec<&Running> = members.iter().flatten().collect();
    let begun = Instant::now();
    for nonce in 10..30 {
        let member = &left[usize::try_from(nonce).expect("small") % left.len()];
        wait("the account's turn", || {
            windlass_ledger::check(&genesis, &*member.handle.view(), &transfer(&genesis, 1, 3, nonce, 1_000)).is_ok()
        });
        let id = member.handle.submit(transfer(&genesis, 1, 3, nonce, 1_000)).expect("a good transfer");
        wait("it is final", || matches!(member.handle.tx_status(&id), Ok(TxStatus::Final { .. })));
    }
    println!("20 transfers one after the other with one of four dead: {:?}", begun.elapsed());
    let goal = left[0].handle.tip();
    members[2] = start(2, &addresses, dir.path(), &bitcoin).ok();
    let back = members[2].as_ref().expect("it starts again");
    let took = wait("it catches up", || back.handle.tip().height >= goal.height);
    println!("caught up in {took:?}");
    wait("it has the balances", || balance(&back.handle, 3) == Amount::from_sat(30_000));
    for height in 1..=goal.height.get() {
        let height = SideHeight::new(height);
        let of = |member: &Running| member.handle.block(height).expect("a readable store").expect("final").0.header;
        let header = of(members[0].as_ref().expect("runs"));
        assert!(members.iter().flatten().all(|member| of(member) == header), "one history");
    }
    follows(members[0].as_ref().expect("runs"), goal.height, dir.path());
}

#[test]
fn case_26_two_of_four_down_stalls_and_resumes() {
    trace();
    let dir = tempfile::tempdir().expect("a directory");
    let (addresses, bitcoin, genesis) = (addresses(), FakeBitcoin::default(), genesis());
    let mut members: Vec<Option<Running>> =
        (0..MEMBERS).map(|index| start(index, &addresses, dir.path(), &bitcoin).ok()).collect();
    fund(&members.iter().flatten().collect::<Vec<_>>(), &bitcoin, &[1], Amount::from_sat(1_000_000));
    members[1] = None;
    members[2] = None;
    let left = members[0].as_ref().expect("runs").handle.clone();
    let nonce = left.next_nonce(&fixture::account(1)).expect("readable");
    let id = left.submit(transfer(&genesis, 1, 3, nonce, 1_000)).expect("it is taken all the same");
    assert_eq!(left.next_nonce(&fixture::account(1)), Ok(nonce + 1));
    // Silence that lasts many times longer than a transaction takes.
    wait("the links notice", || members[0].as_ref().expect("runs").links.connected() == [3]);
    assert_eq!(left.tx_status(&id), Ok(TxStatus::Waiting));
    members[1] = start(1, &addresses, dir.path(), &bitcoin).ok();
    let took = wait("it resumes", || matches!(left.tx_status(&id), Ok(TxStatus::Final { .. })));
    println!("final {took:?} after the third member is back");
}

/// A follower that knows the genesis alone accepts all blocks, and no forged one.
fn follows(member: &Running, to: SideHeight, dir: &Path) {
    let genesis = Arc::new(genesis());
    let identities = genesis.identities();
    let mut state = MemoryState::default();
    state.commit(&genesis_state(&genesis).0);
    let mut follower = Follower::new(genesis.clone(), Arc::new(state)).expect("a good genesis");
    let mut blocks = Vec::new();
    for height in 1..=to.get() {
        let (block, certificate) = member.handle.block(SideHeight::new(height)).expect("readable").expect("final");
        verify_block(&identities, genesis.chain_id(), &block, &certificate).expect("a good certificate");
        assert!(crate::signers(&identities, &certificate).expect("it decodes").len() >= 3);
        let mut forged = block.clone();
        forged.header.supply = Amount::from_sat(1);
        assert!(verify_block(&identities, genesis.chain_id(), &forged, &certificate).is_err());
        for cut in [0, certificate.len() / 2, certificate.len() - 1] {
            assert!(verify_block(&identities, genesis.chain_id(), &block, &certificate[..cut]).is_err());
        }
        let strangers: Vec<[u8; 32]> = (10..14).map(|index| crate::identity_of(&fixture::seed(index))).collect();
        assert!(verify_block(&strangers, genesis.chain_id(), &block, &certificate).is_err());
        follower.follow(Arc::new(block.clone()), certificate.clone()).expect("it follows");
        blocks.push((block, certificate));
    }
    assert_eq!(follower.tip().height, to);
    let store = Store::open(dir.join("follower.redb")).expect("a new file");
    let chain = ChainStore::open(store, genesis).expect("a new chain");
    let skipped = follow_into(&chain, blocks[1..].to_vec());
    assert!(skipped.is_err(), "a gap is refused");
    let tip = follow_into(&chain, blocks).expect("it follows");
    assert_eq!(tip, *follower.tip());
}

#[test]
fn bad_transactions_are_refused_by_name() {
    trace();
    let dir = tempfile::tempdir().expect("a directory");
    let (addresses, bitcoin, genesis) = (addresses(), FakeBitcoin::default(), genesis());
    // One member of four is enough to refuse.
    let member = start(0, &addresses, dir.path(), &bitcoin).expect("it starts");
    let handle = &member.handle;
    assert!(matches!(handle.submit_bytes(b"junk"), Err(SubmitError::Malformed(_))));
    assert!(matches!(handle.submit_bytes(&vec![0; 600_000]), Err(SubmitError::TooLong { bytes: 600_000 })));
    let good = transfer(&genesis, 1, 2, 0, 1_000);
    let mut trailing = good.encode();
    trailing.push(0);
    assert!(matches!(handle.submit_bytes(&trailing), Err(SubmitError::Malformed(_))));
    assert!(matches!(handle.submit(good.clone()), Err(SubmitError::Refused(TxError::Insufficient { .. }))));
    let mut forged = good.clone();
    forged.witness = windlass_ledger::Witness::Key([1; 64]);
    assert!(matches!(handle.submit(forged), Err(SubmitError::Refused(TxError::Signature(_)))));
    let mut foreign = good;
    foreign.chain = windlass_types::ChainId(windlass_types::Digest([9; 32]));
    assert!(matches!(handle.submit(foreign), Err(SubmitError::Refused(TxError::ForeignChain { .. }))));
    let ahead = transfer(&genesis, 1, 2, 64, 1_000);
    assert!(matches!(handle.submit(ahead), Err(SubmitError::Refused(TxError::NonceAhead { .. }))));
    assert_eq!(handle.waiting(), 0);
}

#[test]
fn links_work_before_there_is_a_chain() {
    trace();
    let dir = tempfile::tempdir().expect("a directory");
    let addresses = addresses();
    let barrier = Arc::new(tokio::sync::Barrier::new(MEMBERS));
    let threads: Vec<_> = (0..MEMBERS)
        .map(|index| {
            let dir: PathBuf = dir.path().join(index.to_string());
            std::fs::create_dir_all(&dir).expect("a writable directory");
            let config = fixture::config(index, &addresses, &dir, Timing::default());
            let all_done = barrier.clone();
            std::thread::spawn(move || {
                crate::run(&dir, |context| async move {
                    let (member, links) = Member::join(context, config).expect("it joins");
                    assert_eq!(usize::from(member.me()), index);
                    let (sender, mut messages) = links.split();
                    sender.all_connected().await.expect("the network runs");
                    // tokio's own tasks work on this runtime.
                    tokio::spawn(async { tokio::time::sleep(Duration::from_millis(1)).await }).await.expect("it runs");
                    sender.send(To::All, vec![sender.me() as u8; 1000]).expect("room");
                    assert!(sender.send(To::One(sender.me()), vec![]).is_err());
                    let (mut from, mut done) = (Vec::new(), 0);
                    while done < MEMBERS - 1 {
                        let (member, message) = messages.recv().await.expect("the network runs");
                        if message == b"done" {
                            // In order: a member is done after its first message.
                            assert!(from.contains(&member));
                            done += 1;
                            continue;
                        }
                        assert_eq!(message, vec![member as u8; 1000]);
                        from.push(member);
                        if from.len() == MEMBERS - 1 {
                            sender.send(To::All, b"done".to_vec()).expect("room");
                        }
                    }
                    // What was sent last may be on its way to the others still.
                    all_done.wait().await;
                });
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().expect("no member fails"));
}

#[test]
fn a_member_without_its_journal_does_not_start() {
    trace();
    let dir = tempfile::tempdir().expect("a directory");
    let (addresses, bitcoin) = (addresses(), FakeBitcoin::default());
    let members: Vec<Running> =
        (0..MEMBERS).map(|index| start(index, &addresses, dir.path(), &bitcoin).expect("it starts")).collect();
    let voted = dir.path().join("f1").join(crate::VOTED_FILE);
    wait("a block is final", || members[0].handle.tip().height > SideHeight::new(2));
    wait("the mark is left", || voted.exists());
    drop(members);
    std::fs::remove_dir_all(dir.path().join("f1").join(crate::ENGINE_DIR)).expect("it is there");
    let refused = start(0, &addresses, dir.path(), &bitcoin);
    assert!(matches!(refused, Err(StartError::JournalLost { .. })));
    // Nor if its chain is gone too.
    std::fs::remove_file(dir.path().join("f1").join(crate::CHAIN_FILE)).expect("it is there");
    let refused = start(0, &addresses, dir.path(), &bitcoin);
    assert!(matches!(refused, Err(StartError::JournalLost { .. })));
}
