//! The only part that touches the agreement engine (commonware): its API changes monthly, so all
//! that knows it is in this folder. Its wire and disk formats are stable.
//!
//! ```text
//!  Handle -> Mempool --gossip (6)--> members            Links (5)
//!               |
//!  App (propose, check) <- marshal::standard::Inline <- Paced <- simplex::Engine
//!               |                 |                       votes 0, certificates 1, resolver 2
//!  ChainStore <- Delivery <- marshal::core::Actor        block broadcast 3, backfill 4
//! ```

mod application;
pub(crate) mod block;
mod catch_up;
pub(crate) mod committee;
mod delivery;
pub(crate) mod epochs;
mod evidence;
mod gossip;
mod journal;
pub(crate) mod lines;
mod pace;

use crate::config::Timing;
use crate::core::Core;
use application::App;
use block::Sealed;
use committee::Votes;
use commonware_broadcast::buffered;
use commonware_consensus::Reporters;
use commonware_consensus::marshal::core::Actor;
use commonware_consensus::marshal::resolver::p2p as backfill;
use commonware_consensus::marshal::standard::{Inline, Standard};
use commonware_consensus::marshal::{self, Start};
use commonware_consensus::simplex::elector::RoundRobin;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::{self, Floor, ForwardPolicy, SkipBudget, SkipPolicy};
use commonware_consensus::types::{Epoch, ViewDelta};
use commonware_cryptography::certificate::Verifier as _;
use commonware_cryptography::ed25519::PublicKey;
use commonware_cryptography::{Digested, Sha256, sha256};
use commonware_p2p::{Blocker, Provider, Receiver, Sender};
use commonware_parallel::Sequential;
use commonware_runtime::buffer::paged::{CacheRef, page_size};
use commonware_runtime::{Clock, Metrics, Spawner, Storage};
use commonware_storage::archive::immutable;
use commonware_utils::{NZU64, NZUsize, NonZeroDuration};
use delivery::{Delivery, MAX_COMMIT};
use epochs::{Divided, Engines, Heights, Schemes};
use evidence::Evidence;
use lines::Lines;
use pace::Paced;
use rand_core_10::CryptoRng;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use windlass_ledger::{Block, Checked, Header};
use windlass_types::Digest;

/// What the engine needs of a runtime.
pub(crate) trait Runtime: Spawner + Clock + CryptoRng + Storage + Metrics {}
impl<T: Spawner + Clock + CryptoRng + Storage + Metrics> Runtime for T {}

const MAILBOX: NonZeroUsize = NZUsize!(1024);
const PAGE: u32 = 4096;
const PAGES: NonZeroUsize = NZUsize!(512);
const REPLAY_BUFFER: NonZeroUsize = NZUsize!(256 * 1024);
const WRITE_BUFFER: NonZeroUsize = NZUsize!(64 * 1024);
const ITEMS_PER_SECTION: NonZeroU64 = NZU64!(65_536);
const CACHED_ITEMS_PER_SECTION: NonZeroU64 = NZU64!(512);
const TABLE_SIZE: u32 = 1 << 14;
const VALUE_FILE_BYTES: u64 = 256 * 1024 * 1024;
/// Blocks of one member that are kept until they are wanted.
const RECENT_BLOCKS: usize = 16;
/// Finalised heights that are fetched at once while catching up.
const MAX_REPAIR: NonZeroUsize = NZUsize!(64);
/// Views behind the finalised one that are remembered.
const RETENTION: u64 = 64;
const PREFIX: &str = "chain";

/// Who this member is to the engine.
pub(crate) struct Seat {
    pub me: PublicKey,
    /// Block 0.
    pub genesis: Digest,
    /// Put before the names of the engine's files.
    pub storage: String,
    /// The member's directory.
    pub dir: PathBuf,
}

