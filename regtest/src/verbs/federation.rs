//! `federation show|reserves` and `federation member stop|start`.

use super::status::process_status;
use crate::{
    api::{Federation, FederationMember, OneMember, ProcessStatus, Reserves, ReservesReport},
    hub::{Call, start},
    run::Run,
};
use windlass_node::api::{ApiError, member::MemberHealth};
use windlass_peg::anchors::AnchorsReport;

/// The federation as its members see it.
pub async fn show(call: Call, _: super::Nothing) -> Result<Federation, ApiError> {
    let hub = &call.hub;
    let run = hub.run();
    let mut view = None;
    let mut members = Vec::new();
    let running = hub.running_members();
    for member in &run.members {
        let client = running.iter().find(|(name, _)| *name == member.name).map(|(_, client)| client);
        let (mut tip, mut health) = (None, MemberHealth::default());
        if let Some(client) = client {
            tip = client.chain().await.ok();
            if let Ok(seen) = client.federation().await {
                health = seen.health.clone();
                view = view.or(Some(seen));
            }
        }
        members.push(FederationMember {
            process: process_status(hub, &member.name).await,
            height: tip.as_ref().map(|tip| tip.height),
            block: tip.as_ref().map(|tip| tip.block),
            health,
        });
    }
    let view = view.ok_or_else(|| {
        ApiError::not_running("no member of the federation answers").hint("start what is down", "windlass up")
    })?;
    let batch = view.batch.clone();
    Ok(Federation { view, members, batch, trust: trust(&run) })
}

/// Who can steal and who can stop.
fn trust(run: &Run) -> String {
    let (members, threshold) = (run.members.len(), usize::from(run.threshold));
    let stop = members.saturating_sub(threshold).saturating_add(1);
    format!(
        "any {threshold} of the {members} members together can take the treasury, and any {stop} can stop the sidechain; \
         a deposit that was not swept is its owner's again after the reclaim delay, whatever they do"
    )
}

/// Recounts the federation's coins and the supply.
pub async fn reserves(call: Call, _: Reserves) -> Result<ReservesReport, ApiError> {
    crate::reserves::recount(&call.hub).await
}

/// Which headers of the sidechain Bitcoin holds.
pub async fn anchors(call: Call, _: Reserves) -> Result<AnchorsReport, ApiError> {
    let hub = &call.hub;
    crate::reserves::of_a_member(hub, |member| async move {
        windlass_node::reserves::anchors(&member, hub.bitcoind(), None).await
    })
    .await
}

/// Ends a member; it stays down until it is started.
pub async fn stop(call: Call, ask: OneMember) -> Result<ProcessStatus, ApiError> {
    let hub = &call.hub;
    hub.check_member(&ask.member)?;
    let _turn = hub.lifecycle.lock().await;
    hub.children().stop(&hub.run(), &ask.member).await;
    Ok(process_status(hub, &ask.member).await)
}

/// Starts a member and waits until it answers.
pub async fn start(call: Call, ask: OneMember) -> Result<ProcessStatus, ApiError> {
    let hub = &call.hub;
    hub.check_member(&ask.member)?;
    start::start_one(hub, &ask.member).await?;
    Ok(process_status(hub, &ask.member).await)
}
