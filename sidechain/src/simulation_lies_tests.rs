//! A member that doesn't run our code, in the simulation: it votes twice, is silent, proposes what breaks the
//! rules, proposes two blocks, or a block that it keeps to itself.

use crate::engine::block::{Sealed, ours};
use crate::engine::committee::{Committee, EPOCH, private_key};
use crate::engine::lines::quota;
use crate::fixture::{self, MEMBERS, transfer};
use crate::simulation_peg_tests::genesis;
use crate::simulation_tests::{Network, World};
use crate::{Handle, PROOFS_DIR};
use commonware_codec::{DecodeExt as _, Encode as _};
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::{Notarize, Proposal, Vote};
use commonware_consensus::types::{Round, View};
use commonware_cryptography::ed25519::PublicKey;
use commonware_cryptography::{Digestible as _, sha256};
use commonware_p2p::utils::mux::Muxer;
use commonware_p2p::{Receiver as _, Recipients, Sender};
use commonware_runtime::deterministic::{Config, Context, Runner};
use commonware_runtime::{Clock as _, Runner as _, Spawner as _, Supervisor as _};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use windlass_ledger::{BitcoinInputs, Block, Transaction, build, query};
use windlass_types::Amount;

/// What the liar does; see the module's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lie {
    VotesTwice,
    Silent,
    Invalid,
    TwoBlocks,
    Withholds,
}

/// An account whose transfers come from anywhere, and may be in each other's way.
pub(crate) const BUSY: u8 = 3;

pub(crate) const LIES: [Lie; 5] = [Lie::VotesTwice, Lie::Silent, Lie::Invalid, Lie::TwoBlocks, Lie::Withholds];

/// What the liar knows: all that one honest member does.
struct Liar<V, B> {
    lie: Lie,
    scheme: Scheme,
    votes: V,
    blocks: B,
    others: Vec<PublicKey>,
    honest: Arc<Mutex<Option<Handle>>>,
    /// Blocks of its own that no ledger takes.
    refused: Arc<Mutex<BTreeSet<sha256::Digest>>>,
}

impl Lie {
    /// Starts the liar; `network`'s other members run. Blocks that it proposes against the rules are noted.
    pub async fn start(self, network: &Network, index: usize) -> Arc<Mutex<BTreeSet<sha256::Digest>>> {
        let refused = Arc::new(Mutex::new(BTreeSet::new()));
        if self == Self::Silent {
            return refused;
        }
        let control = network.oracle.control(network.keys[index].clone());
        let (votes, heard) = control.register(0, quota(0)).await.expect("the network runs");
        let (muxer, mut epochs) = Muxer::new(network.context.child("liar_votes"), votes, heard);
        muxer.start();
        let (votes, mut heard) = epochs.register(EPOCH.get()).await.expect("it runs");
        let (blocks, _unread) = control.register(3, quota(3)).await.expect("the network runs");
        let identities = genesis().identities();
        let committee = Committee::new(&identities).expect("a committee");
        let key = private_key(fixture::seed(index).bytes());
        let scheme = committee.signer(genesis().chain_id(), key).expect("a member");
        let others = (0..MEMBERS).filter(|other| *other != index).map(|other| network.keys[other].clone()).collect();
        let honest = network.spied.clone();
        let mut liar = Liar { lie: self, scheme, votes, blocks, others, honest, refused: refused.clone() };
        network.context.child("liar").spawn(move |context| async move {
            let _unread = (_unread, epochs);
            let mut done = View::new(0);
            while let Ok((_, message)) = heard.recv().await {
                let Ok(Vote::Notarize(vote)) = Vote::<Scheme, sha256::Digest>::decode(message) else { continue };
                let payload = vote.proposal.payload;
                assert!(!liar.refused.lock().expect("no panic").contains(&payload), "a member signs what it refuses");
                if liar.lie == Lie::VotesTwice {
                    let other = Proposal::new(vote.proposal.round, vote.proposal.parent, sha256::Digest([9; 32]));
                    liar.vote(vote.proposal, &Recipients::All);
                    liar.vote(other, &Recipients::All);
                } else if vote.proposal.round.view() > done {
                    done = vote.proposal.round.view();
                    liar.propose(&context, done, payload).await;
                }
            }
        });
        refused
    }
}

