use super::*;
use std::sync::Arc;

const CHANNEL: ChannelId = ChannelId([3; 32]);

struct Disk {
    _dir: tempfile::TempDir,
    store: Arc<Store>,
}

impl Disk {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let store = Store::open(dir.path().join("ln.redb")).expect("a new store");
        Self { _dir: dir, store }
    }

    /// The book as it comes up after a crash.
    fn open(&self) -> Book {
        Book::open(&self.store).expect("a readable book")
    }

    fn commit(&self, book: &Book) {
        let drained = book.drained();
        self.store.commit(book.take(drained).0).expect("room on the disk");
    }
}

/// What the event handler does with an event that adds up.
fn count(book: &Book, event: &[u8]) {
    if !book.is_replay(event) {
        book.flow(CHANNEL, |flow| flow.received_msat += 10);
    }
}

fn received(book: &Book) -> u64 {
    book.read().flows.get(&CHANNEL).map_or(0, |flow| flow.received_msat)
}

#[test]
fn an_event_that_was_committed_but_not_let_go_counts_once() {
    let disk = Disk::new();
    let book = disk.open();
    count(&book, b"forwarded");
    disk.commit(&book);
    let book = disk.open();
    count(&book, b"forwarded");
    book.replays_are_over();
    assert_eq!(received(&book), 10);
    // And once more, if it crashes again before LDK lets go.
    disk.commit(&book);
    let book = disk.open();
    count(&book, b"forwarded");
    assert_eq!(received(&book), 10);
}

#[test]
fn an_event_that_was_not_committed_counts_when_it_comes_again() {
    let disk = Disk::new();
    count(&disk.open(), b"forwarded");
    let book = disk.open();
    assert_eq!(received(&book), 0);
    count(&book, b"forwarded");
    assert_eq!(received(&book), 10);
}

#[test]
fn an_equal_event_is_another_one_once_ldk_let_go_of_the_first() {
    let disk = Disk::new();
    let book = disk.open();
    count(&book, b"forwarded");
    book.let_go(book.counted());
    disk.commit(&book);
    let book = disk.open();
    count(&book, b"forwarded");
    assert_eq!(received(&book), 20);
    // Within one life, too.
    count(&book, b"forwarded");
    assert_eq!(received(&book), 30);
}

#[test]
fn a_mark_set_while_the_manager_is_read_waits_for_the_next_commit() {
    let disk = Disk::new();
    let book = disk.open();
    count(&book, b"forwarded");
    let drained = book.drained();
    book.let_go(book.counted());
    disk.store.commit(book.take(drained).0).expect("room on the disk");
    let book = disk.open();
    count(&book, b"forwarded");
    assert_eq!(received(&book), 10);
}

#[test]
fn two_equal_events_before_a_crash_are_two_after_it() {
    let disk = Disk::new();
    let book = disk.open();
    count(&book, b"forwarded");
    count(&book, b"forwarded");
    disk.commit(&book);
    let book = disk.open();
    for _ in 0..3 {
        count(&book, b"forwarded");
    }
    assert_eq!(received(&book), 30);
}

#[test]
fn rows_are_the_same_after_a_restart() {
    let disk = Disk::new();
    let book = disk.open();
    let hash = PaymentHash([5; 32]);
    book.payment_sent(hash, [6; 32], Some(7), Some(8));
    book.write(|pages| {
        let opening = Opening {
            peer: "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798".parse().expect("a key"),
            capacity_sat: 1,
            push_msat: 2,
            we_funded: true,
            announce: false,
            funding: None,
            failed: None,
            channel: Some(CHANNEL),
        };
        pages.openings.insert(u128::MAX, opening);
        [Row::Opening(u128::MAX)]
    });
    disk.commit(&book);
    let again = disk.open();
    assert_eq!(again.payment(Direction::Out, hash), book.payment(Direction::Out, hash));
    assert_eq!(again.read().openings, book.read().openings);
}

fn sent_payment(book: &Book, n: u8, amount: u64, fee: u64) {
    let hash = PaymentHash([n; 32]);
    book.payment_sent(hash, [0; 32], Some(amount), Some(fee));
}

