//! `bitcoin:` URIs (BIP 321): an address, a Lightning invoice, an offer, or several of them for the same payment.

use bitcoin::address::NetworkUnchecked;
use bitcoin::{Address, Amount, Denomination, Network};
use percent_encoding::percent_decode_str;
use windlass_types::Msat;

const SCHEME: &str = "bitcoin:";

/// What a URI offers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Uri {
    /// On the chain.
    pub(crate) address: Option<String>,
    /// How much.
    pub(crate) amount: Option<Msat>,
    /// A BOLT 11 invoice.
    pub(crate) invoice: Option<String>,
    /// BOLT 12 offers.
    pub(crate) offers: Vec<String>,
}

/// Why a text is no URI to pay.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UriError {
    #[error("it does not start with bitcoin:")]
    Scheme,
    #[error("{0:?} is no Bitcoin address")]
    Address(String),
    #[error("its address is for another network")]
    Network,
    #[error("{0:?} is no amount in bitcoin")]
    Amount(String),
    #[error("it says {0} twice")]
    Twice(&'static str),
    #[error("it asks for {0:?}, which this node does not know")]
    Required(String),
    #[error("{0:?} is not well encoded")]
    Encoding(String),
}

/// True if `text` wants to be a URI of this kind.
pub(crate) fn is_uri(text: &str) -> bool {
    text.get(..SCHEME.len()).is_some_and(|scheme| scheme.eq_ignore_ascii_case(SCHEME))
}

impl Uri {
    /// Reads one for `network`.
    pub(crate) fn parse(text: &str, network: Network) -> Result<Self, UriError> {
        if !is_uri(text) {
            return Err(UriError::Scheme);
        }
        let rest = &text[SCHEME.len()..];
        let (address, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut uri = Self::default();
        if !address.is_empty() {
            let parsed: Address<NetworkUnchecked> =
                address.parse().map_err(|_| UriError::Address(address.to_owned()))?;
            uri.address = Some(parsed.require_network(network).map_err(|_| UriError::Network)?.to_string());
        }
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decoded = percent_decode_str(value).decode_utf8();
            let value = decoded.map_err(|_| UriError::Encoding(value.to_owned()))?;
            uri.take(&key.to_lowercase(), &value)?;
        }
        Ok(uri)
    }

    fn take(&mut self, key: &str, value: &str) -> Result<(), UriError> {
        // One that is asked for and known is the same as one that is offered.
        let name = key.strip_prefix("req-").unwrap_or(key);
        match name {
            "amount" => {
                let wrong = || UriError::Amount(value.to_owned());
                let amount = Amount::from_str_in(value, Denomination::Bitcoin).map_err(|_| wrong())?;
                let amount = Msat::from_sat(amount).ok_or_else(wrong)?;
                once(&mut self.amount, amount, "amount")
            }
            "lightning" => once(&mut self.invoice, value.to_owned(), "lightning"),
            "lno" => {
                self.offers.push(value.to_owned());
                Ok(())
            }
            _ if name != key => Err(UriError::Required(key.to_owned())),
            // Words for people, and ways that others know.
            _ => Ok(()),
        }
    }
}

fn once<T>(slot: &mut Option<T>, value: T, name: &'static str) -> Result<(), UriError> {
    if slot.replace(value).is_some() { Err(UriError::Twice(name)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: &str = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";

    fn parse(text: &str) -> Result<Uri, UriError> {
        Uri::parse(text, Network::Regtest)
    }

    #[test]
    fn all_of_it_is_read() {
        let uri =
            parse(&format!("BITCOIN:{ADDRESS}?Amount=0.00001234&label=a%20b&lightning=lnbcrt1x&lno=lno1y&lno=lno1z"));
        let expected = Uri {
            address: Some(ADDRESS.into()),
            amount: Some(Msat::new(1_234_000)),
            invoice: Some("lnbcrt1x".into()),
            offers: vec!["lno1y".into(), "lno1z".into()],
        };
        assert_eq!(uri, Ok(expected));
        assert_eq!(parse("bitcoin:?lno=lno1y").map(|uri| uri.offers), Ok(vec!["lno1y".to_owned()]));
        assert_eq!(parse(&ADDRESS.to_uppercase().replace("BCRT1", "bitcoin:BCRT1")).map(|uri| uri.amount), Ok(None));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, error) in [
            ("lightning:lnbc1", UriError::Scheme),
            ("bitcoin:nonsense", UriError::Address("nonsense".into())),
            ("bitcoin:bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", UriError::Network),
            ("bitcoin:?amount=1btc", UriError::Amount("1btc".into())),
            ("bitcoin:?amount=-1", UriError::Amount("-1".into())),
            ("bitcoin:?amount=1&amount=2", UriError::Twice("amount")),
            ("bitcoin:?req-moon=1", UriError::Required("req-moon".into())),
            ("bitcoin:?lightning=%ff", UriError::Encoding("%ff".into())),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
        assert!(parse("bitcoin").is_err() && parse("bitcöin:").is_err() && parse("").is_err());
    }
}
