//! The independent recount: what is there, added up anew from the sidechain's raw blocks.
//!
//! A quorum's signature is not validation, and neither is a validation whose cache was fooled. So before a member
//! signs on Bitcoin it asks a second opinion, which is this crate: bookkeeping that was written apart from the
//! ledger's rules, shares no line with them (only the types that blocks decode to; a test of the layers says so),
//! has no cache, and never sees the ledger's state. It is given the bytes of each final block in turn and counts
//! who has how much of what, which deposits Bitcoin has, what was burned for which script, and which one Bitcoin
//! transaction is due. [`Recount::allows`] answers whether a transaction is that one.
//!
//! It works forwards, a block at a time: an answer costs nothing that grows with the chain. What it counts once
//! and finds wrong it never forgets: from then on it allows nothing.
//!
//! What it does not do: judge what moves no money (memos, expiries, the size of blocks, the state's root), or check
//! the signatures of transfers. A peg-out's signature it does check, for that is where coins leave.

#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

mod accounts;
mod deposits;
mod dials;
mod fault;
mod saved;
mod script;
mod treasury;
mod witness;

pub use fault::{Fault, Objection, TxFault};
pub use saved::SavedError;
pub use treasury::Coin;

use accounts::Accounts;
use bitcoin::secp256k1::{Secp256k1, VerifyOnly};
use bitcoin::{Amount, Transaction as BitcoinTransaction};
use deposits::Anchors;
use dials::Dials;
use treasury::{PegOut, Treasury};
use windlass_ledger::{Block, Genesis, Header, Transaction, TxBody};
use windlass_types::{AccountId, AssetId, ChainId, Digest, SideHeight};

/// See the head of the crate.
#[derive(Clone)]
pub struct Recount {
    genesis: Genesis,
    chain: ChainId,
    secp: Secp256k1<VerifyOnly>,
    height: SideHeight,
    /// The newest block's digest; none before the first.
    tip: Option<Digest>,
    anchors: Anchors,
    dials: Dials,
    accounts: Accounts,
    treasury: Treasury,
    fault: Option<Fault>,
}

impl Recount {
    /// At height 0: nothing is there.
    pub fn new(genesis: Genesis) -> Self {
        let chain = ChainId(Digest::tagged("Windlass/genesis", &[&encoding(&genesis)]));
        let anchors = Anchors::after(genesis.start);
        Self {
            chain,
            dials: Dials::of(&genesis.params),
            genesis,
            secp: Secp256k1::verification_only(),
            height: SideHeight::new(0),
            tip: None,
            anchors,
            accounts: Accounts::default(),
            treasury: Treasury::default(),
            fault: None,
        }
    }

    /// The newest block that was counted.
    pub const fn height(&self) -> SideHeight {
        self.height
    }

    /// The digest of that block's header; none before the first block.
    pub const fn tip(&self) -> Option<Digest> {
        self.tip
    }

    /// What was found wrong, if anything was.
    pub const fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    /// What there is of an asset; of bitcoin, in satoshis.
    pub fn supply(&self, asset: &AssetId) -> u64 {
        self.accounts.supply(asset)
    }

    /// What an account has of an asset.
    pub fn balance(&self, account: &AccountId, asset: &AssetId) -> u64 {
        self.accounts.balance(account, asset)
    }

    /// Burned, and not settled on Bitcoin.
    pub const fn owed(&self) -> Amount {
        Amount::from_sat(self.treasury.owed())
    }

    /// The number of the batch that is due.
    pub fn due(&self) -> Option<u64> {
        self.treasury.due().map(|due| due.id)
    }

    /// The coins that the transaction that is due spends: Bitcoin must have each of them.
    pub fn coins(&self) -> Vec<Coin> {
        self.treasury.due().map(|due| due.coins.clone()).unwrap_or_default()
    }

