//! Peers that are kept, found again, and reached through a proxy that alone knows where they are.

use crate::harness::books::{check_open, check_statement};
use crate::harness::stranger::Stranger;
use crate::harness::{Chain, Peer, eventually, funded};
use bitcoin::constants::ChainHash;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use windlass_channels::{ConnectError, PeerAddress};

const ONION: &str = "2gzyxa5ihm7nsggfxnu52rck2vv4rvmdlkiu3zzui5du4xyclen53wid.onion:9735";

/// A SOCKS5 proxy (RFC 1928) that knows one name, and what it was asked for.
async fn proxy(listener: TcpListener, name: String, target: SocketAddr, asked: Arc<Mutex<Vec<String>>>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let (name, asked) = (name.clone(), Arc::clone(&asked));
        tokio::spawn(async move {
            let mut head = [0; 2];
            stream.read_exact(&mut head).await?;
            let mut methods = vec![0; usize::from(head[1])];
            stream.read_exact(&mut methods).await?;
            stream.write_all(&[5, 0]).await?;
            let mut request = [0; 5];
            stream.read_exact(&mut request).await?;
            // Connect, to a name: it must not be resolved before it comes here.
            assert_eq!(request[..4], [5, 1, 0, 3]);
            let mut rest = vec![0; usize::from(request[4]) + 2];
            stream.read_exact(&mut rest).await?;
            let (host, port) = rest.split_at(rest.len() - 2);
            let wanted = format!("{}:{}", String::from_utf8_lossy(host), u16::from_be_bytes([port[0], port[1]]));
            asked.lock().expect("no panic").push(wanted.clone());
            let code = if wanted == name { 0 } else { 4 };
            stream.write_all(&[5, code, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
            if code == 0 {
                let mut onward = TcpStream::connect(target).await?;
                tokio::io::copy_bidirectional(&mut stream, &mut onward).await?;
            }
            Ok::<(), std::io::Error>(())
        });
    }
}

#[test]
fn a_tor_address_is_reached_through_the_proxy_alone() {
    let chain = Chain::start();
    let bob = Peer::start("bob", &chain);
    let target: SocketAddr = bob.peer_address().address.parse().expect("an address");
    let asked = Arc::new(Mutex::new(Vec::new()));
    let listener = chain.runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).expect("a port");
    let at = listener.local_addr().expect("an address");
    chain.runtime.spawn(proxy(listener, ONION.to_owned(), target, Arc::clone(&asked)));

    let onion = PeerAddress { node_id: bob.node().node_id(), address: ONION.into() };
    let plain = Peer::start("alice", &chain);
    let to = onion.clone();
    let error = plain.on(|node| async move { node.connect(&to).await }).expect_err("no way to Tor");
    assert_eq!(error, ConnectError::NoProxy(ONION.into()));
    let to = onion.clone();
    assert!(plain.on(|node| async move { node.keep_peer(&to).await }).is_err());
    assert!(asked.lock().expect("no panic").is_empty());

    let carol = Peer::start_as("carol", &chain, move |config| config.proxy = Some(at));
    let to = onion.clone();
    carol.on(|node| async move { node.connect(&to).await }).expect("connected");
    assert!(carol.node().peers().iter().any(|peer| peer.node_id == onion.node_id && peer.connected));
    let other = PeerAddress { address: ONION.replace(":9735", ":9736"), ..onion };
    carol.node().disconnect(other.node_id);
    eventually("it is disconnected", || carol.node().peers().iter().all(|peer| !peer.connected).then_some(()));
    let error = carol.on(|node| async move { node.connect(&other).await }).expect_err("the proxy knows it not");
    assert!(error.to_string().contains("proxy"), "{error}");
    assert_eq!(*asked.lock().expect("no panic"), [ONION.to_owned(), ONION.replace(":9735", ":9736")]);
}

#[test]
fn a_persistent_peer_is_found_again_until_it_is_forgotten() {
    let chain = Chain::start();
    let (mut alice, mut bob) = (Peer::start("alice", &chain), Peer::start("bob", &chain));
    let address = bob.peer_address();
    let connected = |peer: &Peer| peer.node().peers().iter().any(|known| known.connected);
    let to = address.clone();
    assert_eq!(alice.on(|node| async move { node.keep_peer(&to).await }), Ok(true));
    assert!(alice.node().peers()[0].persistent);
    // It goes, and comes back; then we go, and come back.
    bob.stop();
    eventually("bob is gone", || (!connected(&alice)).then_some(()));
    bob.run();
    eventually("bob is found again", || connected(&alice).then_some(()));
    alice.stop();
    alice.run();
    eventually("bob is found again", || connected(&alice).then_some(()));
    assert!(alice.node().forget_peer(address.node_id));
    assert!(!alice.node().forget_peer(address.node_id));
    eventually("bob is let go", || alice.node().peers().is_empty().then_some(()));
    // One that does not answer is remembered nevertheless.
    bob.stop();
    assert_eq!(alice.on(|node| async move { node.keep_peer(&address).await }), Ok(false));
    bob.run();
    eventually("bob is found", || connected(&alice).then_some(()));
}

