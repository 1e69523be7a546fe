//! The whole way: in, across, out; and what is said to who asks wrongly.

use crate::api::{Described, deposits_by_pages, events};
use crate::fed::{Fed, eventually};
use crate::purse::{account, address, keypair, signed};
use crate::steps::{balance, burn, deposit, minted, paid, payments};
use bitcoin::secp256k1::Keypair;
use bitcoin::{Amount, OutPoint};
use std::time::Duration;
use windlass_ledger::{Params, TxBody};
use windlass_node::api::Code;
use windlass_node::api::member::PegOutState;
use windlass_node::follower::{self, FollowerConfig};
use windlass_types::{ChainNetwork, Digest, SideHeight};

#[tokio::test(flavor = "multi_thread")]
async fn in_and_out_with_one_member_stopped_and_a_follower() {
    let mut fed = Fed::up(Params::default()).await;
    let genesis_files: Vec<_> =
        (0..4).map(|m| std::fs::read(fed.member_dir(m).join("genesis.json")).unwrap()).collect();
    assert!(genesis_files.windows(2).all(|w| w[0] == w[1]), "all members have the same genesis");
    let chain = fed.genesis().await.chain_id();
    fed.check_reserves().await;

    let (ann, bob) = (keypair(1), keypair(2));
    let amount = Amount::from_sat(1_000_000);
    let coin = deposit(&fed, &ann, 0, amount).await;
    let got = minted(&fed, coin).await;
    assert!(got < amount && got > amount - Amount::from_sat(1_000));
    assert_eq!(balance(&fed, &ann).await, got);
    let report = fed.check_reserves().await;
    assert_eq!(report.supply, got);

    assert_eq!(fed.terminate(3), Some(0), "a clean end");
    let sent = Amount::from_sat(300_000);
    let body = TxBody::Transfer {
        from: account(&ann),
        nonce: 0,
        outputs: vec![windlass_ledger::Output::btc(account(&bob), sent)],
        fee: Amount::ZERO,
        memo: vec![],
        expiry: None,
    };
    let transfer = fed.any().submit(signed(chain, body, &ann)).await.expect("taken").id;
    fed.is_final(transfer).await;
    assert_eq!(balance(&fed, &bob).await, sent);

    let out = address(&keypair(3));
    let id = burn(&fed, &bob, 0, Amount::from_sat(200_000), &out).await;
    fed.check_reserves().await;
    let info = paid(&fed, id).await;
    let PegOutState::Paid { paid, fee, .. } = info.state else { panic!("paid") };
    assert_eq!(paid + fee, Amount::from_sat(200_000));
    assert_eq!(payments(&fed, &out).await, vec![paid]);
    fed.check_reserves().await;

    // The one that was away catches up; a follower arrives at the same root.
    fed.start(3);
    fed.ready(3).await;
    let tip = fed.any().chain().await.expect("a tip");
    eventually("the fourth catches up", || async {
        let info = fed.client(3)?.chain().await.ok()?;
        (info.height >= tip.height).then_some(())
    })
    .await;
    let dir = fed.path().join("follower");
    let members = (0..4).map(|m| fed.client(m).expect("runs").base().to_owned()).collect();
    let config = FollowerConfig {
        snapshot: None,
        name: "watch".into(),
        api: ([127, 0, 0, 1], 0).into(),
        members,
        chain: Some(chain),
        bitcoind: Some(fed.bitcoind_config.clone()),
    };
    config.save(&dir).expect("saved");
    let task = tokio::spawn(follower::run(dir.clone()));
    let follower = eventually("the follower follows", || async {
        let ready = follower::Ready::load(&dir).ok()??;
        let client = windlass_node::client::MemberClient::new(ready.api);
        let info = client.chain().await.ok()?;
        (info.height >= tip.height).then_some(client)
    })
    .await;
    let (ours, theirs) =
        (follower.blocks(tip.height, 1).await.unwrap(), fed.any().blocks(tip.height, 1).await.unwrap());
    assert_eq!(ours[0].hex, theirs[0].hex);
    assert!(windlass_node::reserves::recount(&follower, &fed.bitcoind, Some(chain)).await.expect("counted").ok);
    for base in [fed.client(0).expect("runs").base(), follower.base()] {
        answers_as_described(base, &address_of(&ann), coin, transfer, id).await;
        reads_events(base, tip.height.get()).await;
    }
    task.abort();
}

fn address_of(who: &Keypair) -> String {
    account(who).address(ChainNetwork::Regtest)
}

/// A hash lock that nobody has paid.
fn lock_of_nobody() -> windlass_ledger::Policy {
    let key = |seed| keypair(seed).x_only_public_key().0.serialize();
    windlass_ledger::Policy::hash_lock(key(8), [7; 32], key(9), windlass_types::BtcHeight::new(500)).expect("a lock")
}

