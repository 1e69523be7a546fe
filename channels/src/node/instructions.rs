//! Whatever a user may paste to be paid: an invoice, an offer, a `bitcoin:` URI (BIP 321), a name
//! (BIP 353).

use super::Node;
use crate::names::parts;
use crate::uri::{Uri, UriError, is_uri};
use crate::{PayError, PayLimits, PaymentHash};
use std::time::Duration;
use windlass_types::Msat;

/// How long a name's resolution may take.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);

impl Node {
    /// Starts to pay whatever `text` is: a BOLT 11 invoice, a BOLT 12 offer, a `bitcoin:` URI with one of
    /// them, or a name (`₿alice@example.com`). [`Self::wait_payment`] tells how it ends. The note is for who
    /// made the offer; an invoice has no place for one.
    ///
    /// # Errors
    /// See [`PayError`]; nothing was sent then.
    pub async fn pay_any(
        &self,
        text: &str,
        amount: Option<Msat>,
        note: Option<&str>,
        limits: &PayLimits,
    ) -> Result<PaymentHash, PayError> {
        let text = text.trim();
        if is_uri(text) {
            return self.pay_uri(text, text, amount, note, limits).await;
        }
        if let Some((user, domain)) = parts(text) {
            let unresolved = |reason: String| PayError::Unresolved { name: text.into(), reason };
            let found = tokio::time::timeout(RESOLVE_TIMEOUT, self.config.names.resolve(user, domain)).await;
            let uri = found.map_err(|_| unresolved("no answer in time".into()))?.map_err(unresolved)?;
            return self.pay_uri(&uri, text, amount, note, limits).await;
        }
        if text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("lno1")) {
            return self.pay_offer(text, amount, note, limits).await;
        }
        self.pay_within(text, amount, limits).await
    }

    /// Pays by the best way of a URI: an offer, for its invoice is fresh and hides the payee; else an invoice.
    async fn pay_uri(
        &self,
        uri: &str,
        given_as: &str,
        amount: Option<Msat>,
        note: Option<&str>,
        limits: &PayLimits,
    ) -> Result<PaymentHash, PayError> {
        let uri = Uri::parse(uri, self.config.network).map_err(|error| match error {
            UriError::Network => {
                PayError::WrongNetwork { found: "another network".into(), expected: self.config.network }
            }
            other => PayError::Malformed { text: given_as.into(), reason: other.to_string() },
        })?;
        let amount = match (uri.amount, amount) {
            (Some(invoice), Some(given)) if invoice != given => {
                return Err(PayError::AmountMismatch { invoice, given });
            }
            (stated, given) => stated.or(given),
        };
        let mut first_error = None;
        for offer in &uri.offers {
            match self.pay_offer(offer, amount, note, limits).await {
                Ok(hash) => return Ok(hash),
                // Nothing was sent: the next way may do.
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        if let Some(invoice) = &uri.invoice {
            return self.pay_within(invoice, amount, limits).await;
        }
        Err(match (first_error, uri.address) {
            (Some(error), _) => error,
            (None, Some(address)) => PayError::OnChainOnly { address },
            (None, None) => PayError::Malformed { text: given_as.into(), reason: "it has no way to pay".into() },
        })
    }
}
