//! On a real proof, recorded by the authors of dnssec-prover (its tests, MIT or Apache-2.0): the records of
//! `matt@mattcorallo.com` as they were signed in August 2026. No test asks the live DNS.

use super::*;
use dnssec_prover::rr::Record as _;
use dnssec_prover::ser::write_rr;
use std::net::Ipv4Addr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const PROOF: &[u8] = include_bytes!("../tests/data/bip353.proof");
/// From when to when its signatures hold.
const FROM: u64 = 1_785_988_800;
const UNTIL: u64 = 1_786_415_920;

fn matt() -> Name {
    dns_name("matt", "mattcorallo.com").expect("a name")
}

#[test]
fn a_proof_is_believed_as_long_as_it_holds() {
    let uri = read_proof(&matt(), PROOF, FROM).expect("it holds");
    assert!(uri.starts_with("bitcoin:bc1qztwy6xen3zdtt7z0vrgapmjtfz8acjkfp5fp7l?lno=lno1zr5qyu"), "{uri}");
    assert_eq!(read_proof(&matt(), PROOF, UNTIL), Ok(uri));
    for when in [0, FROM - 1, UNTIL + 1, u64::MAX] {
        assert!(read_proof(&matt(), PROOF, when).expect_err("too early or too late").contains("clock"));
    }
}

#[test]
fn it_proves_nothing_of_another_name() {
    for (user, domain) in [("mat", "mattcorallo.com"), ("matt", "example.com")] {
        let name = dns_name(user, domain).expect("a name");
        assert!(read_proof(&name, PROOF, FROM).expect_err("another name").contains("no record"));
    }
    assert!(dns_name(&"a".repeat(64), "example.com").is_err());
}

#[test]
fn no_byte_of_it_may_differ() {
    let good = read_proof(&matt(), PROOF, FROM);
    // TTLs are not signed, names are compared without their case: such changes may leave it what it says.
    let places = || (0..PROOF.len()).step_by(97);
    let harmless = places().filter(|at| {
        let mut bad = PROOF.to_vec();
        bad[*at] ^= 1;
        let read = read_proof(&matt(), &bad, FROM);
        assert!(read.is_err() || read == good, "byte {at}: {read:?}");
        read.is_ok()
    });
    assert!(harmless.count() < places().count() / 2);
    for cut in places() {
        assert!(read_proof(&matt(), &PROOF[..cut], FROM).is_err(), "cut at {cut}");
    }
}

/// How a server of the recorded answers behaves.
#[derive(Clone, Copy, PartialEq)]
enum Server {
    Honest,
    /// Another record than the signed one.
    Lies,
    /// The record, and no signature.
    Unsigned,
    Garbage,
    /// Nothing at all.
    Stalls,
    HangsUp,
}

/// Answers one query (RFC 1035) with the recorded records of that name and type, and their signatures.
fn answer(query: &[u8], server: Server) -> Vec<u8> {
    let labels = query[12..].iter().position(|byte| *byte == 0).expect("a name ends");
    let question = &query[12..12 + labels + 5];
    let (name, kind) = question.split_at(labels + 1);
    let kind = u16::from_be_bytes([kind[0], kind[1]]);
    let mut body = Vec::new();
    let mut count = 0u16;
    for record in parse_rr_stream(PROOF).expect("a good proof") {
        let mut bytes = Vec::new();
        write_rr(&record, 60, &mut bytes);
        let is_signature = matches!(&record, RR::RRSig(signature) if signature.ty == kind);
        if !bytes.starts_with(name) || !(record.ty() == kind || is_signature && server != Server::Unsigned) {
            continue;
        }
        if server == Server::Lies && kind == 16 {
            // The address's first letters.
            if let Some(at) = bytes.windows(4).position(|part| part == b"bc1q") {
                bytes[at + 4] ^= 1;
            }
        }
        body.extend(bytes);
        count += 1;
    }
    // An answer that is authenticated, as far as one believes it.
    [&query[..2], &[0x81, 0xa0, 0, 1], &count.to_be_bytes(), &[0; 4], question, &body].concat()
}

async fn serve(listener: TcpListener, server: Server) {
    let (mut stream, _) = listener.accept().await.expect("a guest");
    loop {
        let Ok(length) = stream.read_u16().await else { return };
        let mut query = vec![0; usize::from(length)];
        stream.read_exact(&mut query).await.expect("a query");
        let answer = match server {
            Server::HangsUp => return,
            Server::Stalls => std::future::pending().await,
            Server::Garbage => vec![0xaa; 500],
            _ => answer(&query, server),
        };
        stream.write_u16(u16::try_from(answer.len()).expect("short")).await.expect("written");
        stream.write_all(&answer).await.expect("written");
    }
}

async fn ask(server: Server) -> Result<String, String> {
    ask_within(server, Duration::from_secs(60)).await
}

async fn ask_within(server: Server, timeout: Duration) -> Result<String, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let resolver = listener.local_addr().expect("an address");
    let task = tokio::spawn(serve(listener, server));
    let answer = Dns { resolver, timeout, clock: || FROM }.resolve("matt", "mattcorallo.com").await;
    task.abort();
    answer
}

#[tokio::test]
async fn an_honest_server_is_believed() {
    assert_eq!(ask(Server::Honest).await, read_proof(&matt(), PROOF, FROM));
}

#[tokio::test]
async fn who_lies_or_talks_nonsense_is_not() {
    assert!(ask(Server::Lies).await.expect_err("a lie").contains("forged"));
    for server in [Server::Unsigned, Server::Garbage, Server::HangsUp] {
        ask(server).await.expect_err("no proof");
    }
    let nobody = Dns::new(([127, 0, 0, 1], 1).into());
    assert!(nobody.resolve("matt", "mattcorallo.com").await.expect_err("nobody there").contains("127.0.0.1:1"));
}

#[tokio::test]
async fn who_stalls_is_given_up() {
    assert!(ask_within(Server::Stalls, Duration::from_millis(100)).await.expect_err("nothing").contains("in time"));
}

#[tokio::test]
async fn the_recorded_proof_is_too_old_by_now() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let dns = Dns::new(listener.local_addr().expect("an address"));
    let task = tokio::spawn(serve(listener, Server::Honest));
    assert!(dns.resolve("matt", "mattcorallo.com").await.expect_err("long ago").contains("clock"));
    task.abort();
}
