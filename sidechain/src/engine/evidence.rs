//! Catches members that vote twice, and quorums that make two blocks of one height final: each such pair of
//! signed votes is a proof.

use crate::core::{Core, Misbehaviour};
use crate::engine::committee::{Committee, Votes};
use commonware_actor::Feedback;
use commonware_codec::Encode as _;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::{Activity, Attributable as _};
use commonware_consensus::{Reporter, Viewable as _};
use commonware_cryptography::sha256;
use commonware_parallel::Sequential;
use commonware_utils::sys_rng;
use std::sync::Arc;
use tracing::warn;
use windlass_light::Certificate;
use windlass_light::committee::voted_for;

/// See the module's head.
#[derive(Clone)]
pub(crate) struct Evidence {
    core: Arc<Core>,
    committee: Arc<Committee>,
    scheme: Scheme,
}

impl Evidence {
    pub fn new(core: Arc<Core>, committee: Committee, scheme: Scheme) -> Self {
        Self { core, committee: Arc::new(committee), scheme }
    }

    /// A quorum made a block final: the one that is final here, one above, or a fork.
    fn note_final(&self, votes: &Votes) {
        let digest = voted_for(votes);
        let Some(header) = self.core.tree.header(&digest) else { return };
        let certificate = Certificate { descendants: Vec::new(), votes: votes.encode().to_vec() };
        if let Err(error) = self.core.note_final(&header, &certificate.encode()) {
            warn!(%error, "a block's votes can't be looked into");
        }
    }
}

impl Reporter for Evidence {
    type Activity = Activity<Scheme, sha256::Digest>;

    fn report(&mut self, activity: Self::Activity) -> Feedback {
        let (signer, what) = match &activity {
            Activity::ConflictingNotarize(proof) => (proof.signer(), Misbehaviour::TWO_BLOCKS),
            Activity::ConflictingFinalize(proof) => (proof.signer(), Misbehaviour::TWO_FINAL),
            Activity::NullifyFinalize(proof) => (proof.signer(), Misbehaviour::GAVE_UP),
            Activity::Finalization(votes) => {
                self.note_final(votes);
                return Feedback::Ok;
            }
            _ => return Feedback::Ok,
        };
        // The engine passes these on unchecked.
        if !activity.verify(&mut sys_rng(), &self.scheme, &Sequential) {
            return Feedback::Ok;
        }
        if let Some(member) = self.committee.place(signer) {
            let (view, proof) = (activity.view().get(), activity.encode().to_vec());
            self.core.proofs.note_misbehaviour(Misbehaviour { member, what, view, proof });
        }
        Feedback::Ok
    }
}
