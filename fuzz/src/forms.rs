//! What comes as TOML or JSON: settings, requests, answers of members.

use serde::{Serialize, de::DeserializeOwned};
use windlass_node::api::{ApiError, events::*, member::*, payments::*, policies::*, splice::SpliceRequest, wallet::*};
use windlass_node::{follower::FollowerConfig, member, wallet as node};

/// Settings that are read are the same when they are written and read again.
fn toml<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(text: &str) -> bool {
    let Ok(value) = toml::from_str::<T>(text) else { return false };
    let again = toml::to_string(&value).expect("what was read can be written");
    assert_eq!(toml::from_str::<T>(&again).as_ref(), Ok(&value), "{again}");
    true
}

pub(crate) fn config(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    [
        toml::<node::WalletConfig>(text),
        toml::<member::MemberConfig>(text),
        toml::<FollowerConfig>(text),
        serde_json::from_str::<node::Ready>(text).is_ok(),
        serde_json::from_str::<member::Ready>(text).is_ok(),
        serde_json::from_str::<member::Federation>(text).is_ok(),
    ]
    .contains(&true)
}

fn json<T: DeserializeOwned + Serialize>(bytes: &[u8]) -> bool {
    let Ok(value) = serde_json::from_slice::<T>(bytes) else { return false };
    let text = serde_json::to_vec(&value).expect("what was read can be written");
    let again: T = serde_json::from_slice(&text).expect("what was written can be read");
    assert_eq!(serde_json::to_vec(&again).expect("likewise"), text);
    true
}

