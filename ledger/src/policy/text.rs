//! A policy as people write it: `or(and(key(K),sha256(H)),and(key(K),after(N)))`.
//!
//! `key(…)` is an x-only key in hex (or a name, for who reads with names), `sha256(…)` a hash in hex, `after(…)` a
//! Bitcoin height, `thresh(k,…)` k of what follows; `and(…)` is all and `or(…)` one of it. Spaces are skipped.

use super::{Clause, MAX_POLICY_DEPTH, MAX_POLICY_LEAVES, Policy, PolicyError};
use std::fmt;
use std::str::FromStr;
use windlass_types::BtcHeight;

/// Longer texts are not read: the longest policy has less than 2,000 characters, with names of addresses.
const MAX_TEXT: usize = 4_096;

/// Why a text is no policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyTextError {
    /// It can't be read.
    #[error("at character {at}: {reason}")]
    Syntax {
        /// Where, counted from 1.
        at: usize,
        /// What was expected.
        reason: String,
    },
    /// It can be read, and is no policy.
    #[error(transparent)]
    Policy(#[from] PolicyError),
}

struct Reader<'a, F> {
    text: &'a str,
    at: usize,
    leaves: usize,
    key: F,
}

impl<F: Fn(&str) -> Result<[u8; 32], String>> Reader<'_, F> {
    fn error<T>(&self, reason: impl Into<String>) -> Result<T, PolicyTextError> {
        let at = self.text.get(..self.at).map_or(0, |read| read.chars().count()).saturating_add(1);
        Err(PolicyTextError::Syntax { at, reason: reason.into() })
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_spaces(&mut self) {
        let rest = self.rest();
        self.at = self.at.saturating_add(rest.len().saturating_sub(rest.trim_start().len()));
    }

    /// What stands before the next of `(),`, without the space around.
    fn word(&mut self) -> String {
        self.skip_spaces();
        let rest = self.rest();
        let end = rest.find(['(', ')', ',']).unwrap_or(rest.len());
        let word = rest.get(..end).unwrap_or_default().trim_end().to_owned();
        self.at = self.at.saturating_add(end);
        word
    }

    fn expect(&mut self, mark: char) -> Result<(), PolicyTextError> {
        self.skip_spaces();
        if !self.rest().starts_with(mark) {
            return self.error(format!("a {mark:?} is missing"));
        }
        self.at = self.at.saturating_add(mark.len_utf8());
        Ok(())
    }

    fn clause(&mut self, depth: usize) -> Result<Clause, PolicyTextError> {
        self.skip_spaces();
        let start = self.at;
        let name = self.word();
        let list = ["and", "or", "thresh"].contains(&name.as_str());
        if list && depth >= MAX_POLICY_DEPTH {
            return Err(PolicyError::Depth.into());
        }
        if !list && !["key", "sha256", "after"].contains(&name.as_str()) {
            self.at = start;
            return self.error(format!("{name:?} is none of key, sha256, after, thresh, and, or"));
        }
        self.expect('(')?;
        let clause = if list { self.list(&name, depth)? } else { self.leaf(&name)? };
        self.expect(')')?;
        Ok(clause)
    }

    fn leaf(&mut self, name: &str) -> Result<Clause, PolicyTextError> {
        self.leaves = self.leaves.saturating_add(1);
        if self.leaves > MAX_POLICY_LEAVES {
            return Err(PolicyError::Leaves.into());
        }
        let start = self.at;
        let word = self.word();
        let end = std::mem::replace(&mut self.at, start);
        let clause = match name {
            "key" => (self.key)(&word).map(Clause::Key),
            "sha256" => hex_32(&word).map(Clause::Sha256),
            _ => match word.parse::<u32>() {
                Ok(height) => Ok(Clause::After(BtcHeight::new(height))),
                Err(_) => Err(format!("{word:?} is no Bitcoin height")),
            },
        };
        let clause = clause.or_else(|reason| self.error(reason))?;
        self.at = end;
        Ok(clause)
    }

    fn list(&mut self, name: &str, depth: usize) -> Result<Clause, PolicyTextError> {
        let mut asked = None;
        if name == "thresh" {
            let start = self.at;
            let word = self.word();
            let Ok(k) = word.parse::<u8>() else {
                self.at = start;
                return self.error(format!("{word:?} is no number of clauses"));
            };
            self.expect(',')?;
            asked = Some(k);
        }
        let mut clauses = vec![self.clause(depth.saturating_add(1))?];
        self.skip_spaces();
        while self.rest().starts_with(',') {
            self.expect(',')?;
            clauses.push(self.clause(depth.saturating_add(1))?);
            self.skip_spaces();
        }
        let all = u8::try_from(clauses.len()).map_err(|_| PolicyError::Leaves)?;
        let k = asked.unwrap_or(if name == "and" { all } else { 1 });
        Ok(Clause::Threshold { k, clauses })
    }
}

fn hex_32(text: &str) -> Result<[u8; 32], String> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| format!("{text:?} is not 32 bytes in hex (64 digits)"))?;
    Ok(bytes)
}

fn hex_key(text: &str) -> Result<[u8; 32], String> {
    let key = bitcoin::XOnlyPublicKey::from_slice(&hex_32(text)?).map_err(|_| format!("{text:?} is no public key"))?;
    Ok(key.serialize())
}

impl Policy {
    /// Reads a policy in which `key(…)` may also hold a name: `named` says whose key it is, or why it is none.
    /// Hex is tried first.
    ///
    /// # Errors
    /// Where it can't be read, or what is wrong with the policy.
    pub fn parse_with(text: &str, named: impl Fn(&str) -> Result<[u8; 32], String>) -> Result<Self, PolicyTextError> {
        let key = |text: &str| hex_key(text).or_else(|_| named(text));
        let mut reader = Reader { text, at: 0, leaves: 0, key };
        if text.len() > MAX_TEXT {
            return reader.error(format!("a policy of more than {MAX_TEXT} bytes"));
        }
        let clause = reader.clause(0)?;
        reader.skip_spaces();
        if !reader.rest().is_empty() {
            return reader.error("the policy ended before this");
        }
        Ok(Self::new(clause)?)
    }
}

impl FromStr for Policy {
    type Err = PolicyTextError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse_with(text, hex_key)
    }
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (k, clauses) = match self {
            Self::Key(key) => return write!(f, "key({})", hex::encode(key)),
            Self::Sha256(hash) => return write!(f, "sha256({})", hex::encode(hash)),
            Self::After(height) => return write!(f, "after({height})"),
            Self::Threshold { k, clauses } => (*k, clauses),
        };
        match k {
            1 => f.write_str("or(")?,
            k if usize::from(k) == clauses.len() => f.write_str("and(")?,
            k => write!(f, "thresh({k},")?,
        }
        for (place, clause) in clauses.iter().enumerate() {
            let mark = if place == 0 { "" } else { "," };
            write!(f, "{mark}{clause}")?;
        }
        f.write_str(")")
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
