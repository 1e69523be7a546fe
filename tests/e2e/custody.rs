//! The failure cases of the peg on real parts: a real bitcoind, four member processes, real
//! signatures.

use crate::bitcoin_trouble::bitcoind;
use crate::{number, text, up};
use bitcoin::consensus::encode::serialize_hex;
use bitcoin::secp256k1::{Keypair, Secp256k1};
use bitcoincore_rpc::RpcApi as _;
use serde_json::{Value, json};
use std::time::Duration;
use windlass_ledger::{Block, Transaction, TxBody};
use windlass_node::api::{Code, PAGE_MAX};
use windlass_node::client::MemberClient;
use windlass_tests::{Network, until};
use windlass_types::{AccountId, SideHeight};

const MEMBERS: [&str; 4] = ["f1", "f2", "f3", "f4"];

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().expect("a runtime")
}

/// All claims that the sidechain's blocks hold.
fn claims(runtime: &tokio::runtime::Runtime, member: &MemberClient) -> Vec<Transaction> {
    let tip = runtime.block_on(member.chain()).expect("a tip").height;
    let mut claims = Vec::new();
    let mut from = SideHeight::new(1);
    while from <= tip {
        let blocks = runtime.block_on(member.blocks(from, 200)).expect("blocks");
        for answer in &blocks {
            let block = Block::decode(&hex::decode(&answer.hex).expect("hex")).expect("a block");
            claims.extend(block.transactions.into_iter().filter(|t| matches!(t.body, TxBody::Claim(_))));
        }
        from = blocks.last().and_then(|b| b.height.next()).expect("more blocks");
    }
    claims
}

#[test]
fn case_06_the_same_outpoint_is_claimed_twice() {
    let mut network = up("case06");
    network.ok(&["peg", "in", "alice", "0.2btc"]);
    let minted = network.side("alice");
    let runtime = runtime();
    let members = |network: &Network| MEMBERS.map(|name| MemberClient::new(network.api(name)));
    let claim = claims(&runtime, &members(&network)[0]).pop().expect("the claim is in a block");
    let send = |network: &Network, transaction: &Transaction| {
        for member in members(network) {
            let hex = hex::encode(borsh::to_vec(transaction).expect("encodes"));
            match runtime.block_on(member.submit(hex)) {
                // The very same transaction: a member says its id again, as to any client that retries.
                Ok(answer) => assert_eq!((answer.id, transaction.id()), (claim.id(), claim.id())),
                Err(error) => assert!(matches!(error.code, Code::Usage | Code::Conflict), "{error:?}"),
            }
        }
    };
    // Again, by anyone, to each member.
    send(&network, &claim);
    // For another account: the address would be another one.
    let mut stolen = claim.clone();
    if let TxBody::Claim(claim) = &mut stolen.body {
        let thief = Keypair::from_seckey_slice(&Secp256k1::new(), &[7; 32]).expect("a key");
        claim.terms.account = AccountId::from_key(&thief.x_only_public_key().0);
    }
    send(&network, &stolen);
    // Across a restart of everything.
    for name in MEMBERS {
        network.kill(network.pid(name));
    }
    network.start(&[]);
    send(&network, &claim);
    network.ok(&["mine", "7"]);
    network.ok(&["transfer", "alice", "bob", "1000sat"]);
    assert_eq!(network.side("alice"), minted - 1000);
    network.assert_reserves();
}

/// Starts a peg-out without waiting for it and returns its id.
fn burn(network: &Network, amount: &str) -> String {
    let out = network.ok(&["--no-wait", "peg", "out", "alice", amount]);
    text(&out, "id")
}

fn batch(network: &Network) -> Option<Value> {
    network.try_json(&["federation", "show"]).ok().map(|f| f["batch"].clone()).filter(|b| !b.is_null())
}

/// Kills all members at once, by id.
fn kill_members(network: &Network) {
    let pids = MEMBERS.map(|name| network.pid(name));
    for pid in pids {
        network.kill(pid);
    }
}

#[test]
fn case_15_kill_9_between_decided_signed_broadcast_and_confirmed_pays_exactly_once() {
    let mut network = up("case15");
    network.ok(&["peg", "in", "alice", "1btc"]);
    // Each moment, as the members' own state shows it.
    type Moment = fn(&Network, &str) -> bool;
    let moments: [(&str, Moment); 4] = [
        ("burned", |_, _| true),
        ("decided", |network, _| batch(network).is_some()),
        ("signed and broadcast", |network, _| batch(network).is_some_and(|b| b["signed"] == true)),
        ("in a block", |network, _| {
            network.ok(&["mine", "1"]);
            batch(network).is_some_and(|b| b["confirmations"].as_u64() >= Some(1))
        }),
    ];
    let mut ids = Vec::new();
    for (name, moment) in moments {
        let id = burn(&network, "0.1btc");
        until(name, Duration::from_secs(60), || moment(&network, &id).then_some(()));
        kill_members(&network);
        network.start(&[]);
        until("it is paid", Duration::from_secs(120), || {
            network.ok(&["mine", "1"]);
            let peg = network.ok(&["peg", "show", &id]);
            (peg["out"]["state"]["state"] == "paid").then_some(())
        });
        ids.push(id);
        network.assert_reserves();
    }
    // Exactly one output on Bitcoin pays each: its address was made for it and got one coin.
    for id in ids {
        let peg = network.ok(&["peg", "show", &id])["out"].clone();
        let rpc = bitcoind(&network);
        let scan: Value = rpc
            .call("scantxoutset", &[json!("start"), json!([format!("addr({})", text(&peg, "to"))])])
            .expect("a scan");
        let coins = scan["unspents"].as_array().expect("coins");
        assert_eq!(coins.len(), 1, "{peg}: {scan}");
        assert_eq!(coins[0]["txid"], peg["state"]["txid"], "{peg}");
    }
    assert_eq!(network.ok(&["statement", "alice"])["ok"], true);
}

