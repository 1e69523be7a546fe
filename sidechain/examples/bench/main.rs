//! `just bench sidechain`, the part without processes: what the rules, one member, and four members on loopback
//! do in a second. Rows go to the file named first (JSON lines) and, for people, to the standard output.
//!
//! `--accounts N` adds a row for a state of so many accounts; `--only rules|member|members` leaves the rest out.

// The tests' small Bitcoin serves here as well.
#[path = "../../src/fixture.rs"]
#[allow(dead_code, reason = "the tests use all of it")]
mod fixture;
mod load;
mod member;
mod members;
mod report;
mod rules;

use report::Report;
use windlass_sidechain::{BitcoinPort, Handle, IdentitySeed, MemberConfig, Peer, Timing, identity_of};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("the file for the rows is missing")?;
    let (mut accounts, mut only) = (vec![1_000, 10_000, 100_000, 1_000_000], None);
    while let Some(option) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{option} needs a value"))?;
        match option.as_str() {
            "--accounts" => accounts.push(value.parse()?),
            "--only" => only = Some(value),
            _ => return Err(format!("no option {option}; there are --accounts and --only").into()),
        }
    }
    let wants = |name: &str| only.as_deref().is_none_or(|only| only == name);
    let mut report = Report::create(&path)?;
    let bound = rules::signatures(&mut report)?;
    if wants("rules") {
        for accounts in accounts {
            rules::apply(&mut report, accounts)?;
        }
    }
    if wants("member") {
        member::run(&mut report, bound)?;
    }
    if wants("members") {
        members::run(&mut report)?;
    }
    Ok(())
}
