//! How arguments are read.

use bitcoin::Amount;
use windlass_types::Msat;

/// An amount of whole satoshis, with its unit.
pub fn sat(text: &str) -> Result<Amount, String> {
    let amount = windlass_types::parse_sat(text).map_err(|e| e.to_string())?;
    if amount == Amount::ZERO {
        return Err("the amount must be more than nothing".into());
    }
    Ok(amount)
}

/// An amount of millisatoshis, with its unit.
pub fn msat(text: &str) -> Result<Msat, String> {
    let amount = windlass_types::parse_msat(text).map_err(|e| e.to_string())?;
    if amount == Msat::ZERO {
        return Err("the amount must be more than nothing".into());
    }
    Ok(amount)
}

/// As [`msat`], but nothing is fine: a push of `0sat`.
pub fn msat_or_zero(text: &str) -> Result<Msat, String> {
    windlass_types::parse_msat(text).map_err(|e| e.to_string())
}

/// `3of4`: how many sign, of how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quorum {
    /// So many sign.
    pub threshold: u16,
    /// Of so many.
    pub members: u16,
}

/// The largest federation on one machine.
const MEMBERS_MAX: u16 = 16;

/// Reads `3of4`. The same `t` makes blocks and moves coins, so it must be a Byzantine quorum:
/// n = 3f + 1 members (or more) agree with 2f + 1, and any two quorums share an honest member.
pub fn quorum(text: &str) -> Result<Quorum, String> {
    let wrong = || format!("{text:?} is not a federation: write for example 3of4");
    let (threshold, members) = text.split_once("of").ok_or_else(wrong)?;
    let number = |text: &str| text.parse::<u16>().map_err(|_| wrong());
    let quorum = Quorum { threshold: number(threshold)?, members: number(members)? };
    if quorum.members < 4 || quorum.members > MEMBERS_MAX {
        return Err(format!("a federation here has 4 to {MEMBERS_MAX} members, not {}", quorum.members));
    }
    let needed = quorum.members - (quorum.members - 1) / 3;
    if quorum.threshold != needed {
        return Err(format!("of {0} members {needed} sign: write {needed}of{0}", quorum.members));
    }
    Ok(quorum)
}

/// `bob=0.5btc`: to whom how much.
pub fn payment(text: &str) -> Result<(String, Amount), String> {
    let (to, amount) = text.split_once('=').ok_or_else(|| format!("{text:?}: write NAME=AMOUNT, as bob=0.5btc"))?;
    if to.is_empty() {
        return Err(format!("{text:?}: to whom? Write NAME=AMOUNT, as bob=0.5btc"));
    }
    Ok((to.to_owned(), sat(amount)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_number_is_refused_with_the_fix() {
        assert_eq!(sat("5").expect_err("no unit"), "\"5\" has no unit: write 5sat, 5btc or 5msat");
        assert!(sat("0sat").is_err());
        assert!(sat("1500msat").is_err());
        assert_eq!(msat("1500msat"), Ok(Msat::new(1500)));
        assert_eq!(payment("bob=5sat"), Ok(("bob".into(), Amount::from_sat(5))));
        assert!(["bob", "=5sat", "bob=5", "bob=0sat"].iter().all(|text| payment(text).is_err()));
        assert_eq!(msat_or_zero("0sat"), Ok(Msat::ZERO));
    }

    #[test]
    fn a_federation_is_a_byzantine_quorum() {
        assert_eq!(quorum("3of4"), Ok(Quorum { threshold: 3, members: 4 }));
        assert_eq!(quorum("5of7"), Ok(Quorum { threshold: 5, members: 7 }));
        for bad in ["", "3", "2of4", "4of4", "2of3", "11of99", "xofy", "3of4of5"] {
            assert!(quorum(bad).is_err(), "{bad}");
        }
    }
}
