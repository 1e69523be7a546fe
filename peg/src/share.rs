//! A member's share of the federation's key, and the file that it lives in.
//!
//! The share is secret: it isn't `Clone`, its `Debug` shows nothing of it, memory and buffers are
//! zeroised, and the file is readable by its owner alone. The group's key is public.

use bitcoin::XOnlyPublicKey;
use borsh::{BorshDeserialize, BorshSerialize};
use frost_secp256k1_tr::{
    Identifier,
    keys::{KeyPackage, PublicKeyPackage},
};
use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};
use windlass_types::{Digest, tagged_hash};
use zeroize::{Zeroize as _, Zeroizing};

/// FROST's name for the member with this index (counted from 0): index + 1, since 0 is no
/// evaluation point.
pub(crate) fn identifier(member: u16) -> Option<Identifier> {
    Identifier::try_from(member.checked_add(1)?).ok()
}

/// The index of the member that FROST names, among the first `members`.
pub(crate) fn index(members: u16, id: &Identifier) -> Option<u16> {
    (0..members).find(|m| identifier(*m).as_ref() == Some(id))
}

/// The public half of a key generation: the group's key and each member's verifying share.
#[derive(Clone, PartialEq, Eq)]
pub struct GroupKey {
    pub(crate) public: PublicKeyPackage,
    pub(crate) members: u16,
    pub(crate) threshold: u16,
    pub(crate) transcript: Digest,
}

impl fmt::Debug for GroupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GroupKey({}, {} of {})", self.x_only(), self.threshold, self.members)
    }
}

impl GroupKey {
    /// The x-only key, before any Taproot tweak: the `treasury_key` of a genesis.
    pub fn x_only(&self) -> XOnlyPublicKey {
        let bytes = self.public.verifying_key().serialize().expect("a group key is never the identity");
        XOnlyPublicKey::from_slice(&bytes[1..]).expect("a group key is a point of the curve")
    }

    /// How many members hold a share.
    pub const fn members(&self) -> u16 {
        self.members
    }

    /// How many members sign.
    pub const fn threshold(&self) -> u16 {
        self.threshold
    }

    /// The hash of everything public that was said in the key generation. All members confirmed
    /// the same one.
    pub const fn transcript(&self) -> Digest {
        self.transcript
    }
}

/// One member's share of the group's key, with what it needs to sign.
pub struct KeyShare {
    pub(crate) me: u16,
    pub(crate) key: KeyPackage,
    pub(crate) group: GroupKey,
    /// The nonces of the key generation's session, by which a restarted member knows whether
    /// another one began anew.
    pub(crate) nonces: Vec<[u8; 32]>,
}

impl fmt::Debug for KeyShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyShare(member {}, secret, {:?})", self.me, self.group)
    }
}

impl KeyShare {
    /// The member that holds it.
    pub const fn member(&self) -> u16 {
        self.me
    }

    /// The public half.
    pub const fn group(&self) -> &GroupKey {
        &self.group
    }
}

/// The version of the file's encoding.
const FILE_VERSION: u16 = 1;
/// A share file is a few kilobytes for the largest federation.
const MAX_FILE_BYTES: u64 = 64 * 1024;

#[derive(BorshSerialize, BorshDeserialize)]
struct ShareFileBody {
    version: u16,
    me: u16,
    members: u16,
    threshold: u16,
    transcript: Digest,
    nonces: Vec<[u8; 32]>,
    key: Vec<u8>,
    public: Vec<u8>,
}

impl Drop for ShareFileBody {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

/// Why a share could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ShareFileError {
    /// The file system refused.
    #[error("the key share {path}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Its reason.
        source: io::Error,
    },
    /// Others could read the file.
    #[error("the key share {path} has the mode {mode:03o}: others can read it; run chmod 600 on it")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Cut off, altered or of another version.
    #[error("the key share {path} is damaged: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What doesn't fit.
        reason: String,
    },
}

/// Where a member keeps its share: `share.pending` from the moment the share exists until every
/// member is known to have saved its own, `share.key` from then on.
#[derive(Debug, Clone)]
pub struct ShareFile {
    dir: PathBuf,
}

/// What the directory holds.
#[derive(Debug)]
pub enum StoredShare {
    /// No share: key generation has to run.
    None,
    /// A share whose key generation isn't known to have completed everywhere.
    Pending(KeyShare),
    /// The member's share.
    Complete(KeyShare),
}

impl ShareFile {
    /// The share of the member whose data directory is `dir`.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    fn pending(&self) -> PathBuf {
        self.dir.join("share.pending")
    }

    fn complete(&self) -> PathBuf {
        self.dir.join("share.key")
    }

    /// Reads what is there.
    ///
    /// # Errors
    /// The file can't be read, is readable by others, or is damaged.
    pub fn load(&self) -> Result<StoredShare, ShareFileError> {
        if let Some(share) = read(&self.complete())? {
            return Ok(StoredShare::Complete(share));
        }
        Ok(read(&self.pending())?.map_or(StoredShare::None, StoredShare::Pending))
    }

    /// Writes the share durably, as pending.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn save_pending(&self, share: &KeyShare) -> Result<(), ShareFileError> {
        write(&self.dir, &self.pending(), share)
    }

    fn aside(&self, transcript: Digest) -> PathBuf {
        let name = transcript.to_string();
        self.dir.join(format!("share.void-{}", name.get(..16).unwrap_or(&name)))
    }

    /// Puts a pending share aside, whose key generation is said to be dead.
    ///
    /// # Errors
    /// The file system refuses, or the share is damaged.
    pub fn discard_pending(&self) -> Result<(), ShareFileError> {
        let path = self.pending();
        if let Some(share) = read(&path)? {
            rename(&path, &self.aside(share.group.transcript))?;
        }
        sync_dir(&self.dir)
    }

    /// Makes the share of this transcript that was put aside the pending one again. False if there
    /// is none.
    ///
    /// # Errors
    /// The file system refuses, or the share is damaged.
    pub fn take_back(&self, transcript: Digest) -> Result<bool, ShareFileError> {
        let path = self.aside(transcript);
        match read(&path)? {
            Some(share) if share.group.transcript == transcript => {
                rename(&path, &self.pending())?;
                sync_dir(&self.dir).map(|()| true)
            }
            _ => Ok(false),
        }
    }

    /// Makes the pending share the member's share, and removes those that were put aside.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn promote(&self) -> Result<(), ShareFileError> {
        rename(&self.pending(), &self.complete())?;
        sync_dir(&self.dir)?;
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with("share.void-") {
                let _ = fs::remove_file(entry.path());
            }
        }
        Ok(())
    }
}

