//! The channel backup, written whenever a channel comes or goes, and the way back from it.

use super::Node;
use crate::backup::{BackedUpChannel, BackedUpSplice, Backup, BackupError};
use crate::book::{Asked, Book, Claim, ClaimKind, Closed, Facts, Opening, Pages, Row, Splice};
use crate::{ChannelId, CloseKind, Config, Parts};
use bitcoin::{Amount, OutPoint, Transaction};
use lightning::ln::types::ChannelId as LdkChannelId;
use lightning::sign::{EntropySource, SpendableOutputDescriptor};
use std::io::Write as _;
use std::path::Path;
use windlass_types::{BlockRef, BtcHeight};

/// Confirmations before what a peer's close brings is swept: no reorganisation is expected to be deeper.
const SAFE_DEPTH: u32 = 6;

/// So many blocks before the backup's last one a restored node begins to read.
const READ_AGAIN_BLOCKS: u32 = 144;

/// So many addresses beyond those of the backup are looked for: they were given out after it was written.
const MORE_ADDRESSES: u32 = 100;

/// The reason that a restored channel's account gives for its end.
const RESTORED: &str = "the node was restored from a backup";

impl Node {
    /// The channel backup as it is now, encrypted with a key from the seed.
    ///
    /// # Errors
    /// It is too long to be encrypted.
    pub fn backup(&self) -> Result<Vec<u8>, BackupError> {
        let channels = channels(&self.book.read());
        let backup = Backup {
            network: self.config.network,
            node_id: self.node_id(),
            at: self.synced_to(),
            addresses: self.parts.wallet.revealed(),
            channels,
        };
        let random = self.keys.get_secure_random_bytes();
        let mut nonce = [0; 24];
        nonce.copy_from_slice(&random[..24]);
        backup.seal(&self.config.seed, nonce)
    }

    /// Writes the backup to its file, if it has one. A channel that is not in it could be lost with the
    /// store, so a failure is told.
    pub(super) fn save_backup(&self) -> Result<(), BackupError> {
        let Some(path) = &self.config.backup else { return Ok(()) };
        let _turn = self.backup_turn.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let bytes = self.backup()?;
        write_whole(path, &bytes)
            .map_err(|error| BackupError::Failed(format!("{} can't be written: {error}", path.display())))
    }

    /// As [`Self::save_backup`], where nothing can be held back any more.
    pub(super) fn refresh_backup(&self) {
        if let Err(error) = self.save_backup() {
            tracing::error!(%error, "the channel backup is out of date");
        }
    }

    /// Puts what a backup holds into the store of an empty node, which then gets its money back when it
    /// is started: its peers close their channels by force.
    ///
    /// # Errors
    /// See [`BackupError`]. Nothing was changed then.
    pub async fn restore(config: &Config, parts: &Parts, bytes: &[u8]) -> Result<Backup, BackupError> {
        let backup = Backup::open(bytes, &config.seed)?;
        if backup.network != config.network {
            return Err(BackupError::WrongNetwork { found: backup.network, expected: config.network });
        }
        let failed = |error: String| BackupError::Failed(error);
        let book = Book::open(&parts.store).map_err(|error| failed(error.to_string()))?;
        if !book.read().facts.is_empty() {
            return Err(BackupError::NotEmpty);
        }
        let from = BtcHeight::new(backup.at.height.get().saturating_sub(READ_AGAIN_BLOCKS));
        let hash = parts.bitcoind.block_hash(from).await.map_err(|error| failed(error.to_string()))?;
        let hash = hash.ok_or_else(|| failed(format!("bitcoind has no block {from} yet: let it sync first")))?;
        let mut rows = vec![Row::Tip];
        let mut numbers = Vec::new();
        for channel in &backup.channels {
            numbers.push(channel.user_id()?);
        }
        book.write(|pages| {
            pages.tip = Some(BlockRef::new(from, hash));
            for (channel, user_id) in backup.channels.iter().zip(numbers) {
                rows.extend(insert(pages, channel, user_id));
            }
            rows
        });
        let indexes = backup.addresses.map(|index| index.saturating_add(MORE_ADDRESSES));
        parts.wallet.reveal_to(indexes).map_err(|error| failed(error.to_string()))?;
        parts.store.commit(book.take(0).0).map_err(|error| failed(error.to_string()))?;
        Ok(backup)
    }

    /// Peers whose close by force a restored node waits for.
    pub(super) fn peers_to_close(&self) -> Vec<bitcoin::secp256k1::PublicKey> {
        let pages = self.book.read();
        let open = pages
            .facts
            .iter()
            .filter(|(id, facts)| facts.restored && pages.traces.get(id).is_none_or(|trace| trace.close.is_none()));
        open.map(|(_, facts)| facts.peer).collect()
    }

    /// Finds what the closes of restored channels left for us, once they are deep enough, and sweeps it.
    pub(super) async fn sweep_restored(&self) {
        let tip = self.synced_to().height.get();
        let closed: Vec<(ChannelId, Facts, OutPoint, BtcHeight)> = {
            let pages = self.book.read();
            let restored = pages.facts.iter().filter(|(_, facts)| facts.restored);
            let found = restored.filter_map(|(id, facts)| {
                let trace = pages.traces.get(id)?;
                let close = trace.close.as_ref().filter(|_| !trace.searched)?;
                let deep = close.height.get().saturating_add(SAFE_DEPTH) <= tip.saturating_add(1);
                deep.then(|| (*id, facts.clone(), OutPoint::new(close.txid, 0), close.height))
            });
            found.collect()
        };
        for (id, facts, close, height) in closed {
            match self.block_transaction(close.txid, height).await {
                Ok(Some(transaction)) => self.sweep_close(id, &facts, &transaction),
                Ok(None) => tracing::debug!(%id, "the close of a restored channel has left its block"),
                Err(error) => tracing::info!(%error, "bitcoind does not give the close of a restored channel now"),
            }
        }
    }

