//! The layers of docs/ARCHITECTURE.md, enforced: which crate may name which.

use std::{collections::BTreeMap, fs, path::PathBuf};

/// Each crate of the house and what it may use of the house.
const LAYERS: &[(&str, &[&str])] = &[
    ("types", &[]),
    ("ledger", &["types"]),
    ("light", &["types", "ledger"]),
    ("recount", &["types", "ledger"]),
    ("store", &["types"]),
    ("chain", &["types", "store"]),
    ("channels", &["types", "chain", "store"]),
    ("sidechain", &["types", "ledger", "light", "store"]),
    ("peg", &["types", "ledger", "recount", "chain", "store"]),
    ("node", &["types", "ledger", "light", "recount", "chain", "store", "channels", "sidechain", "peg"]),
    ("regtest", &["types", "chain", "node", "store", "peg", "ledger"]),
    ("fuzz", &["types", "ledger", "light", "recount", "chain", "store", "channels", "sidechain", "peg", "node"]),
];

/// Packages that only some crates may name (a prefix), and which.
const OWNED: &[(&str, &[&str])] = &[
    ("lightning", &["channels"]),
    ("commonware-", &["light", "sidechain", "node"]),
    ("frost-", &["peg"]),
    ("bdk_", &["chain"]),
    ("redb", &["store"]),
    ("bitcoincore-rpc", &["chain", "regtest"]),
    ("axum", &["node", "regtest"]),
];

/// What of those a crate may name all the same: the rules check members' signatures as agreement does.
const LENT: &[(&str, &str)] = &[("ledger", "commonware-cryptography")];

/// Crates that hold rules: nothing in them may wait, read a clock or open a socket.
const PURE: &[&str] = &["types", "ledger", "light", "recount"];
const IMPURE: &[&str] = &["tokio", "rand", "axum", "reqwest", "futures", "redb"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the root").to_owned()
}

/// The `[dependencies]` of a crate (not those for tests).
fn dependencies(folder: &str) -> Vec<String> {
    let path = root().join(folder).join("Cargo.toml");
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let manifest: toml::Table = text.parse().unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let table = manifest.get("dependencies").and_then(|d| d.as_table()).cloned().unwrap_or_default();
    table.keys().cloned().collect()
}

fn faults(dependencies: &BTreeMap<&str, Vec<String>>) -> Vec<String> {
    let mut faults = Vec::new();
    for (folder, allowed) in LAYERS {
        for dependency in &dependencies[folder] {
            if let Some(house) = dependency.strip_prefix("windlass-")
                && !allowed.contains(&house)
            {
                faults.push(format!("{folder} must not use {house}"));
            }
            for (prefix, owners) in OWNED {
                let is_lent = LENT.contains(&(folder, dependency.as_str()));
                if dependency.starts_with(prefix) && !owners.contains(folder) && !is_lent {
                    faults.push(format!("{folder} must not name {dependency}: it belongs to {owners:?}"));
                }
            }
            if PURE.contains(folder) && IMPURE.contains(&dependency.as_str()) {
                faults.push(format!("{folder} is pure and must not use {dependency}"));
            }
        }
    }
    faults
}

#[test]
fn layers_hold() {
    let dependencies = LAYERS.iter().map(|(folder, _)| (*folder, dependencies(folder))).collect();
    assert_eq!(faults(&dependencies), Vec::<String>::new());
}

#[test]
fn a_forbidden_import_is_seen() {
    let mut dependencies: BTreeMap<_, _> = LAYERS.iter().map(|(folder, _)| (*folder, Vec::new())).collect();
    dependencies.insert("peg", vec!["windlass-sidechain".into(), "lightning".into()]);
    dependencies.insert("ledger", vec!["tokio".into()]);
    assert_eq!(faults(&dependencies).len(), 3);
    dependencies.insert("ledger", vec!["commonware-cryptography".into(), "commonware-p2p".into()]);
    assert_eq!(faults(&dependencies).len(), 3);
}

