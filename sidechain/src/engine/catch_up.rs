//! Asks for the newest final block of members that are ahead. The engine fetches what lies between
//! by itself, but hears of the newest only when a block is made: on an idle chain that is a
//! heartbeat away.

use crate::core::Core;
use crate::engine::block::Sealed;
use crate::engine::committee::Committee;
use commonware_consensus::marshal::core::Mailbox;
use commonware_consensus::marshal::standard::Standard;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::types::Height;
use commonware_runtime::{Clock, Spawner};
use commonware_utils::vec::NonEmptyVec;
use std::sync::Arc;
use std::time::Duration;

/// A member this little behind needs no help.
const PATIENCE: Duration = Duration::from_millis(200);
/// Pause between two questions.
const PAUSE: Duration = Duration::from_secs(1);

/// Starts the task.
pub(crate) fn start<E: Spawner + Clock>(
    context: E,
    core: Arc<Core>,
    committee: Committee,
    marshal: Mailbox<Scheme, Standard<Sealed>>,
) {
    context.spawn(move |context| async move {
        loop {
            let claimed = core.beacon.claimed().wait_for(|claimed| claimed > core.height.get()).await;
            core.network_height.update(|known| known.max(claimed));
            context.sleep(PATIENCE).await;
            if core.height.get() >= claimed {
                continue;
            }
            let who = core.beacon.who_has(claimed).into_iter();
            let targets: Vec<_> = who.filter_map(|member| committee.keys().get(usize::from(member)).cloned()).collect();
            if let Ok(targets) = NonEmptyVec::try_from(targets) {
                marshal.hint_finalized(Height::new(claimed.get()), targets);
            }
            context.sleep(PAUSE).await;
        }
    });
}
