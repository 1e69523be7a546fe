//! Reading a Bitcoin address, with words for each way to get it wrong.

use bitcoin::address::NetworkUnchecked;
use bitcoin::{Address, Network};
use windlass_types::ChainNetwork;

/// Why a text is no address of this network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// A Bitcoin address, but of another network.
    #[error("{text} is an address of {found}; this is {expected}")]
    OtherNetwork {
        /// The text as given.
        text: String,
        /// Its network.
        found: &'static str,
        /// Ours.
        expected: Network,
    },
    /// One of our sidechain's addresses.
    #[error("{text} is a sidechain address, not a Bitcoin address")]
    Sidechain {
        /// The text as given.
        text: String,
    },
    /// A Lightning invoice or offer.
    #[error("{text:.20}… is a Lightning invoice or offer, not a Bitcoin address")]
    Lightning {
        /// The text as given.
        text: String,
    },
    /// An address of another chain, by its prefix.
    #[error("{text} is no Bitcoin address: its prefix {prefix:?} belongs to another chain")]
    Foreign {
        /// The text as given.
        text: String,
        /// Its prefix.
        prefix: String,
    },
    /// Anything else, a typing error included.
    #[error("{text:?} is not a Bitcoin address: {reason}")]
    Malformed {
        /// The text as given.
        text: String,
        /// What the decoder says.
        reason: String,
    },
}

/// Reads `text` as an address of `network`.
///
/// # Errors
/// See [`AddressError`].
pub fn parse_address(text: &str, network: Network) -> Result<Address, AddressError> {
    let text = text.trim();
    let address = match text.parse::<Address<NetworkUnchecked>>() {
        Ok(address) => address,
        Err(error) => return Err(explain(text, &error.to_string())),
    };
    if !address.is_valid_for_network(network) {
        let found = network_of(&address);
        return Err(AddressError::OtherNetwork { text: text.into(), found, expected: network });
    }
    Ok(address.assume_checked())
}

fn network_of(address: &Address<NetworkUnchecked>) -> &'static str {
    if address.is_valid_for_network(Network::Bitcoin) {
        "Bitcoin's main network"
    } else if address.is_valid_for_network(Network::Regtest) && !address.is_valid_for_network(Network::Testnet) {
        "regtest"
    } else {
        "a test network (testnet or signet)"
    }
}

fn explain(text: &str, reason: &str) -> AddressError {
    let lower = text.to_lowercase();
    let text = text.to_owned();
    if lower.starts_with("lnbc") || lower.starts_with("lntb") || lower.starts_with("lno1") {
        return AddressError::Lightning { text };
    }
    let Some((prefix, data)) = lower.rsplit_once('1') else {
        return AddressError::Malformed { text, reason: reason.into() };
    };
    let ours = [ChainNetwork::Bitcoin, ChainNetwork::Signet, ChainNetwork::Regtest];
    if ours.iter().any(|network| network.prefix() == prefix) {
        return AddressError::Sidechain { text };
    }
    let bitcoins = ["bc", "tb", "bcrt"];
    // Bech32 has no 1, b, i, o after its separator; an old address has them, or capitals.
    let looks_bech32 = data.len() >= 6
        && data.chars().all(|c| c.is_ascii_alphanumeric() && !matches!(c, 'b' | 'i' | 'o'))
        && (text == lower || text == text.to_uppercase());
    if looks_bech32 && !prefix.is_empty() && prefix.chars().all(char::is_alphabetic) && !bitcoins.contains(&prefix) {
        return AddressError::Foreign { text, prefix: prefix.into() };
    }
    AddressError::Malformed { text, reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIN: &str = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4";
    const TEST: &str = "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx";
    const REG: &str = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080";

    #[test]
    fn right_network() {
        for (text, network) in [(MAIN, Network::Bitcoin), (TEST, Network::Signet), (REG, Network::Regtest)] {
            assert_eq!(parse_address(text, network).expect("good").to_string(), text);
        }
        assert!(parse_address(&format!(" {REG}\n"), Network::Regtest).is_ok());
    }

    #[test]
    fn wrong_network_is_named() {
        let said = |text, network| parse_address(text, network).expect_err("wrong").to_string();
        assert_eq!(
            said(MAIN, Network::Regtest),
            format!("{MAIN} is an address of Bitcoin's main network; this is regtest")
        );
        assert!(said(TEST, Network::Regtest).contains("a test network"));
        assert!(said(REG, Network::Bitcoin).contains("is an address of regtest"));
        assert!(said("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", Network::Regtest).contains("main network"));
    }

    #[test]
    fn foreign_things_are_named() {
        let error = |text: &str| parse_address(text, Network::Regtest).expect_err("wrong");
        let side = windlass_types::AccountId::FEES.address(ChainNetwork::Regtest);
        assert!(matches!(error(&side), AddressError::Sidechain { .. }));
        assert!(matches!(error("lnbcrt1pvjluezpp5qqqsyq"), AddressError::Lightning { .. }));
        assert!(matches!(error("ltc1qw508d6qejxtdg4y5r3zarvary0c5xw7kgmn4n9"), AddressError::Foreign { .. }));
        let typo = REG.replace('w', "q");
        for junk in ["", "alice", typo.as_str(), "0x52908400098527886E0F7030069857D2E4169EE7", "1111"] {
            assert!(matches!(error(junk), AddressError::Malformed { .. }), "{junk}: {:?}", error(junk));
        }
    }
}
