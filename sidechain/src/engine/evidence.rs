//! Catches members that vote twice: each such pair of signed votes is a proof.

use crate::core::{Core, Misbehaviour};
use crate::engine::committee::Committee;
use commonware_actor::Feedback;
use commonware_codec::Encode as _;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::{Activity, Attributable as _};
use commonware_consensus::{Reporter, Viewable as _};
use commonware_cryptography::sha256;
use commonware_parallel::Sequential;
use commonware_utils::sys_rng;
use std::sync::Arc;

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
}

impl Reporter for Evidence {
    type Activity = Activity<Scheme, sha256::Digest>;

    fn report(&mut self, activity: Self::Activity) -> Feedback {
        let (signer, what) = match &activity {
            Activity::ConflictingNotarize(proof) => (proof.signer(), "voted for two blocks in one round"),
            Activity::ConflictingFinalize(proof) => (proof.signer(), "made two blocks final in one round"),
            Activity::NullifyFinalize(proof) => (proof.signer(), "gave up a round that it made final"),
            _ => return Feedback::Ok,
        };
        // The engine passes these on unchecked.
        if !activity.verify(&mut sys_rng(), &self.scheme, &Sequential) {
            return Feedback::Ok;
        }
        if let Some(member) = self.committee.place(signer) {
            let (view, proof) = (activity.view().get(), activity.encode().to_vec());
            self.core.note_misbehaviour(Misbehaviour { member, what, view, proof });
        }
        Feedback::Ok
    }
}
