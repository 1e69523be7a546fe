//! For this crate's tests: a federation made by key generation, in memory.

use crate::share::{GroupKey, KeyShare, identifier};
use frost_secp256k1_tr::keys::dkg;
use rand::{SeedableRng as _, rngs::StdRng};
use std::{collections::BTreeMap, sync::Mutex};
use windlass_types::Digest;

static MADE: Mutex<BTreeMap<(u16, u16), Vec<KeyShare>>> = Mutex::new(BTreeMap::new());

/// The members' shares, each time the same for the same numbers; made once.
pub(crate) fn shares(members: u16, threshold: u16) -> Vec<KeyShare> {
    let mut made = MADE.lock().unwrap();
    let shares = made.entry((members, threshold)).or_insert_with(|| make(members, threshold));
    let copy = |s: &KeyShare| KeyShare { me: s.me, key: s.key.clone(), group: s.group.clone(), nonces: vec![] };
    shares.iter().map(copy).collect()
}

fn make(members: u16, threshold: u16) -> Vec<KeyShare> {
    let mut rng = StdRng::seed_from_u64(u64::from(members) * 1000 + u64::from(threshold));
    let ids: Vec<_> = (0..members).map(|m| identifier(m).unwrap()).collect();
    let (mut first, mut packages) = (vec![], BTreeMap::new());
    for id in &ids {
        let (secret, package) = dkg::part1(*id, members, threshold, &mut rng).unwrap();
        first.push(secret);
        packages.insert(*id, package);
    }
    let others =
        |id| packages.iter().filter(|(k, _)| *k != id).map(|(k, v)| (*k, v.clone())).collect::<BTreeMap<_, _>>();
    let (mut second, mut sent) = (vec![], BTreeMap::<_, BTreeMap<_, _>>::new());
    for (id, secret) in ids.iter().zip(first) {
        let (secret, shares) = dkg::part2(secret, &others(id)).unwrap();
        second.push(secret);
        for (to, share) in shares {
            sent.entry(to).or_default().insert(*id, share);
        }
    }
    let parts = ids.iter().zip(second).zip(0..members);
    parts
        .map(|((id, secret), me)| {
            let (key, public) = dkg::part3(&secret, &others(id), &sent[id]).unwrap();
            let group = GroupKey { public, members, threshold, transcript: Digest::default() };
            KeyShare { me, key, group, nonces: vec![] }
        })
        .collect()
}
