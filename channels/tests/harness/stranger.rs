//! A peer of our own making: BOLT 8 and BOLT 1 by hand, so that it can do what no real node does.

use bitcoin::hashes::{Hash, HashEngine, Hmac, HmacEngine, sha256};
use bitcoin::secp256k1::{PublicKey, Secp256k1, SecretKey, ecdh::SharedSecret};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use lightning::ln::msgs::{CommonOpenChannelFields, OpenChannel};
use lightning::types::features::ChannelTypeFeatures;
use lightning::util::ser::Writeable;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use windlass_channels::PeerAddress;

/// How long it waits for an answer.
const PATIENCE: Duration = Duration::from_secs(60);

pub const INIT: u16 = 16;
pub const ERROR: u16 = 17;
pub const PING: u16 = 18;
pub const PONG: u16 = 19;
pub const OPEN_CHANNEL: u16 = 32;
pub const ACCEPT_CHANNEL: u16 = 33;

fn cipher(key: &[u8; 32], nonce: u64) -> (ChaCha20Poly1305, Nonce) {
    let mut bytes = [0; 12];
    bytes[4..].copy_from_slice(&nonce.to_le_bytes());
    (ChaCha20Poly1305::new_from_slice(key).expect("32 bytes"), Nonce::from(bytes))
}

fn seal(key: &[u8; 32], nonce: u64, aad: &[u8], msg: &[u8]) -> Vec<u8> {
    let (cipher, nonce) = cipher(key, nonce);
    cipher.encrypt(&nonce, Payload { msg, aad }).expect("it encrypts")
}

fn open(key: &[u8; 32], nonce: u64, aad: &[u8], msg: &[u8]) -> io::Result<Vec<u8>> {
    let (cipher, nonce) = cipher(key, nonce);
    cipher.decrypt(&nonce, Payload { msg, aad }).map_err(|_| io::ErrorKind::InvalidData.into())
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut engine = HmacEngine::<sha256::Hash>::new(key);
    parts.iter().for_each(|part| engine.input(part));
    Hmac::from_engine(engine).to_byte_array()
}

fn hkdf(salt: &[u8; 32], secret: &[u8]) -> ([u8; 32], [u8; 32]) {
    let key = hmac(salt, &[secret]);
    let first = hmac(&key, &[&[1]]);
    (first, hmac(&key, &[&first, &[2]]))
}

/// The running hash of the handshake.
struct Transcript([u8; 32]);

impl Transcript {
    fn add(&mut self, bytes: &[u8]) {
        self.0 = sha256::Hash::hash(&[&self.0[..], bytes].concat()).to_byte_array();
    }
}

/// One direction: key, chaining key, messages so far.
struct Direction {
    key: [u8; 32],
    chain: [u8; 32],
    nonce: u64,
}

impl Direction {
    fn next(&mut self) -> ([u8; 32], u64) {
        if self.nonce == 1000 {
            (self.chain, self.key) = hkdf(&self.chain, &self.key);
            self.nonce = 0;
        }
        self.nonce += 1;
        (self.key, self.nonce - 1)
    }
}

/// A connection after the handshake of BOLT 8.
pub struct Stranger {
    pub stream: TcpStream,
    send: Direction,
    receive: Direction,
}

/// Opens a connection and says nothing.
pub fn dial(to: &PeerAddress) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(&to.address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// True once the other side has closed; waits for it.
pub fn is_closed(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => true,
        Err(error) => matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe),
    }
}

