//! What comes as TOML or JSON: settings, requests, answers of members.

use serde::{Serialize, de::DeserializeOwned};
use windlass_node::api::{ApiError, events::*, member::*, payments::*, wallet::*};
use windlass_node::{follower::FollowerConfig, member, wallet as node};

/// Settings that are read are the same when they are written and read again.
fn toml<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(text: &str) {
    let Ok(value) = toml::from_str::<T>(text) else { return };
    let again = toml::to_string(&value).expect("what was read can be written");
    assert_eq!(toml::from_str::<T>(&again).as_ref(), Ok(&value), "{again}");
}

pub(crate) fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    toml::<node::WalletConfig>(text);
    toml::<member::MemberConfig>(text);
    toml::<FollowerConfig>(text);
    let _ = serde_json::from_str::<node::Ready>(text);
    let _ = serde_json::from_str::<member::Ready>(text);
    let _ = serde_json::from_str::<member::Federation>(text);
}

fn json<T: DeserializeOwned + Serialize>(bytes: &[u8]) {
    let Ok(value) = serde_json::from_slice::<T>(bytes) else { return };
    let text = serde_json::to_vec(&value).expect("what was read can be written");
    let again: T = serde_json::from_slice(&text).expect("what was written can be read");
    assert_eq!(serde_json::to_vec(&again).expect("likewise"), text);
}

/// The bodies of all requests that a wallet node or a member takes.
pub(crate) fn requests(bytes: &[u8]) {
    json::<SyncRequest>(bytes);
    json::<AddressRequest>(bytes);
    json::<SendRequest>(bytes);
    json::<TransferRequest>(bytes);
    json::<ConnectRequest>(bytes);
    json::<OpenRequest>(bytes);
    json::<BatchRequest>(bytes);
    json::<CloseRequest>(bytes);
    json::<InvoiceRequest>(bytes);
    json::<PayRequest>(bytes);
    json::<PegOutRequest>(bytes);
    json::<HoldRequest>(bytes);
    json::<SettleRequest>(bytes);
    json::<KeysendRequest>(bytes);
    json::<ProbeRequest>(bytes);
    json::<OfferRequest>(bytes);
    json::<RefundRequest>(bytes);
    json::<ClaimRequest>(bytes);
    json::<PolicyRequest>(bytes);
    json::<AcknowledgeRequest>(bytes);
    json::<SubmitRequest>(bytes);
}

/// What a member may answer a wallet or a follower with.
pub(crate) fn answers(bytes: &[u8]) {
    windlass_node::fuzzing::block_answer(bytes);
    windlass_node::fuzzing::genesis_answer(bytes);
    json::<ApiError>(bytes);
    json::<ChainInfo>(bytes);
    json::<SubmitAnswer>(bytes);
    json::<TransactionStatus>(bytes);
    json::<AccountInfo>(bytes);
    json::<DepositInfo>(bytes);
    json::<PegOutInfo>(bytes);
    json::<FederationInfo>(bytes);
}
