//! For `windlass-fuzz` alone: the decoders of this crate that are not public. No part of its interface.

use crate::backup::{self, Backup};
use crate::book::{Book, Row, TABLES};
use crate::dns::{dns_name, read_proof};
use crate::ldk::log::Log;
use crate::ldk::tower;
use crate::names::parts;
use crate::node::{apply_snapshot, memo, read_invoice, read_offer, read_refund};
use crate::uri::{Uri, is_uri};
use bitcoin::Network;
use std::sync::Arc;
use windlass_store::fault::FaultDisk;
use windlass_store::{Store, Tuning, Writes};

const NETWORKS: [Network; 2] = [Network::Regtest, Network::Bitcoin];

/// Whatever may be pasted to be paid, as [`crate::Node::pay_any`] takes it apart; true if there is something that
/// can be paid on one of the networks.
pub fn payable(text: &str) -> bool {
    let mut taken = false;
    for network in NETWORKS {
        taken |= if is_uri(text.trim()) {
            let Ok(uri) = Uri::parse(text.trim(), network) else { continue };
            let invoices = uri.invoice.iter().filter(|text| invoice(text, network)).count();
            let offers = uri.offers.iter().filter(|offer| read_offer(offer, network).is_ok()).count();
            invoices + offers > 0
        } else if let Some((user, domain)) = parts(text.trim()) {
            assert!(!user.is_empty() && domain.contains('.') && format!("{user}@{domain}").is_ascii());
            true
        } else {
            invoice(text, network) || read_offer(text, network).is_ok()
        };
    }
    taken
}

fn invoice(text: &str, network: Network) -> bool {
    let Ok(invoice) = read_invoice(text, network) else { return false };
    assert_eq!(read_invoice(&invoice.to_string(), network).as_ref(), Ok(&invoice), "it reads as it is written");
    let _ = (memo(&invoice), invoice.expires_at(), invoice.amount_milli_satoshis());
    true
}

/// A resolver's proof of a name; true if it holds. Whoever has no key of the root's can't make one that does.
pub fn name_proof(bytes: &[u8]) -> bool {
    let name = dns_name("matt", "mattcorallo.com").expect("a name");
    let good = read_proof(&name, RECORDED_PROOF, RECORDED_AT);
    let read = read_proof(&name, bytes, RECORDED_AT);
    assert!(read.is_err() || read == good, "a proof that nobody signed: {read:?}");
    read.is_ok()
}

/// A proof that was recorded (see `dns_tests.rs`), and when.
pub const RECORDED_PROOF: &[u8] = include_bytes!("../tests/data/bip353.proof");
const RECORDED_AT: u64 = 1_785_988_800;

/// A channel's row for the watchtower; true if it is one.
pub fn tower_row(bytes: &[u8]) -> bool {
    let Some(written) = tower::row(bytes) else { return false };
    assert_eq!(tower::row(&written).as_ref(), Some(&written), "it reads as it is written");
    true
}

/// A row with one state.
pub const TOWER_ROW: &str = concat!(
    r#"{"script":"0014751e76e8199196d454941c45d1b3a323f1433bd6","waiting":[{"justice":""#,
    "02000000011111111111111111111111111111111111111111111111111111111111111111000000000090000000",
    "01e803000000000000160014751e76e8199196d454941c45d1b3a323f1433bd600000000",
    r#"","value_sat":2000,"number":281474976710655}]}"#,
);

/// A refund that is to be claimed; true if it can be.
pub fn refund(text: &str) -> bool {
    NETWORKS.iter().filter(|network| read_refund(text, **network).is_ok()).count() > 0
}

/// A refund on regtest that does not expire.
pub fn refund_text() -> String {
    let key = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798".parse().expect("a key");
    let builder = lightning::offers::refund::RefundBuilder::new(vec![1; 32], key, 1_000_000).expect("an amount");
    builder.chain(Network::Regtest).description("refund".into()).build().expect("a refund").to_string()
}

/// A snapshot of rapid gossip sync, taken into an empty graph of regtest; true if it can be. A graph that was
/// made of it is written and read again, as at a restart.
pub fn gossip_snapshot(bytes: &[u8]) -> bool {
    use lightning::util::ser::{ReadableArgs as _, Writeable as _};
    let graph = Arc::new(crate::ldk::stack::Graph::new(Network::Regtest, Arc::new(Log)));
    let taken = apply_snapshot(&graph, bytes, SNAPSHOT_AT).is_ok();
    let written = graph.encode();
    let again = crate::ldk::stack::Graph::read(&mut &written[..], Arc::new(Log)).expect("it was written so");
    assert_eq!((again.read_only().channels().len(), again.read_only().nodes().len()), {
        let graph = graph.read_only();
        (graph.channels().len(), graph.nodes().len())
    });
    taken
}

/// The time of LDK's example of a snapshot, and a little.
const SNAPSHOT_AT: u64 = 1_642_291_930 + 60;

/// A backup file of any bytes, and one of any content that our own seed sealed; true if one of them is a backup.
pub fn backup(bytes: &[u8]) -> bool {
    let (seed, mut taken) = ([1; 32], false);
    for file in [bytes.to_vec(), backup::seal_bytes(bytes, &seed, [2; 24]).expect("it is short")] {
        let Ok(backup) = Backup::open(&file, &seed) else { continue };
        backup.channels.iter().for_each(|channel| drop(channel.user_id()));
        let again = backup.seal(&seed, [2; 24]).expect("it was read, so it can be written");
        assert_eq!(Backup::open(&again, &seed), Ok(backup));
        taken = true;
    }
    taken
}

