//! `windlass node restore`

use crate::{context::Context, render::money};
use std::io::Read as _;
use std::path::PathBuf;
use windlass_node::api::ApiError;
use windlass_regtest::api::{NodeRestore, Restored};

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which node becomes the restored one; its present state is put aside
    node: String,
    /// The channel backup
    #[arg(long, value_name = "FILE")]
    backup: PathBuf,
    /// The file with the 24 words, `-` for stdin [default: the seed that the node has]
    #[arg(long, value_name = "FILE")]
    words: Option<PathBuf>,
}

/// Runs it.
pub async fn run(ctx: &Context, args: Args) -> Result<(), ApiError> {
    let cant = |path: &PathBuf, e: std::io::Error| ApiError::usage(format!("{} can't be read: {e}", path.display()));
    let backup = std::fs::read(&args.backup).map_err(|e| cant(&args.backup, e))?;
    let words = match &args.words {
        None => None,
        Some(path) if path.as_os_str() == "-" => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map_err(|e| cant(path, e))?;
            Some(text)
        }
        Some(path) => Some(std::fs::read_to_string(path).map_err(|e| cant(path, e))?),
    };
    let body = NodeRestore { node: args.node.clone(), words, backup_hex: hex::encode(backup) };
    let restored: Restored = ctx.ask("node/restore", &body).await?;
    ctx.out.result(&restored, |_| {
        let mut text = format!(
            "{}: {} channels with {} sat of capacity; their peers close them and our part comes back\n",
            args.node,
            restored.channels,
            money::sat(restored.capacity)
        );
        if let Some(dir) = &restored.put_aside {
            text.push_str(&format!("  what was there lies in {dir}\n"));
        }
        text
    })?;
    ctx.out.next(&[ctx.command("mine 6"), ctx.command(&format!("statement {}", args.node))]);
    Ok(())
}