#[test]
fn a_trusted_peers_channel_is_used_at_once() {
    let chain = Chain::start();
    let [alice, mut bob] = funded(&chain, ["alice", "bob"]);
    let trusted = alice.node().node_id();
    bob.stop();
    bob.run_as(move |config| {
        config.zero_conf_peers.insert(trusted);
    });
    let request = windlass_channels::OpenRequest {
        peer: bob.peer_address(),
        amount: crate::harness::sat(300_000),
        push: crate::harness::msat(0),
        announce: false,
    };
    let channel = alice.on(|node| async move { node.open_channel(&request).await }).expect("a channel");
    for end in [&alice, &bob] {
        let usable = eventually("it is usable without a block", || {
            end.node().channel(channel.id).filter(|open| open.state == windlass_channels::ChannelState::Usable)
        });
        assert_eq!(usable.confirmations, 0);
    }
    alice.pay(&bob, 20_000_000);
    bob.pay(&alice, 1_000_000);
    chain.mine(6, &[&alice, &bob]);
    alice.on(move |node| async move { node.close_channel(channel.id, false).await }).expect("it closes");
    chain.wait_mempool(1);
    chain.mine(1, &[&alice, &bob]);
    for end in [&alice, &bob] {
        let record = eventually("it is settled", || end.node().record(channel.id).filter(|record| record.settled));
        assert_eq!(record.difference_msat, 0, "{record:#?}");
        check_statement(&chain, end, 5_000_000_000);
    }
}

#[test]
fn several_channels_share_one_transaction_or_none_is_opened() {
    let chain = Chain::start();
    let [alice, bob, carol] = funded(&chain, ["alice", "bob", "carol"]);
    let request = |to: &Peer, amount| windlass_channels::OpenRequest {
        peer: to.peer_address(),
        amount: crate::harness::sat(amount),
        push: crate::harness::msat(0),
        announce: true,
    };
    // Poor has no coins for a reserve, and says no: then there is no channel at all.
    let poor = Peer::start("poor", &chain);
    let requests = [request(&bob, 300_000), request(&poor, 200_000)];
    let error = alice.on(|node| async move { node.open_channels(&requests).await }).expect_err("poor refuses");
    assert!(error.to_string().contains("fund me first"), "{error}");
    eventually("nothing is left of it", || alice.node().channels().is_empty().then_some(()));
    assert_eq!(alice.wallet().balance().spendable(), crate::harness::sat(5_000_000_000));

    let requests = [request(&bob, 300_000), request(&carol, 200_000)];
    let channels = alice.on(|node| async move { node.open_channels(&requests).await }).expect("both");
    chain.wait_mempool(1);
    chain.mine(6, &[&alice, &bob, &carol]);
    let fundings: Vec<_> = channels.iter().map(|channel| channel.funding.expect("funded")).collect();
    assert_eq!(fundings[0].txid, fundings[1].txid);
    for (channel, peer) in channels.iter().zip([&bob, &carol]) {
        for end in [&alice, peer] {
            eventually("it is usable", || {
                end.node().channel(channel.id).filter(|open| open.state == windlass_channels::ChannelState::Usable)
            });
        }
        alice.pay(peer, 10_000_000);
    }
    // Both accounts together bear the one fee.
    for end in [&alice, &bob, &carol] {
        check_open(&chain, end, 5_000_000_000);
    }
}

/// Another node of LDK's drops an update that comes with the last signature of the announcement, and then knows
/// one direction of its own channel only, until the next update, hours later.
#[test]
fn a_channels_updates_are_told_once_more_after_its_announcement() {
    const GOSSIP_TIMESTAMP_FILTER: u16 = 265;
    const CHANNEL_UPDATE: u16 = 258;
    let chain = Chain::start();
    let [alice, bob] = funded(&chain, ["alice", "bob"]);
    let mut observer = Stranger::greet(&alice.peer_address(), [9; 32]).expect("a handshake");
    let everything = [&ChainHash::REGTEST.to_bytes()[..], &[0; 4], &[0xff; 4]].concat();
    observer.send(GOSSIP_TIMESTAMP_FILTER, &everything).expect("sent");
    alice.open(&bob, 1_000_000, 0, true, &chain);
    chain.mine(6, &[&alice, &bob]);
    let mut told: BTreeMap<Vec<u8>, Instant> = BTreeMap::new();
    loop {
        let (_, update) = observer.wait_for(&[CHANNEL_UPDATE]).expect("an update, once more");
        // Copies of the same moment are no help: the peer has put nothing together meanwhile.
        if told.entry(update).or_insert_with(Instant::now).elapsed() > Duration::from_secs(1) {
            return;
        }
    }
}
