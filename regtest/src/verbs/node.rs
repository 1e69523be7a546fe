//! `node info|events|stop|start|words|backup|restore` and `statement`.

use super::status::process_status;
use crate::{
    api::{NodeEvents, NodeRestore, NodeWords, OneNode, ProcessStatus, Restored, Words},
    hub::{Call, start},
};
use windlass_node::api::{
    ApiError,
    events::JournalInfo,
    wallet::{BackupAnswer, NodeInfo, Statement},
};
use windlass_node::wallet::{self, RecoveryError};

/// Who and where a node is.
pub async fn info(call: Call, ask: OneNode) -> Result<NodeInfo, ApiError> {
    call.hub.wallet(&ask.node)?.info().await
}

/// Where the journal of a node's Lightning events is; gives its reader up if asked to.
pub async fn events(call: Call, ask: NodeEvents) -> Result<JournalInfo, ApiError> {
    let wallet = call.hub.wallet(&ask.node)?;
    if ask.give_up { wallet.give_up_reader().await } else { wallet.journal().await }
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

/// A node's words, once: from the seed in its folder.
pub async fn words(call: Call, ask: NodeWords) -> Result<Words, ApiError> {
    let hub = &call.hub;
    hub.check_node(&ask.node)?;
    let words = wallet::words(&hub.layout().node(&ask.node), ask.again).map_err(|error| match error {
        RecoveryError::Shown(_) => {
            ApiError::conflict(error).hint("show them again", format!("windlass node words {} --again", ask.node))
        }
        RecoveryError::NoSeed => {
            ApiError::conflict(error).hint("start it", format!("windlass node start {}", ask.node))
        }
        other => ApiError::failed(other),
    })?;
    Ok(Words { words })
}

/// A node's channel backup.
pub async fn backup(call: Call, ask: OneNode) -> Result<BackupAnswer, ApiError> {
    call.hub.wallet(&ask.node)?.backup().await
}

/// Stops a node, puts its state aside, and starts it with nothing but its words and its backup.
pub async fn restore(call: Call, ask: NodeRestore) -> Result<Restored, ApiError> {
    let hub = &call.hub;
    hub.check_node(&ask.node)?;
    let backup = hex::decode(ask.backup_hex.trim()).map_err(|_| ApiError::usage("the backup is not hex"))?;
    let dir = hub.layout().node(&ask.node);
    // A typing error is no reason to stop a node.
    wallet::check_restore(&dir, ask.words.as_deref(), &backup).map_err(|error| match error {
        RecoveryError::Words(_) | RecoveryError::Backup(_) => ApiError::usage(error),
        other => ApiError::failed(other),
    })?;
    {
        let _turn = hub.lifecycle.lock().await;
        hub.children().stop(&hub.run(), &ask.node).await;
    }
    // A process that was killed leaves its file behind.
    let _ = std::fs::remove_file(wallet::Ready::path(&dir));
    let made = wallet::restore(&dir, ask.words.as_deref(), &backup).map_err(|error| {
        ApiError::failed(error).hint("the node is as it was", format!("windlass node start {}", ask.node))
    })?;
    start::start_one(hub, &ask.node).await?;
    let put_aside = made.put_aside.map(|dir| dir.display().to_string());
    Ok(Restored { channels: made.channels, capacity: made.capacity, put_aside })
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
