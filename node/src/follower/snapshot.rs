//! The beginning from a snapshot.

use super::{FollowerError, POLL};
use crate::client::MemberClient;
use crate::sidechain_api::Service;
use std::io::{BufReader, Read};
use std::path::Path;
use tracing::{info, warn};
use windlass_ledger::{Genesis, Header};
use windlass_sidechain::{SnapshotError, restore};

/// Makes the chain's file at `path` from the snapshot that `source` names: a file, or the base address of a member or
/// follower. Whoever does not answer, or breaks off, is asked again; a snapshot that does not hold is refused.
pub(super) async fn begin(
    path: &Path,
    genesis: &Genesis,
    source: &str,
    service: &Service,
) -> Result<(), FollowerError> {
    service.say(format!("beginning from the snapshot {source}"));
    let refused = |source_: SnapshotError| FollowerError::Snapshot { from: source.to_owned(), source: source_ };
    let header = if source.starts_with("http://") || source.starts_with("https://") {
        let client = MemberClient::new(source);
        loop {
            let stream = match client.snapshot().await {
                Ok(stream) => stream.blocking(),
                Err(error) => {
                    warn!(%error, "no snapshot yet");
                    tokio::time::sleep(POLL).await;
                    continue;
                }
            };
            match take(path, genesis, stream).await? {
                Err(SnapshotError::Read(error)) => {
                    warn!(%error, "the snapshot broke off: beginning anew");
                    tokio::time::sleep(POLL).await;
                }
                outcome => break outcome.map_err(refused)?,
            }
        }
    } else {
        let file = std::fs::File::open(source).map_err(|error| refused(SnapshotError::Read(error)))?;
        take(path, genesis, BufReader::new(file)).await?.map_err(refused)?
    };
    info!(height = %header.height, block = %header.digest(), "begun from a snapshot: blocks up to this one are taken on the members' word");
    Ok(())
}

async fn take(
    path: &Path,
    genesis: &Genesis,
    input: impl Read + Send + 'static,
) -> Result<Result<Header, SnapshotError>, FollowerError> {
    let (path, genesis) = (path.to_owned(), genesis.clone());
    let taken = tokio::task::spawn_blocking(move || restore(&path, &genesis, input)).await;
    taken.map_err(|_| FollowerError::Vanished)
}
