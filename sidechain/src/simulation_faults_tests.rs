//! Whole lives from a seed: crashes, partitions, delays, reorganisations of Bitcoin and lies, in an order that the
//! seed decides; and single faults by name.
//!
//! `just sim` runs 200 seeds; `WINDLASS_SEED=7 cargo test -p windlass-sidechain seeds` runs one of them again. What
//! holds at each block of each member is checked by the `Witness` of `simulation_tests`.

use crate::fixture::{self, MEMBERS, transfer};
use crate::simulation_lies_tests::{BUSY, LIES, Lie};
use crate::simulation_peg_tests::genesis;
use crate::simulation_tests::{ALL, Network, World, after_it_is_back};
use commonware_runtime::deterministic::{Config, Context, Runner};
use commonware_runtime::{Clock as _, Runner as _};
use std::path::Path;
use std::time::Duration;
use windlass_ledger::query;
use windlass_types::{Digest, SideHeight};

/// Faults of one life.
const STEPS: usize = 4;
/// Seeds of a plain `cargo test`.
const FEW: u64 = 3;

#[derive(Debug, Clone, Copy)]
enum Fault {
    Crash,
    CrashOfAll,
    Partition,
    Halves,
    Delay,
    Reorg,
    Burst,
    CrashWhileSigning,
}

const FAULTS: [Fault; 8] = [
    Fault::Crash,
    Fault::CrashOfAll,
    Fault::Partition,
    Fault::Halves,
    Fault::Delay,
    Fault::Reorg,
    Fault::Burst,
    Fault::CrashWhileSigning,
];

/// A life, with a liar in one place or none. With a liar the three others are needed for each block.
async fn life(mut context: Context, world: World) {
    let lie = pick_lie(&mut context);
    let mut network = Network::without(context, world, lie.map(|_| MEMBERS - 1)).await;
    if let Some(lie) = lie {
        println!("member {MEMBERS}: {lie:?}");
        lie.start(&network, MEMBERS - 1).await;
    }
    let honest: Vec<usize> = ALL.into_iter().filter(|index| lie.is_none() || *index != MEMBERS - 1).collect();
    network.fund(1).await;
    network.fund(BUSY).await;
    network.transfer(2, &honest).await;
    for _ in 0..STEPS {
        let fault = FAULTS[network.pick(FAULTS.len())];
        println!("{fault:?} at block {}", network.highest());
        strike(&mut network, fault, &honest, lie).await;
        network.transfer(2, &honest).await;
        let payment = network.burn(&honest).await;
        network.paid(&payment).await;
        network.all_at(network.highest()).await;
    }
    assert!(network.handles().iter().all(|handle| handle.trouble().is_none() && handle.fork().is_none()));
    assert!(network.handles().iter().all(|handle| {
        handle.misbehaviour().iter().all(|found| lie.is_some() && usize::from(found.member) == MEMBERS - 1)
    }));
    // The power goes in the middle of something.
    let rest = u64::try_from(network.pick(150)).expect("small");
    submit(&network, honest[0], 5);
    network.context.sleep(Duration::from_millis(rest)).await;
}

/// A lie in one life of three.
fn pick_lie(context: &mut Context) -> Option<Lie> {
    use rand_core_10::Rng as _;
    let number = usize::try_from(context.next_u32()).expect("64 bits");
    number.is_multiple_of(3).then(|| LIES[number / 3 % LIES.len()])
}

