//! Transactions of the sidechain.

use crate::asset::AssetTerms;
use crate::checked;
use crate::claim::DepositClaim;
use crate::proposal::Proposal;
use crate::state::{append, encode};
use crate::tx_error::TxError;
use crate::wire;
use crate::witness::{self, Witness};
use bitcoin::Amount;
use bitcoin::secp256k1::Keypair;
use borsh::{BorshDeserialize, BorshSerialize};
use std::collections::BTreeMap;
use windlass_types::{AccountId, AssetId, ChainId, Digest, SideHeight};

/// Longest memo of a transfer.
pub const MAX_MEMO_BYTES: usize = 80;
/// Most outputs of a transfer.
pub const MAX_TRANSFER_OUTPUTS: usize = 256;

/// What a transaction does.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum TxBody {
    /// Moves bitcoin or other assets from one account to others (L11).
    Transfer {
        /// Who pays, and signs.
        from: AccountId,
        /// The account's nonce.
        nonce: u64,
        /// Whom to, of what, and how much.
        outputs: Vec<Output>,
        /// Into the pot of fees.
        #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
        fee: Amount,
        /// Any bytes, at most [`MAX_MEMO_BYTES`].
        memo: Vec<u8>,
        /// The last sidechain block that may have it.
        expiry: Option<SideHeight>,
    } = 0,
    /// Burns bitcoin here to be paid on Bitcoin (L12).
    PegOut {
        /// Who pays, and signs.
        from: AccountId,
        /// The account's nonce.
        nonce: u64,
        /// The Bitcoin script to pay.
        script: Vec<u8>,
        /// What is burned; the share of Bitcoin's fee comes out of it.
        #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
        amount: Amount,
        /// The most that the share of Bitcoin's fee may be.
        #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
        fee_max: Amount,
        /// Into the pot of fees, on top of `amount`.
        #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
        fee: Amount,
        /// The last sidechain block that may have it.
        expiry: Option<SideHeight>,
    } = 1,
    /// Shows a deposit on Bitcoin (L21). Anyone may send it: the address says whom it credits.
    Claim(DepositClaim) = 2,
    /// Makes a new asset, whose units the issuer gets (L62).
    Issue {
        /// The issuer, who signs.
        from: AccountId,
        /// The account's nonce: with it the asset's id is unique.
        nonce: u64,
        /// The terms.
        terms: AssetTerms,
        /// Into the pot of fees, in bitcoin.
        #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
        fee: Amount,
        /// The last sidechain block that may have it.
        expiry: Option<SideHeight>,
    } = 3,
    /// Makes more of an asset; the issuer gets it (L63).
    Reissue {
        /// The issuer, who signs.
        from: AccountId,
        /// The account's nonce.
        nonce: u64,
        /// The asset.
        asset: AssetId,
        /// How much more.
        units: u64,
        /// Into the pot of fees, in bitcoin.
        #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
        fee: Amount,
        /// The last sidechain block that may have it.
        expiry: Option<SideHeight>,
    } = 4,
    /// Burns units of an asset that the account has (L64).
    Burn {
        /// Whose, and who signs.
        from: AccountId,
        /// The account's nonce.
        nonce: u64,
        /// The asset.
        asset: AssetId,
        /// How much.
        units: u64,
        /// Into the pot of fees, in bitcoin.
        #[borsh(serialize_with = "wire::amount::write", deserialize_with = "wire::amount::read")]
        fee: Amount,
        /// The last sidechain block that may have it.
        expiry: Option<SideHeight>,
    } = 5,
    /// Changes the chain's parameters (L81). Anyone may send it: it counts who signed.
    Propose(Proposal) = 8,
}

/// One payment of a transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Output {
    /// Whom to.
    pub to: AccountId,
    /// Of what.
    pub asset: AssetId,
    /// How much: satoshis of bitcoin, the smallest units of other assets.
    pub units: u64,
}

/// What all transactions have in common that an account pays for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spending {
    /// Who pays, and signs.
    pub from: AccountId,
    /// The account's nonce.
    pub nonce: u64,
    /// Into the pot of fees, in bitcoin.
    pub fee: Amount,
    /// The last sidechain block that may have it.
    pub expiry: Option<SideHeight>,
}

impl Output {
    /// Pays bitcoin.
    pub fn btc(to: AccountId, amount: Amount) -> Self {
        Self { to, asset: AssetId::BTC, units: amount.to_sat() }
    }
}

impl TxBody {
    /// Who pays for it; `None` for a claim and a proposal.
    pub const fn spending(&self) -> Option<Spending> {
        match self {
            Self::Transfer { from, nonce, fee, expiry, .. }
            | Self::PegOut { from, nonce, fee, expiry, .. }
            | Self::Issue { from, nonce, fee, expiry, .. }
            | Self::Reissue { from, nonce, fee, expiry, .. }
            | Self::Burn { from, nonce, fee, expiry, .. } => {
                Some(Spending { from: *from, nonce: *nonce, fee: *fee, expiry: *expiry })
            }
            Self::Claim(_) | Self::Propose(_) => None,
        }
    }

