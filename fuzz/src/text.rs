//! Parsers of what people type or paste.

use bitcoin::Network;
use windlass_channels::{ChannelId, PaymentHash, PeerAddress};
use windlass_types::{AccountId, ChainNetwork, Digest, parse_msat, parse_sat};

/// Runs `parse` if the bytes are text.
fn text(bytes: &[u8], parse: impl Fn(&str)) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        parse(text);
    }
}

pub(crate) fn account(bytes: &[u8]) {
    text(bytes, |text| {
        for network in [ChainNetwork::Bitcoin, ChainNetwork::Signet, ChainNetwork::Regtest] {
            if let Ok(account) = AccountId::from_address(text, network) {
                let address = account.address(network);
                assert!(address.eq_ignore_ascii_case(text.trim()), "{text} reads as {address}");
            }
        }
    });
}

pub(crate) fn amount(bytes: &[u8]) {
    text(bytes, |text| {
        if let Ok(amount) = parse_sat(text) {
            assert!(amount <= bitcoin::Amount::MAX_MONEY, "{text} is {amount}");
        }
        let _ = parse_msat(text);
    });
}

pub(crate) fn digest(bytes: &[u8]) {
    text(bytes, |text| {
        if let Ok(digest) = text.parse::<Digest>() {
            assert!(digest.to_string().eq_ignore_ascii_case(text));
        }
    });
}

pub(crate) fn bitcoin_address(bytes: &[u8]) {
    text(bytes, |text| {
        let _ = windlass_chain::parse_address(text, Network::Regtest);
        let _ = windlass_chain::parse_address(text, Network::Bitcoin);
    });
}

pub(crate) fn peer(bytes: &[u8]) {
    text(bytes, |text| {
        if let Ok(peer) = text.parse::<PeerAddress>() {
            assert_eq!(peer.to_string().parse(), Ok(peer));
        }
    });
}

pub(crate) fn ids(bytes: &[u8]) {
    text(bytes, |text| {
        if let Ok(id) = text.parse::<ChannelId>() {
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        if let Ok(hash) = text.parse::<PaymentHash>() {
            assert_eq!(hash.to_string().parse(), Ok(hash));
        }
    });
}

pub(crate) fn payable(bytes: &[u8]) {
    text(bytes, windlass_channels::fuzzing::payable);
}

pub(crate) fn refund(bytes: &[u8]) {
    text(bytes, windlass_channels::fuzzing::refund);
}

pub(crate) fn words(bytes: &[u8]) {
    text(bytes, windlass_node::fuzzing::words);
}