async fn strike(network: &mut Network, fault: Fault, honest: &[usize], lie: Option<Lie>) {
    let victim = honest[network.pick(honest.len())];
    let others: Vec<usize> = honest.iter().copied().filter(|index| *index != victim).collect();
    let pause = Duration::from_millis(u64::try_from(network.pick(4_000)).expect("small"));
    match fault {
        Fault::Crash => {
            network.kill(victim).await;
            if lie.is_none() {
                network.transfer(2, &others).await;
            }
            network.context.sleep(pause).await;
            let alive = network.start(victim).await;
            network.alive[victim] = Some(alive);
        }
        Fault::CrashOfAll => {
            submit(network, victim, 3);
            network.context.sleep(pause / 20).await;
            for index in honest {
                network.kill(*index).await;
            }
            for index in honest {
                let alive = network.start(*index).await;
                network.alive[*index] = Some(alive);
            }
        }
        Fault::Partition => {
            network.split(|index| index == victim).await;
            if lie.is_none() {
                network.transfer(2, &others).await;
            }
            network.context.sleep(pause).await;
            network.heal().await;
        }
        Fault::Halves => {
            let friend = others[0];
            network.split(|index| index == victim || index == friend).await;
            network.context.sleep(pause).await;
            network.heal().await;
        }
        Fault::Delay => {
            let latency = Duration::from_millis(50 + u64::try_from(network.pick(300)).expect("small"));
            network.link(|index| index == victim, latency, latency / 2).await;
            network.transfer(2, honest).await;
            network.heal().await;
        }
        Fault::Reorg => {
            // What no anchor has reached yet is replaced, by more; a payment is in it, and waits again.
            let payment = network.burn(honest).await;
            network.wait("the payment is signed", || network.world.bitcoin.waiting() > 0).await;
            network.world.bitcoin.hide(2);
            network.world.bitcoin.mine_waiting();
            network.world.bitcoin.mine(Vec::new());
            network.context.sleep(pause / 4).await;
            network.world.bitcoin.reorg();
            network.world.bitcoin.hide(0);
            let tip = network.world.bitcoin.tip();
            network.handles().iter().for_each(|handle| handle.note_anchor(tip));
            let handles = network.handles();
            network.wait("the new blocks are anchored", || handles[0].tip().anchor.height == tip).await;
            network.paid(&payment).await;
        }
        Fault::Burst => submit(network, victim, 20),
        Fault::CrashWhileSigning => {
            let payment = network.burn(honest).await;
            network.context.sleep(pause / 8).await;
            network.kill(victim).await;
            network.context.sleep(pause).await;
            let alive = network.start(victim).await;
            network.alive[victim] = Some(alive);
            network.paid(&payment).await;
        }
    }
}

/// Hands in transfers without waiting for them.
fn submit(network: &Network, index: usize, count: u64) {
    let handle = network.alive[index].as_ref().expect("it is alive").handle.clone();
    let first = handle.next_nonce(&fixture::account(BUSY)).expect("readable");
    for nonce in first..first + count {
        // Another member's may be in the way.
        let _ = handle.submit(transfer(&genesis(), BUSY, 2, nonce, 10));
    }
}

fn run(seed: u64, dir: &Path) -> (String, Vec<(SideHeight, Digest)>) {
    println!("WINDLASS_SEED={seed}");
    let world = World::new(dir);
    let (first, second) = (world.clone(), world);
    let config = Config::new().with_seed(seed).with_timeout(Some(Duration::from_secs(7200)));
    let ((), checkpoint) = Runner::new(config).start_and_recover(|context| life(context, first));
    let (chain, checkpoint) = Runner::from(checkpoint).start_and_recover(|context| after_it_is_back(context, second));
    (checkpoint.auditor().state(), chain)
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[test]
fn lives_of_many_seeds() {
    let seeds: Vec<u64> = match number("WINDLASS_SEED") {
        Some(seed) => vec![seed],
        None => (1..=number("WINDLASS_SEEDS").unwrap_or(FEW)).collect(),
    };
    // Two at a time: a life is one thread.
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for start in 0..threads {
            let seeds = &seeds;
            scope.spawn(move || {
                for seed in seeds.iter().skip(start).step_by(threads) {
                    let dir = tempfile::tempdir().expect("a directory");
                    let life = std::panic::AssertUnwindSafe(|| run(*seed, dir.path()));
                    match std::panic::catch_unwind(life) {
                        Ok((_, chain)) => assert!(chain.len() > 10, "seed {seed}: {} blocks", chain.len()),
                        Err(cause) => {
                            eprintln!(
                                "a life failed; again: WINDLASS_SEED={seed} cargo test -p windlass-sidechain lives"
                            );
                            std::panic::resume_unwind(cause);
                        }
                    }
                }
            });
        }
    });
}

