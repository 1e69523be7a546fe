//! Members and bitcoind die and come back.

use crate::fed::{Fed, eventually};
use crate::purse::{account, address, keypair, signed};
use crate::steps::{burn, deposit, minted, paid, payments};
use bitcoin::Amount;
use std::time::Duration;
use windlass_ledger::{Params, TxBody};

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
        fed.start_all().await;
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
        outputs: vec![windlass_ledger::Output::btc(account(&keypair(2)), Amount::from_sat(1_000))],
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
async fn case_27_members_killed_during_key_generation_end_in_one_key() {
    let mut fed = Fed::new(Params::default()).await;
    fed.lay_out();
    (0..4).for_each(|m| fed.start(m));
    // Each is killed as soon as it has saved a share, or a little into its start.
    for m in 0..4 {
        let dir = fed.member_dir(m);
        eventually("it has a share, or knows of none", || async {
            let saved = dir.join("share.pending").exists() || dir.join("share.key").exists();
            (saved || dir.join("member.json").exists()).then_some(())
        })
        .await;
        fed.kill(m);
        fed.start(m);
    }
    fed.start_all().await;
    let files: Vec<_> =
        (0..4).map(|m| std::fs::read(fed.member_dir(m).join("genesis.json")).expect("a genesis")).collect();
    assert!(files.windows(2).all(|w| w[0] == w[1]));
    for m in 0..4 {
        use std::os::unix::fs::PermissionsExt as _;
        let share = fed.member_dir(m).join("share.key");
        assert_eq!(std::fs::metadata(share).expect("a share").permissions().mode() & 0o777, 0o600);
    }
}