fn rename(from: &Path, to: &Path) -> Result<(), ShareFileError> {
    fs::rename(from, to).map_err(|source| ShareFileError::Io { path: from.to_path_buf(), source })
}

fn sync_dir(dir: &Path) -> Result<(), ShareFileError> {
    File::open(dir).and_then(|d| d.sync_all()).map_err(|source| ShareFileError::Io { path: dir.to_path_buf(), source })
}

fn write(dir: &Path, path: &Path, share: &KeyShare) -> Result<(), ShareFileError> {
    let io = |source| ShareFileError::Io { path: path.to_path_buf(), source };
    let body = ShareFileBody {
        version: FILE_VERSION,
        me: share.me,
        members: share.group.members,
        threshold: share.group.threshold,
        transcript: share.group.transcript,
        nonces: share.nonces.clone(),
        key: share.key.serialize().expect("a key package that was generated or read encodes"),
        public: share.group.public.serialize().expect("a public key package that was generated or read encodes"),
    };
    let mut bytes = Zeroizing::new(crate::wire::encode(&body));
    let checksum = tagged_hash("Windlass/share file", &[&bytes]);
    bytes.extend_from_slice(&checksum);
    let aside = path.with_extension("new");
    let _ = fs::remove_file(&aside);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside).map_err(io)?;
    file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(io)?;
    fs::rename(&aside, path).map_err(io)?;
    sync_dir(dir)
}

fn read(path: &Path) -> Result<Option<KeyShare>, ShareFileError> {
    let io = |source| ShareFileError::Io { path: path.to_path_buf(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(io(e)),
    };
    let mode = file.metadata().map_err(io)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(ShareFileError::Exposed { path: path.to_path_buf(), mode });
    }
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(MAX_FILE_BYTES).read_to_end(&mut bytes).map_err(io)?;
    parse(path, &bytes).map(Some)
}

fn parse(path: &Path, bytes: &[u8]) -> Result<KeyShare, ShareFileError> {
    let damaged = |reason: &str| ShareFileError::Damaged { path: path.to_path_buf(), reason: reason.into() };
    let Some((content, checksum)) = bytes.split_last_chunk::<32>() else {
        return Err(damaged("it is cut off"));
    };
    if tagged_hash("Windlass/share file", &[content]) != *checksum {
        return Err(damaged("its checksum differs"));
    }
    let body: ShareFileBody = borsh::from_slice(content).map_err(|e| damaged(&e.to_string()))?;
    if body.version != FILE_VERSION {
        return Err(damaged(&format!("it has the version {}, this program knows {FILE_VERSION}", body.version)));
    }
    let key = KeyPackage::deserialize(&body.key).map_err(|e| damaged(&e.to_string()))?;
    let public = PublicKeyPackage::deserialize(&body.public).map_err(|e| damaged(&e.to_string()))?;
    if Some(*key.identifier()) != identifier(body.me) || key.verifying_key() != public.verifying_key() {
        return Err(damaged("the share isn't of the group's key"));
    }
    let group = GroupKey { public, members: body.members, threshold: body.threshold, transcript: body.transcript };
    Ok(KeyShare { me: body.me, key, group, nonces: body.nonces.clone() })
}

/// For `windlass-fuzz` alone: reads a file of this content, whose checksum holds; true if it is a share. No part
/// of the interface.
#[doc(hidden)]
pub fn fuzz_share(content: &[u8]) -> bool {
    let checksum = tagged_hash("Windlass/share file", &[content]);
    let Ok(share) = parse(Path::new("share.key"), &[content, &checksum[..]].concat()) else { return false };
    let _ = (share.member(), share.group().x_only(), share.group().threshold());
    true
}

/// For `windlass-fuzz` alone: such a content to begin with, nobody's share. No part of the interface.
#[doc(hidden)]
pub fn fuzz_share_content() -> Vec<u8> {
    use frost_secp256k1_tr::keys::{IdentifierList, generate_with_dealer};
    let rng: rand::rngs::StdRng = rand::SeedableRng::seed_from_u64(1);
    let (shares, public) = generate_with_dealer(4, 3, IdentifierList::Default, rng).expect("numbers that FROST takes");
    let share = identifier(0).and_then(|id| shares.get(&id)).cloned().expect("a share for each");
    let key = KeyPackage::try_from(share).expect("the dealer is honest");
    crate::wire::encode(&ShareFileBody {
        version: FILE_VERSION,
        me: 0,
        members: 4,
        threshold: 3,
        transcript: Digest::default(),
        nonces: vec![[1; 32]],
        key: key.serialize().expect("a key package that was generated encodes"),
        public: public.serialize().expect("a public key package that was generated encodes"),
    })
}