impl<V, B> Liar<V, B>
where
    V: Sender<PublicKey = PublicKey>,
    B: Sender<PublicKey = PublicKey>,
{
    fn vote(&mut self, proposal: Proposal<sha256::Digest>, to: &Recipients<PublicKey>) {
        let vote = Notarize::sign(&self.scheme, proposal).expect("a member signs");
        self.votes.send(to.clone(), Vote::Notarize(vote).encode(), true);
    }

    /// Acts as the leader of the view after `view`, which it is now and then.
    async fn propose(&mut self, context: &Context, view: View, parent: sha256::Digest) {
        let mut blocks = Vec::new();
        for _ in 0..20 {
            blocks = self.children(parent);
            if !blocks.is_empty() {
                break;
            }
            context.sleep(Duration::from_millis(1)).await;
        }
        let groups: Vec<Recipients<PublicKey>> = match self.lie {
            Lie::TwoBlocks => {
                vec![Recipients::One(self.others[0].clone()), Recipients::Some(self.others[1..].to_vec())]
            }
            _ => vec![Recipients::All],
        };
        for (block, to) in blocks.into_iter().zip(groups) {
            let sealed = Sealed::new(Arc::new(block));
            if self.lie == Lie::Invalid {
                self.refused.lock().expect("no panic").insert(sealed.digest());
            }
            if self.lie != Lie::Withholds {
                self.blocks.send(to.clone(), sealed.encode(), true);
            }
            let round = Round::new(EPOCH, View::new(view.get() + 1));
            self.vote(Proposal::new(round, view, sealed.digest()), &to);
        }
    }

    /// Two blocks on `parent`, the second with a transfer, if the honest member has executed it.
    fn children(&self, parent: sha256::Digest) -> Vec<Block> {
        let honest = self.honest.lock().expect("no panic").clone();
        let branch = honest.and_then(|honest| honest.core().tree.branch(&ours(parent)));
        let Some(branch) = branch else { return Vec::new() };
        let nonce = query::next_nonce(&*branch.view, &fixture::account(BUSY)).expect("readable");
        let lists: [Vec<Transaction>; 2] = [Vec::new(), vec![transfer(&genesis(), BUSY, 2, nonce, 7)]];
        let child = |list: Vec<Transaction>| {
            let inputs = BitcoinInputs::default();
            let (mut block, _, _) = build(&genesis(), &*branch.view, &branch.header, inputs, list).ok()?;
            if self.lie == Lie::Invalid {
                block.header.supply = block.header.supply.checked_add(Amount::ONE_SAT)?;
            }
            Some(block)
        };
        lists.into_iter().filter_map(child).collect()
    }
}

fn live_with(lie: Lie, check: impl FnOnce(&Network, usize) + 'static) {
    let dir = tempfile::tempdir().expect("a directory");
    let world = World::new(dir.path());
    let config = Config::new().with_seed(5).with_timeout(Some(Duration::from_secs(3600)));
    Runner::new(config).start(|context| async move {
        let mut network = Network::without(context, world, Some(3)).await;
        let refused = lie.start(&network, 3).await;
        network.fund(1).await;
        network.fund(BUSY).await;
        network.transfer(8, &[0, 1, 2]).await;
        network.all_at(network.highest()).await;
        assert!(network.handles().iter().all(|handle| handle.trouble().is_none() && handle.fork().is_none()));
        let proposed = refused.lock().expect("no panic").len();
        check(&network, proposed);
    });
}

#[test]
fn case_35_a_member_that_votes_for_two_is_named_by_a_proof_file() {
    live_with(Lie::VotesTwice, |network, _| {
        let caught: Vec<u16> =
            network.handles().iter().flat_map(Handle::misbehaviour).map(|found| found.member).collect();
        assert!(!caught.is_empty(), "someone saw both votes");
        assert!(caught.iter().all(|member| *member == 3), "{caught:?}");
        let has_file = |index: usize| {
            let dir = network.world.dir.join(format!("f{}", index + 1)).join(PROOFS_DIR);
            let files = std::fs::read_dir(dir).into_iter().flatten().flatten();
            files.into_iter().any(|file| file.file_name().to_string_lossy().starts_with("member-3-"))
        };
        assert!((0..3).any(has_file), "it is on a disk");
    });
}

#[test]
fn simulation_with_a_silent_member() {
    live_with(Lie::Silent, |_, _| {});
}

#[test]
fn simulation_with_a_member_that_proposes_invalid_blocks() {
    live_with(Lie::Invalid, |_, proposed| assert!(proposed > 3, "it did, {proposed} times; nobody signed one"));
}

#[test]
fn simulation_with_a_leader_that_proposes_two_blocks() {
    live_with(Lie::TwoBlocks, |_, _| {});
}

#[test]
fn simulation_with_a_leader_that_withholds_its_block() {
    live_with(Lie::Withholds, |_, _| {});
}
