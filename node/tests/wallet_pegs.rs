//! A wallet node's pegs on a real bitcoind, with the ledger's rules but a federation of one.

use crate::rig::federation::Federation;
use crate::rig::{Node, Rig, eventually};
use bitcoin::Amount;
use windlass_ledger::Params;
use windlass_node::api::Code;
use windlass_node::api::member::{DepositState, PegOutState};
use windlass_node::api::wallet::{PegInInfo, PegInState, PegOutRequest, SendRequest, Statement, TransferRequest};
use windlass_types::Blocks;

const MILLION: Amount = Amount::from_sat(1_000_000);

fn params() -> Params {
    Params { reclaim_blocks: Blocks::new(40), reclaim_buffer: Blocks::new(10), ..Params::default() }
}

/// Sends `amount` to a fresh deposit address; its block is mined if `blocks` > 0.
async fn deposit(rig: &Rig, node: &Node, amount: Amount, blocks: u32) -> PegInInfo {
    let info = node.api.deposit_address().await.expect("an address");
    assert_eq!(info.state, PegInState::Address);
    node.api.send(&SendRequest { to: info.address.clone(), amount }).await.expect("sent");
    if blocks > 0 {
        rig.mine_and_sync(blocks, &[node]).await;
    }
    node.api.deposit(&info.id).await.expect("listed")
}

/// Mines and turns until the peg-in's state satisfies `enough`.
async fn until(
    rig: &Rig,
    federation: &Federation,
    node: &Node,
    id: &str,
    enough: impl Fn(&PegInState) -> bool,
) -> PegInInfo {
    eventually("the peg-in gets there", || async {
        rig.mine_and_sync(1, &[node]).await;
        federation.turn().await;
        let info = node.api.deposit(id).await.expect("listed");
        enough(&info.state).then_some(info)
    })
    .await
}

const fn is_minted(state: &PegInState) -> bool {
    matches!(state, PegInState::OnSidechain(DepositState::Minted { .. }))
}

