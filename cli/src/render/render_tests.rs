//! What the renderers print, kept in `golden/*.txt`. After a wanted change:
//! `WINDLASS_GOLDEN=write cargo test -p windlass golden`, then read the difference.

use super::samples;
use crate::color::Paint;
use std::path::Path;
use windlass_node::api::wallet::{Direction, PaymentState, PegInState, PegWay};
use windlass_regtest::api::{Peg, Pegs};

fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/render/golden").join(format!("{name}.txt"));
    if std::env::var_os("WINDLASS_GOLDEN").is_some_and(|value| value == "write") {
        std::fs::write(&path, text).expect("the golden file is written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, expected, "{} differs", path.display());
    assert!(text.lines().all(|line| line == line.trim_end()), "{name}: spaces at a line's end");
}

#[test]
fn golden_status() {
    golden("status", &super::status::status(&samples::status(), Paint::PLAIN));
    golden("balance", &super::status::wallet("alice", &samples::balance()));
    golden("balances", &super::status::wallets(&samples::wallets()));
}

#[test]
fn golden_up() {
    let stage = |name: &str, what: &str, at: &str, seconds| windlass_regtest::api::Stage {
        name: name.into(),
        what: what.into(),
        at: at.into(),
        seconds,
    };
    let started = windlass_regtest::api::Started {
        stages: vec![
            stage("bitcoin", "Bitcoin Core 31.0, regtest, 101 blocks", "127.0.0.1:18443", 0.6),
            stage("federation", "4 members, 3 sign, block 1", "127.0.0.1:18884", 0.9),
            stage("lightning", "alice bob carol, 0 channels", "127.0.0.1:9735,9736,9737", 12.14),
        ],
        seconds: 13.64,
        status: samples::status(),
    };
    golden("up", &super::up::up(&started, &|rest| format!("windlass {rest}"), Paint::PLAIN));
}

#[test]
fn golden_channels() {
    golden("channel_list", &super::channel::list(&samples::channels()));
    golden("channel", &super::channel::one(&samples::channel()));
    golden("node", &super::channel::node(&samples::node()));
    golden("journal", &super::channel::journal("alice", &samples::journal(3)));
    assert_eq!(super::channel::list(&[]), "no channels");
}

#[test]
fn golden_payments() {
    let payments = [
        samples::payment(Direction::In, PaymentState::Succeeded),
        samples::payment(Direction::Out, PaymentState::Failed),
    ];
    golden("payment_list", &super::payment::list(&payments));
    golden("paid", &super::payment::paid("alice", &samples::payment(Direction::Out, PaymentState::Succeeded)));
}

#[test]
fn golden_ways() {
    let probe = |obstacle| super::payment::probe(&samples::probe(obstacle));
    golden("probe", &probe(None));
    golden("probe_fails", &probe(Some("at most 900 sat gets there now")));
    golden("offer_list", &super::payment::offers(&[samples::offer()]));
    golden("forwards", &super::payment::forwards(&[samples::forward()]));
    golden("received", &super::payment::received("bob", &samples::payment(Direction::In, PaymentState::Succeeded)));
    assert_eq!(super::payment::offers(&[]), "no offers");
    assert_eq!(super::payment::forwards(&[]), "no forwards");
}

#[test]
fn golden_holds() {
    use windlass_node::api::payments::{HoldAnswer, HoldState};
    let holds = [samples::hold(HoldState::Held), samples::hold(HoldState::Open), samples::hold(HoldState::TimedOut)];
    golden("hold_list", &super::hold::list(&holds));
    golden("hold", &super::hold::one(&samples::hold(HoldState::Held)));
    let hold = samples::hold(HoldState::Open);
    golden("hold_made", &super::hold::made(&HoldAnswer { hold, new_preimage: Some("00ff".into()) }));
    assert_eq!(super::hold::list(&[]), "no hold invoices");
}

#[test]
fn golden_pegs() {
    let pegs = Pegs {
        ins: vec![samples::peg_in(samples::minted()), samples::peg_in(PegInState::Confirming { needed: 6 })],
        outs: vec![samples::peg_out()],
    };
    golden("peg_list", &super::peg::list(&pegs));
    golden("peg_in", &super::peg::show(&Peg::In(samples::peg_in(samples::minted()))));
    golden("peg_out", &super::peg::show(&Peg::Out(samples::peg_out())));
    golden("peg_address", &super::peg::address(&samples::peg_in(PegInState::Address).peg));
    golden("peg_quote_in", &super::peg::quote(&samples::peg_quote(PegWay::In)));
    golden("peg_quote_out", &super::peg::quote(&samples::peg_quote(PegWay::Out)));
    golden("pegged_in", &super::peg::pegged_in("alice", &samples::peg_in(samples::minted()).peg));
    golden("pegged_out", &super::peg::pegged_out("bob", None, &samples::peg_out().peg));
}

#[test]
fn golden_federation() {
    golden("federation", &super::federation::show(&samples::federation(), Paint::PLAIN));
    golden("reserves", &super::federation::reserves(&samples::reserves(100_000_000), Paint::PLAIN));
    golden("reserves_short", &super::federation::reserves(&samples::reserves(99_000_000), Paint::PLAIN));
}

#[test]
fn golden_statement() {
    golden("statement", &super::statement::statement(&samples::statement(), Paint::PLAIN));
    golden("statement_csv", &super::statement::csv(&samples::statement()));
    let mut wrong = samples::statement();
    wrong.ok = false;
    wrong.faults = vec!["channel 5f3a9c11: 1 sat is missing".into()];
    wrong.channels[0].fault = Some("1 sat is missing".into());
    golden("statement_wrong", &super::statement::statement(&wrong, Paint::PLAIN));
}

#[test]
fn colour_is_only_where_it_is_wanted() {
    let painted = super::status::status(&samples::status(), Paint::ALWAYS);
    assert!(painted.contains("\x1b["));
    assert!(!super::status::status(&samples::status(), Paint::PLAIN).contains('\x1b'));
}
