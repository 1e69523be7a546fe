//! What stands in the way of an opening, and what must not.

use crate::harness::books::check_open;
use crate::harness::stranger::{ACCEPT_CHANNEL, ERROR, OPEN_CHANNEL, Stranger, open_channel};
use crate::harness::{Chain, Peer, eventually, funded, msat, nobody, sat};
use std::sync::Arc;
use std::time::Duration;
use windlass_chain::WalletSync;
use windlass_channels::OpenRequest;

fn request(to: &Peer, amount: u64) -> OpenRequest {
    OpenRequest { peer: to.peer_address(), amount: sat(amount), push: msat(0), announce: false }
}

#[test]
fn a_channel_is_opened_while_the_wallet_is_blocks_ahead_of_ldk() {
    let chain = Chain::start();
    let [mut alice, bob] = funded(&chain, ["alice", "bob"]);
    alice.stop();
    // It reads no block unless it is told to.
    alice.run_as(|config| config.poll = Duration::from_secs(3600));
    // What it reads right after its start must be over: else it may read on while the channel is opened.
    let opened_behind = (0..10).any(|_| {
        chain.mine_to(3, &nobody());
        let (wallet, bitcoind) = (Arc::clone(alice.wallet()), chain.bitcoind.clone());
        alice.on(|_| async move { WalletSync::new(wallet, bitcoind).step().await }).expect("the wallet reads");
        let ask = request(&bob, 300_000);
        alice.on(|node| async move { node.open_channel(&ask).await }).expect("a channel");
        alice.wallet().tip().height.get() >= alice.node().synced_to().height.get() + 3
    });
    assert!(opened_behind, "LDK was never behind");
    chain.wait_mempool(1);
    chain.mine(6, &[&alice, &bob]);
    check_open(&chain, &alice, 5_000_000_000);
}

#[test]
fn proposals_that_nobody_funds_tie_up_no_reserve() {
    let chain = Chain::start();
    let [alice, mut bob] = funded(&chain, ["alice", "bob"]);
    bob.stop();
    // Of his 50 BTC five channels' reserves are 45.
    bob.run_as(|config| config.anchor_reserve = sat(900_000_000));
    alice.open(&bob, 1_000_000, 0, false, &chain);
    let mut strangers = Vec::new();
    for peer in 0..3 {
        let mut stranger = Stranger::greet(&bob.peer_address(), [50 + peer; 32]).expect("a handshake");
        for open in 0..4 {
            stranger.send(OPEN_CHANNEL, &open_channel([100 + 4 * peer + open; 32])).expect("sent");
            let (kind, body) = stranger.wait_for(&[ACCEPT_CHANNEL, ERROR]).expect("an answer");
            assert_eq!(kind, ACCEPT_CHANNEL, "{}", String::from_utf8_lossy(&body));
        }
        strangers.push(stranger);
    }
    let ask = request(&alice, 300_000);
    let channel = bob.on(|node| async move { node.open_channel(&ask).await }).expect("his own channel");
    chain.wait_mempool(1);
    chain.mine(6, &[&alice, &bob]);
    eventually("it is usable", || {
        bob.node().channel(channel.id).filter(|open| open.state == windlass_channels::ChannelState::Usable)
    });
    // What is funded counts.
    let ask = request(&alice, 3_300_000_000);
    let error = bob.on(|node| async move { node.open_channel(&ask).await }).expect_err("two need theirs");
    assert!(error.to_string().contains("27"), "{error}");
}
