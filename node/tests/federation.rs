//! The member's process on a real bitcoind: peg in, transfer, peg out, with kills and stops.

mod fed;

use bitcoin::key::Keypair;
use bitcoin::{Address, Amount, OutPoint, Txid};
use fed::purse::{account, address, keypair, signed, terms};
use fed::{Fed, be_a_member, eventually};
use std::time::Duration;
use windlass_ledger::{Params, TxBody};
use windlass_node::api::Code;
use windlass_node::api::member::{DepositState, PegOutInfo, PegOutState};
use windlass_node::follower::{self, FollowerConfig};
use windlass_types::{Digest, SideHeight};

/// Not a test: what the members' processes run.
#[test]
fn a_member_process() {
    be_a_member();
}

/// Pays a deposit and claims it once it is anchored.
async fn deposit(fed: &Fed, key: &Keypair, nonce: u64, amount: Amount) -> OutPoint {
    let genesis = fed.genesis().await;
    let terms = terms(key, nonce);
    let to = terms.address(&genesis).expect("an address").script_pubkey();
    let txid = fed.purse.pay(&fed.bitcoind, to, amount).await;
    fed.mine(fed.federation.params.anchor_depth.get()).await;
    claim(fed, key, nonce, txid).await
}

async fn claim(fed: &Fed, key: &Keypair, nonce: u64, txid: Txid) -> OutPoint {
    let genesis = fed.genesis().await;
    let tip = fed.bitcoind.tip().await.expect("a tip");
    for depth in 0..20 {
        let height = windlass_types::BtcHeight::new(tip.height.get() - depth);
        let hash = fed.bitcoind.block_hash(height).await.expect("bitcoind").expect("a block");
        let block = fed.bitcoind.block(hash).await.expect("bitcoind").expect("a block");
        let found = windlass_peg::deposit::find(&genesis, &terms(key, nonce), &block, height).expect("terms");
        let Some(found) = found.into_iter().find(|found| found.outpoint.txid == txid) else { continue };
        fed.caught_up().await;
        let claim = windlass_ledger::Transaction::claim(genesis.chain_id(), found.claim);
        let hex = hex::encode(claim.encode());
        let id = eventually("the claim is taken", || async { fed.any().submit(hex.clone()).await.ok() }).await.id;
        fed.is_final(id).await;
        return found.outpoint;
    }
    panic!("the deposit is in no block");
}

async fn minted(fed: &Fed, outpoint: OutPoint) -> Amount {
    fed.mine_until("the deposit is minted", || async {
        match fed.any().deposit(outpoint).await.ok()?.state {
            DepositState::Minted { minted, .. } => Some(minted),
            _ => None,
        }
    })
    .await
}

async fn balance(fed: &Fed, key: &Keypair) -> Amount {
    let address = account(key).address(fed.federation.network);
    fed.any().account(&address).await.expect("an account").balance
}

async fn burn(fed: &Fed, key: &Keypair, nonce: u64, amount: Amount, to: &Address) -> Digest {
    let chain = fed.genesis().await.chain_id();
    let body = TxBody::PegOut {
        from: account(key),
        nonce,
        script: to.script_pubkey().into_bytes(),
        amount,
        fee_max: Amount::from_sat(5_000),
        fee: Amount::ZERO,
        expiry: None,
    };
    let id = fed.any().submit(signed(chain, body, key)).await.expect("taken").id;
    fed.is_final(id).await;
    id
}

async fn paid(fed: &Fed, id: Digest) -> PegOutInfo {
    fed.mine_until("the peg-out is paid", || async {
        let info = fed.any().peg_out(id).await.ok()?;
        matches!(info.state, PegOutState::Paid { .. }).then_some(info)
    })
    .await
}

