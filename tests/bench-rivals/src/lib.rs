//! What the bench and the scenarios share about ldk-node.

use anyhow::{Result, anyhow};
use ldk_node::bitcoin::Network;
use ldk_node::lightning::ln::msgs::SocketAddress;
use ldk_node::logger::LogLevel;
use ldk_node::{Builder, Node};
use std::path::Path;
use windlass_interop::chain::Access;

/// An error of ldk-node, in its own words.
pub fn failed(error: impl std::fmt::Debug) -> anyhow::Error {
    anyhow!("ldk-node: {error:?}")
}

/// An ldk-node on `dir/name`, listening on 127.0.0.1:`port`, with its default store (SQLite) and settings,
/// but for its log: warnings alone, so that it is not measured by what it tells.
pub fn build(name: &str, port: u16, dir: &Path, access: &Access) -> Result<Node> {
    let Access { port: rpc, user, password } = access.clone();
    let mut builder = Builder::new();
    builder.set_network(Network::Regtest);
    let mut seed = [7; 64];
    for (byte, letter) in seed.iter_mut().zip(name.bytes()) {
        *byte = letter;
    }
    builder.set_entropy_seed_bytes(seed);
    builder.set_chain_source_bitcoind_rpc("127.0.0.1".into(), rpc, user, password);
    builder.set_storage_dir_path(dir.join(name).display().to_string());
    builder.set_filesystem_logger(None, Some(LogLevel::Warn));
    builder.set_node_alias(name.to_owned()).map_err(failed)?;
    let address = SocketAddress::TcpIpV4 { addr: [127, 0, 0, 1], port };
    builder.set_listening_addresses(vec![address]).map_err(failed)?;
    builder.build().map_err(failed)
}
