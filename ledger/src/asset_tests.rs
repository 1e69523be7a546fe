//! Terms, ids and look-alikes.

use super::*;
use crate::testkit::{account, genesis};
use std::collections::BTreeSet;

fn terms() -> AssetTerms {
    AssetTerms { ticker: "GOLD5".into(), name: "Gold of Five".into(), decimals: 2, units: 1_000, reissuable: true }
}

/// L60.
#[test]
fn terms_out_of_range_are_named() {
    assert_eq!(terms().validate(), Ok(()));
    for ticker in ["", "gold", "5GOLD", "GOLDGOLDX", "GO LD", "GÖLD", "GOL-D"] {
        let wrong = AssetTerms { ticker: ticker.into(), ..terms() };
        assert_eq!(wrong.validate(), Err(TermsError::Ticker(ticker.into())));
    }
    let long = "n".repeat(65);
    for name in ["", " Gold", "Gold ", "Gold\n", "G\u{43e}ld", "Go\u{200b}ld", long.as_str()] {
        let wrong = AssetTerms { name: name.into(), ..terms() };
        assert_eq!(wrong.validate(), Err(TermsError::Name(name.into())));
    }
    assert_eq!(AssetTerms { decimals: 19, ..terms() }.validate(), Err(TermsError::Decimals(19)));
    assert_eq!(AssetTerms { units: 0, reissuable: false, ..terms() }.validate(), Err(TermsError::Nothing));
    assert_eq!(AssetTerms { units: 0, ..terms() }.validate(), Ok(()));
}

/// L61: whatever is changed, the id is another; and it is pinned: a change here is a new version of the rules.
#[test]
fn an_id_is_of_chain_issuer_nonce_and_terms() {
    let chain = ChainId(Digest([7; 32]));
    let id = terms().id(chain, &account(1), 3);
    let others = [
        terms().id(genesis().chain_id(), &account(1), 3),
        terms().id(chain, &account(2), 3),
        terms().id(chain, &account(1), 4),
        AssetTerms { ticker: "GOLDS".into(), ..terms() }.id(chain, &account(1), 3),
        AssetTerms { name: "Gold of Six".into(), ..terms() }.id(chain, &account(1), 3),
        AssetTerms { decimals: 3, ..terms() }.id(chain, &account(1), 3),
        AssetTerms { units: 1_001, ..terms() }.id(chain, &account(1), 3),
        AssetTerms { reissuable: false, ..terms() }.id(chain, &account(1), 3),
        // What moves from one field to the next.
        AssetTerms { ticker: "GOLD5G".into(), name: "old of Five".into(), ..terms() }.id(chain, &account(1), 3),
    ];
    let all: BTreeSet<AssetId> = others.into_iter().chain([id]).collect();
    assert_eq!(all.len(), 10);
    assert_eq!(id.to_string(), "d135ba856b1a3b24a51220109b732ced64fe7f9aff13ab0b23b1c871b9287934");
}

#[test]
fn what_could_be_taken_for_another_is_seen() {
    let with = |ticker: &str, name: &str| AssetTerms { ticker: ticker.into(), name: name.into(), ..terms() };
    let like = |ticker, name| likeness(&terms(), &with(ticker, name));
    assert_eq!(like("GOLD5", "Another"), Some(Likeness::SameTicker));
    for ticker in ["G0LD5", "GOLDS", "G0LDS", "6OLD5", "GO1D5"] {
        assert_eq!(like(ticker, "Another"), Some(Likeness::ConfusableTicker), "{ticker}");
    }
    for name in ["gold of five", "Gold  of Five", "G0ld of Five!", "GoldOfFive"] {
        assert_eq!(like("XYZ", name), Some(Likeness::ConfusableName), "{name}");
    }
    assert_eq!(like("SILVER", "Silver"), None);
    assert_eq!(likeness(&with("A", "modern"), &with("B", "modem")), Some(Likeness::ConfusableName));
    for ticker in ["BTC", "8TC", "XBT", "SAT5"] {
        assert!(resembles_bitcoin(&with(ticker, "Something")), "{ticker}");
    }
    assert!(resembles_bitcoin(&with("COIN", "B1tcoin")));
    assert!(!resembles_bitcoin(&terms()));
}
