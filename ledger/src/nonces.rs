//! An account's nonces: which are used, and which are open. A window, so that several transactions of an account can
//! be on their way at once, in any order, and none counts twice (L15).

use borsh::io::{Error, ErrorKind, Read};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::Serialize;

/// How many nonces are open at a time, from the lowest unused one on.
pub const NONCE_WINDOW: u64 = 64;

/// Which nonces an account has used: all below `next`, not `next`, and those that `used` marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, BorshSerialize, Serialize)]
pub struct Nonces {
    next: u64,
    /// Bit n stands for `next + n`. Bit 0 is never set: `next` would be another.
    used: u64,
}

/// Why a nonce is not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NonceError {
    /// It was used.
    Used,
    /// It is beyond the window.
    Ahead,
}

impl BorshDeserialize for Nonces {
    fn deserialize_reader<R: Read>(reader: &mut R) -> Result<Self, Error> {
        let (next, used) = <(u64, u64)>::deserialize_reader(reader)?;
        if used & 1 == 1 {
            return Err(Error::new(
                ErrorKind::InvalidData,
                format!("the lowest unused nonce {next} is marked as used"),
            ));
        }
        Ok(Self { next, used })
    }
}

impl Nonces {
    /// The lowest unused one.
    pub const fn next(&self) -> u64 {
        self.next
    }

    /// The used ones above the lowest unused one, ascending.
    pub fn used_ahead(&self) -> Vec<u64> {
        let is_used = |ahead: &u32| self.used.checked_shr(*ahead).is_some_and(|bits| bits & 1 == 1);
        (1..u64::BITS).filter(is_used).filter_map(|ahead| self.next.checked_add(ahead.into())).collect()
    }

    /// L15: uses `nonce`, if it is open.
    ///
    /// # Errors
    /// It was used, or is beyond the window. The last number of all is never open.
    pub fn take(self, nonce: u64) -> Result<Self, NonceError> {
        let ahead = nonce.checked_sub(self.next).ok_or(NonceError::Used)?;
        let bit = u32::try_from(ahead).ok().and_then(|ahead| 1_u64.checked_shl(ahead)).ok_or(NonceError::Ahead)?;
        if nonce == u64::MAX {
            return Err(NonceError::Ahead);
        }
        let used = self.used | bit;
        if used == self.used {
            return Err(NonceError::Used);
        }
        // The window moves past all that are used from its beginning on: by 64 if all are.
        let run = used.trailing_ones();
        let next = self.next.checked_add(u64::from(run)).ok_or(NonceError::Ahead)?;
        Ok(Self { next, used: used.checked_shr(run).unwrap_or(0) })
    }
}

#[cfg(test)]
#[path = "nonces_tests.rs"]
mod tests;
