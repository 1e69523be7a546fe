//! The federation's scripts, written from docs/spec/addresses.md by way of miniscript: `tr(P, {hidden, leaf})`.

use bitcoin::key::TapTweak as _;
use bitcoin::secp256k1::{Secp256k1, VerifyOnly};
use bitcoin::taproot::{LeafVersion, TapNodeHash};
use bitcoin::{Script, ScriptBuf, XOnlyPublicKey};
use miniscript::{Miniscript, Tap};
use windlass_ledger::{DepositTerms, Genesis};
use windlass_types::{Digest, Epoch, tagged_hash};

/// The script of a deposit's address. `None`: a key is none, or the federation has no key of this epoch.
pub(crate) fn deposit(terms: &DepositTerms, genesis: &Genesis, secp: &Secp256k1<VerifyOnly>) -> Option<ScriptBuf> {
    let key = key(terms.epoch, genesis)?;
    let (nonce, epoch) = (terms.nonce.to_le_bytes(), terms.epoch.get().to_le_bytes());
    let hidden = tagged_hash("Windlass/deposit", &[&terms.account.to_bytes(), &nonce, &epoch]);
    let user = XOnlyPublicKey::from_slice(&terms.user_key).ok()?;
    let leaf = leaf(&format!("and_v(v:pk({user}),older({}))", genesis.params.reclaim_blocks))?;
    Some(output(key, hidden, &leaf, secp))
}

/// The hidden node of the treasury's coin.
pub(crate) fn commitment(parent: &Digest, supply: u64) -> [u8; 32] {
    tagged_hash("Windlass/anchor", &[parent.as_bytes(), &supply.to_le_bytes()])
}

/// The script of the treasury's coin.
pub(crate) fn treasury(hidden: [u8; 32], genesis: &Genesis, secp: &Secp256k1<VerifyOnly>) -> Option<ScriptBuf> {
    let params = &genesis.params;
    let keys: Option<Vec<String>> = genesis
        .members
        .iter()
        .map(|member| Some(XOnlyPublicKey::from_slice(&member.emergency_key).ok()?.to_string()))
        .collect();
    let many = format!("multi_a({},{})", params.emergency_threshold, keys?.join(","));
    let leaf = leaf(&format!("and_v(v:{many},older({}))", params.emergency_blocks))?;
    Some(output(key(Epoch::new(0), genesis)?, hidden, &leaf, secp))
}

/// There is one epoch.
fn key(epoch: Epoch, genesis: &Genesis) -> Option<XOnlyPublicKey> {
    (epoch.get() == 0).then(|| XOnlyPublicKey::from_slice(&genesis.treasury_key).ok()).flatten()
}

fn leaf(text: &str) -> Option<ScriptBuf> {
    Some(text.parse::<Miniscript<XOnlyPublicKey, Tap>>().ok()?.encode())
}

fn output(key: XOnlyPublicKey, hidden: [u8; 32], leaf: &Script, secp: &Secp256k1<VerifyOnly>) -> ScriptBuf {
    let leaf = TapNodeHash::from_script(leaf, LeafVersion::TapScript);
    let root = TapNodeHash::from_node_hashes(TapNodeHash::assume_hidden(hidden), leaf);
    ScriptBuf::new_p2tr_tweaked(key.tap_tweak(secp, Some(root)).0)
}
