//! One session of key generation, from fixed nonces to a share.

use super::{
    DkgEvent, DkgFailure, Identity, Terms,
    message::{Accusation, DkgMessage, SignedPackage},
};
use crate::{
    share::{GroupKey, KeyShare, identifier, index},
    wire::Recipient,
};
use frost_secp256k1_tr::{self as frost, Identifier, keys::dkg};
use rand::{CryptoRng, RngCore};
use std::collections::{BTreeMap, BTreeSet};
use windlass_types::Digest;
use zeroize::Zeroizing;

/// The longest reason that we put into an accusation, in characters.
const MAX_REASON_CHARS: usize = 200;

/// What one member knows of one session.
pub(super) struct Session {
    pub(super) id: Digest,
    me: u16,
    members: u16,
    nonces: Vec<[u8; 32]>,
    terms: Digest,
    first: Option<dkg::round1::SecretPackage>,
    second: Option<dkg::round2::SecretPackage>,
    packages: BTreeMap<u16, SignedPackage>,
    echoed: bool,
    echoes: BTreeSet<u16>,
    outgoing: BTreeMap<u16, Zeroizing<Vec<u8>>>,
    shares: BTreeMap<u16, Zeroizing<Vec<u8>>>,
}

fn misbehaved(member: u16, reason: impl Into<String>) -> DkgFailure {
    DkgFailure::Misbehaved { member, reason: reason.into().chars().take(MAX_REASON_CHARS).collect() }
}

impl Session {
    pub(super) fn id(terms: &Terms, nonces: &[[u8; 32]]) -> Digest {
        Digest::tagged("Windlass/dkg session", &[terms.digest.as_bytes(), nonces.as_flattened()])
    }

    pub(super) fn begin(
        terms: &Terms,
        id: Digest,
        nonces: Vec<[u8; 32]>,
        identity: &impl Identity,
        rng: &mut (impl RngCore + CryptoRng),
    ) -> Self {
        let me = identifier(terms.me).expect("an index below MAX_MEMBERS has an identifier");
        let (first, package) =
            dkg::part1(me, terms.members, terms.threshold, rng).expect("the terms were validated: 2 <= t <= n");
        let package = package.serialize().expect("our own package encodes");
        let signature = identity.sign(&SignedPackage::digest(&id, terms.me, &package));
        let packages = BTreeMap::from([(terms.me, SignedPackage { package, signature })]);
        Self {
            id,
            me: terms.me,
            members: terms.members,
            nonces,
            terms: terms.digest,
            first: Some(first),
            second: None,
            packages,
            echoed: false,
            echoes: BTreeSet::new(),
            outgoing: BTreeMap::new(),
            shares: BTreeMap::new(),
        }
    }

    /// Everything that we have said so far in this session.
    pub(super) fn repeat(&self, out: &mut Vec<DkgEvent>) {
        let session = self.id;
        if let Some(package) = self.packages.get(&self.me) {
            let message = DkgMessage::Round1 { session, package: package.clone() };
            out.push(DkgEvent::Send(Recipient::All, message.encode()));
        }
        if self.echoed {
            let packages = self.packages.values().cloned().collect();
            out.push(DkgEvent::Send(Recipient::All, DkgMessage::Echo { session, packages }.encode()));
        }
        for (to, package) in &self.outgoing {
            let message = DkgMessage::Round2 { session, package: package.to_vec() };
            out.push(DkgEvent::Send(Recipient::One(*to), message.encode()));
        }
    }

    /// Whether nothing more is needed from the member.
    pub(super) fn has_all_of(&self, member: u16) -> bool {
        self.packages.contains_key(&member) && self.echoes.contains(&member) && self.shares.contains_key(&member)
    }

    pub(super) fn waiting_for(&self, members: u16) -> Vec<u16> {
        let lacking = |m: &u16| {
            if self.packages.len() < usize::from(members) {
                !self.packages.contains_key(m)
            } else if self.echoes.len() < usize::from(members) {
                !self.echoes.contains(m)
            } else {
                !self.shares.contains_key(m)
            }
        };
        (0..members).filter(|m| *m != self.me).filter(lacking).collect()
    }

    /// Takes in `author`'s package, which `from` sent or echoed.
    pub(super) fn take_package(
        &mut self,
        identity: &impl Identity,
        from: u16,
        author: u16,
        package: SignedPackage,
    ) -> Result<(), DkgFailure> {
        let digest = SignedPackage::digest(&self.id, author, &package.package);
        if !identity.verify(author, &digest, &package.signature) {
            return Err(misbehaved(from, format!("it showed a package of member {author} with a false signature")));
        }
        match self.packages.get(&author) {
            None => {
                self.packages.insert(author, package);
                Ok(())
            }
            // Signatures may differ where the packages don't.
            Some(known) if known.package == package.package => Ok(()),
            Some(known) => Err(DkgFailure::Equivocated { member: author, proof: Box::new([known.clone(), package]) }),
        }
    }

    pub(super) fn take_echo(
        &mut self,
        identity: &impl Identity,
        from: u16,
        packages: Vec<SignedPackage>,
    ) -> Result<(), DkgFailure> {
        if packages.len() != usize::from(self.members) {
            return Err(misbehaved(from, format!("it echoed {} packages of {}", packages.len(), self.members)));
        }
        for (author, package) in (0..self.members).zip(packages) {
            self.take_package(identity, from, author, package)?;
        }
        self.echoes.insert(from);
        Ok(())
    }

