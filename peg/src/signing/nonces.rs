//! Nonces that can be used once.
//!
//! A nonce pair that signs twice gives the share away. So [`Nonces`] can't be copied, written,
//! compared or looked into; it exists in memory alone, and [`Nonces::sign`] consumes it, whether it
//! succeeds or not. After a restart there are none, and whatever was committed is void.

use super::{Job, message::Commitment};
use crate::share::{KeyShare, identifier};
use bitcoin::hashes::Hash as _;
use frost_secp256k1_tr::{
    self as frost, Identifier, SigningPackage,
    round1::{self, NonceCommitment, SigningCommitments, SigningNonces},
    round2,
};
use rand::{CryptoRng, RngCore};
use std::{collections::BTreeMap, fmt};

/// One signer's nonces for one session, a pair an input.
pub(super) struct Nonces(Vec<SigningNonces>);

impl fmt::Debug for Nonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Nonces({} pairs, secret)", self.0.len())
    }
}

impl Nonces {
    /// Fresh nonces for `inputs` inputs, and the commitments to them.
    pub(super) fn commit(
        share: &KeyShare,
        inputs: usize,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> (Self, Vec<Commitment>) {
        let pairs = (0..inputs).map(|_| round1::commit(share.key.signing_share(), rng));
        let (nonces, commitments): (Vec<_>, Vec<_>) = pairs.unzip();
        (Self(nonces), commitments.iter().map(encode).collect())
    }

    /// The signature shares; the nonces are gone whatever the outcome.
    pub(super) fn sign(
        self,
        share: &KeyShare,
        job: &Job,
        packages: &[SigningPackage],
    ) -> Result<Vec<[u8; 32]>, frost::Error> {
        if self.0.len() != job.inputs.len() || packages.len() != job.inputs.len() {
            return Err(frost::Error::IncorrectNumberOfCommitments);
        }
        let mut shares = Vec::with_capacity(packages.len());
        for ((nonces, input), package) in self.0.iter().zip(&job.inputs).zip(packages) {
            let root = input.root.to_byte_array();
            let share = round2::sign_with_tweak(package, nonces, &share.key, Some(&root))?;
            shares.push(share.serialize().try_into().map_err(|_| frost::Error::SerializationError)?);
        }
        Ok(shares)
    }
}

fn encode(commitments: &SigningCommitments) -> Commitment {
    let point = |c: &NonceCommitment| -> [u8; 33] {
        let bytes = c.serialize().expect("a nonce is never zero, so its commitment is a point");
        bytes.try_into().expect("SEC 1 compressed points have 33 bytes")
    };
    Commitment { hiding: point(commitments.hiding()), binding: point(commitments.binding()) }
}

/// Reads one signer's commitment; none if it isn't two points.
pub(super) fn decode(commitment: &Commitment) -> Option<SigningCommitments> {
    let point = |bytes: &[u8; 33]| NonceCommitment::deserialize(bytes).ok();
    Some(SigningCommitments::new(point(&commitment.hiding)?, point(&commitment.binding)?))
}

/// FROST's packages, one an input; the messages are the job's own hashes. On failure, the signer
/// whose commitments can't be read.
pub(super) fn packages(job: &Job, commitments: &BTreeMap<u16, Vec<Commitment>>) -> Result<Vec<SigningPackage>, u16> {
    let mut per_input: Vec<BTreeMap<Identifier, SigningCommitments>> = vec![BTreeMap::new(); job.inputs.len()];
    for (member, list) in commitments {
        let id = identifier(*member).ok_or(*member)?;
        if list.len() != job.inputs.len() {
            return Err(*member);
        }
        for (slot, commitment) in per_input.iter_mut().zip(list) {
            slot.insert(id, decode(commitment).ok_or(*member)?);
        }
    }
    Ok(job.inputs.iter().zip(per_input).map(|(input, c)| SigningPackage::new(c, &input.sighash)).collect())
}