    async fn block_transaction(
        &self,
        txid: bitcoin::Txid,
        height: BtcHeight,
    ) -> Result<Option<Transaction>, windlass_chain::RpcError> {
        let Some(hash) = self.parts.bitcoind.block_hash(height).await? else { return Ok(None) };
        self.parts.bitcoind.transaction_in_block(txid, hash).await
    }

    fn sweep_close(&self, id: ChannelId, facts: &Facts, transaction: &Transaction) {
        let found = self.keys.balances_at_peers_commitment(facts.user_id, facts.capacity_sat, transaction);
        let claims: Vec<Claim> = found
            .iter()
            .map(|output| Claim {
                outpoint: output.outpoint.into_bitcoin_outpoint(),
                value_sat: output.output.value.to_sat(),
                kind: ClaimKind::Remote,
            })
            .collect();
        let outputs: Vec<_> = found.into_iter().map(SpendableOutputDescriptor::StaticPaymentOutput).collect();
        if !outputs.is_empty() {
            let of_ldk = Some(LdkChannelId(id.0));
            if self.sweeper.track_spendable_outputs(outputs, of_ldk, true, None).is_err() {
                tracing::warn!(%id, "the sweeper can't take a restored channel's output now; it is tried again");
                return;
            }
        }
        self.book.claim(id, claims);
        self.book.write(|pages| {
            pages.traces.entry(id).or_default().searched = true;
            [Row::Trace(id)]
        });
        self.kv.request();
        self.sweep();
    }
}

/// All channels whose money is not back yet.
fn channels(pages: &Pages) -> Vec<BackedUpChannel> {
    let open = pages.facts.iter().filter(|(id, facts)| {
        let resolved = pages.traces.get(id).is_some_and(|trace| trace.resolved_at.is_some());
        let together = facts.closed.as_ref().is_some_and(|closed| closed.kind == CloseKind::Cooperative);
        !resolved && !together
    });
    let read = |(id, facts): (&ChannelId, &Facts)| BackedUpChannel {
        id: *id,
        peer: facts.peer,
        address: pages.peers.get(&facts.peer).cloned(),
        funding: facts.funding,
        capacity: Amount::from_sat(facts.capacity_sat),
        funding_fee: Amount::from_sat(pages.funding_fee_sat(facts.user_id)),
        funded_at: pages.traces.get(id).and_then(|trace| trace.funded_at),
        we_funded: facts.we_funded,
        announced: facts.announce,
        keys: format!("{:032x}", facts.user_id),
        splice: facts
            .splices
            .last()
            .filter(|splice| splice.is_waiting())
            .map(|splice| BackedUpSplice { funding: splice.to, capacity: Amount::from_sat(splice.to_sat) }),
    };
    open.chain(&pages.funding_now).map(read).collect()
}

/// A splice that waited for a block when the backup was written: it may be in one by now, or not.
fn splice_of(channel: &BackedUpChannel, splice: &BackedUpSplice) -> Splice {
    Splice {
        asked: Asked::default(),
        from: channel.funding,
        from_sat: channel.capacity.to_sat(),
        to: splice.funding,
        to_sat: splice.capacity.to_sat(),
        fee_sat: 0,
        transaction: String::new(),
        height: None,
        dead: false,
    }
}

fn insert(pages: &mut Pages, channel: &BackedUpChannel, user_id: u128) -> Vec<Row> {
    let capacity_sat = channel.capacity.to_sat();
    let opening = Opening {
        peer: channel.peer,
        capacity_sat,
        push_msat: 0,
        we_funded: channel.we_funded,
        announce: channel.announced,
        funding: channel.we_funded.then_some((channel.funding.txid, channel.funding_fee.to_sat())),
        failed: None,
        channel: Some(channel.id),
    };
    let facts = Facts {
        user_id,
        peer: channel.peer,
        funding: channel.funding,
        capacity_sat,
        push_msat: 0,
        we_funded: channel.we_funded,
        announce: channel.announced,
        scids: Vec::new(),
        closed: Some(Closed { kind: CloseKind::ForcedByPeer, reason: RESTORED.into(), balance_msat: 0 }),
        restored: true,
        splicing: None,
        splices: channel.splice.iter().map(|splice| splice_of(channel, splice)).collect(),
        spending: Vec::new(),
    };
    pages.openings.insert(user_id, opening);
    pages.facts.insert(channel.id, facts);
    pages.traces.entry(channel.id).or_default().funded_at = channel.funded_at;
    let mut rows = vec![Row::Opening(user_id), Row::Facts(channel.id), Row::Trace(channel.id)];
    if let Some(address) = &channel.address {
        pages.peers.insert(channel.peer, address.clone());
        rows.push(Row::Peer(channel.peer));
    }
    rows
}

/// Writes a file aside, flushes it, and renames it: there or not, never half.
fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    let mut file = std::fs::File::create(&aside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&aside, path)?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    std::fs::File::open(dir)?.sync_all()
}
