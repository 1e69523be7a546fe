//! Rapid gossip sync: a snapshot goes into the network graph, and is there after a restart.

use crate::harness::{Chain, Peer};
use windlass_channels::GossipError;

/// The snapshot of LDK's own tests (four nodes, two channels), of regtest and of `time`.
fn snapshot(time: u32) -> Vec<u8> {
    let mut bytes = hex::decode(concat!(
        "4c444b01",
        "06226e46111a0b59caaf126043eb5bbf28c34f3a5e332a1fc7b2b73cf188910f",
        "61e362da",
        "00000004",
        "021607cfce19a4c5e7e6e738663dfafbbbac262e4ff76c2c9b30dbeefc35c00643",
        "02247d9db0dfafea745ef8c9e161eb322f73ac3f8858d8730b6fd97254747ce76b",
        "029e01f279986acc83ba235d46d80aede0b7595f410353b93a8ab540bb677f4432",
        "02c913118a8895b9e29c89af6e20ed00d95a1f64e4952edbafa84d048f26804c61",
        "000000020000ff0899c000021b000000010000ff0244e200060b000102030000000200280000",
        "0000000003e8000003e800000001000000003a5574d8ff0899c000021b000019000000010000",
        "007dff0244e200060b000105000000001d8119c0",
    ))
    .expect("hex");
    bytes[36..40].copy_from_slice(&time.to_be_bytes());
    bytes
}

fn now() -> u32 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    u32::try_from(since.as_secs()).expect("before 2106")
}

#[test]
fn a_snapshot_is_taken_and_kept() {
    let chain = Chain::start();
    let mut alice = Peer::start("alice", &chain);
    assert_eq!((alice.node().gossip_snapshot_time(), alice.node().info().known_channels), (0, 0));
    let time = now() - 60;
    assert_eq!(alice.node().apply_gossip_snapshot(&snapshot(time)), Ok(time));
    let info = alice.node().info();
    assert_eq!((info.known_channels, info.known_nodes, alice.node().gossip_snapshot_time()), (2, 4, time));
    // What is wrong with others is told, and takes nothing away.
    let cut = alice.node().apply_gossip_snapshot(&snapshot(time)[..120]);
    assert!(matches!(cut, Err(GossipError::Malformed(_))), "{cut:?}");
    let garbage = alice.node().apply_gossip_snapshot(b"<html>not here</html>");
    assert!(matches!(garbage, Err(GossipError::Malformed(_))), "{garbage:?}");
    let old = alice.node().apply_gossip_snapshot(&snapshot(1_642_291_930));
    assert!(matches!(&old, Err(GossipError::Refused(why)) if why.contains("old")), "{old:?}");
    let mut foreign = snapshot(time);
    foreign[4] ^= 1;
    assert!(matches!(alice.node().apply_gossip_snapshot(&foreign), Err(GossipError::Refused(_))));
    alice.stop();
    alice.run();
    assert_eq!((alice.node().info().known_channels, alice.node().gossip_snapshot_time()), (2, time));
}
