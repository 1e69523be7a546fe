//! Asks for the newest final block of members that are ahead. The engine fetches what lies between
//! by itself, but hears of the newest only when a block is made: on an idle chain that is a
//! heartbeat away.

use crate::core::Core;
use crate::engine::block::Sealed;
use commonware_consensus::marshal::core::Mailbox;
use commonware_consensus::marshal::standard::Standard;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::types::Height;
use commonware_macros::select;
use commonware_runtime::{Clock, Spawner};
use commonware_utils::vec::NonEmptyVec;
use std::sync::Arc;
use std::time::Duration;
use windlass_ledger::SETTLED_BLOCKS;
use windlass_types::SideHeight;

/// A member this little behind needs no help.
const PATIENCE: Duration = Duration::from_millis(200);
/// Pause between two questions.
const PAUSE: Duration = Duration::from_secs(1);

/// How many heights are asked for at once.
const HINTS: usize = 10;

/// The highest block whose epoch is certain: the last of this one, if the next is known; else no proposal that
/// isn't final here yet can have changed the members before it. Votes of another epoch than expected would be held
/// against the honest member that answers.
fn horizon(core: &Core, tip: SideHeight) -> SideHeight {
    let known = core.committees.known();
    let epoch = known.epoch_at(tip.next().unwrap_or(tip));
    let certain = SideHeight::new(tip.get().saturating_add(SETTLED_BLOCKS));
    known.next_first(epoch).and_then(SideHeight::previous).unwrap_or(certain)
}

/// Starts the task.
pub(crate) fn start<E: Spawner + Clock>(context: E, core: Arc<Core>, marshal: Mailbox<Scheme, Standard<Sealed>>) {
    context.spawn(move |context| async move {
        loop {
            let claimed = core.beacon.claimed().wait_for(|claimed| claimed > core.height.get()).await;
            core.network_height.update(|known| known.max(claimed));
            context.sleep(PATIENCE).await;
            if core.height.get() >= claimed {
                continue;
            }
            let who = core.beacon.who_has(claimed);
            let targets = core.roster.keys(|member| who.contains(&member));
            let Ok(targets) = NonEmptyVec::try_from(targets) else { continue };
            let tip = core.height.get();
            let last = horizon(&core, tip).min(claimed);
            // Not every block has votes of its own, but one of so many has; the last of an epoch always has.
            for height in (tip.get() + 1..=last.get()).rev().take(HINTS) {
                marshal.hint_finalized(Height::new(height), targets.clone());
            }
            select! {
                _ = core.height.wait_for(|height| height >= last) => {},
                () = context.sleep(PAUSE) => {},
            }
        }
    });
}
