//! Rapid gossip sync: fetches snapshots of the Lightning network's map, now and then.

use super::config::WalletConfig;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use windlass_channels::{GossipError, Node};
use windlass_types::ChainNetwork;

/// A snapshot of the whole network has some 10 MB.
const SNAPSHOT_BYTES_MAX: usize = 64 << 20;

/// How long a snapshot may take to come.
const FETCH_TIMEOUT: Duration = Duration::from_secs(120);

/// Servers make a new snapshot a few times a day.
const INTERVAL: Duration = Duration::from_secs(60 * 60);

/// How soon it is tried again after a failure.
const RETRY: Duration = Duration::from_secs(60);

/// Why there is no snapshot.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The server does not answer, or says no.
    #[error("{url} gives no snapshot: {reason}")]
    Fetch {
        /// What was asked for.
        url: String,
        /// What happened.
        reason: String,
    },
    /// It is longer than any snapshot.
    #[error("{url} sends more than {SNAPSHOT_BYTES_MAX} bytes")]
    TooLong {
        /// What was asked for.
        url: String,
    },
    /// The node does not take it.
    #[error("the snapshot of {url}: {error}")]
    Refused {
        /// What was asked for.
        url: String,
        /// Why.
        error: GossipError,
    },
}

/// The server's address in the settings, if it makes sense there.
pub(super) fn server(config: &WalletConfig) -> Result<Option<String>, String> {
    let Some(url) = &config.rapid_gossip_sync else { return Ok(None) };
    if config.network == ChainNetwork::Regtest {
        return Err("rapid_gossip_sync: no server knows the channels of a regtest; remove it from config.toml".into());
    }
    if !url.starts_with("https://") && !url.starts_with("http://") {
        return Err(format!(
            "rapid_gossip_sync: {url:?} must begin with https:// (or http:// for a server of your own)"
        ));
    }
    Ok(Some(url.trim_end_matches('/').to_owned()))
}

/// Believes the roots of this machine (`SSL_CERT_FILE` names others), and `more`.
fn client(more: impl IntoIterator<Item = reqwest::Certificate>) -> reqwest::Result<reqwest::Client> {
    reqwest::Client::builder().connect_timeout(RETRY).tls_certs_merge(more).build()
}

