//! Names from the DNS (BIP 353): what a resolver answers is believed only with its DNSSEC proof, which is checked
//! here up to the root's keys. So the resolver may be anybody's; it learns who is paid, and can refuse, but
//! can't send the money elsewhere.

use crate::names::{NameAnswer, NameResolver};
use dnssec_prover::query::build_txt_proof_async;
use dnssec_prover::rr::{Name, RR};
use dnssec_prover::ser::parse_rr_stream;
use dnssec_prover::validation::verify_rr_stream;
use std::net::SocketAddr;
use std::time::Duration;

/// What a name's record begins with (BIP 353); other records of it are for others.
const SCHEME: &[u8] = b"bitcoin:";

/// How long the resolver may take for all of its answers.
const TIMEOUT: Duration = Duration::from_secs(4);

/// Asks one recursive resolver, over TCP.
#[derive(Debug, Clone)]
pub struct Dns {
    resolver: SocketAddr,
    timeout: Duration,
    /// Seconds since 1970: signatures have a beginning and an end.
    clock: fn() -> u64,
}

impl Dns {
    /// Asks the resolver at `resolver`, usually port 53.
    pub const fn new(resolver: SocketAddr) -> Self {
        Self { resolver, timeout: TIMEOUT, clock: crate::book::now }
    }

    async fn ask(&self, user: &str, domain: &str) -> Result<String, String> {
        let name = dns_name(user, domain)?;
        let at = self.resolver;
        let asked = tokio::time::timeout(self.timeout, build_txt_proof_async(at, &name)).await;
        let asked = asked.map_err(|_| {
            format!("the resolver at {at} did not answer in time: try again, or name another as `dns` in config.toml")
        })?;
        let (proof, _) = asked.map_err(|error| format!("the resolver at {at} gave no proof of it: {error}"))?;
        read_proof(&name, &proof, (self.clock)())
    }
}

impl NameResolver for Dns {
    fn resolve<'a>(&'a self, user: &'a str, domain: &'a str) -> NameAnswer<'a> {
        Box::pin(self.ask(user, domain))
    }
}

/// Where the DNS has it.
pub(crate) fn dns_name(user: &str, domain: &str) -> Result<Name, String> {
    let text = format!("{user}.user._bitcoin-payment.{domain}.");
    Name::try_from(text).map_err(|()| "it is too long for a name in the DNS".into())
}

/// The one `bitcoin:` record that `proof` (RFC 9102's chain) shows for `name` at the time `now`.
pub(crate) fn read_proof(name: &Name, proof: &[u8], now: u64) -> Result<String, String> {
    let records = parse_rr_stream(proof).map_err(|()| "the resolver's proof can't be read".to_owned())?;
    let proved = verify_rr_stream(&records)
        .map_err(|error| format!("the resolver's answer is not signed as DNSSEC asks ({error:?}): it may be forged"))?;
    if now < proved.valid_from || now > proved.expires {
        return Err("the signatures of its record are of another time: is the clock right?".into());
    }
    let found = proved.resolve_name(name);
    let mut uris = found.iter().filter_map(|record| match record {
        RR::Txt(text) => Some(text.data.as_vec()).filter(|text| is_uri(text)),
        _ => None,
    });
    match (uris.next(), uris.next()) {
        (Some(uri), None) => String::from_utf8(uri).map_err(|_| "its record is no text".into()),
        (Some(_), Some(_)) => Err("it has two records, which is one too many (BIP 353)".into()),
        (None, _) => Err("it has no record that says how to pay it".into()),
    }
}

fn is_uri(text: &[u8]) -> bool {
    text.get(..SCHEME.len()).is_some_and(|start| start.eq_ignore_ascii_case(SCHEME))
}

#[cfg(test)]
#[path = "dns_tests.rs"]
mod tests;