/// A form's decoder, and an example of it.
type Form = (crate::Target, &'static str);

macro_rules! zeros {
    () => {
        "0000000000000000000000000000000000000000000000000000000000000000"
    };
}
macro_rules! block {
    () => {
        concat!(r#"{"height":1,"hash":""#, zeros!(), r#""}"#)
    };
}
macro_rules! draft {
    () => {
        concat!(
            r#"{"format":"windlass-spend","version":1,"policy":"key(00)","transaction":"00","signatures":[{"key":""#,
            zeros!(),
            r#"","signature":""#,
            zeros!(),
            zeros!(),
            r#""}],"preimages":[""#,
            zeros!(),
            r#""]}"#
        )
    };
}
macro_rules! peer {
    () => {
        r#"{"node_id":"0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798","address":"127.0.0.1:1"}"#
    };
}
macro_rules! opening {
    () => {
        concat!(r#"{"peer":"#, peer!(), r#","amount_sat":20000,"push_msat":2,"announce":true}"#)
    };
}

/// The bodies of all requests that a wallet node or a member takes.
pub(crate) const REQUESTS: &[Form] = &[
    (json::<SyncRequest>, concat!(r#"{"block":"#, block!(), r#","timeout_seconds":2}"#)),
    (json::<AddressRequest>, r#""sidechain""#),
    (json::<ReceiptRequest>, r#"{"id":"ab"}"#),
    (json::<PegQuoteRequest>, r#"{"way":"out","amount_sat":1,"to":"bcrt1q"}"#),
    (json::<SendRequest>, r#"{"to":"bcrt1q","amount_sat":1}"#),
    (json::<TransferRequest>, r#"{"to":"wlr1","amount_sat":1,"memo":"m"}"#),
    (json::<TransferRequest>, r#"{"to":"wlr1","amount_sat":1,"more":[{"address":"wlr1","amount_sat":2}]}"#),
    (
        json::<SpendRequest>,
        concat!(
            r#"{"policy":"key(00)","to":[{"address":"wlr1","amount_sat":1}],"memo":"m","preimages":[""#,
            zeros!(),
            r#""],"max_fee_sat":1}"#
        ),
    ),
    (json::<SpendDraft>, draft!()),
    (json::<SignRequest>, concat!(r#"{"draft":"#, draft!(), r#","preimages":[]}"#)),
    (json::<ConnectRequest>, peer!()),
    (json::<OpenRequest>, opening!()),
    (json::<BatchRequest>, concat!(r#"{"channels":["#, opening!(), ",", opening!(), "]}")),
    (json::<CloseRequest>, r#"{"force":true}"#),
    (json::<SpliceRequest>, r#"{"way":"in","amount_sat":20000,"fee_rate":3}"#),
    (json::<SpliceRequest>, r#"{"way":"out","amount_sat":20000,"to":"bcrt1q","fee_rate":null}"#),
    (json::<InvoiceRequest>, r#"{"amount_msat":5,"memo":"m","expiry_seconds":60}"#),
    (
        json::<PayRequest>,
        r#"{"invoice":"lnbcrt1","amount_msat":5,"note":"n","max_fee_msat":1,"max_parts":2,"timeout_seconds":3}"#,
    ),
    (json::<PegOutRequest>, r#"{"to":"bcrt1q","amount_sat":10000,"fee_max_sat":1000}"#),
    (
        json::<HoldRequest>,
        r#"{"payment_hash":"00","amount_msat":1,"memo":"m","expiry_seconds":60,"final_cltv_delta":144}"#,
    ),
    (json::<SettleRequest>, concat!(r#"{"preimage":""#, zeros!(), r#""}"#)),
    (
        json::<KeysendRequest>,
        r#"{"node_id":"02","amount_msat":1,"max_fee_ppm":5000,"max_cltv":500,"retry_seconds":3,"timeout_seconds":2}"#,
    ),
    (json::<ProbeRequest>, r#"{"to":"lnbcrt1","amount_msat":null,"max_cltv":500}"#),
    (json::<OfferRequest>, r#"{"amount_msat":1,"description":"d","expiry_seconds":60}"#),
    (json::<RefundRequest>, r#"{"amount_msat":1,"description":"d","expiry_seconds":60,"max_fee_msat":1}"#),
    (json::<ClaimRequest>, r#"{"refund":"lnr1","timeout_seconds":2}"#),
    (json::<PolicyRequest>, r#"{"base_msat":1000,"ppm":100,"cltv_delta":72}"#),
    (json::<AcknowledgeRequest>, r#"{"before":7}"#),
    (json::<SubmitRequest>, r#"{"hex":"00"}"#),
];

/// What a member may answer a wallet or a follower with, beside blocks and a genesis.
pub(crate) const ANSWERS: &[Form] = &[
    (json::<ApiError>, r#"{"code":"failed","message":"m","hints":[]}"#),
    (
        json::<ChainInfo>,
        concat!(
            r#"{"chain":""#,
            zeros!(),
            r#"","network":"regtest","height":1,"block":""#,
            zeros!(),
            r#"","anchor":"#,
            block!(),
            r#","supply_sat":2,"owed_sat":1,"state_root":""#,
            zeros!(),
            r#"","mempool":3}"#
        ),
    ),
    (
        json::<PreimageAnswer>,
        concat!(r#"{"hash":""#, zeros!(), r#"","preimage":""#, zeros!(), r#"","id":""#, zeros!(), r#"","height":7}"#),
    ),
    (json::<PromiseAnswer>, r#"{"member":"f1","promise":"00","signature":"00"}"#),
    (json::<SubmitAnswer>, concat!(r#"{"id":""#, zeros!(), r#""}"#)),
    (json::<TransactionStatus>, r#"{"status":"final","height":7}"#),
    (json::<AccountInfo>, r#"{"address":"wlr1","balance_sat":5,"next_nonce":1,"used_nonces":[3],"height":7}"#),
    (
        json::<DepositInfo>,
        concat!(
            r#"{"outpoint":""#,
            zeros!(),
            r#":0","account":"wlr1","amount_sat":5,"bitcoin_height":1,"reclaim_height":145,"#,
            r#""state":{"state":"sweeping","txid":""#,
            zeros!(),
            r#"","confirmations":1}}"#
        ),
    ),
    (
        json::<PegOutInfo>,
        concat!(
            r#"{"id":""#,
            zeros!(),
            r#"","account":"wlr1","to":"bcrt1q","amount_sat":5,"burned_height":7,"#,
            r#""state":{"state":"refunded","height":8,"reason":"r"}}"#
        ),
    ),
    (
        json::<FederationInfo>,
        concat!(
            r#"{"name":"f1","threshold":3,"treasury_key":""#,
            zeros!(),
            r#"","members":[{"name":"f2","identity":"00","connected":true}],"treasury":{"outpoint":""#,
            zeros!(),
            r#":1","value_sat":6,"script":"5120"},"batch":null}"#
        ),
    ),
    (json::<Vec<windlass_light::EpochLink>>, r#"[{"header":"00","certificate":"00","epoch":"00","proof":"00"}]"#),
    (
        json::<member::Enrolment>,
        concat!(
            r#"{"chain":""#,
            zeros!(),
            r#"","member":"f1","identity":""#,
            zeros!(),
            r#"","consent":""#,
            zeros!(),
            zeros!(),
            r#""}"#
        ),
    ),
];

/// All of them see the bytes; true if one takes them.
fn any(forms: &[Form], bytes: &[u8]) -> bool {
    forms.iter().filter(|(decode, _)| decode(bytes)).count() > 0
}

pub(crate) fn requests(bytes: &[u8]) -> bool {
    any(REQUESTS, bytes)
}

pub(crate) fn answers(bytes: &[u8]) -> bool {
    let (block, genesis) = (windlass_node::fuzzing::block_answer(bytes), windlass_node::fuzzing::genesis_answer(bytes));
    any(ANSWERS, bytes) || block || genesis
}

/// Examples that their own decoder does not take; there should be none.
#[must_use]
pub fn refused_examples() -> Vec<&'static str> {
    let all = REQUESTS.iter().chain(ANSWERS);
    all.filter(|(decode, example)| !decode(example.as_bytes())).map(|(_, example)| *example).collect()
}