#[test]
fn case_19_odd_peg_outs() {
    let network = up("case19");
    network.ok(&["peg", "in", "alice", "1btc"]);
    let side = network.side("alice");
    let federation = network.ok(&["federation", "show"]);
    let script = text(&federation["view"]["treasury"], "script");
    let script = bitcoin::ScriptBuf::from_hex(&script).expect("a script");
    let treasury = bitcoin::Address::from_script(&script, bitcoin::Network::Regtest).expect("an address").to_string();

    // To the federation's own coin: refused, nothing burned.
    let own = network.fails(&["peg", "out", "alice", "0.1btc", "--to", &treasury]);
    assert!(own.text.contains("federation"), "{}", own.text);
    // Dust after the fee, and less than the fee allows.
    assert_eq!(network.fails(&["peg", "out", "alice", "400sat"]).exit, 2);
    let mean = network.fails(&["peg", "out", "alice", "0.1btc", "--fee-max", "1sat"]);
    assert!(mean.text.contains("fee"), "{}", mean.text);
    assert_eq!(network.side("alice"), side, "nothing was burned");

    // Twice to one destination: two outputs, both paid.
    let address = text(&network.ok(&["address", "bob"]), "address");
    let before = number(&network.balance("bob"), "bitcoin_sat");
    let first = network.ok(&["--no-wait", "peg", "out", "alice", "0.1btc", "--to", &address]);
    let second = network.ok(&["--no-wait", "peg", "out", "alice", "0.1btc", "--to", &address]);
    let mut paid = 0;
    for out in [first, second] {
        let id = text(&out, "id");
        let peg = until("both are paid", Duration::from_secs(120), || {
            network.ok(&["mine", "1"]);
            let peg = network.ok(&["peg", "show", &id])["out"].clone();
            (peg["state"]["state"] == "paid").then_some(peg)
        });
        paid += number(&peg["state"], "paid_sat");
    }
    assert_eq!(number(&network.balance("bob"), "bitcoin_sat"), before + paid);
    network.assert_reserves();
}

#[test]
fn case_20_bitcoin_core_relays_every_script_that_we_emit() {
    use bitcoin::{Address, FeeRate, Network as Bitcoin, ScriptBuf};
    use std::collections::BTreeMap;
    use windlass_node::member::emergency_keypair;
    use windlass_peg::emergency::EmergencySpend;

    // Sweeps, peg-outs (key path) and reclaims (the user's leaf) went through a stock mempool in
    // this file's other tests; here is the one that is never needed: the emergency leaf.
    let network = up("case20");
    network.ok(&["peg", "in", "alice", "0.5btc"]);
    let runtime = runtime();
    let member = MemberClient::new(network.api("f1"));
    let answer = runtime.block_on(member.genesis()).expect("the genesis");
    let genesis: windlass_ledger::Genesis =
        borsh::from_slice(&hex::decode(answer.hex).expect("hex")).expect("a genesis");
    let mut recount = windlass_peg::reserves::Recount::new(genesis.clone()).expect("a recount");
    let tip = runtime.block_on(member.chain()).expect("a tip").height;
    let blocks = runtime.block_on(member.blocks(SideHeight::new(1), PAGE_MAX)).expect("blocks");
    assert!(blocks.last().is_some_and(|last| last.height >= tip), "{tip} is more than a page away");
    for answer in blocks {
        let block = Block::decode(&hex::decode(&answer.hex).expect("hex")).expect("a block");
        recount.push(&block, |_| Ok::<(), std::convert::Infallible>(())).expect("valid");
    }
    let coin = windlass_ledger::query::treasury(recount.state()).expect("state").expect("a treasury coin");
    // The federation is gone, and the timelock passes.
    for name in MEMBERS {
        network.ok(&["federation", "member", "stop", name]);
    }
    let to = Address::p2wsh(&ScriptBuf::new(), Bitcoin::Regtest);
    let rate = FeeRate::from_sat_per_vb(2).expect("a rate");
    let spend = EmergencySpend::new(&genesis, &coin, to.script_pubkey(), rate).expect("a spend");
    let mut signatures = BTreeMap::new();
    for name in &MEMBERS[..usize::from(genesis.params.emergency_threshold)] {
        let keys = emergency_keypair(&network.home().join("fed").join(name)).expect("the member's emergency key");
        let (index, signature) = spend.sign(&keys).expect("signs");
        signatures.insert(index, signature);
    }
    let transaction = spend.finish(&signatures).expect("enough signatures");
    let rpc = bitcoind(&network);
    let test = || -> Value {
        rpc.call::<Value>("testmempoolaccept", &[json!([serialize_hex(&transaction)])]).expect("an answer")[0].clone()
    };
    let early = test();
    assert_eq!(early["allowed"], false, "{early}");
    assert!(early["reject-reason"].as_str().is_some_and(|r| r.contains("non-BIP68-final")), "{early}");
    let mut left = genesis.params.emergency_blocks.get();
    while left > 0 {
        let blocks = left.min(1_000);
        network.ok(&["mine", &blocks.to_string()]);
        left -= blocks;
    }
    let due = test();
    assert_eq!(due["allowed"], true, "{due}");
}