/// Starts agreement. Everything runs as children of `context` until that ends.
pub(crate) async fn start<E, S, R, B, P>(
    context: &E,
    core: Arc<Core>,
    outbox: mpsc::UnboundedReceiver<Arc<Checked>>,
    (seat, genesis): (Seat, Header),
    lines: Lines<S, R>,
    blocker: B,
    provider: P,
) where
    E: Runtime,
    S: Sender<PublicKey = PublicKey>,
    R: Receiver<PublicKey = PublicKey>,
    B: Blocker<PublicKey = PublicKey> + Sync,
    P: Provider<PublicKey = PublicKey> + Sync,
{
    let cache = CacheRef::new(page_size(PAGE), PAGES);
    let genesis = Block { header: genesis, inputs: Default::default(), transactions: Vec::new() };
    let genesis = Sealed::digested(Arc::new(genesis));
    let heights = Heights::new(core.committees.clone());

    let (buffer, buffer_mailbox) =
        buffered::Engine::new(context.child("buffer"), buffer_config(&seat, provider.clone()));
    let (certificates, blocks) = open_archives(context, &seat.storage, &cache).await;
    let config = marshal_config(&seat, &core, genesis, &cache);
    let (marshal, mailbox, _) =
        Actor::<_, Standard<Sealed>, _, _, _, _, _>::init(context.child("marshal"), certificates, blocks, config).await;
    let app = App::new(core.clone());
    let inline = Inline::new(context.child("inline"), app, mailbox.clone(), heights);
    let paced = Paced::new(context.child("pace"), inline, core.clone());
    let (delivery, delivered) = Delivery::new(core.clone());
    catch_up::start(context.child("catch_up"), core.clone(), mailbox.clone());
    delivery::start(context.child("delivery"), core.clone(), mailbox, delivered);
    gossip::start(context.child("gossip"), core.clone(), outbox, lines.gossip);
    let resolver =
        backfill::init(context.child("backfill"), backfill_config(&seat, provider, blocker.clone()), lines.backfill);
    buffer.start(lines.blocks);
    marshal.start(delivery, buffer_mailbox, resolver);
    let context = context.child("epochs");
    let channels = Divided::new(&context, lines.votes, lines.certificates, lines.resolver);
    context.spawn(|context| Engines { context, core, seat, channels, paced, blocker, cache }.run());
}

fn buffer_config<P: Provider<PublicKey = PublicKey>>(
    seat: &Seat,
    peer_provider: P,
) -> buffered::Config<PublicKey, (), P, Sequential> {
    buffered::Config {
        public_key: seat.me.clone(),
        mailbox_size: MAILBOX,
        deque_size: RECENT_BLOCKS,
        priority: true,
        codec_config: (),
        peer_provider,
        strategy: Sequential,
    }
}

fn backfill_config<P, B>(seat: &Seat, peer_provider: P, blocker: B) -> backfill::Config<PublicKey, P, B>
where
    P: Provider<PublicKey = PublicKey>,
    B: Blocker<PublicKey = PublicKey>,
{
    backfill::Config {
        public_key: seat.me.clone(),
        peer_provider,
        blocker,
        mailbox_size: MAILBOX,
        fetch_timeout: NonZeroDuration::new_panic(Duration::from_secs(2)),
        fetch_retry_delay: Duration::from_millis(100),
        priority_requests: false,
        priority_responses: false,
    }
}

type Certificates<E> = immutable::Archive<E, sha256::Digest, Votes>;
type Blocks<E> = immutable::Archive<E, sha256::Digest, Arc<Sealed>>;

async fn open_archives<E: Runtime>(context: &E, storage: &str, cache: &CacheRef) -> (Certificates<E>, Blocks<E>) {
    let config = archive(storage, "certificates", cache, Scheme::certificate_codec_config_unbounded());
    let certificates = immutable::Archive::init(context.child("certificates"), config);
    let blocks = immutable::Archive::init(context.child("blocks"), archive(storage, "blocks", cache, ()));
    let kept = "the disk keeps what was written to it";
    (certificates.await.expect(kept), blocks.await.expect(kept))
}

type MarshalConfig = marshal::Config<Schemes, Heights, Sequential, Sealed, Digested<Sealed>>;

