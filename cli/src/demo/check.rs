//! Checks: what must be true after a step, or the demo fails.

use std::fmt::Debug;
use windlass_node::api::ApiError;

/// Two things must be equal.
pub fn equal<T: PartialEq + Debug>(what: &str, found: &T, expected: &T) -> Result<(), ApiError> {
    if found == expected {
        return Ok(());
    }
    Err(ApiError::failed(format!("check failed: {what} is {found:?} and should be {expected:?}")))
}

/// Something must hold.
pub fn holds(what: &str, found: bool) -> Result<(), ApiError> {
    if found { Ok(()) } else { Err(ApiError::failed(format!("check failed: {what}"))) }
}

/// Something must be there.
pub fn some<T>(what: &str, found: Option<T>) -> Result<T, ApiError> {
    found.ok_or_else(|| ApiError::failed(format!("check failed: there is no {what}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_that_fails_says_found_and_expected() {
        assert!(equal("supply", &1, &1).is_ok());
        let error = equal("supply", &1, &2).expect_err("differs");
        assert_eq!(error.message, "check failed: supply is 1 and should be 2");
        assert!(holds("the sky is up", false).is_err());
        assert!(some::<u8>("coin", None).is_err());
    }
}