#[test]
fn one_version_of_bitcoin() {
    let lock: toml::Table =
        fs::read_to_string(root().join("Cargo.lock")).expect("Cargo.lock is committed").parse().expect("valid");
    for name in ["bitcoin", "secp256k1", "lightning"] {
        let packages = lock["package"].as_array().expect("packages");
        let count = packages.iter().filter(|p| p["name"].as_str() == Some(name)).count();
        assert_eq!(count, 1, "versions of {name} in Cargo.lock");
    }
}

#[test]
fn the_rules_do_not_iterate_hash_maps_or_read_clocks() {
    for folder in PURE {
        for path in sources(root().join(folder).join("src")) {
            let text = fs::read_to_string(&path).expect("readable");
            for word in ["HashMap", "HashSet", "SystemTime", "Instant::now", "f64", "f32", "thread_rng"] {
                assert!(!text.contains(word), "{} names {word}", path.display());
            }
        }
    }
}

/// What the recount may know of the ledger: the types that a block decodes to.
const DECODED: [&str; 14] = [
    "BitcoinBlockFacts",
    "Clause",
    "LeafWitness",
    "Witness",
    "Block",
    "DepositClaim",
    "DepositTerms",
    "Genesis",
    "Header",
    "Params",
    "ParamsChange",
    "Proposal",
    "Spend",
    "Transaction",
];

/// Rules that hang on these types as methods.
const RULES: [&str; 9] =
    ["verify", "spend_info(", "validate(", "outflow(", "chain_id()", ".digest()", ".id(", "body_root", "lapse_height"];

/// Without what it has of strings and comments: names of the ledger that are no decoded type, and its rules.
fn borrowed_rules(source: &str) -> Vec<String> {
    let code: Vec<&str> = source.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    let code = code.join("\n");
    let mut found = Vec::new();
    for part in code.split("windlass_ledger::").skip(1) {
        let list = part.strip_prefix('{').and_then(|list| list.split_once('}')).map_or_else(
            || part.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default(),
            |(list, _)| list,
        );
        let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
        found.extend(names.filter(|name| !DECODED.contains(name) && *name != "TxBody").map(str::to_owned));
    }
    // libsecp256k1's own check of a signature is nobody's rule.
    let code = code.replace("verify_schnorr", "").replace("verification_only", "");
    found.extend(RULES.iter().filter(|rule| code.contains(*rule)).map(|rule| (*rule).to_owned()));
    found
}

#[test]
fn the_recount_shares_no_rule_with_the_ledger() {
    for path in sources(root().join("recount/src")) {
        let text = fs::read_to_string(&path).expect("readable");
        assert_eq!(borrowed_rules(&text), Vec::<String>::new(), "{}", path.display());
    }
}

#[test]
fn a_borrowed_rule_is_seen() {
    let source = "use windlass_ledger::{Block, apply};\nlet x = windlass_ledger::query::batch(v); genesis.validate()?;";
    assert_eq!(borrowed_rules(source), ["apply", "query", "validate("]);
}

fn sources(folder: PathBuf) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("readable").path();
        let name = path.to_string_lossy().into_owned();
        if path.is_dir() {
            files.extend(sources(path));
        } else if name.ends_with(".rs") && !name.ends_with("_tests.rs") && !name.ends_with("testkit.rs") {
            files.push(path);
        }
    }
    files
}

/// A node that stores nothing is for a bench, in a workspace of its own.
#[test]
fn no_crate_switches_the_store_off() {
    let folders = LAYERS.iter().map(|(folder, _)| *folder).chain(["cli", "tests", "tests/interop"]);
    for folder in folders.filter(|folder| *folder != "channels") {
        let path = root().join(folder).join("Cargo.toml");
        let text = fs::read_to_string(&path).expect("a manifest");
        assert!(!text.contains("\"measure\""), "{folder} asks for the feature \"measure\" of windlass-channels");
    }
    let root = fs::read_to_string(root().join("Cargo.toml")).expect("the root's manifest");
    assert!(!root.contains("\"measure\""), "the root's manifest asks for \"measure\"");
}
