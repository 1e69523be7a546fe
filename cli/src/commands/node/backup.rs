//! `windlass node backup`

use crate::context::Context;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use windlass_node::api::{ApiError, wallet::BackupAnswer};
use windlass_regtest::api::OneNode;

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Whose
    node: String,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
}

/// What was written.
#[derive(serde::Serialize)]
struct Written {
    file: PathBuf,
    bytes: usize,
}

/// Runs it.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    let backup: BackupAnswer = ctx.ask("node/backup", &OneNode { node: args.node.clone() }).await?;
    let bytes = hex::decode(&backup.hex).map_err(|e| ApiError::failed(format!("the backup is not hex: {e}")))?;
    write(&args.to, &bytes).map_err(|e| ApiError::failed(format!("{} can't be written: {e}", args.to.display())))?;
    let written = Written { file: args.to, bytes: bytes.len() };
    ctx.out.result(&written, |_| format!("{} ({} bytes)", written.file.display(), written.bytes))?;
    ctx.out.next(&[ctx.command(&format!("node words {}", args.node))]);
    Ok(())
}

/// Writes it aside, then renames it: an older backup is replaced whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&aside, path)
}
