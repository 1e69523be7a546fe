//! `policy/…`: policy accounts, and spending from them.

use super::transfer::side_address;
use crate::{
    api::{PolicyPreimage, PolicyShown, PolicySign, PolicySpend, PolicySubmit, PolicyText},
    hub::{Call, Hub},
};
use bitcoin::Amount;
use std::collections::BTreeMap;
use windlass_ledger::Policy;
use windlass_node::{
    api::{
        ApiError,
        policies::{DraftAnswer, Payee, PreimageAnswer, SignRequest, SpendRequest},
        wallet::{AddressRequest, TransferAnswer},
    },
    client::MemberClient,
};
use windlass_types::{AccountId, AccountKind, ChainNetwork};

/// A policy's account and what it has.
pub async fn show(call: Call, ask: PolicyText) -> Result<PolicyShown, ApiError> {
    let policy = policy(&call.hub, &ask.policy).await?;
    let address = policy.account().address(ChainNetwork::Regtest);
    let account = member(&call.hub)?.account(&address).await?;
    Ok(PolicyShown { address, policy: policy.to_string(), balance: account.balance })
}

/// Makes a spending and signs it as far as the node can.
pub async fn spend(call: Call, ask: PolicySpend) -> Result<DraftAnswer, ApiError> {
    let hub = &call.hub;
    let policy = policy(hub, &ask.policy).await?.to_string();
    let mut to = Vec::new();
    for (name, sat) in &ask.to {
        to.push(Payee { address: side_address(hub, name).await?, amount: Amount::from_sat(*sat) });
    }
    let request = SpendRequest { policy, to, memo: ask.memo, preimages: ask.preimages, max_fee: ask.max_fee };
    hub.wallet(&ask.node)?.draft_spend(&request).await
}

/// Adds what a node can.
pub async fn sign(call: Call, ask: PolicySign) -> Result<DraftAnswer, ApiError> {
    let request = SignRequest { draft: ask.draft, preimages: ask.preimages };
    call.hub.wallet(&ask.node)?.sign_draft(&request).await
}

/// Hands it in; done once it is final.
pub async fn submit(call: Call, ask: PolicySubmit) -> Result<TransferAnswer, ApiError> {
    let done = call.hub.wallet(&ask.node)?.submit_draft(&ask.draft).await?;
    call.step(1, 1, "final", format!("side block {}", done.height));
    Ok(done)
}

/// A preimage that was shown.
pub async fn preimage(call: Call, ask: PolicyPreimage) -> Result<PreimageAnswer, ApiError> {
    member(&call.hub)?.preimage(ask.hash).await
}

/// Reads a policy; a node's name stands for its key.
async fn policy(hub: &Hub, text: &str) -> Result<Policy, ApiError> {
    let mut keys: BTreeMap<String, [u8; 32]> = BTreeMap::new();
    for (name, wallet) in hub.running_wallets() {
        // Only those that may be named: one that does not answer matters to nobody else.
        if text.contains(&name) {
            let address = wallet.address(&AddressRequest::Sidechain).await?.address;
            keys.insert(name, key_of(&address).map_err(ApiError::failed)?);
        }
    }
    let named = |name: &str| match keys.get(name) {
        Some(key) => Ok(*key),
        None => key_of(name).map_err(|error| {
            format!("{name:?} is no key in hex, no node that runs ({}), and {error}", hub.node_names().join(", "))
        }),
    };
    Policy::parse_with(text, named).map_err(|error| ApiError::usage(format!("the policy: {error}")))
}

fn key_of(address: &str) -> Result<[u8; 32], String> {
    match AccountId::from_address(address, ChainNetwork::Regtest) {
        Ok(AccountId { kind: AccountKind::Key, bytes }) => Ok(bytes),
        Ok(_) => Err(format!("{address} is no account with a key")),
        Err(error) => Err(error.to_string()),
    }
}

fn member(hub: &Hub) -> Result<MemberClient, ApiError> {
    let first = hub.running_members().into_iter().next().map(|(_, client)| client);
    first.ok_or_else(|| {
        ApiError::not_running("no member of the federation runs").hint("start what is down", "windlass up")
    })
}