async fn answers_as_described(base: &str, ann: &str, coin: OutPoint, transfer: Digest, peg_out: Digest) {
    let path = |path: &str| path.to_owned();
    let calls = [
        ("/v1/chain", path("/v1/chain")),
        ("/v1/genesis", path("/v1/genesis")),
        ("/v1/blocks", path("/v1/blocks?limit=2")),
        ("/v1/blocks", path("/v1/blocks?from=zz")),
        ("/v1/blocks/{height}", path("/v1/blocks/1")),
        ("/v1/bitcoin", path("/v1/bitcoin")),
        ("/v1/transactions/{id}", format!("/v1/transactions/{transfer}")),
        ("/v1/accounts/{address}", format!("/v1/accounts/{ann}")),
        ("/v1/accounts/{address}", path("/v1/accounts/nobody")),
        ("/v1/accounts/{address}/assets", format!("/v1/accounts/{ann}/assets")),
        ("/v1/assets", path("/v1/assets")),
        ("/v1/assets/{id}", format!("/v1/assets/{transfer}")),
        ("/v1/deposits", format!("/v1/deposits?account={ann}")),
        ("/v1/deposits", format!("/v1/deposits?account={ann}&limit=0")),
        ("/v1/deposits/{outpoint}", format!("/v1/deposits/{coin}")),
        ("/v1/peg-outs", format!("/v1/peg-outs?account={ann}")),
        ("/v1/peg-outs/{id}", format!("/v1/peg-outs/{peg_out}")),
        ("/v1/params", path("/v1/params")),
        ("/v1/proofs/params", path("/v1/proofs/params")),
        ("/v1/epochs", path("/v1/epochs")),
        ("/v1/preimages/{hash}", format!("/v1/preimages/{}", "07".repeat(32))),
        ("/v1/proofs/accounts/{address}", format!("/v1/proofs/accounts/{ann}")),
        (
            "/v1/proofs/accounts/{address}/assets/{asset}",
            format!("/v1/proofs/accounts/{ann}/assets/{}", "07".repeat(32)),
        ),
        ("/v1/proofs/locks/{policy}", format!("/v1/proofs/locks/{}", lock_of_nobody())),
        ("/v1/proofs/locks/{policy}", path("/v1/proofs/locks/nothing")),
        ("/v1/proofs/transactions/{id}", format!("/v1/proofs/transactions/{transfer}")),
        ("/v1/promises/peg-outs/{id}", format!("/v1/promises/peg-outs/{peg_out}")),
        ("/v1/promises/deposits/{outpoint}", format!("/v1/promises/deposits/{coin}")),
        ("/v1/promises/addresses/{terms}", path("/v1/promises/addresses/00")),
        ("/v1/federation", path("/v1/federation")),
    ];
    Described::by(base).await.holds(&calls).await;
    let deposits = deposits_by_pages(base, ann).await;
    assert_eq!(deposits.iter().map(|deposit| deposit.outpoint).collect::<Vec<_>>(), [coin]);
}

/// From the beginning, from a position, and what is yet to come.
async fn reads_events(base: &str, tip: u64) {
    let all = events(base, Some(0), None, usize::try_from(tip).expect("few")).await;
    assert!(all.iter().map(|(id, _)| *id).eq(1..=tip), "no height is left out");
    assert!(all.iter().all(|(id, block)| block.height.get() == *id));
    let transactions: usize = all.iter().map(|(_, block)| block.transactions.len()).sum();
    let receipts: usize = all.iter().map(|(_, block)| block.receipts.as_array().map_or(0, Vec::len)).sum();
    assert!(transactions >= 3 && receipts >= 3, "a claim, a transfer, a peg-out: {transactions}, {receipts}");
    assert_eq!(events(base, None, Some(tip - 2), 2).await, all[all.len() - 2..]);
    let (next, _) = events(base, None, None, 1).await.remove(0);
    assert!(next > tip, "the next one comes by itself");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_are_answered_with_what_is_wrong() {
    let fed = Fed::up(Params::default()).await;
    let api = fed.any();
    let error = api.submit("zz".into()).await.expect_err("no hex");
    assert_eq!(error.code, Code::Usage);
    let error = api.submit("00".into()).await.expect_err("no transaction");
    assert_eq!(error.code, Code::Usage, "{error}");
    let error = api.account("bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080").await.expect_err("foreign");
    assert!(error.message.contains("wlrt"), "{error}");
    let chain = fed.genesis().await.chain_id();
    let poor = keypair(7);
    let body = TxBody::Transfer {
        from: account(&poor),
        nonce: 0,
        outputs: vec![windlass_ledger::Output::btc(account(&keypair(2)), Amount::from_sat(1_000))],
        fee: Amount::ZERO,
        memo: vec![],
        expiry: None,
    };
    let error = api.submit(signed(chain, body, &poor)).await.expect_err("no money");
    assert_eq!(error.code, Code::InsufficientFunds, "{error}");
    let unknown = api.transaction(Digest::default(), Duration::ZERO).await.expect("asked");
    assert_eq!(unknown, windlass_node::api::member::TransactionStatus::Unknown);
    let error = api.peg_out(Digest::default()).await.expect_err("unknown");
    assert_eq!(error.code, Code::NotFound);
    assert!(api.blocks(SideHeight::new(1 << 40), 10).await.expect("asked").is_empty());
    let raw = reqwest::Client::new();
    for (path, status) in [("/v1/nonsense", 404), ("/", 404), ("/v1/blocks/x", 400), ("/v1/blocks/999999", 404)] {
        let answer = raw.get(format!("{}{path}", api.base())).send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), status, "{path}");
        assert!(answer.json::<windlass_node::api::ApiError>().await.is_ok(), "{path}");
    }
    let answer = raw.post(format!("{}/v1/transactions", api.base())).body("{").send().await.expect("an answer");
    assert_eq!(answer.status().as_u16(), 400);
}
