//! The members' links, divided: key generation and signing each have their own messages.

use tokio::sync::mpsc;
use tracing::warn;
use windlass_peg::wire::Recipient;
use windlass_sidechain::{LinkSender, Links, To};

/// Messages that wait to be read. What doesn't fit is dropped: both protocols repeat themselves.
const QUEUE: usize = 512;

/// What a message belongs to: its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topic {
    /// Key generation.
    KeyGeneration = 0,
    /// Signing.
    Signing = 1,
}

/// One topic's incoming messages.
pub(super) type Inbox = mpsc::Receiver<(u16, Vec<u8>)>;

/// Divides the links: a sender, and an inbox each for key generation and for signing.
pub(super) fn divide(links: Links) -> (LinkSender, Inbox, Inbox) {
    let (sender, mut incoming) = links.split();
    let (to_key_generation, key_generation) = mpsc::channel(QUEUE);
    let (to_signing, signing) = mpsc::channel(QUEUE);
    tokio::spawn(async move {
        while let Some((from, mut message)) = incoming.recv().await {
            let inbox = match message.first() {
                Some(0) => &to_key_generation,
                Some(1) => &to_signing,
                _ => {
                    warn!(from, "a message of an unknown kind was ignored");
                    continue;
                }
            };
            message.remove(0);
            let _ = inbox.try_send((from, message));
        }
    });
    (sender, key_generation, signing)
}

/// Sends one message of a topic. A link that is down loses it, which is fine.
pub(super) fn send(links: &LinkSender, topic: Topic, to: Recipient, bytes: &[u8]) {
    let mut message = Vec::with_capacity(bytes.len().saturating_add(1));
    message.push(topic as u8);
    message.extend_from_slice(bytes);
    let to = match to {
        Recipient::All => To::All,
        Recipient::One(member) => To::One(member),
    };
    if let Err(error) = links.send(to, message) {
        warn!(%error, ?topic, "a message to other members was not taken");
    }
}
