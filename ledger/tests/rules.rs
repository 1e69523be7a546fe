//! `docs/spec/ledger.md` and the code are one text: each rule (**L1**, **L2**, …) is named by a line of code that
//! enforces it and by a test that proves it, and nothing names a rule that is not there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

type Rules = BTreeSet<u32>;

/// Where a rule number is named: `file:line`.
type Named = BTreeMap<u32, Vec<String>>;

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The numbers `L12` in a text; not those inside of longer words.
fn numbers(text: &str) -> Vec<u32> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text.split(|c| !is_word(c)).filter_map(|word| word.strip_prefix('L')?.parse().ok()).collect()
}

/// The rules that the specification defines: `- **L12** …`. A number that is given twice is a fault.
fn defined(specification: &str) -> Result<Rules, String> {
    let mut rules = Rules::new();
    for line in specification.lines() {
        let Some((number, _)) = line.strip_prefix("- **L").and_then(|rest| rest.split_once("**")) else { continue };
        let number = number.parse().map_err(|_| format!("L{number} is no number"))?;
        if !rules.insert(number) {
            return Err(format!("L{number} is defined twice"));
        }
    }
    Ok(rules)
}

/// Where a test names a rule: in a comment, or in its own name (`l12_…`).
fn named_by_tests(file: &str, text: &str, named: &mut Named) {
    for (index, line) in text.lines().enumerate() {
        let comment = line.split_once("//").map_or("", |(_, comment)| comment);
        let name = line.trim_start().strip_prefix("fn l").and_then(|rest| rest.split_once('_'));
        let name = name.and_then(|(number, _)| number.parse().ok());
        for number in numbers(comment).into_iter().chain(name) {
            named.entry(number).or_default().push(format!("{file}:{}", index + 1));
        }
    }
}

fn named_by_code(file: &str, text: &str, named: &mut Named) {
    // A file's head says what it is about, it does not enforce.
    let lines = text.lines().enumerate().filter(|(_, line)| !line.starts_with("//!"));
    for (index, line) in lines {
        for number in numbers(line) {
            named.entry(number).or_default().push(format!("{file}:{}", index + 1));
        }
    }
}

/// What is wrong between the rules, the code and the tests.
fn faults(rules: &Rules, code: &Named, tests: &Named) -> Vec<String> {
    let mut faults = Vec::new();
    for rule in rules {
        if !code.contains_key(rule) {
            faults.push(format!("L{rule} has no code"));
        }
        if !tests.contains_key(rule) {
            faults.push(format!("L{rule} has no test"));
        }
    }
    for (number, places) in code.iter().chain(tests).filter(|(number, _)| !rules.contains(number)) {
        faults.push(format!("L{number} is named at {} and is no rule", places.join(", ")));
    }
    faults
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

#[test]
fn each_rule_has_code_and_a_test() {
    let specification = fs::read_to_string(folder().join("../docs/spec/ledger.md")).expect("the specification");
    let rules = defined(&specification).expect("each number once");
    assert!(rules.len() > 40, "the specification has lost its rules: {rules:?}");
    let (mut code, mut tests) = (Named::new(), Named::new());
    for path in sources(&folder().join("src")) {
        let file = path.strip_prefix(folder()).expect("inside").display().to_string();
        let text = fs::read_to_string(&path).expect("readable");
        if file.ends_with("_tests.rs") {
            named_by_tests(&file, &text, &mut tests);
        } else if !file.ends_with("testkit.rs") {
            named_by_code(&file, &text, &mut code);
        }
    }
    assert_eq!(faults(&rules, &code, &tests), Vec::<String>::new());
}

#[test]
fn a_rule_without_code_or_test_is_seen() {
    let rules = defined("- **L1** A.\n- **L2** B (see L9).\n- **L3** C.").expect("three");
    let (mut code, mut tests) = (Named::new(), Named::new());
    named_by_code("a.rs", "//! L2 is not here.\n// L1: so.\nlet x = 1; // (L3)\n", &mut code);
    named_by_tests("a_tests.rs", "/// L1.\nfn l2_is_kept() {}\nlet text = \"L3\";\n// L10 to L12", &mut tests);
    let expected = [
        "L2 has no code",
        "L3 has no test",
        "L10 is named at a_tests.rs:4 and is no rule",
        "L12 is named at a_tests.rs:4 and is no rule",
    ];
    assert_eq!(faults(&rules, &code, &tests), expected);
    assert!(defined("- **L1** A.\n- **L1** B.").is_err());
    assert_eq!(numbers("L1, XL2, L3a, (L4) L_5 L6."), [1, 4, 6]);
}
