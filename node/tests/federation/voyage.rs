//! The whole way: in, across, out; and what is said to who asks wrongly.

use crate::fed::{Fed, eventually};
use crate::purse::{account, address, keypair, signed};
use crate::steps::{balance, burn, deposit, minted, paid, payments};
use bitcoin::Amount;
use std::time::Duration;
use windlass_ledger::{Params, TxBody};
use windlass_node::api::Code;
use windlass_node::api::member::PegOutState;
use windlass_node::follower::{self, FollowerConfig};
use windlass_types::{Digest, SideHeight};

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
    let id = fed.any().submit(signed(chain, body, &ann)).await.expect("taken").id;
    fed.is_final(id).await;
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
    task.abort();
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