fn marshal_config(seat: &Seat, core: &Core, genesis: Digested<Sealed>, page_cache: &CacheRef) -> MarshalConfig {
    marshal::Config {
        provider: Schemes::new(core.committees.clone()),
        epocher: Heights::new(core.committees.clone()),
        start: Start::Genesis(genesis),
        partition_prefix: format!("{}{PREFIX}", seat.storage),
        mailbox_size: MAILBOX,
        view_retention: ViewDelta::new(RETENTION * 8),
        prunable_items_per_section: CACHED_ITEMS_PER_SECTION,
        page_cache: page_cache.clone(),
        replay_buffer: REPLAY_BUFFER,
        key_write_buffer: WRITE_BUFFER,
        value_write_buffer: WRITE_BUFFER,
        block_codec_config: (),
        max_repair: MAX_REPAIR,
        max_pending_acks: NonZeroUsize::new(MAX_COMMIT).unwrap_or(NonZeroUsize::MIN),
        strategy: Sequential,
    }
}

type PacedInline<E> = Paced<E, Inline<E, Scheme, App, Sealed, Heights>>;
type Reporter<E> = Reporters<Evidence, PacedInline<E>>;
type SimplexConfig<E, B> = simplex::Config<
    Scheme,
    RoundRobin<Sha256>,
    B,
    sha256::Digest,
    PacedInline<E>,
    PacedInline<E>,
    Reporter<E>,
    Sequential,
>;

fn simplex_config<E: Runtime, B: Blocker<PublicKey = PublicKey>>(
    timing: &Timing,
    storage: &str,
    (epoch, scheme, floor): (u64, Scheme, sha256::Digest),
    (paced, reporter, blocker, page_cache): (PacedInline<E>, Reporter<E>, B, CacheRef),
) -> SimplexConfig<E, B> {
    simplex::Config {
        scheme,
        elector: RoundRobin::default(),
        blocker,
        automaton: paced.clone(),
        relay: paced,
        reporter,
        // A second vote counts as evidence even after the first has done its work.
        track_historical_votes: true,
        strategy: Sequential,
        partition: journal::name(storage, epoch),
        mailbox_size: MAILBOX,
        epoch: Epoch::new(epoch),
        floor: Floor::Genesis(floor),
        replay_buffer: REPLAY_BUFFER,
        write_buffer: WRITE_BUFFER,
        page_cache,
        leader_timeout: timing.leader,
        certification_timeout: timing.certification(),
        timeout_retry: timing.leader.max(Duration::from_millis(500)),
        view_retention: ViewDelta::new(RETENTION),
        skip: SkipPolicy::Enabled { timeout: timing.skip, budget: SkipBudget::Participants },
        fetch_timeout: NonZeroDuration::new_panic(Duration::from_secs(1)),
        fetch_retry_delay: Duration::from_millis(50),
        forward: ForwardPolicy::Disabled,
    }
}

fn archive<C>(storage: &str, name: &str, cache: &CacheRef, codec_config: C) -> immutable::Config<C> {
    immutable::Config {
        metadata_partition: format!("{storage}{name}-metadata"),
        freezer_table_partition: format!("{storage}{name}-table"),
        freezer_table_initial_size: TABLE_SIZE,
        freezer_table_resize_frequency: 4,
        freezer_table_resize_chunk_size: TABLE_SIZE,
        freezer_key_partition: format!("{storage}{name}-keys"),
        freezer_key_page_cache: cache.clone(),
        freezer_value_partition: format!("{storage}{name}-values"),
        freezer_value_target_size: VALUE_FILE_BYTES,
        freezer_value_compression: Some(3),
        ordinal_partition: format!("{storage}{name}-ordinal"),
        items_per_section: ITEMS_PER_SECTION,
        freezer_key_write_buffer: WRITE_BUFFER,
        freezer_value_write_buffer: WRITE_BUFFER,
        ordinal_write_buffer: WRITE_BUFFER,
        replay_buffer: REPLAY_BUFFER,
        codec_config,
    }
}