#[test]
fn a_payment_that_a_close_cut_off_after_its_preimage_is_found() {
    let disk = Disk::new();
    let book = disk.open();
    sent_payment(&book, 1, 1_000, 1);
    sent_payment(&book, 2, 2_000, 2);
    assert!(book.part_arrived(PaymentHash([2; 32]), 2_000));
    assert_eq!(book.read().unfinished_msat(5_000), 1_001);
    // One that does not fit was not this channel's.
    assert_eq!(book.read().unfinished_msat(1_000), 0);
    assert_eq!(book.read().unfinished_msat(0), 0);
}

#[test]
fn a_journal_that_no_node_gets_to_is_refused() {
    for (position, event) in [
        // The next event would have no number.
        (r#"{"next":18446744073709551615,"acknowledged":0}"#, None),
        (r#"{"next":1,"acknowledged":2}"#, None),
        // One from after the end.
        (r#"{"next":1,"acknowledged":0}"#, Some("0000000000000001")),
    ] {
        let disk = Disk::new();
        let mut writes = Writes::new().put(META, META_JOURNAL.as_bytes(), position.as_bytes());
        if let Some(at) = event {
            writes.add_put(EVENTS, at.as_bytes(), &json(&crate::Event::ChannelReady { channel: CHANNEL }));
        }
        disk.store.commit(writes).expect("room on the disk");
        assert!(matches!(Book::open(&disk.store), Err(BookError::Row { .. })), "{position}");
    }
}

fn journal_events(book: &Book, count: u64) {
    for _ in 0..count {
        book.journal(crate::Event::ChannelReady { channel: CHANNEL });
    }
}

#[test]
fn a_journal_that_nobody_reads_is_bounded_and_says_what_is_lost() {
    const MOST: u64 = 10_000;
    let disk = Disk::new();
    let book = disk.open();
    book.bound_journal(0);
    // Nobody ever acknowledged: there may be no application, so nothing counts as lost but for who asks for it.
    journal_events(&book, MOST + 5);
    disk.commit(&book);
    book.committed(0);
    let info = book.journal_info();
    assert_eq!((info.waiting, info.oldest, info.has_reader, info.lost), (MOST, 5, false, 0), "{info:?}");
    assert_eq!((book.lost_events(0), book.lost_events(5), book.lost_events(7)), (5, 0, 0));
    // One reads, acknowledges once, and goes away.
    book.acknowledge(6);
    assert_eq!(book.lost_events(0), 0, "what it has acknowledged is not lost");
    book.bound_journal(12_000);
    journal_events(&book, 12_000 - (MOST - 1));
    assert_eq!(book.journal_info().lost, 0);
    journal_events(&book, 3);
    disk.commit(&book);
    let book = disk.open();
    book.bound_journal(12_000);
    let info = book.journal_info();
    assert_eq!((info.waiting, info.oldest, info.has_reader, info.lost), (12_000, 9, true, 3), "{info:?}");
    assert_eq!((book.lost_events(6), book.events(6, 1)[0].0), (3, 9), "who reads on is told");
    // A bound that was lowered is reached little by little, not in one huge commit.
    book.bound_journal(11_000);
    journal_events(&book, 1);
    assert_eq!(book.journal_info().waiting, 12_001 - 16);
    // It is given up: as if nobody had ever read; and comes back, late.
    book.give_up_reader();
    disk.commit(&book);
    let book = disk.open();
    book.bound_journal(12_000);
    let info = book.journal_info();
    assert_eq!((info.waiting, info.has_reader, info.lost), (MOST, false, 0), "{info:?}");
    assert_eq!(disk.store.scan(EVENTS, b"").expect("readable").len() as u64, MOST);
    assert_eq!(book.lost_events(6), info.oldest - 6);
    book.acknowledge(info.oldest + 1);
    let info = book.journal_info();
    assert!(info.has_reader && info.lost == 0 && info.waiting == MOST - 1, "{info:?}");
}
