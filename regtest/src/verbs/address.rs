//! `address` and `balance`.

use crate::{
    api::{Address, Balances, NodeBalance},
    hub::{Call, Hub},
};
use tokio::task::JoinSet;
use windlass_node::{
    api::{
        ApiError,
        wallet::{AddressAnswer, AddressRequest},
    },
    client::WalletClient,
};

/// A fresh address.
pub async fn address(call: Call, ask: Address) -> Result<AddressAnswer, ApiError> {
    let wallet = call.hub.wallet(&ask.node)?;
    wallet.address(if ask.side { &AddressRequest::Sidechain } else { &AddressRequest::Bitcoin }).await
}

/// Balances of all nodes, or of one.
pub async fn balance(call: Call, ask: Balances) -> Result<Vec<NodeBalance>, ApiError> {
    match ask.node {
        Some(name) => {
            let balance = call.hub.wallet(&name)?.balance().await?;
            Ok(vec![NodeBalance { name, balance: Some(balance) }])
        }
        None => Ok(all_balances(&call.hub).await),
    }
}

/// The balances of all nodes, side by side; none for one that does not answer.
pub async fn all_balances(hub: &Hub) -> Vec<NodeBalance> {
    let mut tasks = JoinSet::new();
    for (i, name) in hub.node_names().into_iter().enumerate() {
        let wallet: Option<WalletClient> = hub.wallet(&name).ok();
        tasks.spawn(async move {
            let balance = match wallet {
                Some(wallet) => wallet.balance().await.ok(),
                None => None,
            };
            (i, NodeBalance { name, balance })
        });
    }
    let mut all = tasks.join_all().await;
    all.sort_by_key(|(i, _)| *i);
    all.into_iter().map(|(_, balance)| balance).collect()
}
