//! `node info|stop|start` and `statement`.

use super::status::process_status;
use crate::{
    api::{OneNode, ProcessStatus},
    hub::{Call, start},
};
use windlass_node::api::{
    ApiError,
    wallet::{NodeInfo, Statement},
};

/// Who and where a node is.
pub async fn info(call: Call, ask: OneNode) -> Result<NodeInfo, ApiError> {
    call.hub.wallet(&ask.node)?.info().await
}

/// Ends a node; it stays down until it is started.
pub async fn stop(call: Call, ask: OneNode) -> Result<ProcessStatus, ApiError> {
    let hub = &call.hub;
    hub.check_node(&ask.node)?;
    let _turn = hub.lifecycle.lock().await;
    hub.children().stop(&hub.run(), &ask.node).await;
    Ok(process_status(hub, &ask.node).await)
}

/// Starts a node and waits until it answers and has seen Bitcoin's tip.
pub async fn start(call: Call, ask: OneNode) -> Result<ProcessStatus, ApiError> {
    let hub = &call.hub;
    hub.check_node(&ask.node)?;
    start::start_one(hub, &ask.node).await?;
    Ok(process_status(hub, &ask.node).await)
}

/// The statement. The node has seen Bitcoin's tip before it writes.
pub async fn statement(call: Call, ask: OneNode) -> Result<Statement, ApiError> {
    let wallet = call.hub.wallet(&ask.node)?;
    call.hub.seen(0).await?;
    let mut statement = wallet.statement().await?;
    let names = super::channel::names(&call.hub).await;
    for channel in &mut statement.channels {
        if let Some(name) = names.get(&channel.peer) {
            channel.peer.clone_from(name);
        }
    }
    Ok(statement)
}