/// All payments to the address that Bitcoin has.
async fn payments(fed: &Fed, to: &Address) -> Vec<Amount> {
    let found = fed.bitcoind.scan(&[to.script_pubkey()]).await.expect("a scan");
    found.into_iter().map(|unspent| unspent.value).collect()
}

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
        outputs: vec![(account(&bob), sent)],
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
async fn case_26_two_members_down_sign_nothing_and_it_resumes_when_one_is_back() {
    let mut fed = Fed::up(Params::default()).await;
    let ann = keypair(1);
    let coin = deposit(&fed, &ann, 0, Amount::from_sat(500_000)).await;
    minted(&fed, coin).await;
    fed.kill(0);
    fed.kill(1);
    let chain = fed.genesis().await.chain_id();
    let out = address(&keypair(4));
    let body = TxBody::PegOut {
        from: account(&ann),
        nonce: 0,
        script: out.script_pubkey().into_bytes(),
        amount: Amount::from_sat(100_000),
        fee_max: Amount::from_sat(5_000),
        fee: Amount::ZERO,
        expiry: None,
    };
    let id = fed.any().submit(signed(chain, body, &ann)).await.expect("taken").id;
    // Five seconds are many rounds of both consensus and signing.
    let status = fed.any().transaction(id, Duration::from_secs(5)).await.expect("asked");
    assert_eq!(status, windlass_node::api::member::TransactionStatus::Pending);
    fed.mine(2).await;
    assert_eq!(payments(&fed, &out).await, vec![]);
    fed.start(1);
    fed.ready(1).await;
    fed.is_final(id).await;
    paid(&fed, id).await;
    assert_eq!(payments(&fed, &out).await.len(), 1);
    fed.check_reserves().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_15_killed_at_every_stage_of_a_payment_it_is_paid_once() {
    let mut fed = Fed::up(Params::default()).await;
    let ann = keypair(1);
    let coin = deposit(&fed, &ann, 0, Amount::from_sat(2_000_000)).await;
    minted(&fed, coin).await;
    for (round, stage) in ["decided", "signed", "broadcast", "confirmed"].into_iter().enumerate() {
        let out = address(&keypair(50 + u8::try_from(round).unwrap()));
        let nonce = u64::try_from(round).unwrap();
        let id = burn(&fed, &ann, nonce, Amount::from_sat(50_000), &out).await;
        match stage {
            // The burn is final, so the batch is fixed: nobody may have signed yet.
            "decided" => {}
            "signed" => {
                eventually("signed", || async {
                    let info = fed.any().federation().await.ok()?;
                    info.batch.is_some_and(|batch| batch.signed).then_some(())
                })
                .await;
            }
            _ => {
                eventually("in the mempool", || async {
                    (!fed.bitcoind.mempool().await.ok()?.txids.is_empty()).then_some(())
                })
                .await;
                if stage == "confirmed" {
                    fed.mine(1).await;
                }
            }
        }
        fed.kill_all();
        (0..4).for_each(|m| fed.start(m));
        for m in 0..4 {
            fed.ready(m).await;
        }
        paid(&fed, id).await;
        assert_eq!(payments(&fed, &out).await.len(), 1, "killed when {stage}: exactly one payment");
        fed.check_reserves().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn case_11_a_bitcoind_that_stops_and_starts_again_stops_no_transfer() {
    let mut fed = Fed::up(Params::default()).await;
    let ann = keypair(1);
    let coin = deposit(&fed, &ann, 0, Amount::from_sat(500_000)).await;
    minted(&fed, coin).await;
    let before = fed.any().chain().await.expect("a tip").height;
    fed.stop_bitcoind().await;
    let chain = fed.genesis().await.chain_id();
    let body = TxBody::Transfer {
        from: account(&ann),
        nonce: 0,
        outputs: vec![(account(&keypair(2)), Amount::from_sat(1_000))],
        fee: Amount::ZERO,
        memo: vec![],
        expiry: None,
    };
    let id = fed.any().submit(signed(chain, body, &ann)).await.expect("taken").id;
    fed.is_final(id).await;
    let info = eventually("the member says so", || async {
        let info = fed.any().bitcoin().await.ok()?;
        info.error.is_some().then_some(info)
    })
    .await;
    assert_eq!(info.tip, None);
    fed.start_bitcoind().await;
    let out = address(&keypair(5));
    let id = burn(&fed, &ann, 1, Amount::from_sat(100_000), &out).await;
    paid(&fed, id).await;
    assert!(fed.any().chain().await.expect("a tip").height > before);
    fed.check_reserves().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_07_a_reorganised_deposit_is_minted_once_or_not_at_all() {
    let fed = Fed::up(Params::default()).await;
    let genesis = fed.genesis().await;
    let depth = fed.federation.params.anchor_depth.get();
    for back in 1..=3 {
        let ann = keypair(10 + u8::try_from(back).unwrap());
        let terms = terms(&ann, 0);
        let to = terms.address(&genesis).expect("an address").script_pubkey();
        let amount = Amount::from_sat(400_000);
        let txid = fed.purse.pay(&fed.bitcoind, to, amount).await;
        fed.mine(back).await;
        let tip = fed.bitcoind.tip().await.expect("a tip");
        let first = windlass_types::BtcHeight::new(tip.height.get() - (back - 1));
        let hash = fed.bitcoind.block_hash(first).await.expect("bitcoind").expect("a block");
        fed.miner().invalidate(hash).await.expect("invalidated");
        // The deposit is back in the mempool and gets into another block.
        fed.mine(back + depth).await;
        let coin = claim(&fed, &ann, 0, txid).await;
        let got = minted(&fed, coin).await;
        assert_eq!(balance(&fed, &ann).await, got, "once");
        fed.check_reserves().await;
    }
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
        outputs: vec![(account(&keypair(2)), Amount::from_sat(1_000))],
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
