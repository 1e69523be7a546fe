//! Links from epoch to epoch, made by hand.

use super::*;
use crate::epochs::{EpochLink, Epochs, LinkError};
use windlass_ledger::EpochRecord;

/// Who is in each place in an epoch: the last member has another key in each.
fn keys_of(epoch: u64) -> [u8; 4] {
    [0, 1, 2, 3 + 10 * u8::try_from(epoch).expect("few")]
}

fn record(number: u64, first: u64) -> EpochRecord {
    let identity = |key: u8| private(key).public_key().as_ref().try_into().expect("32 bytes");
    let identities = keys_of(number).map(identity).to_vec();
    EpochRecord { number, first: SideHeight::new(first), identities, origin: None }
}

fn certified(header: &Header, epoch: u64, members: &[usize]) -> Vec<u8> {
    let keys = keys_of(epoch);
    let committee = Committee::of_epoch(epoch, &record(epoch, 0).identities).expect("a committee");
    let round = Round::new(commonware_consensus::types::Epoch::new(epoch), View::new(9));
    let proposal = Proposal::new(round, View::new(8), EngineDigest(header.digest().0));
    let scheme = |place: usize| committee.signer(header.chain, private(keys[place])).expect("a member");
    let votes = members.iter().map(|&place| Finalize::sign(&scheme(place), proposal.clone()).expect("it signs"));
    let votes = Votes::from_owned_finalizes(&scheme(members[0]), non_empty![@votes], &Sequential).expect("votes");
    Certificate { descendants: Vec::new(), votes: votes.encode().to_vec() }.encode()
}

/// The link to an epoch that begins at block 100 times its number, signed in the epoch before.
fn link_of(record: &EpochRecord, height: u64, signed_in: u64) -> EpochLink {
    let (key, value) = (keys::epoch(record.number), borsh::to_vec(record).expect("encodes"));
    let root = smt::root_of([(key.as_slice(), value.as_slice())]);
    let header = Header { height: SideHeight::new(height), ..header(root, Digest::default()) };
    let certificate = certified(&header, signed_in, &[0, 1, 3]);
    let proof = alone(&key, &value);
    EpochLink { header: borsh::to_vec(&header).expect("encodes"), certificate, epoch: value, proof }
}

fn link(number: u64) -> EpochLink {
    link_of(&record(number, 100 * number), 100 * number - 1, number - 1)
}

#[test]
fn trust_is_handed_on_and_no_epoch_is_skipped() {
    let mut epochs = Epochs::of_genesis(&genesis()).expect("members");
    let skipped = LinkError::Skips { expected: 1, found: 2 };
    assert_eq!(epochs.cross(&link(2)), Err(skipped));
    epochs.cross(&link(1)).expect("it follows");
    assert_eq!(epochs.cross(&link(1)), Err(LinkError::Skips { expected: 2, found: 1 }));
    epochs.cross(&link(2)).expect("it follows");
    let epoch_at = |height: u64| epochs.at(SideHeight::new(height)).epoch().get();
    assert_eq!([0, 99, 100, 199, 200, u64::MAX].map(epoch_at), [0, 0, 1, 1, 2, 2]);
    // Each epoch's votes count at its own heights, and under its own number.
    let at = |height: u64| Header { height: SideHeight::new(height), ..header(Digest::default(), Digest::default()) };
    for (height, epoch) in [(50, 0), (150, 1), (250, 2)] {
        for signed in 0..3 {
            let header = at(height);
            let held = epochs.verify_header(&header, &certified(&header, signed, &[0, 1, 2])).is_ok();
            assert_eq!(held, signed == epoch, "{height} {signed}");
        }
    }
}

#[test]
fn a_link_that_was_tampered_with_hands_nothing_on() {
    let mut epochs = Epochs::of_genesis(&genesis()).expect("members");
    let good = link(1);
    let with = |edit: &dyn Fn(&mut EpochLink)| {
        let mut bad = good.clone();
        edit(&mut bad);
        Epochs::of_genesis(&genesis()).expect("members").cross(&bad)
    };
    for at in 0..good.header.len() {
        assert!(with(&|bad| bad.header[at] ^= 1).is_err(), "header, byte {at}");
    }
    for at in 0..good.certificate.len() {
        assert!(with(&|bad| bad.certificate[at] ^= 1).is_err(), "certificate, byte {at}");
    }
    for at in 0..good.epoch.len() {
        assert!(with(&|bad| bad.epoch[at] ^= 1).is_err(), "entry, byte {at}");
    }
    for at in 0..good.proof.len() {
        assert!(with(&|bad| bad.proof[at] ^= 1).is_err(), "proof, byte {at}");
    }
    // Not the epoch's last header, or not this epoch's votes.
    assert!(matches!(epochs.cross(&link_of(&record(1, 100), 98, 0)), Err(LinkError::Height { .. })));
    assert!(matches!(epochs.cross(&link_of(&record(1, 100), 99, 1)), Err(LinkError::Certificate { .. })));
    epochs.cross(&good).expect("untouched it does");
    // Nor backwards.
    assert!(matches!(epochs.cross(&link_of(&record(2, 50), 49, 1)), Err(LinkError::Height { .. })));
}

#[test]
fn a_proof_file_carries_its_links() {
    let claimed = balance();
    let mut header: Header = borsh::from_slice(&claimed.header).expect("decodes");
    header.height = SideHeight::new(250);
    let signed = certified(&header, 2, &[0, 1, 3]);
    let file = |links: Vec<EpochLink>| ProofFile::new(&header, signed.clone(), claimed.claim.clone()).with_links(links);
    let good = file(vec![link(1), link(2)]);
    let read = ProofFile::read(&serde_json::to_string(&good).expect("encodes")).expect("a proof file");
    assert_eq!(read, good);
    let proven = read.verify(&genesis()).expect("it holds");
    assert_eq!((proven.epoch, proven.signers), (2, vec![0, 1, 3]));
    assert!(matches!(file(vec![]).verify(&genesis()), Err(ProofError::Certificate(_))));
    assert!(matches!(file(vec![link(1)]).verify(&genesis()), Err(ProofError::Certificate(_))));
    assert!(matches!(file(vec![link(2)]).verify(&genesis()), Err(ProofError::Link(LinkError::Skips { .. }))));
    let more = file(vec![link(1), link(2), link(3)]).verify(&genesis());
    assert_eq!(more, Err(ProofError::TooManyLinks(header.height)));
}
