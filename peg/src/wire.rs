//! How the peg's messages travel: borsh, one bounded message a frame, strict decoding.

use borsh::{BorshDeserialize, BorshSerialize};

/// The longest message between members, in bytes: what the links carry. The largest legitimate one
/// is a signing package: 430 bytes for 3 signers and 2 inputs, 260,000 for 39 signers (of 57) and
/// the largest batch's 101 inputs.
pub const MAX_MESSAGE_BYTES: usize = 256 * 1024;

/// The most members a federation may have.
pub const MAX_MEMBERS: u16 = 57;

/// Why bytes from a member are no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Longer than any legitimate message.
    #[error("a message of {0} bytes; the bound is {MAX_MESSAGE_BYTES}")]
    TooLong(usize),
    /// Not the encoding, or bytes left over.
    #[error("a malformed message: {0}")]
    Malformed(String),
}

/// Decodes exactly one message.
pub(crate) fn decode<T: BorshDeserialize>(bytes: &[u8]) -> Result<T, DecodeError> {
    if bytes.len() > MAX_MESSAGE_BYTES {
        return Err(DecodeError::TooLong(bytes.len()));
    }
    borsh::from_slice(bytes).map_err(|e| DecodeError::Malformed(e.to_string()))
}

/// Encodes a message. Writing to memory can't fail.
pub(crate) fn encode<T: BorshSerialize>(message: &T) -> Vec<u8> {
    borsh::to_vec(message).expect("borsh into a Vec fails only on lengths above u32::MAX")
}

/// Whom a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Recipient {
    /// Each other member.
    All,
    /// The member with this index.
    One(u16),
}