/// Without certificates the account can't be checked; all else must add up.
fn check(statement: &Statement) {
    for fault in &statement.faults {
        assert!(fault.starts_with("sidechain account: it can't be checked"), "{fault}");
    }
    for line in statement.peg_ins.iter().chain(&statement.peg_outs).filter(|line| line.settled) {
        assert_eq!(line.opening, line.closing + line.fee);
        assert!(line.transactions.iter().all(|tx| tx.height.is_some()), "{line:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_voyage_in_and_out() {
    let rig = Rig::start().await;
    rig.mine(1).await;
    let federation = Federation::start(&rig, params()).await;
    let members = || vec!["http://127.0.0.1:1".to_owned(), federation.base.clone()];
    let alice = Node::start(&rig.folder("alice", members())).await;
    let bob = Node::start(&rig.folder("bob", members())).await;
    rig.fund(&[&alice]).await;

    let peg_in = deposit(&rig, &alice, MILLION, 1).await;
    assert_eq!(peg_in.amount, Some(MILLION));
    assert!(matches!(peg_in.state, PegInState::Confirming { needed: 6 }), "{:?}", peg_in.state);
    let peg_in = until(&rig, &federation, &alice, &peg_in.id, is_minted).await;
    let PegInState::OnSidechain(DepositState::Minted { minted, fee, .. }) = peg_in.state else { unreachable!() };
    assert_eq!((minted + fee, federation.supply()), (MILLION, minted));
    assert_eq!(alice.api.balance().await.expect("a balance").sidechain, Some(minted));
    assert_eq!(alice.api.reclaim(&peg_in.id).await.expect_err("swept").code, Code::Conflict);

    // A transfer, and what can go wrong with one.
    let to = bob.api.info().await.expect("info").account;
    let transfer = |sat, to: &str| TransferRequest {
        to: to.into(),
        amount: Amount::from_sat(sat),
        more: Vec::new(),
        memo: "tea".into(),
        max_fee: None,
    };
    let turning = tokio::spawn({
        let federation = federation.clone();
        async move {
            loop {
                federation.turn().await;
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        }
    });
    for (sat, to, code) in
        [(0, to.as_str(), Code::Usage), (9_000_000, &to, Code::InsufficientFunds), (1, "x", Code::Usage)]
    {
        assert_eq!(alice.api.transfer(&transfer(sat, to)).await.expect_err("refused").code, code);
    }
    let first = transfer(300_000, &to);
    let second = transfer(100_000, &to);
    let (one, two) = tokio::join!(alice.api.transfer(&first), alice.api.transfer(&second));
    assert_ne!(one.expect("final").id, two.expect("final").id);
    assert_eq!(bob.api.balance().await.expect("a balance").sidechain, Some(Amount::from_sat(400_000)));

    // Out, to bob's own wallet.
    let small = PegOutRequest { amount: Amount::from_sat(9_999), to: None, fee_max: None };
    assert_eq!(bob.api.peg_out(&small).await.expect_err("too small").code, Code::Usage);
    let out = PegOutRequest { amount: Amount::from_sat(250_000), to: None, fee_max: None };
    let record = bob.api.peg_out(&out).await.expect("burned");
    assert!(record.own);
    assert_eq!(federation.owed(), out.amount);
    let id = record.info.id.to_string();
    let record = eventually("it is paid", || async {
        rig.mine_and_sync(1, &[&alice, &bob]).await;
        let record = bob.api.peg_out_by_id(&id[..10]).await.expect("listed");
        matches!(record.info.state, PegOutState::Paid { .. }).then_some(record)
    })
    .await;
    turning.abort();
    let PegOutState::Paid { paid, fee, .. } = record.info.state else { unreachable!() };
    assert_eq!(paid + fee, out.amount);
    assert_eq!(bob.api.balance().await.expect("a balance").bitcoin, paid);
    assert_eq!(bob.api.peg_out_by_id("ffff").await.expect_err("unknown").code, Code::NotFound);

    for node in [&alice, &bob] {
        check(&node.api.statement().await.expect("a statement"));
    }
    // After a restart the journal is the same, and a dead federation does not hide it.
    let statement = alice.api.statement().await.expect("a statement");
    let alice = Node::start(&alice.stop().await).await;
    let again = eventually("it is watching again", || async {
        let again = alice.api.statement().await.expect("a statement");
        (again.at == statement.at).then_some(again)
    })
    .await;
    assert_eq!(again.peg_ins, statement.peg_ins);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deposit_reorganised_by_one_to_three_blocks_is_minted_once() {
    let rig = Rig::start().await;
    rig.mine(1).await;
    let federation = Federation::start(&rig, params()).await;
    let alice = Node::start(&rig.folder("alice", vec![federation.base.clone()])).await;
    rig.fund(&[&alice]).await;
    let mut expected = Amount::ZERO;
    for depth in 1..=3u8 {
        let peg_in = deposit(&rig, &alice, MILLION, u32::from(depth)).await;
        assert_eq!(peg_in.confirmations, u32::from(depth));
        // The deposit goes back to the mempool, and comes in one block later.
        let lost = rig.bitcoind.block_hash(peg_in.bitcoin_height.expect("in a block")).await.expect("answers");
        rig.miner.invalidate(lost.expect("there")).await.expect("invalidated");
        for _ in 0..=depth {
            rig.miner.mine_empty(&rig.burn(depth)).await.expect("mines");
        }
        rig.mine_and_sync(0, &[&alice]).await;
        let back = eventually("it waits again", || async {
            let back = alice.api.deposit(&peg_in.id).await.expect("listed");
            back.bitcoin_height.is_none().then_some(back)
        })
        .await;
        assert_eq!((back.confirmations, back.outpoint), (0, peg_in.outpoint));
        let minted = until(&rig, &federation, &alice, &peg_in.id, is_minted).await;
        let PegInState::OnSidechain(DepositState::Minted { minted, .. }) = minted.state else { unreachable!() };
        expected += minted;
        assert_eq!(federation.supply(), expected);
    }
    let statement = alice.api.statement().await.expect("a statement");
    check(&statement);
    assert_eq!(statement.peg_ins.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deposit_that_nobody_sweeps_comes_back() {
    let rig = Rig::start().await;
    rig.mine(1).await;
    let federation = Federation::start(&rig, params()).await;
    let alice = Node::start(&rig.folder("alice", vec![federation.base.clone()])).await;
    rig.fund(&[&alice]).await;
    // Below the minimum, and one that would be fine if the federation did not sleep.
    let small = deposit(&rig, &alice, Amount::from_sat(5_000), 1).await;
    assert!(matches!(small.state, PegInState::NotEligible { .. }), "{:?}", small.state);
    let large = deposit(&rig, &alice, MILLION, 1).await;
    let early = alice.api.reclaim(&large.id).await.expect_err("not yet");
    assert_eq!((early.code, early.hints.len()), (Code::Conflict, 1), "{early}");
    let unused = alice.api.deposit_address().await.expect("an address");
    assert_eq!(alice.api.reclaim(&unused.id).await.expect_err("no coin").code, Code::Conflict);

    // The whole federation is gone, also for a node that starts.
    federation.die();
    let alice = Node::start(&alice.stop().await).await;
    rig.mine_and_sync(40, &[&alice]).await;
    let late = alice.api.deposit(&large.id).await.expect("listed");
    assert!(matches!(late.state, PegInState::NotEligible { .. }), "{:?}", late.state);
    for info in [&small, &large] {
        let reclaimed = alice.api.reclaim(&info.id).await.expect("broadcast");
        assert!(matches!(reclaimed.state, PegInState::Reclaiming { confirmations: 0, .. }));
        alice.api.reclaim(&info.id).await.expect("again is fine");
    }
    let alice = Node::start(&alice.stop().await).await;
    rig.mine_and_sync(1, &[&alice]).await;
    let done = eventually("it is back", || async {
        let info = alice.api.deposit(&large.id).await.expect("listed");
        matches!(info.state, PegInState::Reclaiming { confirmations: 1.., .. }).then_some(info)
    })
    .await;
    let PegInState::Reclaiming { fee, .. } = done.state else { unreachable!() };
    let statement = alice.api.statement().await.expect("a statement");
    check(&statement);
    let line = statement.peg_ins.iter().find(|line| line.id == large.id).expect("there");
    assert_eq!((line.closing, line.state.as_str()), (MILLION - fee, "reclaimed"));
    assert_eq!(federation.supply(), Amount::ZERO);
    // Once it is spent, the late federation gets nothing.
    federation.turn().await;
    assert_eq!(federation.supply(), Amount::ZERO);
}

/// What was written down is sent, once, as soon as a member answers again, and nothing overtakes it.
#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_outlives_the_members_and_the_node() {
    let rig = Rig::start().await;
    rig.mine(1).await;
    let federation = Federation::start(&rig, params()).await;
    let alice = Node::start(&rig.folder("alice", vec![federation.base.clone()])).await;
    let bob = Node::start(&rig.folder("bob", vec![federation.base.clone()])).await;
    rig.fund(&[&alice]).await;
    let peg_in = deposit(&rig, &alice, MILLION, 1).await;
    until(&rig, &federation, &alice, &peg_in.id, is_minted).await;
    let to = bob.api.info().await.expect("info").account;
    let transfer = |sat| TransferRequest {
        to: to.clone(),
        amount: Amount::from_sat(sat),
        more: Vec::new(),
        memo: String::new(),
        max_fee: None,
    };

    // It is in the members' pool when they forget it, and then alice is gone, too.
    let request = transfer(1_000);
    let answer = tokio::time::timeout(std::time::Duration::from_secs(1), alice.api.transfer(&request)).await;
    assert!(answer.is_err(), "nobody makes a block");
    federation.forget_waiting();
    federation.die();
    let lost = alice.api.transfer(&transfer(2_000)).await.expect_err("nobody answers");
    assert_eq!(lost.code, Code::NotRunning, "{lost}");
    let alice = Node::start(&alice.stop().await).await;
    federation.revive();
    let (later, ()) = tokio::join!(alice.api.transfer(&request), async {
        eventually("both are final", || async {
            federation.turn().await;
            let balance = bob.api.balance().await.expect("a balance").sidechain;
            (balance == Some(Amount::from_sat(2_000))).then_some(())
        })
        .await;
    });
    let later = later.expect("final");
    for _ in 0..3 {
        federation.turn().await;
    }
    assert_eq!(bob.api.balance().await.expect("a balance").sidechain, Some(Amount::from_sat(2_000)), "{later:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bitcoind_may_go_and_come_back() {
    let mut rig = Rig::start().await;
    rig.mine(1).await;
    let federation = Federation::start(&rig, params()).await;
    let alice = Node::start(&rig.folder("alice", vec![federation.base.clone()])).await;
    rig.fund(&[&alice]).await;
    let peg_in = deposit(&rig, &alice, MILLION, 1).await;
    rig.down().await;
    let send = SendRequest { to: peg_in.address.clone(), amount: MILLION };
    let error = alice.api.send(&send).await.expect_err("it is down");
    assert_eq!(error.code, Code::NotRunning, "{error}");
    // A node that starts meanwhile waits for it.
    let dir = alice.stop().await;
    let start = tokio::spawn(async move { Node::start(&dir).await });
    rig.up().await;
    let alice = start.await.expect("it starts");
    until(&rig, &federation, &alice, &peg_in.id, is_minted).await;
}