    pub(super) fn take_share(&mut self, from: u16, package: Vec<u8>) {
        self.shares.entry(from).or_insert(Zeroizing::new(package));
    }

    /// What another member's accusation means to us.
    pub(super) fn judge(&self, identity: &impl Identity, by: u16, member: u16, accusation: Accusation) -> DkgFailure {
        match accusation {
            Accusation::Word(reason) => DkgFailure::Accused { by, member, reason },
            Accusation::Equivocation(proof) => {
                let signed = |p: &SignedPackage| {
                    identity.verify(member, &SignedPackage::digest(&self.id, member, &p.package), &p.signature)
                };
                let [first, second] = &*proof;
                if first.package != second.package && signed(first) && signed(second) {
                    DkgFailure::Equivocated { member, proof }
                } else {
                    misbehaved(by, format!("it accused member {member} with a false proof"))
                }
            }
        }
    }

    /// Does what can be done with what has arrived; the share at the end.
    pub(super) fn advance(
        &mut self,
        terms: &Terms,
        out: &mut Vec<DkgEvent>,
    ) -> Result<Option<Box<KeyShare>>, DkgFailure> {
        let all = usize::from(self.members);
        if self.packages.len() == all && !self.echoed {
            self.echoed = true;
            self.echoes.insert(self.me);
            let message = DkgMessage::Echo { session: self.id, packages: self.packages.values().cloned().collect() };
            out.push(DkgEvent::Send(Recipient::All, message.encode()));
        }
        if self.echoes.len() == all
            && let Some(first) = self.first.take()
        {
            self.second = Some(self.make_shares(first)?);
            for (to, package) in &self.outgoing {
                let message = DkgMessage::Round2 { session: self.id, package: package.to_vec() };
                out.push(DkgEvent::Send(Recipient::One(*to), message.encode()));
            }
        }
        if self.shares.len().checked_add(1) == Some(all)
            && let Some(second) = self.second.take()
        {
            return self.finish(terms, second).map(Some);
        }
        Ok(None)
    }

    fn others(&self) -> Result<BTreeMap<Identifier, dkg::round1::Package>, DkgFailure> {
        let mut packages = BTreeMap::new();
        for (author, signed) in self.packages.iter().filter(|(author, _)| **author != self.me) {
            let package = dkg::round1::Package::deserialize(&signed.package)
                .map_err(|_| misbehaved(*author, "its round-1 package can't be read"))?;
            if let Some(id) = identifier(*author) {
                packages.insert(id, package);
            }
        }
        Ok(packages)
    }

    fn make_shares(&mut self, first: dkg::round1::SecretPackage) -> Result<dkg::round2::SecretPackage, DkgFailure> {
        let packages = self.others()?;
        let threshold = usize::from(*first.min_signers());
        for (author, package) in &packages {
            if package.commitment().serialize().map(|c| c.len()) != Ok(threshold) {
                let author = index(self.members, author).unwrap_or(self.me);
                return Err(misbehaved(author, "its polynomial has another degree"));
            }
        }
        let (second, shares) = dkg::part2(first, &packages).map_err(|e| self.culprit(&e))?;
        for (to, share) in shares {
            if let (Some(to), Ok(bytes)) = (index(self.members, &to), share.serialize()) {
                self.outgoing.insert(to, Zeroizing::new(bytes));
            }
        }
        Ok(second)
    }

    fn finish(&mut self, terms: &Terms, second: dkg::round2::SecretPackage) -> Result<Box<KeyShare>, DkgFailure> {
        let packages = self.others()?;
        let mut shares = BTreeMap::new();
        for (author, bytes) in &self.shares {
            let share = dkg::round2::Package::deserialize(bytes)
                .map_err(|_| misbehaved(*author, "its round-2 package can't be read"))?;
            if let Some(id) = identifier(*author) {
                shares.insert(id, share);
            }
        }
        let (key, public) = dkg::part3(&second, &packages, &shares).map_err(|e| self.culprit(&e))?;
        self.shares.clear();
        let transcript = self.transcript(&public);
        let group = GroupKey { public, members: terms.members, threshold: terms.threshold, transcript };
        Ok(Box::new(KeyShare { me: self.me, key, group, nonces: self.nonces.clone() }))
    }

    fn transcript(&self, public: &frost::keys::PublicKeyPackage) -> Digest {
        let mut parts: Vec<&[u8]> = vec![self.terms.as_bytes(), self.id.as_bytes()];
        let hashes: Vec<Digest> =
            self.packages.values().map(|p| Digest::tagged("Windlass/dkg package", &[&p.package])).collect();
        parts.extend(hashes.iter().map(|h| h.as_bytes().as_slice()));
        let public = public.serialize().expect("a generated public key package encodes");
        parts.push(&public);
        Digest::tagged("Windlass/dkg transcript", &parts)
    }

    fn culprit(&self, error: &frost::Error) -> DkgFailure {
        let culprit = error.culprits().first().and_then(|id| index(self.members, id));
        misbehaved(culprit.unwrap_or(self.me), error.to_string())
    }
}
