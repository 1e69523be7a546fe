//! A snapshot, as it streams.

use super::{CONNECT, MemberClient};
use crate::api::ApiError;
use crate::handshake;
use axum::body::Bytes;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// A server that sends nothing for so long is gone.
const STALL: Duration = Duration::from_secs(30);
/// Pieces that wait for the reader.
const AHEAD: usize = 4;

/// A snapshot on its way.
pub(crate) struct SnapshotStream(reqwest::Response);

impl MemberClient {
    /// Begins to read the newest state as a snapshot.
    ///
    /// # Errors
    /// It does not answer, or has none.
    pub(crate) async fn snapshot(&self) -> Result<SnapshotStream, ApiError> {
        let http = &self.0;
        let asked = timeout(CONNECT + STALL, http.client.get(http.url("/snapshot")).send()).await;
        let response = asked
            .map_err(|_| ApiError::timeout(format!("{} did not answer in time", self.base())))?
            .map_err(|error| http.unreachable(&error))?;
        handshake::check(self.base(), response.headers())?;
        if response.status().is_success() {
            return Ok(SnapshotStream(response));
        }
        let status = response.status();
        let body = response.bytes().await.map_err(|error| http.unreachable(&error))?;
        Err(serde_json::from_slice(&body)
            .unwrap_or_else(|_| ApiError::failed(format!("{} answered {status}", self.base()))))
    }

    /// Writes the newest state as a snapshot to the file `path`; it is there when it is whole. What is in it is checked by
    /// who begins from it.
    ///
    /// # Errors
    /// It does not answer or breaks off, or the file can't be written.
    pub async fn save_snapshot(&self, path: &Path) -> Result<u64, ApiError> {
        let bad = |error: io::Error| ApiError::failed(format!("{}: {error}", path.display()));
        let mut stream = self.snapshot().await?;
        let mut aside = path.as_os_str().to_owned();
        aside.push(".part");
        let mut file = tokio::fs::File::create(&aside).await.map_err(bad)?;
        let mut bytes = 0_u64;
        while let Some(piece) = stream.next().await.map_err(bad)? {
            bytes = bytes.saturating_add(piece.len() as u64);
            file.write_all(&piece).await.map_err(bad)?;
        }
        file.sync_all().await.map_err(bad)?;
        tokio::fs::rename(&aside, path).await.map_err(bad)?;
        Ok(bytes)
    }
}

impl SnapshotStream {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        match timeout(STALL, self.0.chunk()).await {
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
            Ok(piece) => piece.map_err(io::Error::other),
        }
    }

    /// For a reader that blocks, on another thread.
    pub(crate) fn blocking(mut self) -> impl Read + Send + 'static {
        let (sender, pieces) = mpsc::channel(AHEAD);
        tokio::spawn(async move {
            loop {
                let piece = self.next().await.transpose();
                let Some(piece) = piece else { return };
                let ended = piece.is_err();
                if sender.send(piece).await.is_err() || ended {
                    return;
                }
            }
        });
        Blocking { pieces, piece: Bytes::new() }
    }
}

struct Blocking {
    pieces: mpsc::Receiver<io::Result<Bytes>>,
    piece: Bytes,
}

impl Read for Blocking {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.pieces.blocking_recv() {
                Some(piece) => self.piece = piece?,
                None => return Ok(0),
            }
        }
        let count = self.piece.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.piece.split_to(count));
        Ok(count)
    }
}
