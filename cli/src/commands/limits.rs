//! What a payer allows: the same words for `pay`, `keysend`, `probe` and `refund`.

use super::values;
use std::time::Duration;
use windlass_node::api::{ApiError, payments::Limits};
use windlass_types::Msat;

/// The most that a payment may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxFee {
    /// So much.
    Msat(Msat),
    /// So many millionths of the amount.
    Ppm(u32),
}

/// Reads `10sat`, `500msat`, `0sat` or `0.5%`.
fn max_fee(text: &str) -> Result<MaxFee, String> {
    let Some(percent) = text.strip_suffix('%') else { return values::msat_or_zero(text).map(MaxFee::Msat) };
    let wrong = || format!("{text:?} is no share: write for example 0.5%");
    let (whole, rest) = percent.split_once('.').unwrap_or((percent, ""));
    // A percent is 10,000 millionths: four digits after the point.
    if rest.len() > 4 || !rest.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(wrong());
    }
    let whole: u32 = whole.parse().map_err(|_| wrong())?;
    let rest: u32 = format!("{rest:0<4}").parse().map_err(|_| wrong())?;
    if whole > 100 {
        return Err(wrong());
    }
    Ok(MaxFee::Ppm(whole * 10_000 + rest))
}

/// The arguments.
#[derive(Debug, Clone, clap::Args)]
pub struct LimitArgs {
    /// The most that it may cost: 10sat, 0.5% [default: 1% and 50 sat]
    #[arg(long, value_name = "FEE", value_parser = max_fee)]
    max_fee: Option<MaxFee>,
    /// Blocks for which money may be locked on the way, at the most [default: 1008]
    #[arg(long, value_name = "BLOCKS")]
    max_cltv: Option<u32>,
    /// Parts that it may be split into, at the most [default: 10]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    max_parts: Option<u8>,
    /// Try other ways for so long [default: 20s]
    #[arg(long, value_name = "DURATION", value_parser = crate::duration::parse)]
    retry: Option<Duration>,
}

impl LimitArgs {
    /// For the hub.
    pub fn limits(&self) -> Result<Limits, ApiError> {
        let retry_seconds = match self.retry {
            None => None,
            Some(retry) => {
                Some(u32::try_from(retry.as_secs()).map_err(|_| ApiError::usage("--retry is 136 years at the most"))?)
            }
        };
        Ok(Limits {
            max_fee_msat: self.max_fee.and_then(|fee| if let MaxFee::Msat(most) = fee { Some(most) } else { None }),
            max_fee_ppm: self.max_fee.and_then(|fee| if let MaxFee::Ppm(ppm) = fee { Some(ppm) } else { None }),
            max_cltv: self.max_cltv,
            max_parts: self.max_parts,
            retry_seconds,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fee_is_an_amount_or_a_share() {
        assert_eq!(max_fee("10sat"), Ok(MaxFee::Msat(Msat::new(10_000))));
        assert_eq!(max_fee("0sat"), Ok(MaxFee::Msat(Msat::ZERO)));
        assert_eq!(max_fee("1%"), Ok(MaxFee::Ppm(10_000)));
        assert_eq!(max_fee("0.05%"), Ok(MaxFee::Ppm(500)));
        for bad in ["10", "%", "0.00001%", "-1%", "101%", "1.x%"] {
            assert!(max_fee(bad).is_err(), "{bad}");
        }
    }
}
