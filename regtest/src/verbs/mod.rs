//! The hub's verbs, one file a group. A verb takes its request, does it, mines what it needs, and
//! answers once the effect is there.

mod address;
mod asset;
mod channel;
mod faucet;
mod federation;
mod hold;
mod mine;
mod node;
mod payment;
mod peer;
mod peg;
mod peg_in;
mod peg_out;
mod policy;
mod send;
mod spend;
mod splice;
pub(crate) mod status;
mod transfer;

use crate::{
    api::Down,
    hub::{Call, start},
    process::Kind,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{future::Future, pin::Pin};
use windlass_node::api::ApiError;

/// What a verb gives back.
pub type Answer = Pin<Box<dyn Future<Output = Result<Value, ApiError>> + Send>>;
/// A verb.
pub type Verb = fn(Call, Value) -> Answer;

macro_rules! table {
    ($($path:literal => $verb:path,)*) => {
        /// All verbs by path.
        pub const TABLE: &[(&str, Verb)] = &[$(($path, |call, body| handle(call, body, $verb)),)*];
    };
}

table! {
    "up" => up,
    "down" => down,
    "status" => status::status,
    "mine" => mine::mine,
    "faucet" => faucet::faucet,
    "address" => address::address,
    "balance" => address::balance,
    "send" => send::send,
    "transfer" => transfer::transfer,
    "policy/show" => spend::show,
    "policy/spend" => spend::spend,
    "policy/sign" => spend::sign,
    "policy/submit" => spend::submit,
    "policy/preimage" => spend::preimage,
    "asset/issue" => asset::issue,
    "asset/reissue" => asset::reissue,
    "asset/burn" => asset::burn,
    "asset/send" => asset::send,
    "asset/list" => asset::list,
    "asset/verify" => asset::verify,
    "node/info" => node::info,
    "node/events" => node::events,
    "node/stop" => node::stop,
    "node/start" => node::start,
    "peer/list" => peer::list,
    "peer/add" => peer::add,
    "peer/remove" => peer::remove,
    "channel/batch" => channel::batch,
    "node/words" => node::words,
    "node/backup" => node::backup,
    "node/restore" => node::restore,
    "channel/open" => channel::open,
    "channel/list" => channel::list,
    "channel/splice" => splice::splice,
    "channel/close" => channel::close,
    "channel/policy" => policy::policy,
    "invoice" => payment::invoice,
    "invoice/hold" => hold::hold,
    "invoice/list" => hold::list,
    "invoice/settle" => hold::settle,
    "invoice/cancel" => hold::cancel,
    "pay" => payment::pay,
    "keysend" => payment::keysend,
    "probe" => payment::probe,
    "offer" => payment::offer,
    "offer/list" => payment::offers,
    "refund" => payment::refund,
    "refund/claim" => payment::claim,
    "payment/list" => payment::list,
    "payment/forwards" => payment::forwards,
    "peg/address" => peg_in::address,
    "peg/in" => peg_in::peg_in,
    "peg/out" => peg_out::peg_out,
    "peg/quote" => peg::quote,
    "peg/receipt" => peg::receipt,
    "peg/list" => peg::list,
    "peg/show" => peg::show,
    "peg/reclaim" => peg::reclaim,
    "federation/show" => federation::show,
    "federation/reserves" => federation::reserves,
    "anchors" => federation::anchors,
    "federation/member/stop" => federation::stop,
    "federation/member/start" => federation::start,
    "statement" => node::statement,
}

fn handle<B, R, F, Fut>(call: Call, body: Value, verb: F) -> Answer
where
    B: DeserializeOwned + Send + 'static,
    R: Serialize,
    F: FnOnce(Call, B) -> Fut + Send + 'static,
    Fut: Future<Output = Result<R, ApiError>> + Send,
{
    Box::pin(async move {
        let body = serde_json::from_value(body)
            .map_err(|error| ApiError::usage(format!("the request is not what this verb takes: {error}")))?;
        let result = verb(call, body).await?;
        serde_json::to_value(result).map_err(ApiError::failed)
    })
}

/// The body of a verb that takes nothing.
#[derive(Debug, serde::Deserialize)]
pub struct Nothing {}

async fn up(call: Call, _: Nothing) -> Result<crate::api::Started, ApiError> {
    start::up(&call).await
}

async fn down(call: Call, _: Down) -> Result<Value, ApiError> {
    let hub = &call.hub;
    // What is under way sees this and gives up.
    hub.announce_stop();
    let _turn = hub.lifecycle.lock().await;
    let run = hub.run();
    // From here on it is not ready, whatever happens.
    let _ = std::fs::remove_file(hub.layout().ready());
    for (step, kind, label) in
        [(1, Kind::Node, "lightning"), (2, Kind::Member, "federation"), (3, Kind::Bitcoin, "bitcoin")]
    {
        call.step(step, 3, label, "stopping");
        hub.children().stop_all(&run, kind).await;
        call.step(step, 3, label, "stopped");
    }
    hub.stop();
    Ok(json!({}))
}
