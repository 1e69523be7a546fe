//! A member that lies: a process with a real member's identity, which is let in on the links by all others and says there
//! what nobody should believe. It takes no part in agreement.

use crate::fed::LIAR_DIR;
use bitcoin::secp256k1::{PublicKey, Secp256k1, SecretKey};
use rand::rngs::OsRng;
use rand::{Rng as _, RngCore as _};
use std::path::{Path, PathBuf};
use std::time::Duration;
use windlass_node::member::{Federation, MemberConfig};
use windlass_peg::signing::{Commitment, SigningMessage};
use windlass_sidechain::{IdentitySeed, LinkSender, Member, Peer, Timing, To};

/// The test that is this process.
pub const ROLE: &str = "a_lying_member_process";

/// Topics of the links: the first byte of each message.
const KEY_GENERATION: u8 = 0;
const SIGNING: u8 = 1;

/// The body of the test that is a liar when it is started as one.
pub fn be_a_liar() {
    let Some(dir) = std::env::var_os(LIAR_DIR).map(PathBuf::from) else { return };
    let own = dir.join("liar");
    std::fs::create_dir_all(&own).expect("a folder");
    windlass_sidechain::run(&own.clone(), |context| async move {
        let (member, links) = Member::join(context, config(&dir, own)).expect("it is let in");
        let me = member.me();
        let (sender, mut messages) = links.split();
        let mut lies = Lies { me, sender, batch: 0, txid: [0; 32] };
        let mut tick = tokio::time::interval(Duration::from_millis(100));
        loop {
            tokio::select! {
                message = messages.recv() => {
                    let Some((from, bytes)) = message else { return };
                    lies.answer(from, &bytes);
                }
                _ = tick.tick() => lies.unasked(),
            }
        }
    });
}

fn config(dir: &Path, own: PathBuf) -> windlass_sidechain::MemberConfig {
    let mut seed = [0; 32];
    let text = std::fs::read_to_string(dir.join("identity.key")).expect("an identity");
    hex::decode_to_slice(text.trim(), &mut seed).expect("32 bytes");
    let federation = Federation::load(dir).expect("a federation");
    let settings = MemberConfig::load(dir).expect("settings");
    let place = federation.members.iter().position(|member| member.name == settings.name).expect("a member");
    let peer = |m: &windlass_node::member::FederationMember| Peer { identity: m.keys.identity, address: m.address };
    windlass_sidechain::MemberConfig {
        seed: IdentitySeed::new(seed),
        members: federation.members.iter().map(peer).collect(),
        place: u16::try_from(place).expect("few"),
        listen: settings.listen,
        dir: own,
        federation: federation.terms().to_string(),
        timing: Timing::default(),
    }
}

struct Lies {
    me: u16,
    sender: LinkSender,
    /// The newest that it has heard of.
    batch: u64,
    txid: [u8; 32],
}

fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    OsRng.fill_bytes(&mut bytes);
    bytes
}

/// A point of the curve that commits to nothing.
fn point() -> [u8; 33] {
    PublicKey::from_secret_key(&Secp256k1::new(), &SecretKey::new(&mut OsRng)).serialize()
}

impl Lies {
    fn say(&self, to: To, topic: u8, mut message: Vec<u8>) {
        message.insert(0, topic);
        // A full queue loses it: there is more where it came from.
        let _ = self.sender.send(to, message);
    }

    fn commitments(&self) -> Vec<Commitment> {
        (0..OsRng.gen_range(1..5)).map(|_| Commitment { hiding: point(), binding: point() }).collect()
    }

    fn answer(&mut self, from: u16, message: &[u8]) {
        // What was heard, once more, with one byte changed, to everyone.
        let mut changed = message.to_vec();
        if let Some(place) = (changed.len() > 1).then(|| OsRng.gen_range(1..changed.len())) {
            changed[place] ^= OsRng.gen_range(1..=255);
            let _ = self.sender.send(To::All, changed);
        }
        if message.first() != Some(&SIGNING) {
            return;
        }
        let Ok(message) = SigningMessage::decode(&message[1..]) else { return };
        match message {
            SigningMessage::Propose { session, batch, txid, .. } => {
                (self.batch, self.txid) = (batch, txid);
                let commit = SigningMessage::Commit { session, commitments: self.commitments() };
                self.say(To::One(from), SIGNING, commit.encode());
            }
            SigningMessage::Package { session, commitments, .. } => {
                let inputs = commitments.first().map_or(1, Vec::len);
                let shares = SigningMessage::Shares { session, shares: (0..inputs).map(|_| bytes()).collect() };
                self.say(To::One(from), SIGNING, shares.encode());
            }
            _ => {}
        }
    }

    fn unasked(&self) {
        let batch = self.batch.saturating_add(OsRng.gen_range(0..2));
        // Its turn as coordinator, with another transaction.
        let turn = (u64::from(self.me) + 4 - batch % 4) % 4 + 4 * OsRng.gen_range(0..3);
        let txid = if OsRng.gen_bool(0.5) { self.txid } else { bytes() };
        let propose = SigningMessage::Propose { session: bytes(), batch, attempt: turn, txid };
        self.say(To::All, SIGNING, propose.encode());
        let signatures = (0..OsRng.gen_range(1..4)).map(|_| bytes()).collect();
        let signed = SigningMessage::Signed { batch, signers: vec![0, 1, 2], signatures };
        self.say(To::All, SIGNING, signed.encode());
        let commitments = vec![self.commitments(), self.commitments(), self.commitments()];
        let package = SigningMessage::Package { session: bytes(), signers: vec![0, 1, 2], commitments };
        self.say(To::All, SIGNING, package.encode());
        let topic = [KEY_GENERATION, SIGNING, 2, 255][OsRng.gen_range(0..4)];
        let noise = bytes::<64>();
        self.say(To::All, topic, noise[..OsRng.gen_range(0..64)].to_vec());
    }
}