/// An error with what lies below it: the outermost says little of a certificate.
fn causes(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// The snapshot of what changed since `from`.
async fn fetch(client: &reqwest::Client, base: &str, from: u32) -> Result<Vec<u8>, SnapshotError> {
    let url = format!("{base}/{from}");
    let failed = |error: reqwest::Error| SnapshotError::Fetch { url: url.clone(), reason: causes(&error) };
    let response = client.get(&url).timeout(FETCH_TIMEOUT).send().await.map_err(failed)?;
    let mut response = response.error_for_status().map_err(failed)?;
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if bytes.len().saturating_add(chunk.len()) > SNAPSHOT_BYTES_MAX {
            return Err(SnapshotError::TooLong { url });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// Fetches a snapshot and puts it into the node's graph; returns its time.
async fn update(client: &reqwest::Client, base: &str, node: &Arc<Node>) -> Result<u32, SnapshotError> {
    let from = node.gossip_snapshot_time();
    let snapshot = fetch(client, base, from).await?;
    let url = format!("{base}/{from}");
    let of_task = Arc::clone(node);
    let taken = tokio::task::spawn_blocking(move || of_task.apply_gossip_snapshot(&snapshot)).await;
    let taken = taken.map_err(|error| SnapshotError::Fetch { url: url.clone(), reason: error.to_string() })?;
    taken.map_err(|error| SnapshotError::Refused { url, error })
}

/// Keeps the map up to date until `stopping`.
pub(super) async fn follow(base: String, node: Arc<Node>, mut stopping: watch::Receiver<bool>) {
    let client = match client([]) {
        Ok(client) => client,
        Err(error) => return tracing::error!(error = causes(&error), "no rapid gossip sync"),
    };
    while !*stopping.borrow() {
        let wait = tokio::select! {
            done = update(&client, &base, &node) => match done {
                Ok(time) => {
                    tracing::info!(time, "the map of the network is up to date");
                    INTERVAL
                }
                Err(error) => {
                    tracing::warn!(%error, "the map of the network is not up to date; it is tried again");
                    RETRY
                }
            },
            _ = stopping.changed() => return,
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = stopping.changed() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::{ServerConfig, pki_types::PrivateKeyDer};
    use windlass_chain::{Auth, BitcoindConfig};

    fn config(network: ChainNetwork, url: &str) -> WalletConfig {
        let bitcoind = BitcoindConfig { url: "http://127.0.0.1:1".into(), auth: Auth::Cookie("/c".into()) };
        WalletConfig { rapid_gossip_sync: Some(url.into()), ..WalletConfig::new("alice", network, bitcoind) }
    }

    #[test]
    fn where_it_makes_no_sense_it_is_refused() {
        let signet = server(&config(ChainNetwork::Signet, "http://127.0.0.1:9/snapshot/"));
        assert_eq!(signet, Ok(Some("http://127.0.0.1:9/snapshot".into())));
        let regtest = server(&config(ChainNetwork::Regtest, "http://127.0.0.1:9")).expect_err("no server knows it");
        assert!(regtest.contains("regtest"), "{regtest}");
        let tls = server(&config(ChainNetwork::Signet, "https://example.com/snapshot"));
        assert_eq!(tls, Ok(Some("https://example.com/snapshot".into())));
        let other = server(&config(ChainNetwork::Signet, "ftp://example.com")).expect_err("of another kind");
        assert!(other.contains("https://"), "{other}");
        let none = WalletConfig { rapid_gossip_sync: None, ..config(ChainNetwork::Regtest, "") };
        assert_eq!(server(&none), Ok(None));
    }

    /// Serves `answer` once, whatever is asked; returns its address and what was asked.
    fn serve(answer: Vec<u8>) -> (String, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let base = format!("http://{}/snapshot", listener.local_addr().expect("an address"));
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("somebody asks");
            let mut asked = vec![0; 1024];
            let length = stream.read(&mut asked).expect("a request");
            // Who has heard enough hangs up.
            let _ = stream.write_all(&answer);
            String::from_utf8_lossy(&asked[..length]).lines().next().unwrap_or_default().to_owned()
        });
        (base, thread)
    }

    /// The same over TLS, with a certificate of its own making, which comes back too.
    async fn serve_tls(answer: Vec<u8>) -> (String, reqwest::Certificate) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let certificate = reqwest::Certificate::from_der(made.cert.der()).expect("a certificate");
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
        let config = ServerConfig::builder().with_no_client_auth();
        let config = config.with_single_cert(vec![made.cert.der().clone()], key).expect("they belong together");
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Who does not believe the certificate is not served.
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let _ = stream.read(&mut [0; 1024]).await;
                let _ = stream.write_all(&answer).await;
                let _ = stream.shutdown().await;
            }
        });
        (format!("https://localhost:{port}/snapshot"), certificate)
    }

    #[tokio::test]
    async fn over_tls_a_certificate_must_be_vouched_for() {
        let (base, certificate) = serve_tls(http("200 OK", b"LDK and so on")).await;
        let refused = fetch(&client([]).expect("a client"), &base, 0).await.expect_err("nobody vouches for it");
        assert!(refused.to_string().contains("certificate"), "{refused}");
        let believes = client([certificate]).expect("a client");
        assert_eq!(fetch(&believes, &base, 0).await.expect("fetched"), b"LDK and so on");
    }

    fn http(status: &str, body: &[u8]) -> Vec<u8> {
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    }

    #[tokio::test]
    async fn a_snapshot_is_fetched_and_bounded() {
        let client = client([]).expect("a client");
        let (base, asked) = serve(http("200 OK", b"LDK and so on"));
        assert_eq!(fetch(&client, &base, 1_700_000_000).await.expect("fetched"), b"LDK and so on");
        assert_eq!(asked.join().expect("served"), "GET /snapshot/1700000000 HTTP/1.1");
        let (base, _asked) = serve(http("404 Not Found", b""));
        assert!(
            matches!(fetch(&client, &base, 0).await, Err(SnapshotError::Fetch { reason, .. }) if reason.contains("404"))
        );
        let (base, _asked) = serve(http("200 OK", &vec![0; SNAPSHOT_BYTES_MAX + 1]));
        assert!(matches!(fetch(&client, &base, 0).await, Err(SnapshotError::TooLong { .. })));
    }
}
