//! Peers that send garbage, stall, flood or fall silent, over real TCP: what they cost is bounded, and
//! the honest are served.

use crate::harness::stranger::{
    ACCEPT_CHANNEL, ERROR, OPEN_CHANNEL, PING, PONG, Stranger, dial, is_closed, open_channel,
};
use crate::harness::{Chain, Peer, eventually, funded};
use std::io::Write;
use std::time::{Duration, Instant};
use windlass_channels::{ChannelState, InboundLimits};

/// LDK's bounds, which we rely on: channels of one peer that are not funded yet, and peers with such.
const UNFUNDED_OF_ONE: usize = 4;

fn key(number: u32) -> [u8; 32] {
    let mut key = [7; 32];
    key[..4].copy_from_slice(&number.to_be_bytes());
    key
}

/// All strangers are gone, and the honest channel still carries payments.
fn settled(alice: &Peer, bob: &Peer, honest: usize) {
    eventually("the strangers are gone", || (bob.node().inbound_connections() <= honest).then_some(()));
    alice.pay(bob, 1_000_000);
}

#[test]
fn case_41_garbage_before_and_after_the_handshake() {
    let chain = Chain::start();
    let [alice, bob] = funded(&chain, ["alice", "bob"]);
    alice.open(&bob, 1_000_000, 0, false, &chain);
    let honest = bob.node().inbound_connections();
    let address = bob.peer_address();
    for number in 0..50 {
        let mut stream = dial(&address).expect("it listens");
        let garbage: Vec<u8> = (0..200).map(|_| rand::random()).collect();
        // It may have hung up already.
        let _ = stream.write_all(&garbage);
        assert!(is_closed(&mut stream), "garbage {number} instead of a handshake");
    }
    for number in 0..20 {
        // Bytes that are not even encrypted; a known message that is cut short; an unknown one that must be
        // understood; nothing but a type.
        let mut stranger = Stranger::greet(&address, key(number)).expect("a handshake");
        let sent = match number % 4 {
            0 => stranger.stream.write_all(&[0xaa; 2000]),
            1 => stranger.send(OPEN_CHANNEL, &[0xaa; 40]),
            2 => stranger.send(30_000, &[0xaa; 65_000]),
            _ => stranger.send(PING, &[]),
        };
        sent.expect("sent");
        assert!(is_closed(&mut stranger.stream), "garbage {number} after the handshake");
    }
    settled(&alice, &bob, honest);
}

#[test]
fn case_41_who_stalls_in_the_handshake_makes_room_for_others() {
    let chain = Chain::start();
    let [alice, bob] = funded(&chain, ["alice", "bob"]);
    alice.open(&bob, 1_000_000, 0, false, &chain);
    let honest = bob.node().inbound_connections();
    let limits = InboundLimits::default();
    let mut streams = Vec::new();
    for number in 0..3 * limits.handshakes {
        let mut stream = dial(&bob.peer_address()).expect("it listens");
        if number % 2 == 0 {
            // Half of the first act, and then nothing.
            let _ = stream.write_all(&[0; 25]);
        }
        streams.push(stream);
        let open = bob.node().inbound_connections();
        assert!(open <= limits.handshakes + honest, "{open} connections are open");
    }
    // While all of that hangs there, a newcomer gets in, and a payment gets through.
    Stranger::greet(&bob.peer_address(), key(1)).expect("a newcomer is served");
    alice.pay(&bob, 1_000_000);
    // And nobody may hang there for ever.
    settled(&alice, &bob, honest);
    assert!(streams.iter_mut().all(is_closed));
}

#[test]
fn case_41_floods_of_channel_opens_are_bounded_and_leave_nothing_behind() {
    let chain = Chain::start();
    let [alice, bob] = funded(&chain, ["alice", "bob"]);
    alice.open(&bob, 1_000_000, 0, false, &chain);
    let honest = bob.node().inbound_connections();
    let (channels, openings) = (bob.node().channels().len(), bob.rows("ln.openings"));
    for round in 0..3 {
        let mut strangers = Vec::new();
        for number in 0..4 {
            let mut stranger = Stranger::greet(&bob.peer_address(), key(number)).expect("a handshake");
            let (mut accepted, mut refused) = (0, 0);
            for open in 0..12 {
                let message = open_channel(key(1000 * round + 100 * number + open));
                stranger.send(OPEN_CHANNEL, &message).expect("sent");
                match stranger.wait_for(&[ACCEPT_CHANNEL, ERROR]).expect("an answer") {
                    (ACCEPT_CHANNEL, _) => accepted += 1,
                    _ => refused += 1,
                }
            }
            assert_eq!((accepted, refused), (UNFUNDED_OF_ONE, 12 - UNFUNDED_OF_ONE), "round {round}, peer {number}");
            strangers.push(stranger);
        }
        alice.pay(&bob, 1_000_000);
        drop(strangers);
        eventually("the strangers are gone", || (bob.node().inbound_connections() <= honest).then_some(()));
    }
    eventually("nothing of it is kept", || {
        (bob.node().channels().len() == channels && bob.rows("ln.openings") == openings).then_some(())
    });
    settled(&alice, &bob, honest);
}

#[test]
fn case_41_who_falls_silent_is_let_go() {
    let chain = Chain::start();
    let [alice, bob] = funded(&chain, ["alice", "bob"]);
    alice.open(&bob, 1_000_000, 0, false, &chain);
    let honest = bob.node().inbound_connections();
    let mut silent: Vec<_> =
        (0..10).map(|number| Stranger::greet(&bob.peer_address(), key(number)).expect("a handshake")).collect();
    // They don't answer pings, and read nothing.
    settled(&alice, &bob, honest);
    for stranger in &mut silent {
        assert!(is_closed(&mut stranger.stream));
    }
}

/// LND takes connections before it has read its channels, and then forgets to answer. LDK itself waits for two
/// minutes; this peer is called again after a second.
#[test]
fn a_peer_that_does_not_say_how_its_channels_stand_is_called_again() {
    let chain = Chain::start();
    let [mut alice, mut bob] = funded(&chain, ["alice", "bob"]);
    alice.open(&bob, 1_000_000, 0, false, &chain);
    bob.stop();
    bob.run_as(|config| config.mute_max = Duration::from_secs(1));
    let secret = alice.node_secret();
    alice.stop();
    let is_away = || bob.node().channels().iter().all(|channel| channel.state == ChannelState::Offline);
    eventually("alice is gone", || is_away().then_some(()));
    let end = Instant::now() + Duration::from_secs(45);
    let mut mute = Stranger::greet(&bob.peer_address(), secret).expect("a handshake");
    // It is polite otherwise: who answers no pings is let go for that.
    while let Ok((kind, message)) = mute.receive() {
        assert!(Instant::now() < end, "nobody minds that it says nothing");
        if kind == PING {
            let length = message.get(..2).map_or(0, |bytes| u16::from_be_bytes([bytes[0], bytes[1]]));
            let pong = [&length.to_be_bytes()[..], &vec![0; usize::from(length)]].concat();
            if mute.send(PONG, &pong).is_err() {
                break;
            }
        }
    }
    alice.run();
    alice.pay(&bob, 1_000_000);
}
