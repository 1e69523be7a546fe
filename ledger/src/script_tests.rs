//! The scripts against miniscript and against BIP341 by hand; signatures against real keys.

use super::*;
use crate::testkit::{Net, genesis, keypair, sat, terms, wpkh, x_only};
use crate::{Batch, query};
use bitcoin::hashes::{Hash as _, HashEngine as _};
use bitcoin::key::TapTweak as _;
use bitcoin::secp256k1::{Message, Secp256k1};
use bitcoin::taproot::{LeafVersion, TapLeafHash};
use miniscript::{Miniscript, Tap};

#[test]
fn leaves_are_what_the_miniscript_says() {
    let genesis = genesis();
    let user = super::x_only(&x_only(1)).expect("key");
    let reclaim: Miniscript<XOnlyPublicKey, Tap> =
        format!("and_v(v:pk({user}),older(1008))").parse().expect("miniscript");
    assert_eq!(reclaim_leaf(&user, genesis.params.reclaim_blocks), reclaim.encode());
    let keys: Vec<String> = genesis.members.iter().map(|member| hex::encode(member.emergency_key)).collect();
    let emergency: Miniscript<XOnlyPublicKey, Tap> =
        format!("and_v(v:multi_a(3,{}),older(4032))", keys.join(",")).parse().expect("miniscript");
    assert_eq!(emergency_leaf(&genesis).expect("keys"), emergency.encode());
    // Small numbers are one opcode, in both.
    let tiny: Miniscript<XOnlyPublicKey, Tap> = format!("and_v(v:pk({user}),older(16))").parse().expect("miniscript");
    assert_eq!(reclaim_leaf(&user, Blocks::new(16)), tiny.encode());
}

/// BIP341's formulas, written out.
/// L20.
#[test]
fn outputs_are_bip341s() {
    let genesis = genesis();
    let terms = terms(1, 5);
    let info = terms.spend_info(&genesis).expect("keys");
    let mut leaf = bitcoin::taproot::TapLeafHash::engine();
    leaf.input(&[0xc0, u8::try_from(info.leaf.len()).expect("short")]);
    leaf.input(info.leaf.as_bytes());
    let leaf = TapLeafHash::from_engine(leaf).to_byte_array();
    assert_eq!(
        leaf,
        tagged_hash("TapLeaf", &[&[0xc0, u8::try_from(info.leaf.len()).expect("short")], info.leaf.as_bytes()])
    );
    let hidden = terms.hidden();
    let (low, high) = if leaf < hidden { (leaf, hidden) } else { (hidden, leaf) };
    let root = tagged_hash("TapBranch", &[&low, &high]);
    assert_eq!(info.merkle_root.to_byte_array(), root);
    let tweak = tagged_hash("TapTweak", &[&genesis.treasury_key, &root]);
    let key = super::x_only(&genesis.treasury_key).expect("key");
    let scalar = bitcoin::secp256k1::Scalar::from_be_bytes(tweak).expect("in range");
    let (output, _) = key.add_tweak(secp(), &scalar).expect("no infinity");
    assert_eq!(info.script.as_bytes(), [&[0x51, 0x20][..], &output.serialize()].concat());
    assert!(info.control.verify_taproot_commitment(secp(), output, &info.leaf));
    assert_eq!(info.control.leaf_version, LeafVersion::TapScript);
}

#[test]
fn each_of_the_terms_changes_the_address() {
    let genesis = genesis();
    let base = terms(1, 5);
    let address = |terms: &DepositTerms| terms.address(&genesis).expect("keys").to_string();
    assert!(address(&base).starts_with("bcrt1p"));
    let variants = [
        base,
        DepositTerms { nonce: 6, ..base },
        DepositTerms { account: crate::testkit::account(2), ..base },
        DepositTerms { user_key: x_only(2), ..base },
    ];
    let addresses: std::collections::BTreeSet<String> = variants.iter().map(address).collect();
    assert_eq!(addresses.len(), variants.len());
    let next_epoch = DepositTerms { epoch: Epoch::new(1), ..base };
    assert_eq!(next_epoch.spend_info(&genesis), Err(ScriptError::Epoch(Epoch::new(1))));
    let no_key = DepositTerms { user_key: [0xff; 32], ..base };
    assert_eq!(no_key.spend_info(&genesis), Err(ScriptError::Key([0xff; 32])));
}