impl Stranger {
    /// The handshake, as its initiator.
    pub fn handshake(to: &PeerAddress, secret: [u8; 32]) -> io::Result<Self> {
        let secp = Secp256k1::new();
        let own = SecretKey::from_slice(&secret).expect("a scalar");
        let ephemeral = SecretKey::from_slice(&rand::random::<[u8; 32]>()).expect("a scalar");
        let public = ephemeral.public_key(&secp).serialize();
        let mut stream = dial(to)?;
        let mut chain = sha256::Hash::hash(b"Noise_XK_secp256k1_ChaChaPoly_SHA256").to_byte_array();
        let mut hash = Transcript(chain);
        hash.add(b"lightning");
        hash.add(&to.node_id.serialize());

        hash.add(&public);
        let mut key;
        (chain, key) = hkdf(&chain, SharedSecret::new(&to.node_id, &ephemeral).as_ref());
        let tag = seal(&key, 0, &hash.0, b"");
        hash.add(&tag);
        stream.write_all(&[&[0], &public[..], &tag].concat())?;

        let mut act = [0; 50];
        stream.read_exact(&mut act)?;
        let theirs = PublicKey::from_slice(&act[1..34]).map_err(|_| io::ErrorKind::InvalidData)?;
        hash.add(&act[1..34]);
        (chain, key) = hkdf(&chain, SharedSecret::new(&theirs, &ephemeral).as_ref());
        open(&key, 0, &hash.0, &act[34..])?;
        hash.add(&act[34..]);

        let sealed = seal(&key, 1, &hash.0, &own.public_key(&secp).serialize());
        hash.add(&sealed);
        (chain, key) = hkdf(&chain, SharedSecret::new(&theirs, &own).as_ref());
        let tag = seal(&key, 0, &hash.0, b"");
        stream.write_all(&[&[0], &sealed[..], &tag].concat())?;
        let (send, receive) = hkdf(&chain, b"");
        let direction = |key| Direction { key, chain, nonce: 0 };
        Ok(Self { stream, send: direction(send), receive: direction(receive) })
    }

    /// The handshake, and `init` with the node's own features.
    pub fn greet(to: &PeerAddress, secret: [u8; 32]) -> io::Result<Self> {
        let mut stranger = Self::handshake(to, secret)?;
        let init = stranger.wait_for(&[INIT])?.1;
        stranger.send(INIT, &init)?;
        Ok(stranger)
    }

    pub fn send(&mut self, kind: u16, body: &[u8]) -> io::Result<()> {
        let message = [&kind.to_be_bytes(), body].concat();
        let length = u16::try_from(message.len()).expect("a message has at most 65,535 bytes").to_be_bytes();
        let (key, nonce) = self.send.next();
        let mut bytes = seal(&key, nonce, b"", &length);
        let (key, nonce) = self.send.next();
        bytes.extend(seal(&key, nonce, b"", &message));
        self.stream.write_all(&bytes)
    }

    pub fn receive(&mut self) -> io::Result<(u16, Vec<u8>)> {
        let mut length = [0; 18];
        self.stream.read_exact(&mut length)?;
        let (key, nonce) = self.receive.next();
        let length = open(&key, nonce, b"", &length)?;
        let mut message = vec![0; usize::from(u16::from_be_bytes([length[0], length[1]])) + 16];
        self.stream.read_exact(&mut message)?;
        let (key, nonce) = self.receive.next();
        let message = open(&key, nonce, b"", &message)?;
        let (kind, body) = message.split_at(2);
        Ok((u16::from_be_bytes([kind[0], kind[1]]), body.to_vec()))
    }

    /// The next message of one of these kinds; others are skipped.
    pub fn wait_for(&mut self, kinds: &[u16]) -> io::Result<(u16, Vec<u8>)> {
        loop {
            let (kind, body) = self.receive()?;
            if kinds.contains(&kind) {
                return Ok((kind, body));
            }
        }
    }
}

/// A proposal of a channel (BOLT 2) that LDK accepts; `key` names it, and is all its keys.
pub fn open_channel(key: [u8; 32]) -> Vec<u8> {
    let secret = SecretKey::from_slice(&key).expect("a scalar");
    let point: PublicKey = secret.public_key(&Secp256k1::new());
    let message = OpenChannel {
        common_fields: CommonOpenChannelFields {
            chain_hash: bitcoin::constants::ChainHash::REGTEST,
            temporary_channel_id: lightning::ln::types::ChannelId(key),
            funding_satoshis: 1_000_000,
            dust_limit_satoshis: 354,
            max_htlc_value_in_flight_msat: 1_000_000_000,
            htlc_minimum_msat: 1,
            commitment_feerate_sat_per_1000_weight: 253,
            to_self_delay: 144,
            max_accepted_htlcs: 100,
            funding_pubkey: point,
            revocation_basepoint: point,
            payment_basepoint: point,
            delayed_payment_basepoint: point,
            htlc_basepoint: point,
            first_per_commitment_point: point,
            channel_flags: 0,
            shutdown_scriptpubkey: Some(bitcoin::ScriptBuf::new()),
            channel_type: Some(ChannelTypeFeatures::anchors_zero_htlc_fee_and_dependencies()),
        },
        push_msat: 0,
        channel_reserve_satoshis: 10_000,
    };
    message.encode()
}
