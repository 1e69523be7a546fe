//! The short run: every target over its corpus and over random changes of it.

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use std::path::PathBuf;
use std::{env, fs};
use windlass_fuzz::{TARGETS, seeds};

fn folder(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target)
}

fn number(name: &str, otherwise: u64) -> u64 {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// Targets that take so many times as long as others: a proof has a dozen RSA signatures to check.
const SLOW: [(&str, u64); 1] = [("name_proof", 100)];

/// Everything in the target's folder.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let files = fs::read_dir(folder(target)).unwrap_or_else(|error| panic!("{target} has no corpus: {error}"));
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("listed").path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("readable")).collect()
}

#[test]
fn the_seeds_are_those_on_the_disk() {
    let write = env::var("WINDLASS_GOLDEN").is_ok_and(|value| value == "write");
    for (target, _) in TARGETS {
        for (number, seed) in seeds(target).into_iter().enumerate() {
            let path = folder(target).join(format!("seed-{number}"));
            if write {
                fs::create_dir_all(folder(target)).expect("made");
                fs::write(&path, &seed).expect("written");
            }
            let there = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert!(there == seed, "{}: an encoding has changed; WINDLASS_GOLDEN=write accepts it", path.display());
        }
    }
}

/// Seeds that are not taken, on purpose: amounts without a unit.
const REFUSED: &[(&str, usize)] = &[("amount", 0), ("amount", 3), ("amount", 5)];

#[test]
fn each_seed_is_taken() {
    let mut refused = Vec::new();
    for (name, target) in TARGETS {
        let seeds = seeds(name);
        refused.extend((0..seeds.len()).filter(|number| !target(&seeds[*number])).map(|number| (*name, number)));
    }
    assert_eq!(refused, REFUSED, "seeds that are not taken");
}

#[test]
fn each_form_takes_its_own_example() {
    assert_eq!(windlass_fuzz::refused_examples(), Vec::<&str>::new());
}

/// Changes some of `bytes`: flips, cuts, repeats, puts in extremes, joins with another one.
fn change(rng: &mut StdRng, bytes: &mut Vec<u8>, other: &[u8]) {
    const EXTREMES: [&[u8]; 5] = [&[0xff; 4], &[0; 8], &[0x7f, 0xff, 0xff, 0xff], &[0x80; 5], &[0xff; 8]];
    for _ in 0..rng.gen_range(1..5) {
        let at = rng.gen_range(0..=bytes.len());
        let to = rng.gen_range(at..=bytes.len());
        match rng.gen_range(0..7) {
            0 if at < bytes.len() => bytes[at] ^= 1 << rng.gen_range(0..8),
            1 if at < bytes.len() => bytes[at] = rng.r#gen(),
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..to)),
            4 => {
                let part = bytes[at..to].to_vec();
                bytes.splice(at..at, part);
            }
            5 => {
                let part = EXTREMES.choose(rng).expect("not empty");
                let end = bytes.len().min(at + part.len());
                bytes.splice(at..end, part.iter().copied());
            }
            _ => {
                let from = rng.gen_range(0..=other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
        }
        bytes.truncate(1 << 16);
    }
}

#[test]
fn no_target_minds_any_bytes() {
    let (runs, seed) = (number("WINDLASS_FUZZ_RUNS", 1_000), number("WINDLASS_SEED", 1));
    for (name, target) in TARGETS {
        let corpus = corpus(name);
        assert!(!corpus.is_empty(), "{name} has no corpus");
        corpus.iter().for_each(|bytes| _ = target(bytes));
        let slow = SLOW.iter().find(|(known, _)| known == name).map_or(1, |(_, times)| *times);
        for run in 0..runs.div_ceil(slow) {
            let mut rng = StdRng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(run));
            let mut bytes = corpus.choose(&mut rng).expect("not empty").clone();
            let other = corpus.choose(&mut rng).expect("not empty").clone();
            change(&mut rng, &mut bytes, &other);
            let kept = bytes.clone();
            if std::panic::catch_unwind(|| target(&bytes)).is_err() {
                let hex: String = kept.iter().map(|byte| format!("{byte:02x}")).collect();
                panic!("{name}, WINDLASS_SEED={seed}, run {run}: {hex}");
            }
        }
    }
}

#[test]
fn a_target_that_minds_is_seen() {
    let found = (0..2_000).any(|run| {
        let mut rng = StdRng::seed_from_u64(run);
        let mut bytes = b"abcdefgh".to_vec();
        change(&mut rng, &mut bytes, b"xyz");
        bytes.len() > 4 && bytes[..4] == [0xff; 4]
    });
    assert!(found, "the changes never reach an extreme length at the front");
}

#[test]
fn each_target_has_its_program() {
    let programs = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("libfuzzer/fuzz_targets");
    let mut there: Vec<String> = fs::read_dir(programs)
        .expect("listed")
        .map(|file| file.expect("listed").path().file_stem().expect("a name").to_string_lossy().into_owned())
        .collect();
    there.sort();
    let mut targets: Vec<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    targets.sort();
    assert_eq!(there, targets);
}