    /// What it takes from the account that pays, the fee included, of each asset. `None`: more than there can be (L42).
    pub fn outflow(&self) -> Option<BTreeMap<AssetId, u64>> {
        let mut outflow = BTreeMap::new();
        let mut take = |asset: AssetId, units: u64| {
            let sum = outflow.entry(asset).or_insert(0_u64);
            *sum = sum.checked_add(units).filter(|sum| !asset.is_btc() || *sum <= Amount::MAX_MONEY.to_sat())?;
            Some(())
        };
        if let Some(spending) = self.spending() {
            take(AssetId::BTC, spending.fee.to_sat())?;
        }
        match self {
            Self::Transfer { outputs, .. } => {
                outputs.iter().try_for_each(|output| take(output.asset, output.units))?;
            }
            Self::PegOut { amount, .. } => take(AssetId::BTC, amount.to_sat())?,
            Self::Burn { asset, units, .. } => take(*asset, *units)?,
            Self::Claim(_) | Self::Propose(_) | Self::Issue { .. } | Self::Reissue { .. } => {}
        }
        Some(outflow)
    }
}

/// A transaction.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Transaction {
    /// The sidechain that it is for.
    pub chain: ChainId,
    /// What it does.
    pub body: TxBody,
    /// By what the account of `from` stands behind [`Self::id`].
    pub witness: Witness,
}

impl TxBody {
    /// Whether each account that this pays can be spent from.
    pub(crate) fn recipients_are_payable(&self) -> bool {
        match self {
            Self::Transfer { outputs, .. } => outputs.iter().all(|output| output.to.is_payable()),
            _ => true,
        }
    }
}

impl Transaction {
    /// Makes and signs a transaction. `keypair` is the key of the body's `from`; for a claim use
    /// [`Self::claim`].
    pub fn signed(chain: ChainId, body: TxBody, keypair: &Keypair) -> Self {
        let unsigned = Self { chain, body, witness: Witness::None };
        let signature = witness::sign(&unsigned.id(), keypair);
        Self { witness: Witness::Key(signature), ..unsigned }
    }

    /// A claim, which needs no signature.
    pub fn claim(chain: ChainId, claim: DepositClaim) -> Self {
        Self { chain, body: TxBody::Claim(claim), witness: Witness::None }
    }

    /// A proposal, which carries the members' signatures in its body.
    pub fn proposal(chain: ChainId, proposal: Proposal) -> Self {
        Self { chain, body: TxBody::Propose(proposal), witness: Witness::None }
    }

    /// The id, and the message that is signed: the hash of chain and body. The witness is not in
    /// it, so nobody can change an id; a block commits to the witnesses apart.
    pub fn id(&self) -> Digest {
        let mut bytes = encode(&self.chain);
        self.encode_body_into(&mut bytes);
        checked::id_of(&bytes)
    }

    /// What a block's body root commits to for this transaction: a hash of all of its encoding, the witness
    /// included. The encoding has lengths where lengths vary and is canonical, so no two transactions share it.
    pub fn leaf(&self) -> Digest {
        checked::leaf_of(&encode(self))
    }

    pub(crate) fn encode_body_into(&self, bytes: &mut Vec<u8>) {
        append(bytes, &self.body);
    }

    pub(crate) fn encode_witness_into(&self, bytes: &mut Vec<u8>) {
        append(bytes, &self.witness);
    }

    /// Who pays: `None` for a claim and a proposal.
    pub fn from(&self) -> Option<AccountId> {
        self.body.spending().map(|spending| spending.from)
    }

    /// The nonce: `None` for a claim and a proposal.
    pub fn nonce(&self) -> Option<u64> {
        self.body.spending().map(|spending| spending.nonce)
    }

    /// What no two transactions of a chain share: the account and the nonce; of a proposal, the pot of fees (which
    /// has no nonces, as nobody spends from it) and the proposal's number. `None` for a claim.
    pub fn slot(&self) -> Option<(AccountId, u64)> {
        match &self.body {
            TxBody::Propose(proposal) => Some((AccountId::FEES, proposal.number)),
            body => body.spending().map(|spending| (spending.from, spending.nonce)),
        }
    }

    /// The canonical encoding.
    pub fn encode(&self) -> Vec<u8> {
        encode(self)
    }

    /// Reads a canonical encoding; trailing bytes are refused.
    ///
    /// # Errors
    /// It is larger than a transaction may be, or not canonical.
    pub fn decode(bytes: &[u8]) -> Result<Self, crate::DecodeError> {
        crate::block::decode_bounded(bytes, crate::block::MAX_TRANSACTION_BYTES)
    }

    /// Checks the witness (L10), but for heights, which only the state can tell.
    ///
    /// # Errors
    /// The account of `from` does not stand behind this; a claim has no witness.
    pub fn verify_witness(&self) -> Result<(), TxError> {
        self.verify_witness_over(&self.id())
    }

    /// The same for who knows the id.
    pub(crate) fn verify_witness_over(&self, id: &Digest) -> Result<(), TxError> {
        self.witness.verify(self.from(), id)
    }
}
