//! Scripts that leave the federation are such that Bitcoin Core relays and mines them.

use crate::fed::{Fed, eventually};
use crate::purse::{account, address, keypair, signed};
use crate::steps::{balance, burn, deposit, minted, paid, payments};
use bitcoin::{Amount, FeeRate, ScriptBuf};
use std::collections::BTreeMap;
use windlass_ledger::{Params, TxBody, query};
use windlass_node::api::member::PegOutState;
use windlass_node::api::{ApiError, Code};
use windlass_peg::emergency::EmergencySpend;
use windlass_types::Blocks;

async fn ask(fed: &Fed, script: ScriptBuf, amount: u64, fee_max: u64) -> Result<(), ApiError> {
    let body = TxBody::PegOut {
        from: account(&keypair(1)),
        nonce: 0,
        script: script.into_bytes(),
        amount: Amount::from_sat(amount),
        fee_max: Amount::from_sat(fee_max),
        fee: Amount::ZERO,
        expiry: None,
    };
    let chain = fed.genesis().await.chain_id();
    fed.any().submit(signed(chain, body, &keypair(1))).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn case_19_peg_outs_that_cannot_be_paid_are_refused_and_two_to_one_address_are_two() {
    let fed = Fed::up(Params::default()).await;
    let ann = keypair(1);
    let coin = deposit(&fed, &ann, 0, Amount::from_sat(2_000_000)).await;
    let got = minted(&fed, coin).await;
    let own = fed.any().federation().await.expect("a member").treasury.expect("a coin").script;
    let own = ScriptBuf::from_hex(&own).expect("hex");
    let good = address(&keypair(3)).script_pubkey();
    let data = ScriptBuf::new_op_return([1, 2, 3]);
    let odd = ScriptBuf::from_bytes(vec![0x51]);
    for (what, script, amount, fee_max, code) in [
        ("the federation's own", own, 50_000, 5_000, Code::Usage),
        ("OP_RETURN", data, 50_000, 5_000, Code::Usage),
        ("not standard", odd, 50_000, 5_000, Code::Usage),
        ("below the minimum", good.clone(), 500, 5_000, Code::Usage),
        ("its fee is above its maximum", good.clone(), 50_000, 10, Code::Usage),
        ("more than there is", good.clone(), 90_000_000, 5_000, Code::InsufficientFunds),
    ] {
        let error = ask(&fed, script, amount, fee_max).await.expect_err(what);
        assert_eq!(error.code, code, "{what}: {error}");
    }
    assert_eq!(balance(&fed, &ann).await, got, "nothing was burned");
    let out = address(&keypair(3));
    let first = burn(&fed, &ann, 0, Amount::from_sat(60_000), &out).await;
    let second = burn(&fed, &ann, 1, Amount::from_sat(60_000), &out).await;
    let (a, b) = (paid(&fed, first).await, paid(&fed, second).await);
    let coin = |state: &PegOutState| match state {
        PegOutState::Paid { txid, vout, .. } => (*txid, *vout),
        other => panic!("{other:?}"),
    };
    assert_ne!(coin(&a.state), coin(&b.state));
    assert_eq!(payments(&fed, &out).await.len(), 2);
    fed.check_reserves().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn case_20_the_emergency_spend_is_relayed_after_its_timelock_and_not_before() {
    let mut fed = Fed::up(Params { emergency_blocks: Blocks::new(40), ..Params::default() }).await;
    let ann = keypair(1);
    let coin = deposit(&fed, &ann, 0, Amount::from_sat(3_000_000)).await;
    minted(&fed, coin).await;
    let genesis = fed.genesis().await;
    let replayed = windlass_node::reserves::replay(&fed.any(), None).await.expect("replayed");
    let treasury = query::treasury(replayed.state()).expect("state").expect("a coin");
    fed.kill_all();
    let to = address(&keypair(5));
    let rate = FeeRate::from_sat_per_vb(3).expect("a rate");
    let spend = EmergencySpend::new(&genesis, &treasury, to.script_pubkey(), rate).expect("made");
    let mut signatures = BTreeMap::new();
    for m in [3, 0, 2] {
        let key = windlass_node::member::emergency_keypair(&fed.member_dir(m)).expect("a key");
        let (index, signature) = spend.sign(&key).expect("a member's");
        signatures.insert(index, signature);
    }
    let transaction = spend.finish(&signatures).expect("enough");
    let early = fed.bitcoind.test_accept(&transaction).await.expect("bitcoind").expect_err("too early");
    assert!(early.contains("BIP68"), "{early}");
    let tip = fed.bitcoind.tip().await.expect("a tip").height.get();
    fed.mine(treasury.block.height.get() + 40 - 1 - tip).await;
    fed.bitcoind.test_accept(&transaction).await.expect("bitcoind").expect("relayed by stock Bitcoin Core");
    fed.bitcoind.broadcast(&transaction).await.expect("broadcast");
    fed.mine(1).await;
    assert_eq!(payments(&fed, &to).await.len(), 1);
    // The federation comes back and sees that its coin is gone: the peg is closed, and says so.
    fed.start_all().await;
    fed.mine(fed.federation.params.anchor_depth.get()).await;
    fed.caught_up().await;
    let report = eventually("the recount sees it", || async {
        let report = windlass_node::reserves::recount(&fed.any(), &fed.bitcoind, None).await.ok()?;
        (!report.ok).then_some(report)
    })
    .await;
    assert!(report.faults.iter().any(|fault| fault.contains(&transaction.compute_txid().to_string())), "{report:?}");
}