    /// Counts the next block, from its bytes.
    ///
    /// # Errors
    /// It does not add up, or an earlier one did not: nothing is allowed any more.
    pub fn take(&mut self, block: &[u8]) -> Result<(), Fault> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let outcome = Block::decode(block)
            .map_err(|error| Fault::Unreadable { after: self.height, reason: error.to_string() })
            .and_then(|block| self.count(&block));
        if let Err(fault) = &outcome {
            self.fault = Some(fault.clone());
        }
        outcome
    }

    /// Whether this transaction, unsigned, is the one that is due, and these are the messages to sign for it, an
    /// input each.
    ///
    /// # Errors
    /// It is not, or what was counted is wrong.
    pub fn allows(&self, batch: u64, transaction: &BitcoinTransaction, messages: &[[u8; 32]]) -> Result<(), Objection> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone().into());
        }
        let due = self.treasury.due().filter(|due| due.id == batch);
        let due = due.ok_or(Objection::NotDue { batch, height: self.height })?;
        let (counted, asked) = (due.transaction.compute_txid(), transaction.compute_txid());
        if due.transaction != *transaction {
            return Err(Objection::OtherTransaction { batch, counted, asked });
        }
        let own = due.messages().ok_or(Objection::OtherMessage { batch, input: 0 })?;
        if own.len() != messages.len() {
            return Err(Objection::OtherMessage { batch, input: own.len().min(messages.len()) });
        }
        match own.iter().zip(messages).position(|(own, asked)| own != asked) {
            Some(input) => Err(Objection::OtherMessage { batch, input }),
            None => Ok(()),
        }
    }

    fn count(&mut self, block: &Block) -> Result<(), Fault> {
        let header = &block.header;
        let height = header.height;
        if header.chain != self.chain {
            return Err(Fault::OtherChain(height));
        }
        if Some(height) != self.height.next() {
            return Err(Fault::Gap { after: self.height, found: height });
        }
        // What the first one builds on follows from the rules; its body does not matter to any sum.
        if self.tip.is_some_and(|tip| tip != header.parent) {
            return Err(Fault::Parent(height));
        }
        self.dials.begin(height, self.anchors.newest().height);
        for facts in &block.inputs.blocks {
            self.anchors.push(facts, &self.genesis.params).map_err(|what| Fault::Bitcoin { height, what })?;
            self.treasury.forget(self.anchors.oldest());
            let minted = self.treasury.spent(&facts.spends).map_err(|what| Fault::Bitcoin { height, what })?;
            for (account, amount) in minted {
                self.accounts.make(&account, AssetId::BTC, amount).map_err(|fault| Fault::Minted { height, fault })?;
            }
        }
        for (index, transaction) in block.transactions.iter().enumerate() {
            self.transaction(transaction, height).map_err(|fault| Fault::Transaction { height, index, fault })?;
        }
        self.treasury
            .decide(
                &self.genesis,
                &self.dials.params,
                &self.secp,
                header,
                self.anchors.newest(),
                self.accounts.supply(&AssetId::BTC),
            )
            .map_err(|what| Fault::Batch { height, what })?;
        self.compare(header)?;
        self.height = height;
        self.tip = Some(Digest::tagged("Windlass/header", &[&encoding(header)]));
        Ok(())
    }

    /// The header's figures are the counted ones, and the treasury's coin is what stands against them.
    fn compare(&self, header: &Header) -> Result<(), Fault> {
        let height = header.height;
        let sat = |amount: u64| Amount::from_sat(amount);
        let (supply, owed) = (self.accounts.supply(&AssetId::BTC), self.treasury.owed());
        if header.supply.to_sat() != supply {
            return Err(Fault::Supply { height, said: header.supply, counted: sat(supply) });
        }
        if header.owed.to_sat() != owed {
            return Err(Fault::Owed { height, said: header.owed, counted: sat(owed) });
        }
        if header.anchor != self.anchors.newest() {
            return Err(Fault::Anchor { height, said: header.anchor, counted: self.anchors.newest() });
        }
        let backing = self.treasury.backing();
        match (backing, supply.checked_add(owed)) {
            // It was robbed: the peg is closed, and nothing is due any more.
            (None, _) => Ok(()),
            (Some(backing), Some(sum)) if backing == sum => Ok(()),
            (Some(backing), _) => {
                Err(Fault::Treasury { height, treasury: sat(backing), supply: sat(supply), owed: sat(owed) })
            }
        }
    }

    fn transaction(&mut self, transaction: &Transaction, height: SideHeight) -> Result<(), TxFault> {
        if transaction.chain != self.chain {
            return Err(TxFault::OtherChain);
        }
        if let Some(spending) = transaction.body.spending() {
            self.accounts.use_nonce(&spending.from, spending.nonce)?;
            let fee = spending.fee.to_sat();
            self.accounts.pay(&spending.from, &AccountId::FEES, AssetId::BTC, fee)?;
        }
        match &transaction.body {
            TxBody::Transfer { from, outputs, .. } => {
                // All out before anything comes in: nobody pays with what the same transfer brings.
                for output in outputs {
                    self.accounts.take(from, output.asset, output.units)?;
                }
                for output in outputs {
                    self.accounts.give(&output.to, output.asset, output.units)?;
                }
                Ok(())
            }
            TxBody::PegOut { from, script, amount, fee_max, .. } => {
                self.signed(transaction, from)?;
                self.accounts.destroy(from, AssetId::BTC, amount.to_sat())?;
                self.treasury.burned(PegOut {
                    script: script.clone().into(),
                    amount: amount.to_sat(),
                    fee_max: fee_max.to_sat(),
                    rate: self.dials.params.fee_rate_sat_per_kvb,
                })
            }
            TxBody::Claim(claim) => {
                let deposit = deposits::shown(claim, &self.genesis, &self.secp, &self.anchors, &self.dials)?;
                self.treasury.claimed(deposit)
            }
            TxBody::Propose(proposal) => self.dials.propose(proposal, height),
            TxBody::Issue { from, nonce, terms, .. } => {
                let parts = [encoding(&self.chain), encoding(from), encoding(nonce), encoding(terms)];
                let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
                let asset = AssetId(Digest::tagged("Windlass/asset", &parts).0);
                self.accounts.issue(from, asset, terms.reissuable)?;
                self.accounts.make(from, asset, terms.units)
            }
            TxBody::Reissue { from, asset, units, .. } => {
                self.accounts.may_reissue(from, asset)?;
                self.accounts.make(from, *asset, *units)
            }
            // It leaves by peg-outs alone.
            TxBody::Burn { asset, .. } if asset.is_btc() => Err(TxFault::BurnsBitcoin),
            TxBody::Burn { from, asset, units, .. } => self.accounts.destroy(from, *asset, *units),
        }
    }

    /// Whether the account's key signed it.
    fn signed(&self, transaction: &Transaction, from: &AccountId) -> Result<(), TxFault> {
        let id = Digest::tagged("Windlass/transaction", &[&encoding(&transaction.chain), &encoding(&transaction.body)]);
        let anchor = self.anchors.newest().height;
        if witness::holds(&transaction.witness, from, &id, anchor, &self.secp) {
            Ok(())
        } else {
            Err(TxFault::Signature(*from))
        }
    }
}

/// The canonical encoding, as docs/spec/encodings.md has it.
fn encoding<T: borsh::BorshSerialize>(value: &T) -> Vec<u8> {
    borsh::to_vec(value).expect("writing to a vector does not fail and no length reaches u32")
}