/// A store without a file or a thread: the same bytes give the same run.
pub fn store() -> Arc<Store> {
    const TUNING: Tuning = Tuning {
        first_segment_bytes: 1 << 20,
        segment_bytes: 1 << 20,
        fold_dead_bytes: 1 << 20,
        fold_step_bytes: 1 << 20,
        background: false,
    };
    Store::open_log_tuned(FaultDisk::new(1), TUNING).expect("an empty disk")
}

/// A store with any rows (table by its number, key, value): it is no book, or one that stays the same
/// (true).
pub fn book(rows: &[(usize, &[u8], &[u8])]) -> bool {
    let store = store();
    let mut writes = Writes::new();
    for (table, key, value) in rows {
        writes.add_put(TABLES[table % TABLES.len()], key, value);
    }
    store.commit(writes).expect("room for it");
    let Ok(book) = Book::open(&store) else { return false };
    book.journal(crate::Event::ChannelReady { channel: crate::ChannelId([1; 32]) });
    let _ = (book.events(0, 10), book.is_replay(b"event"));
    book.acknowledge(1);
    store.commit(all_rows(&book)).expect("room for it");
    let first = content(&store);
    let book = Book::open(&store).expect("what was written is read");
    store.commit(all_rows(&book)).expect("room for it");
    assert_eq!(content(&store), first, "what was read is written as it was");
    true
}

fn content(store: &Store) -> Vec<Vec<windlass_store::Entry>> {
    TABLES.iter().map(|table| store.scan(table, b"").expect("readable")).collect()
}

/// Every row of the book, to be written again.
fn all_rows(book: &Book) -> Writes {
    book.write(|pages| {
        let mut rows = vec![Row::Tip, Row::Journal];
        rows.extend(pages.payments.keys().map(|(direction, hash)| Row::Payment(*direction, *hash)));
        rows.extend(pages.forwards.keys().map(|number| Row::Forward(*number)));
        rows.extend(pages.holds.keys().map(|hash| Row::Hold(*hash)));
        rows.extend(pages.offers.keys().map(|id| Row::Offer(*id)));
        rows.extend(pages.openings.keys().map(|id| Row::Opening(*id)));
        rows.extend(pages.facts.keys().map(|id| Row::Facts(*id)));
        rows.extend(pages.flows.keys().map(|id| Row::Flow(*id)));
        rows.extend(pages.traces.keys().map(|id| Row::Trace(*id)));
        rows.extend(pages.fees.keys().map(|txid| Row::Fee(*txid)));
        rows.extend(pages.arrived.keys().map(|hash| Row::Arrived(*hash)));
        rows.extend(pages.peers.keys().map(|key| Row::Peer(*key)));
        rows.extend(pages.kept.keys().map(|key| Row::Kept(*key)));
        rows.extend(pages.journal.events.keys().map(|at| Row::Event(*at)));
        rows
    });
    book.take(0).0
}

/// Rows to begin with: table by its number, key, value.
pub fn book_rows() -> Vec<(usize, Vec<u8>, Vec<u8>)> {
    use crate::{Direction, Event, HoldInvoice, HoldState, Payment, PaymentHash, PaymentKind};
    use windlass_types::Msat;
    let store = Store::open_log_on(FaultDisk::new(1)).expect("an empty disk");
    let book = Book::open(&store).expect("an empty book");
    let (hash, channel, amount) = (PaymentHash([1; 32]), crate::ChannelId([2; 32]), Msat::new(7));
    book.put_payment(Payment::begun(hash, Direction::Out, PaymentKind::Invoice, Some(amount), 3));
    book.put_hold(HoldInvoice {
        hash,
        invoice: "lnbcrt1".into(),
        amount: Some(amount),
        memo: "memo".into(),
        final_cltv_delta: 144,
        created_at: 3,
        expires_at: 4,
        state: HoldState::TimedOut { height: windlass_types::BtcHeight::new(5) },
    });
    book.flow(channel, |flow| flow.sent_msat = 7);
    book.journal(Event::PaymentReceived { hash, amount });
    store.commit(book.take(0).0).expect("room for it");
    let tables = TABLES.iter().enumerate();
    tables
        .flat_map(|(table, name)| {
            store.scan(name, b"").expect("readable").into_iter().map(move |(key, value)| (table, key, value))
        })
        .collect()
}

/// A backup file's content to begin with.
pub fn backup_content() -> Vec<u8> {
    let key = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
    format!(
        r#"{{"network":"regtest","node_id":"{key}","at":{{"height":7,"hash":"{}"}},"addresses":[3,1],"channels":[{{"id":"{}","peer":"{key}","address":"127.0.0.1:9735","funding":"{}:0","capacity_sat":100000,"funding_fee_sat":200,"funded_at":5,"we_funded":true,"announced":false,"keys":"{}"}}]}}"#,
        "00".repeat(32), "02".repeat(32), "03".repeat(32), "04".repeat(16)
    )
    .into_bytes()
}
