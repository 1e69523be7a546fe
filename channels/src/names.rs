//! Names that can be paid (BIP 353): `₿alice@example.com` stands for a `bitcoin:` URI that DNS holds.

use std::pin::Pin;

/// What a resolver finds: a `bitcoin:` URI, or why there is none.
pub type NameAnswer<'a> = Pin<Box<dyn Future<Output = Result<String, String>> + Send + 'a>>;

/// Resolves names. The answer must have been proved (DNSSEC): whoever forges it takes the money.
pub trait NameResolver: Send + Sync {
    /// The `bitcoin:` URI of `user@domain`.
    fn resolve<'a>(&'a self, user: &'a str, domain: &'a str) -> NameAnswer<'a>;
}

/// Where there is no DNS.
#[derive(Debug, Clone, Copy)]
pub struct NoNames;

impl NameResolver for NoNames {
    fn resolve<'a>(&'a self, _: &'a str, _: &'a str) -> NameAnswer<'a> {
        Box::pin(async {
            Err("this node has no DNS to ask: name a resolver in its config.toml (dns = \"9.9.9.9:53\"), or ask for an invoice or an offer".into())
        })
    }
}

/// The user and the domain of `₿user@domain`; the sign may be left out.
pub(crate) fn parts(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix('₿').unwrap_or(text);
    let (user, domain) = text.split_once('@')?;
    let is_label = |text: &str| {
        !text.is_empty()
            && text.len() <= 63
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let is_name = |text: &str| text.split('.').all(is_label);
    (is_name(user) && domain.contains('.') && domain.len() <= 200 && is_name(domain)).then_some((user, domain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_a_user_and_a_domain() {
        assert_eq!(parts("₿alice@example.com"), Some(("alice", "example.com")));
        assert_eq!(parts("alice.b@pay.example.com"), Some(("alice.b", "pay.example.com")));
        for bad in ["alice", "@example.com", "alice@", "alice@localhost", "a b@example.com", "a@b@c.d", "₿₿a@b.c"] {
            assert_eq!(parts(bad), None, "{bad}");
        }
    }
}
