//! Parsers of what people type or paste.

use bitcoin::Network;
use windlass_channels::{ChannelId, PaymentHash, PeerAddress};
use windlass_types::{AccountId, ChainNetwork, Digest, parse_msat, parse_sat};

/// Runs `parse` if the bytes are text; true if they are and it takes them.
fn text(bytes: &[u8], parse: impl Fn(&str) -> bool) -> bool {
    std::str::from_utf8(bytes).is_ok_and(parse)
}

pub(crate) fn account(bytes: &[u8]) -> bool {
    text(bytes, |text| {
        let mut taken = false;
        for network in [ChainNetwork::Bitcoin, ChainNetwork::Signet, ChainNetwork::Regtest] {
            if let Ok(account) = AccountId::from_address(text, network) {
                let address = account.address(network);
                assert!(address.eq_ignore_ascii_case(text.trim()), "{text} reads as {address}");
                taken = true;
            }
        }
        taken
    })
}

pub(crate) fn policy(bytes: &[u8]) -> bool {
    text(bytes, |text| {
        let Ok(policy) = text.parse::<windlass_ledger::Policy>() else { return false };
        assert_eq!(policy.to_string().parse(), Ok(policy));
        true
    })
}

pub(crate) fn amount(bytes: &[u8]) -> bool {
    text(bytes, |text| {
        let sat = parse_sat(text);
        if let Ok(amount) = &sat {
            assert!(*amount <= bitcoin::Amount::MAX_MONEY, "{text} is {amount}");
        }
        parse_msat(text).is_ok() | sat.is_ok()
    })
}

pub(crate) fn digest(bytes: &[u8]) -> bool {
    text(bytes, |text| {
        let Ok(digest) = text.parse::<Digest>() else { return false };
        assert!(digest.to_string().eq_ignore_ascii_case(text));
        true
    })
}

pub(crate) fn bitcoin_address(bytes: &[u8]) -> bool {
    text(bytes, |text| {
        let on = |network| windlass_chain::parse_address(text, network).is_ok();
        on(Network::Regtest) | on(Network::Bitcoin)
    })
}

pub(crate) fn peer(bytes: &[u8]) -> bool {
    text(bytes, |text| {
        let Ok(peer) = text.parse::<PeerAddress>() else { return false };
        assert_eq!(peer.to_string().parse(), Ok(peer));
        true
    })
}

pub(crate) fn ids(bytes: &[u8]) -> bool {
    text(bytes, |text| {
        let (id, hash) = (text.parse::<ChannelId>(), text.parse::<PaymentHash>());
        if let Ok(id) = id {
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        if let Ok(hash) = hash {
            assert_eq!(hash.to_string().parse(), Ok(hash));
        }
        id.is_ok() || hash.is_ok()
    })
}

pub(crate) fn payable(bytes: &[u8]) -> bool {
    text(bytes, windlass_channels::fuzzing::payable)
}

pub(crate) fn refund(bytes: &[u8]) -> bool {
    text(bytes, windlass_channels::fuzzing::refund)
}

pub(crate) fn words(bytes: &[u8]) -> bool {
    text(bytes, windlass_node::fuzzing::words)
}