#[test]
fn a_life_is_the_same_from_the_same_seed() {
    let lives: Vec<_> = (0..2)
        .map(|_| {
            let dir = tempfile::tempdir().expect("a directory");
            run(number("WINDLASS_SEED").unwrap_or(4), dir.path())
        })
        .collect();
    assert_eq!(lives[0].1, lives[1].1, "the same chain");
    assert_eq!(lives[0].0, lives[1].0, "the same events");
}

#[test]
fn simulation_of_a_slow_member() {
    let dir = tempfile::tempdir().expect("a directory");
    let world = World::new(dir.path());
    let config = Config::new().with_seed(8).with_timeout(Some(Duration::from_secs(3600)));
    Runner::new(config).start(|context| async move {
        let mut network = Network::new(context, world).await;
        network.fund(1).await;
        // Its messages take half a second: longer than a leader's time is worth waiting for, twice.
        network.link(|index| index == 2, Duration::from_millis(500), Duration::from_millis(200)).await;
        let begun = network.context.current();
        network.transfer(10, &[0, 1, 3]).await;
        let took = network.context.current().duration_since(begun).expect("forwards");
        assert!(took < Duration::from_secs(60), "ten transfers took {took:?} beside a slow member");
        network.all_at(network.highest()).await;
        network.transfer(2, &[2]).await;
    });
}

#[test]
fn simulation_of_an_anchor_that_nobody_can_propose() {
    let dir = tempfile::tempdir().expect("a directory");
    let world = World::new(dir.path());
    let config = Config::new().with_seed(3).with_timeout(Some(Duration::from_secs(3600)));
    Runner::new(config).start(|context| async move {
        let network = Network::new(context, world).await;
        network.all_at(SideHeight::new(2)).await;
        network.handles().iter().for_each(|handle| handle.note_anchor(windlass_types::BtcHeight::new(1_000_000)));
        let before = network.highest();
        network.context.sleep(Duration::from_secs(60)).await;
        let blocks = network.highest().get() - before.get();
        // A heartbeat is 0.8 s; a lost message costs a second.
        assert!((30..95).contains(&blocks), "{blocks} blocks in a minute");
    });
}

/// A member that was away for so many blocks.
fn away_for(blocks: u64) {
    let dir = tempfile::tempdir().expect("a directory");
    let world = World { heartbeat: Duration::from_millis(1), ..World::new(dir.path()) };
    let config = Config::new().with_seed(9).with_timeout(Some(Duration::from_secs(36_000)));
    Runner::new(config).start(|context| async move {
        let mut network = Network::new(context, world).await;
        network.fund(1).await;
        network.kill(1).await;
        let goal = SideHeight::new(network.highest().get() + blocks);
        while network.highest() < goal {
            network.context.sleep(Duration::from_secs(1)).await;
        }
        network.transfer(2, &[0, 2, 3]).await;
        let goal = network.highest();
        let begun = network.context.current();
        let alive = network.start(1).await;
        network.alive[1] = Some(alive);
        while network.handles().iter().any(|handle| handle.tip().height < goal) {
            let took = network.context.current().duration_since(begun).expect("forwards");
            assert!(took < Duration::from_secs(600), "it caught up to {:?}", network.handles()[1].tip().height);
            network.context.sleep(Duration::from_millis(50)).await;
        }
        let took = network.context.current().duration_since(begun).expect("forwards");
        println!("{blocks} blocks in {took:?} of the simulation");
        let balance = |index: usize| query::balance(&*network.handles()[index].view(), &fixture::account(2));
        assert_eq!(balance(1), balance(0));
    });
}

#[test]
fn a_member_catches_up_after_300_blocks() {
    away_for(300);
}

#[test]
#[ignore = "minutes; `just sim` runs it"]
fn a_member_catches_up_after_10_000_blocks() {
    away_for(10_000);
}