#[test]
fn addresses_are_pinned() {
    let genesis = genesis();
    assert_eq!(
        terms(1, 5).address(&genesis).expect("keys").to_string(),
        "bcrt1p2tpvyjfa4kfc0qtva8me33a7p0dg9qkpl94qhar2fd0axctpjgjq64thk0"
    );
    let hidden = treasury_hidden(&Digest([1; 32]), sat(21));
    assert_eq!(hex::encode(hidden), "c6e4b5171c1aef1ddc090b993183c4dea524d7dffb497a9da977f1cc397a9bd2");
    let treasury = treasury_spend_info(&genesis, Epoch::new(0), hidden).expect("keys");
    assert_eq!(
        hex::encode(treasury.script.as_bytes()),
        "51203ed835d1ff4766ec04e3872e46705039547066bb657c7f880d8eb32e90cdd5f8"
    );
}

/// A federation of one key signs each input by the key path; libsecp256k1 agrees; and the fee is
/// exactly the rate times the signed transaction's size.
/// L32, L33.
#[test]
fn a_batch_is_signed_by_the_tweaked_key_and_pays_its_rate() {
    let mut net = Net::new();
    net.fund(1, sat(1_000_000));
    let (a, b) = (net.deposit(&terms(1, 1), sat(100_000)), net.deposit(&terms(2, 0), sat(200_000)));
    let out = net.peg_out(1, &wpkh(7), sat(50_000));
    net.accept(vec![net.claim(a), net.claim(b), out]);
    let batch: Batch = query::batch(&net.state).expect("memory").expect("in flight");
    assert_eq!(batch.inputs.len(), 3);
    let secp = Secp256k1::new();
    let mut signed = batch.transaction(&net.genesis).expect("keys");
    assert_eq!(signed.compute_txid(), batch.txid);
    let prevouts = batch.prevouts(&net.genesis).expect("keys");
    for (index, sighash) in batch.sighashes(&net.genesis).expect("keys").into_iter().enumerate() {
        let root = batch.merkle_root(&net.genesis, index).expect("keys");
        let tweaked = keypair(250).tap_tweak(&secp, Some(root)).to_keypair();
        let message = Message::from_digest(sighash);
        let signature = secp.sign_schnorr_no_aux_rand(&message, &tweaked);
        let output = XOnlyPublicKey::from_slice(&prevouts[index].script_pubkey.as_bytes()[2..]).expect("key");
        secp.verify_schnorr(&signature, &message, &output).expect("the output key's signature");
        signed.input[index].witness.push(signature.serialize());
    }
    let rate = u64::from(net.genesis.params.fee_rate_sat_per_kvb);
    let vsize = u64::try_from(signed.vsize()).expect("small");
    assert_eq!(batch.fee, sat((vsize * rate).div_ceil(1000)));
    let spent: Amount = prevouts.iter().map(|out| out.value).sum();
    let paid: Amount = signed.output.iter().map(|out| out.value).sum();
    assert_eq!(spent - paid, batch.fee);
    assert!(batch.merkle_root(&net.genesis, 3).is_err());
    // The way out for the emergency keys is in the change's script.
    let change = batch.change_spend_info(&net.genesis).expect("keys");
    assert_eq!(change.script, signed.output[0].script_pubkey);
    assert_eq!(change.leaf, emergency_leaf(&net.genesis).expect("keys"));
    assert_eq!(batch.change_outpoint().expect("change").txid, signed.compute_txid());
}

/// L30: the treasury's hidden node is made of the header before the batch's block and the supply after it.
#[test]
fn the_treasury_commits_to_header_and_supply() {
    let mut net = crate::testkit::Net::new();
    net.fund(1, Amount::from_sat(1_000_000));
    let claim = net.deposit(&terms(2, 0), Amount::from_sat(50_000));
    let parent = net.tip.digest();
    net.accept(vec![net.claim(claim)]);
    let batch = crate::query::batch(&net.state).expect("memory").expect("in flight");
    let hidden = tagged_hash("Windlass/anchor", &[parent.as_bytes(), &net.tip.supply.to_sat().to_le_bytes()]);
    assert_eq!(batch.hidden(), hidden);
    let committed = treasury_spend_info(&net.genesis, Epoch::new(0), hidden).expect("keys");
    assert_eq!(net.batch_tx().output[0].script_pubkey, committed.script);
}
