//! Bitcoin moves under the federation: reorganisations, double claims, reclaims.

use crate::fed::{Fed, eventually};
use crate::purse::{FEE, account, address, keypair, signed, terms};
use crate::steps::{balance, claim, claim_hex, deposit, minted};
use bitcoin::{Amount, FeeRate, OutPoint};
use windlass_ledger::{Params, TxBody};
use windlass_node::api::Code;
use windlass_node::api::member::DepositState;
use windlass_peg::CoinToSpend;
use windlass_types::Blocks;

const AMOUNT: Amount = Amount::from_sat(400_000);

#[tokio::test(flavor = "multi_thread")]
async fn case_07_a_reorganised_deposit_is_minted_once_or_not_at_all() {
    let fed = Fed::up(Params::default()).await;
    let genesis = fed.genesis().await;
    let depth = fed.federation.params.anchor_depth.get();
    for back in 1..=3 {
        let ann = keypair(10 + u8::try_from(back).unwrap());
        let to = terms(&ann, 0).address(&genesis).expect("an address").script_pubkey();
        let txid = fed.purse.pay(&fed.bitcoind, to, AMOUNT).await;
        fed.mine(back).await;
        // The deposit is back in the mempool and gets into another block.
        fed.reorganise(back, back + depth).await;
        let coin = claim(&fed, &ann, 0, txid).await;
        let got = minted(&fed, coin).await;
        assert_eq!(balance(&fed, &ann).await, got, "once");
        fed.check_reserves().await;
    }
    // Now its input goes elsewhere in the other blocks: it never was.
    let eve = keypair(20);
    let to = terms(&eve, 0).address(&genesis).expect("an address").script_pubkey();
    let coin = fed.purse.coin();
    let deposit = fed.purse.spend(coin, &[(to, AMOUNT)], FEE);
    fed.bitcoind.broadcast(&deposit).await.expect("broadcast");
    fed.mine(depth - 1).await;
    let double = fed.purse.spend(coin, &[(address(&eve).script_pubkey(), AMOUNT)], FEE * 5);
    fed.reorganise(depth - 1, 0).await;
    fed.bitcoind.broadcast(&double).await.expect("it replaces the deposit");
    fed.reorganise(1, depth + 3).await;
    fed.caught_up().await;
    assert_eq!(claim_hex(&fed, &eve, 0, deposit.compute_txid()).await, None, "in no block");
    let never = OutPoint::new(deposit.compute_txid(), 0);
    assert_eq!(fed.any().deposit(never).await.expect_err("never claimed").code, Code::NotFound);
    fed.check_reserves().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_07_a_reorganisation_deeper_than_the_anchors_halts_the_peg_and_shows() {
    let fed = Fed::up(Params::default()).await;
    let ann = keypair(1);
    let coin = deposit(&fed, &ann, 0, AMOUNT).await;
    let got = minted(&fed, coin).await;
    let before = fed.any().chain().await.expect("a tip");
    fed.reorganise(10, 14).await;
    let error = eventually("the recount says so", || async {
        windlass_node::reserves::recount(&fed.any(), &fed.bitcoind, None).await.err()
    })
    .await;
    assert!(error.message.contains("does not have the sidechain's Bitcoin block"), "{error}");
    let body = TxBody::Transfer {
        from: account(&ann),
        nonce: 0,
        outputs: vec![windlass_ledger::Output::btc(account(&keypair(2)), Amount::from_sat(1_000))],
        fee: Amount::ZERO,
        memo: vec![],
        expiry: None,
    };
    let id = fed.any().submit(signed(before.chain, body, &ann)).await.expect("taken").id;
    fed.is_final(id).await;
    let after = fed.any().chain().await.expect("a tip");
    assert_eq!(after.anchor, before.anchor, "no anchor on the other branch");
    assert_eq!(after.supply, got, "and nothing minted");
}

#[tokio::test(flavor = "multi_thread")]
async fn case_06_same_outpoint_claimed_twice_is_minted_once() {
    let mut fed = Fed::up(Params::default()).await;
    let genesis = fed.genesis().await;
    let ann = keypair(1);
    let to = terms(&ann, 0).address(&genesis).expect("an address").script_pubkey();
    let txid = fed.purse.pay(&fed.bitcoind, to, AMOUNT).await;
    fed.mine(fed.federation.params.anchor_depth.get()).await;
    fed.caught_up().await;
    let hex = claim_hex(&fed, &ann, 0, txid).await.expect("in a block");
    // To all members at once, before any of them has told the others.
    let mut ids = Vec::new();
    for m in 0..4 {
        let client = fed.client(m).expect("runs");
        let hex = hex.clone();
        ids.push(eventually("taken", || async { client.submit(hex.clone()).await.ok() }).await.id);
    }
    assert!(ids.windows(2).all(|w| w[0] == w[1]));
    let outpoint = windlass_ledger::Transaction::decode(&hex::decode(&hex).unwrap()).unwrap();
    let windlass_ledger::TxBody::Claim(found) = outpoint.body else { panic!("a claim") };
    let coin = found.outpoint().expect("a coin");
    let got = minted(&fed, coin).await;
    // Again after the mint, and again after everyone's restart.
    for _ in 0..2 {
        let again = fed.any().submit(hex.clone()).await;
        assert!(again.is_ok_and(|answer| answer.id == ids[0]), "the same claim is not an error");
        assert_eq!(balance(&fed, &ann).await, got);
        fed.kill_all();
        fed.start_all().await;
    }
    fed.mine(8).await;
    fed.caught_up().await;
    assert_eq!(balance(&fed, &ann).await, got);
    let report = fed.check_reserves().await;
    assert_eq!(report.supply, got);
}

#[tokio::test(flavor = "multi_thread")]
async fn case_12_the_reclaim_wins_against_the_sweep_and_nothing_is_minted() {
    let params = Params { reclaim_blocks: Blocks::new(30), reclaim_buffer: Blocks::new(2), ..Params::default() };
    let mut fed = Fed::new(params).await;
    // The coordinator of batch 0 is member 0. It is down; the others give it a minute.
    fed.signing_attempt_ms = 60_000;
    fed.lay_out();
    fed.start_all().await;
    let genesis = fed.genesis().await;
    fed.kill(0);
    let ann = keypair(1);
    let coin = deposit(&fed, &ann, 0, AMOUNT).await;
    eventually("the batch is fixed", || async { fed.any().federation().await.ok()?.batch }).await;
    fed.kill(1);
    let record = fed.any().deposit(coin).await.expect("claimed");
    let tip = fed.bitcoind.tip().await.expect("a tip").height.get();
    fed.mine(record.reclaim_height.get() - 1 - tip).await;
    let spend = CoinToSpend { outpoint: coin, amount: AMOUNT };
    let rate = FeeRate::from_sat_per_vb(2).expect("a rate");
    let to = address(&ann).script_pubkey();
    let reclaim = windlass_peg::deposit::reclaim(&genesis, &terms(&ann, 0), spend, to, rate, &ann).expect("signed");
    fed.bitcoind.test_accept(&reclaim).await.expect("bitcoind").expect("standard, and not a block too early");
    fed.bitcoind.broadcast(&reclaim).await.expect("broadcast");
    // The federation is back and signs the batch that it is bound to; the coin is gone.
    fed.start_all().await;
    fed.mine(fed.federation.params.anchor_depth.get()).await;
    fed.caught_up().await;
    let state = eventually("the reclaim is seen", || async {
        let info = fed.any().deposit(coin).await.ok()?;
        matches!(info.state, DepositState::Reclaimed { .. }).then_some(info.state)
    })
    .await;
    assert_eq!(state, DepositState::Reclaimed { txid: reclaim.compute_txid() });
    assert_eq!(balance(&fed, &ann).await, Amount::ZERO);
    let report = fed.check_reserves().await;
    assert_eq!(report.reserve, Amount::ZERO);
    // The peg goes on.
    let bob = keypair(2);
    let coin = deposit(&fed, &bob, 0, AMOUNT).await;
    minted(&fed, coin).await;
    fed.check_reserves().await;
}
