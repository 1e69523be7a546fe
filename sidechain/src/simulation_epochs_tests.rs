//! A member's identity is exchanged while the chain goes on: with members away across the boundary, with the power
//! gone on each side of it, with the former identity still there, and over several epochs.

use crate::engine::committee::private_key;
use crate::fixture::{self, MEMBERS};
use crate::simulation_peg_tests::genesis;
use crate::simulation_tests::{ALL, Network, World, after_it_is_back};
use crate::{ENGINE_DIR, Follower, Handle, StartError, endorse, identity_of};
use commonware_cryptography::Signer as _;
use commonware_runtime::deterministic::{Config, Context, Runner};
use commonware_runtime::{Clock as _, Runner as _, Storage as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use windlass_ledger::{
    MemberSignature, MemoryState, ParamsChange, Proposal, Transaction, enrolment, genesis_state, query,
};
use windlass_light::Epochs;
use windlass_types::SideHeight;

/// The delay of a change, of the tests' genesis.
const DELAY: u64 = 20;

impl Network {
    /// The identity that a place has in force, by its number among all.
    fn number(&self, index: usize) -> usize {
        index + self.generation[index] * MEMBERS
    }

    /// A proposal signed by these members, under the identities that they run with.
    fn proposed(&self, change: ParamsChange, by: &[usize]) -> Transaction {
        let view = self.handles()[0].view();
        let number = query::params(&*view).expect("readable").proposals + 1;
        let mut proposal = Proposal { number, change, signatures: Vec::new() };
        let digest = proposal.digest(genesis().chain_id());
        for member in by {
            let signature = endorse(&fixture::seed(self.number(*member)), &digest.0);
            let member = u16::try_from(*member).expect("few members");
            proposal.signatures.push(MemberSignature { member, signature });
        }
        Transaction::proposal(genesis().chain_id(), proposal)
    }

    /// Has the members propose that `index` gets its next identity; returns the first block of the epoch.
    async fn replace(&mut self, index: usize, by: &[usize]) -> SideHeight {
        let next = self.number(index) + MEMBERS;
        let (chain, member) = (genesis().chain_id(), u16::try_from(index).expect("few members"));
        let identity = identity_of(&fixture::seed(next));
        let consent = endorse(&fixture::seed(next), &enrolment(chain, member, &identity).0);
        let height = SideHeight::new(self.highest().get() + DELAY + 10);
        let change = ParamsChange::Replace { height, member, identity, consent };
        let transaction = self.proposed(change, by);
        let handles = self.handles();
        handles[0].submit(transaction).expect("a good proposal");
        let has_it = |handle: &Handle| {
            query::membership(&*handle.view()).expect("readable").next.is_some_and(|next| next.first == height)
        };
        self.wait("the epoch is to come", || handles.iter().all(has_it)).await;
        height
    }

    /// The newest identity of `index` begins, in a folder of its own.
    async fn begin_anew(&mut self, index: usize) {
        if self.alive[index].is_some() {
            self.kill(index).await;
        }
        self.generation[index] += 1;
        let alive = self.start(index).await;
        self.alive[index] = Some(alive);
    }

    async fn reach(&self, height: SideHeight) {
        self.wait("the height is reached", || self.highest() >= height).await;
    }

    /// Whether `index` has voted for one of the newest blocks.
    async fn votes(&self, index: usize) {
        let from = self.highest();
        let handle = self.handles()[0].clone();
        let voted = || {
            let newest = handle.tip().height;
            (from.get()..=newest.get()).any(|height| {
                let Some((_, certificate)) = handle.block(SideHeight::new(height)).expect("readable") else {
                    return false;
                };
                let known = handle.core().committees.known();
                let committee = known.epochs.at(SideHeight::new(height));
                let header = handle.block(SideHeight::new(height)).expect("readable").expect("there").0.header;
                let signers = windlass_light::verify_header(committee, header.chain, &header, &certificate);
                signers.expect("it holds").contains(&u16::try_from(index).expect("few"))
            })
        };
        self.wait("its vote is in a certificate", voted).await;
    }
}

fn run<Fut: Future<Output = ()>>(seed: u64, life: impl FnOnce(Context, World) -> Fut) {
    let dir = tempfile::tempdir().expect("a directory");
    let world = World { heartbeat: Duration::from_millis(200), ..World::new(dir.path()) };
    let config = Config::new().with_seed(seed).with_timeout(Some(Duration::from_secs(7200)));
    Runner::new(config).start(|context| life(context, world));
}

/// What followers and light clients make of the chain: it replays from the genesis, over the links.
fn follows(handle: &Handle) {
    let genesis = Arc::new(genesis());
    let mut state = MemoryState::default();
    state.commit(&genesis_state(&genesis).0);
    let mut follower = Follower::new(genesis.clone(), Arc::new(state)).expect("a good genesis");
    let mut light = Epochs::of_genesis(&genesis).expect("members");
    let links = handle.chain().links().expect("readable");
    for link in &links {
        light.cross(link).expect("a good link");
    }
    for height in 1..=handle.tip().height.get() {
        let (block, certificate) = handle.block(SideHeight::new(height)).expect("readable").expect("it is there");
        light.verify_block(&block, &certificate).expect("it holds for a light client");
        follower.follow(Arc::new(block), certificate).expect("it follows");
    }
    // No epoch can be skipped, and none can be told twice.
    for skipped in 0..links.len() {
        let mut light = Epochs::of_genesis(&genesis).expect("members");
        let mut rest = links.clone();
        rest.remove(skipped);
        let outcome = rest.iter().try_for_each(|link| light.cross(link));
        assert!(outcome.is_err() || skipped + 1 == links.len(), "link {skipped} is missing");
    }
}

#[test]
fn a_member_comes_back_under_another_identity() {
    run(1, |context, world| async move {
        let mut network = Network::new(context, world).await;
        network.fund(1).await;
        // Its journal is lost: it refuses by name.
        network.kill(3).await;
        network.context.remove("f4-votes-0", None).await.expect("it is there");
        match network.try_start(3).await {
            Err(StartError::JournalLost { journal }) => {
                assert!(journal.ends_with(Path::new(ENGINE_DIR).join("votes-0")))
            }
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("it votes twice"),
        }
        // The others exchange its identity; the new one follows at first and then votes.
        let first = network.replace(3, &[0, 1, 2]).await;
        network.begin_anew(3).await;
        network.transfer(3, &[0, 1, 2]).await;
        network.reach(first).await;
        network.transfer(3, &ALL).await;
        network.votes(3).await;
        let payment = network.burn(&ALL).await;
        network.paid(&payment).await;
        network.all_at(network.highest()).await;
        assert!(network.handles().iter().all(|handle| handle.trouble().is_none() && handle.fork().is_none()));
        follows(&network.handles()[3]);
        // In the new epoch its vote counts as one of three of four.
        network.kill(0).await;
        network.transfer(2, &[1, 2, 3]).await;
    });
}

#[test]
fn the_former_identity_counts_as_nobody() {
    run(2, |context, world| async move {
        let mut network = Network::new(context, world).await;
        network.fund(1).await;
        // The former one keeps running, the new one never does.
        let first = network.replace(3, &[0, 1, 2]).await;
        network.reach(first).await;
        network.transfer(2, &[0, 1, 2]).await;
        network.all_at(network.highest()).await;
        // With one more away there is no quorum: the former identity's vote is none.
        network.kill(0).await;
        let before = network.highest();
        network.context.sleep(Duration::from_secs(20)).await;
        assert!(network.highest().get() <= before.get() + 1, "no quorum, no block");
        // It has no word under proposals either.
        let stale = network.proposed(ParamsChange::Cancel, &[1, 2, 3]);
        assert!(network.handles()[0].submit(stale).is_err());
        let alive = network.start(0).await;
        network.alive[0] = Some(alive);
        network.transfer(2, &[0, 1, 2]).await;
        // Both at once: the new one votes, and nothing forks.
        let former = network.alive[3].take();
        network.generation[3] += 1;
        let alive = network.start(3).await;
        network.alive[3] = Some(alive);
        network.transfer(2, &ALL).await;
        network.votes(3).await;
        network.all_at(network.highest()).await;
        drop(former);
        follows(&network.handles()[0]);
    });
}

#[test]
fn a_member_that_was_away_for_several_epochs_comes_back() {
    run(3, |context, world| async move {
        let mut network = Network::new(context, world).await;
        network.fund(1).await;
        network.kill(1).await;
        for round in 0..3 {
            let first = network.replace(3, &[0, 2, 3]).await;
            // Three of four are here, so the former identity votes up to the last block of its epoch.
            network.reach(SideHeight::new(first.get() - 1)).await;
            network.begin_anew(3).await;
            network.reach(SideHeight::new(first.get() + 2)).await;
            network.transfer(1, &[0, 2]).await;
            println!("epoch {} at block {}", round + 1, network.highest());
        }
        let alive = network.start(1).await;
        network.alive[1] = Some(alive);
        network.all_at(network.highest()).await;
        network.transfer(2, &ALL).await;
        network.votes(1).await;
        follows(&network.handles()[1]);
    });
}

#[test]
fn a_third_is_away_across_the_boundary() {
    run(4, |context, world| async move {
        let mut network = Network::new(context, world).await;
        network.fund(1).await;
        for victim in [0, 2] {
            let first = network.replace(3, &[0, 1, 2, 3]).await;
            network.reach(SideHeight::new(first.get() - 4)).await;
            network.split(|index| index == victim).await;
            let others: Vec<usize> = ALL.into_iter().filter(|index| *index != victim).collect();
            network.reach(SideHeight::new(first.get() - 1)).await;
            network.begin_anew(3).await;
            network.wait("the epoch begins", || network.highest() > first).await;
            network.transfer(2, &others).await;
            network.heal().await;
            network.all_at(network.highest()).await;
            network.transfer(2, &ALL).await;
            network.votes(victim).await;
        }
    });
}

/// The power goes for all when `before` blocks are left to the boundary, and comes back.
fn powerless(seed: u64, before: u64, rest: u64) {
    println!("WINDLASS_SEED={seed}, {before} blocks before the boundary and {rest} ms");
    let dir = tempfile::tempdir().expect("a directory");
    let world = World { heartbeat: Duration::from_millis(200), ..World::new(dir.path()) };
    let config = Config::new().with_seed(seed).with_timeout(Some(Duration::from_secs(3600)));
    let (first, second) = (world.clone(), world);
    let life = |context: Context| async move {
        let mut network = Network::new(context, first).await;
        network.fund(1).await;
        let first = network.replace(2, &[0, 1, 2, 3]).await;
        network.reach(SideHeight::new(first.get() - 1 - before)).await;
        network.context.sleep(Duration::from_millis(rest)).await;
    };
    let ((), checkpoint) = Runner::new(config).start_and_recover(life);
    let (chain, _) = Runner::from(checkpoint).start_and_recover(|context| after_it_is_back(context, second));
    assert!(chain.len() > 20);
}

#[test]
fn the_power_goes_on_each_side_of_the_boundary() {
    for (seed, (before, rest)) in (1..).zip([(1, 0), (0, 0), (0, 20), (0, 60), (1, 150)]) {
        powerless(seed, before, rest);
    }
}

#[test]
fn an_epoch_that_is_dropped_does_not_begin() {
    run(6, |context, world| async move {
        let mut network = Network::new(context, world).await;
        network.fund(1).await;
        let first = network.replace(3, &[0, 1, 2]).await;
        // The last block that may drop it is the eleventh before.
        network.reach(SideHeight::new(first.get() - 16)).await;
        let handles = network.handles();
        handles[0].submit(network.proposed(ParamsChange::Cancel, &[0, 1, 3])).expect("it is in time");
        let is_dropped = |handle: &Handle| query::membership(&*handle.view()).expect("readable").next.is_none();
        network.wait("it is dropped", || handles.iter().all(is_dropped)).await;
        network.reach(SideHeight::new(first.get() + 3)).await;
        network.transfer(2, &ALL).await;
        assert_eq!(query::epoch_at(&*handles[1].view(), network.highest()), Ok(0));
        assert!(private_key(fixture::seed(3).bytes()).public_key() == network.keys[3]);
        network.votes(3).await;
    });
}
