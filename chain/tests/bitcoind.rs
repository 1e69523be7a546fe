//! The adapter and the follower against a real bitcoind.

mod common;

use bitcoin::hashes::Hash as _;
use bitcoin::{BlockHash, Network, OutPoint, Txid};
use common::{DEADLINE, Rig};
use windlass_chain::{
    Auth, Bitcoind, BitcoindConfig, BroadcastError, ConnectError, Event, FollowError, Follower, merkle_proof,
    verify_merkle_proof,
};
use windlass_types::{BlockRef, BtcHeight};

async fn genesis(rig: &Rig) -> BlockRef {
    let hash = rig.bitcoind.block_hash(BtcHeight::new(0)).await.expect("answers").expect("there is one");
    BlockRef::new(BtcHeight::new(0), hash)
}

/// All events up to the tip, as `+height` and `-height`.
async fn drain(follower: &mut Follower) -> Vec<String> {
    let mut seen = Vec::new();
    while let Some(event) = follower.poll().await.expect("follows") {
        seen.push(match event {
            Event::Connect { block, at } => {
                assert_eq!(block.block_hash(), at.hash());
                format!("+{}", at.height)
            }
            Event::Disconnect { at, parent } => {
                assert_eq!(parent.height.next(), Some(at.height));
                format!("-{}", at.height)
            }
        });
    }
    seen
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_blocks_headers_and_outputs() {
    let rig = Rig::start().await;
    let config = rig.bitcoind.config().clone();
    Bitcoind::connect(config.clone(), Network::Regtest).await.expect("the right network");
    let wrong = Bitcoind::connect(config, Network::Signet).await.expect_err("the wrong one");
    assert!(matches!(&wrong, ConnectError::WrongNetwork { found, .. } if found == "regtest"), "{wrong}");
    assert_eq!(rig.bitcoind.network().await, Ok(Network::Regtest));

    let hashes = rig.miner.mine(3, &rig.burn()).await.expect("mines");
    let tip = rig.bitcoind.tip().await.expect("a tip");
    assert_eq!(tip, BlockRef::new(BtcHeight::new(3), hashes[2]));
    assert_eq!(rig.bitcoind.block_hash(BtcHeight::new(4)).await, Ok(None));
    let block = rig.bitcoind.block(hashes[1]).await.expect("answers").expect("there");
    let info = rig.bitcoind.header(hashes[1]).await.expect("answers").expect("there");
    assert_eq!((info.header, info.confirmations, info.next), (block.header, Some(2), Some(hashes[2])));
    assert_eq!(rig.bitcoind.block(BlockHash::all_zeros()).await, Ok(None));
    assert_eq!(rig.bitcoind.header(BlockHash::all_zeros()).await, Ok(None));

    let reward = block.txdata[0].compute_txid();
    let utxo = rig.bitcoind.utxo(OutPoint::new(reward, 0)).await.expect("answers").expect("unspent");
    assert_eq!((utxo.confirmations, utxo.height, utxo.coinbase), (2, Some(BtcHeight::new(2)), true));
    assert_eq!(utxo.script, rig.burn().script_pubkey());
    assert_eq!(rig.bitcoind.utxo(OutPoint::new(Txid::all_zeros(), 0)).await, Ok(None));
    assert_eq!(rig.bitcoind.scan(&[rig.burn().script_pubkey()]).await.expect("scans").len(), 3);
    let read = rig.bitcoind.transaction_in_block(reward, hashes[1]).await.expect("answers");
    assert_eq!(read.as_ref(), Some(&block.txdata[0]));
    assert_eq!(rig.bitcoind.transaction_in_block(reward, hashes[0]).await, Ok(None));
    assert_eq!(rig.bitcoind.mempool_transaction(reward).await, Ok(None));

    let proof = merkle_proof(&block, reward).expect("it is in there");
    assert_eq!(verify_merkle_proof(&proof, reward), Some(hashes[1]));
}

#[tokio::test(flavor = "multi_thread")]
async fn follows_reorganisations_of_one_to_three_blocks() {
    let rig = Rig::start().await;
    rig.miner.mine(5, &rig.burn()).await.expect("mines");
    let mut follower = Follower::new(rig.bitcoind.clone(), genesis(&rig).await);
    assert_eq!(drain(&mut follower).await, ["+1", "+2", "+3", "+4", "+5"]);
    assert_eq!(drain(&mut follower).await, [""; 0]);
    // Each fork is one block longer than what it replaces.
    for (depth, height) in (1..=3u32).zip(5u32..) {
        let first_lost = BtcHeight::new(height - depth + 1);
        let lost = rig.bitcoind.block_hash(first_lost).await.expect("answers").expect("there");
        rig.miner.invalidate(lost).await.expect("invalidated");
        for _ in 0..=depth {
            rig.miner.mine_empty(&rig.burn_at(depth as u8)).await.expect("mines");
        }
        let mut expected: Vec<String> = (0..depth).map(|i| format!("-{}", height - i)).collect();
        expected.extend((first_lost.get()..=height + 1).map(|h| format!("+{h}")));
        assert_eq!(drain(&mut follower).await, expected, "depth {depth}");
        assert_eq!(follower.at(), rig.bitcoind.tip().await.expect("a tip"));
    }
    let nowhere = BlockRef::new(BtcHeight::new(7), BlockHash::all_zeros());
    let error = Follower::new(rig.bitcoind.clone(), nowhere).poll().await.expect_err("unknown");
    assert_eq!(error, FollowError::UnknownBlock(nowhere));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_bitcoind_is_unreachable_and_then_back() {
    let mut rig = Rig::start().await;
    rig.miner.mine(2, &rig.burn()).await.expect("mines");
    let mut follower = Follower::new(rig.bitcoind.clone(), genesis(&rig).await);
    assert_eq!(drain(&mut follower).await, ["+1", "+2"]);
    for kill in [false, true] {
        let before = rig.bitcoind.tip().await.expect("a tip");
        if kill {
            rig.kill()
        } else {
            rig.down().await
        }
        let error = rig.bitcoind.tip().await.expect_err("it is down");
        assert!(error.is_unreachable(), "{error}");
        // One that waits while it is down goes on when it is back, with the new cookie.
        let mut waiting = Follower::new(rig.bitcoind.clone(), before);
        let task = tokio::spawn(async move { waiting.next().await });
        rig.up().await;
        let now = rig.bitcoind.tip().await.expect("a tip");
        // Core writes its index rarely; the miner makes it do so after each of its blocks.
        assert_eq!(now, before);
        rig.miner.mine(1, &rig.burn()).await.expect("mines");
        let event = tokio::time::timeout(DEADLINE, task).await.expect("in time").expect("no panic").expect("follows");
        assert!(matches!(event, Event::Connect { at, .. } if Some(at.height) == before.height.next()));
    }
}

/// A bitcoind that was killed may have forgotten its last blocks, headers included.
#[tokio::test(flavor = "multi_thread")]
async fn blocks_that_bitcoind_forgot_are_undone_from_our_own_memory() {
    let mut rig = Rig::start().await;
    rig.miner.mine(3, &rig.burn()).await.expect("mines");
    let mut follower = Follower::new(rig.bitcoind.clone(), genesis(&rig).await);
    drain(&mut follower).await;
    let unkept: Vec<BlockHash> = rig
        .bitcoind
        .call("generatetoaddress", vec![2.into(), rig.burn().to_string().into()])
        .await
        .expect("mined behind the miner's back");
    assert_eq!(drain(&mut follower).await, ["+4", "+5"]);
    rig.kill();
    rig.up().await;
    assert_eq!(rig.bitcoind.header(unkept[0]).await, Ok(None), "or this test shows nothing");
    let history: Vec<BlockRef> = follower.history().collect();
    let mut again = Follower::resume(rig.bitcoind.clone(), history).expect("not empty");
    for follower in [&mut follower, &mut again] {
        assert_eq!(drain(follower).await, ["-5", "-4"]);
    }
    rig.miner.mine(1, &rig.burn_at(1)).await.expect("mines");
    assert_eq!(drain(&mut again).await, ["+4"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_carry_cores_reason() {
    let rig = Rig::start().await;
    let hash = rig.miner.mine(1, &rig.burn()).await.expect("mines")[0];
    let mut transaction = rig.bitcoind.block(hash).await.expect("answers").expect("there").txdata.remove(0);
    assert_eq!(rig.bitcoind.broadcast(&transaction).await, Ok(transaction.compute_txid()), "it is in a block already");
    transaction.lock_time = bitcoin::absolute::LockTime::from_consensus(7);
    let refused = rig.bitcoind.broadcast(&transaction).await.expect_err("a coinbase can't be sent");
    assert!(matches!(&refused, BroadcastError::Rejected { reason, .. } if reason.contains("coinbase")), "{refused}");
    let reason = rig.bitcoind.test_accept(&transaction).await.expect("answers").expect_err("refused");
    assert_eq!(reason, "coinbase");

    let auth = Auth::UserPassword { user: "somebody".into(), password: "else".into() };
    let stranger = Bitcoind::new(BitcoindConfig { auth, ..rig.bitcoind.config().clone() });
    let error = stranger.tip().await.expect_err("refused");
    assert!(matches!(error, windlass_chain::RpcError::Unauthorized { .. }), "{error}");
}
