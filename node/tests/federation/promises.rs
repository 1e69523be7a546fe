//! Whether a promise was kept: what a real bitcoind shows of it.

use crate::fed::Fed;
use crate::purse::{address, keypair, terms};
use bitcoin::{Amount, OutPoint};
use windlass_ledger::Params;
use windlass_light::{AddressPromise, MintPromise, PegOutPromise, Promise};
use windlass_node::promises::{Outcome, outcome};
use windlass_types::{BlockRef, Blocks, BtcHeight, Digest, SideHeight};

const AMOUNT: Amount = Amount::from_sat(50_000);
const FEE_MAX: Amount = Amount::from_sat(300);

/// A peg-out to the key `n`, to be paid after `anchor` and up to `deadline`.
fn peg_out(n: u8, anchor: u32, deadline: u32) -> Promise {
    Promise::PegOut(PegOutPromise {
        id: Digest([n; 32]),
        account: crate::purse::account(&keypair(n)),
        script: address(&keypair(n)).script_pubkey(),
        amount: AMOUNT,
        fee_max: FEE_MAX,
        height: SideHeight::new(1),
        anchor: BtcHeight::new(anchor),
        deadline: BtcHeight::new(deadline),
    })
}

async fn asked(fed: &Fed, promise: &Promise) -> Outcome {
    outcome(promise, &fed.bitcoind).await.expect("bitcoind answers")
}

fn broken(outcome: Outcome, says: &str) {
    assert!(matches!(&outcome, Outcome::Broken { reason } if reason.contains(says)), "{says:?}: {outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bitcoin_shows_whether_a_peg_out_was_paid_in_time() {
    let fed = Fed::new(Params::default()).await;
    let tip = fed.bitcoind.tip().await.expect("a tip").height.get();
    let in_time = peg_out(30, tip, tip + 2);
    assert!(matches!(asked(&fed, &in_time).await, Outcome::Open { .. }));
    let pay = async |n: u8, amount| fed.purse.pay(&fed.bitcoind, address(&keypair(n)).script_pubkey(), amount).await;
    // One satoshi less than was promised, or one more than was burned, is not it.
    pay(30, AMOUNT - FEE_MAX - Amount::from_sat(1)).await;
    pay(30, AMOUNT + Amount::from_sat(1)).await;
    fed.mine(1).await;
    assert!(matches!(asked(&fed, &in_time).await, Outcome::Open { .. }));
    let paid = pay(30, AMOUNT - FEE_MAX).await;
    fed.mine(1).await;
    let kept = asked(&fed, &in_time).await;
    assert!(
        matches!(kept, Outcome::Kept { txid, block, confirmations: 1 } if txid == paid && block.height.get() == tip + 2)
    );
    // The same payment one block after another's deadline, and before the anchor of a third.
    broken(asked(&fed, &peg_out(30, tip, tip + 1)).await, "after block");
    assert!(matches!(asked(&fed, &peg_out(30, tip + 2, tip + 9)).await, Outcome::Open { .. }));
    broken(asked(&fed, &peg_out(31, tip, tip + 1)).await, "no block up to");
    fed.reorganise(1, 0).await;
    assert!(matches!(asked(&fed, &in_time).await, Outcome::Open { .. }), "it waits again");
}

#[tokio::test(flavor = "multi_thread")]
async fn bitcoin_shows_whether_a_deposit_was_swept() {
    let fed = Fed::new(Params::default()).await;
    let (coin, value) = fed.purse.coin();
    let sweep = fed.purse.spend((coin, value), &[(address(&keypair(32)).script_pubkey(), AMOUNT)], FEE_MAX);
    let txid = fed.bitcoind.broadcast(&sweep).await.expect("broadcast");
    fed.mine(2).await;
    let tip = fed.bitcoind.tip().await.expect("a tip");
    let height = tip.height.previous().expect("a block below");
    let block = BlockRef::new(height, fed.bitcoind.block_hash(height).await.expect("bitcoind").expect("a block"));
    let mint = |outpoint, block| {
        let account = crate::purse::account(&keypair(33));
        let (deposited, minted, height) = (AMOUNT, AMOUNT - FEE_MAX, SideHeight::new(1));
        Promise::Mint(MintPromise { outpoint, account, deposited, minted, sweep: txid, block, height })
    };
    assert_eq!(asked(&fed, &mint(coin, block)).await, Outcome::Kept { txid, block, confirmations: 2 });
    broken(asked(&fed, &mint(OutPoint::new(txid, 0), block)).await, "does not spend the deposit");
    broken(asked(&fed, &mint(coin, tip)).await, "does not have the sweep");
    let other = BlockRef::new(tip.height, block.hash());
    broken(asked(&fed, &mint(coin, other)).await, "is another than the one with the sweep");
    let above = BlockRef::new(tip.height.next().expect("a height"), block.hash());
    assert!(matches!(asked(&fed, &mint(coin, above)).await, Outcome::Open { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn bitcoin_shows_what_lies_at_an_address() {
    let fed = Fed::new(Params::default()).await;
    let script = address(&keypair(34)).script_pubkey();
    let promise = Promise::Address(AddressPromise {
        terms: terms(&keypair(34), 0),
        script: script.clone(),
        min: AMOUNT,
        max: AMOUNT,
        fee_max: FEE_MAX,
        reclaim_blocks: Blocks::new(10),
        since: SideHeight::new(0),
    });
    let says = async |words: &str| {
        let shown = asked(&fed, &promise).await;
        assert!(matches!(&shown, Outcome::Open { reason } if reason.contains(words)), "{words:?}: {shown:?}");
    };
    says("no coin lies").await;
    fed.purse.pay(&fed.bitcoind, script, AMOUNT).await;
    fed.mine(1).await;
    let height = fed.bitcoind.tip().await.expect("a tip").height.get();
    says(&format!("the user's alone from block {}", height + 10)).await;
    fed.mine(10).await;
    says(&format!("can take the oldest back since block {}", height + 10)).await;
}
