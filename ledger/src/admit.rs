//! What a transaction must satisfy, and what it does. Each function checks everything before it
//! writes anything, so a transaction that is refused has changed nothing.

use crate::claim::{ClaimError, DepositClaim};
use crate::exec::{Work, as_tx_error, minus, plus};
use crate::nonces::NonceError;
use crate::record::{Account, DepositRecord, DepositState, PegOutRecord, PegOutState};
use crate::state::StateRead as _;
use crate::transaction::{MAX_MEMO_BYTES, MAX_TRANSFER_OUTPUTS, Transaction, TxBody, TxError};
use crate::{Receipt, keys, query, treasury};
use bitcoin::{Amount, ScriptBuf, XOnlyPublicKey};
use windlass_types::{AccountId, Digest, SideHeight};

/// What a transfer and a peg-out have in common.
struct Spending {
    from: AccountId,
    nonce: u64,
    fee: Amount,
    expiry: Option<SideHeight>,
}

/// A peg-out request's own part.
struct PegOut {
    script: ScriptBuf,
    amount: Amount,
    fee_max: Amount,
}

impl Work<'_> {
    /// Checks and executes one transaction.
    pub(crate) fn transact(&mut self, transaction: &Transaction) -> Result<(), TxError> {
        // L10: for this chain, and signed. The signature comes first: whatever else is said about a
        // transaction, a mempool may keep it only if its account stands behind it.
        if transaction.chain != self.chain {
            return Err(TxError::ForeignChain { expected: self.chain, found: transaction.chain });
        }
        transaction.verify_signature()?;
        let id = transaction.id();
        match &transaction.body {
            TxBody::Transfer { from, nonce, outputs, fee, memo, expiry } => {
                let spending = Spending { from: *from, nonce: *nonce, fee: *fee, expiry: *expiry };
                self.transfer(id, &spending, outputs, memo)
            }
            TxBody::PegOut { from, nonce, script, amount, fee_max, fee, expiry } => {
                let spending = Spending { from: *from, nonce: *nonce, fee: *fee, expiry: *expiry };
                let script = ScriptBuf::from_bytes(script.clone());
                self.peg_out(id, &spending, PegOut { script, amount: *amount, fee_max: *fee_max })
            }
            TxBody::Claim(claim) => self.claim(claim),
        }
    }

    /// L11.
    fn transfer(
        &mut self,
        id: Digest,
        spending: &Spending,
        outputs: &[(AccountId, Amount)],
        memo: &[u8],
    ) -> Result<(), TxError> {
        if outputs.is_empty() || outputs.len() > MAX_TRANSFER_OUTPUTS {
            return Err(TxError::Outputs(outputs.len()));
        }
        if memo.len() > MAX_MEMO_BYTES {
            return Err(TxError::Memo(memo.len()));
        }
        for (index, (account, amount)) in outputs.iter().enumerate() {
            if *amount == Amount::ZERO {
                return Err(TxError::ZeroOutput(index));
            }
            if account.key().is_none() {
                return Err(TxError::Recipient { index, account: *account });
            }
        }
        let amount = treasury::sum(outputs.iter().map(|(_, amount)| *amount)).ok_or(TxError::Overflow)?;
        let debited = self.debit(spending, amount)?;
        self.pay(spending, &debited)?;
        for (account, amount) in outputs {
            self.credit(account, *amount).map_err(as_tx_error)?;
        }
        self.receipts.push(Receipt::Transferred { id, from: spending.from, amount });
        Ok(())
    }

    /// L12 to L14.
    fn peg_out(&mut self, id: Digest, spending: &Spending, request: PegOut) -> Result<(), TxError> {
        self.open()?;
        let PegOut { script, amount, fee_max } = request;
        // L12: to an address that every node relays to, and not the federation's own.
        if !is_standard(&script) {
            return Err(TxError::Script(script));
        }
        if self.get(&keys::own_script(&script))?.is_some() {
            return Err(TxError::OwnScript(script));
        }
        let (min, max) = (self.genesis.params.min_peg_out, self.genesis.params.max_peg_out);
        if amount < min || amount > max {
            return Err(TxError::PegOutAmount { amount, min, max });
        }
        // L13: the most that the batch can cost it is allowed and leaves more than dust.
        let fee = treasury::peg_out_fee(&self.genesis.params, &script).ok_or(TxError::Overflow)?;
        if fee > fee_max {
            return Err(TxError::FeeMax { fee, fee_max });
        }
        let dust = script.minimal_non_dust();
        if amount.checked_sub(fee).is_none_or(|net| net < dust) {
            return Err(TxError::Dust { amount, fee, dust });
        }
        let debited = self.debit(spending, amount)?;
        // L14: what remains is nothing, or more than dust.
        let range = |error: crate::InvariantError| as_tx_error(error.into());
        let rest = minus(self.totals.supply, amount, "the supply").map_err(range)?;
        if rest > Amount::ZERO && rest < treasury::DUST {
            return Err(TxError::DustLeft { rest, min: treasury::DUST });
        }
        let owed = plus(self.totals.owed, amount, "owed").map_err(range)?;
        let burned = plus(self.burned, amount, "burned").map_err(range)?;
        let sequence = self.totals.peg_outs;
        self.pay(spending, &debited)?;
        self.totals.peg_outs = sequence.checked_add(1).ok_or(TxError::Overflow)?;
        (self.totals.supply, self.totals.owed, self.burned) = (rest, owed, burned);
        let from = spending.from;
        let (requested, state) = (self.height, PegOutState::Pending);
        let record = PegOutRecord { id, from, script, amount, fee_max, requested, sequence, state };
        self.put(keys::peg_out(&id), &record);
        self.point(keys::queued_peg_out(sequence), keys::peg_out(&id));
        self.point(keys::peg_out_of(&from, sequence), keys::peg_out(&id));
        self.receipts.push(Receipt::Burned { id, from, amount });
        Ok(())
    }

    /// L21 to L27.
    fn claim(&mut self, claim: &DepositClaim) -> Result<(), TxError> {
        self.open()?;
        let (block, anchor) = (claim.block, self.anchor.height);
        if block > anchor {
            return Err(ClaimError::NotAnchored { block, anchor }.into());
        }
        let anchored = query::anchor(self, block)?.ok_or(ClaimError::TooOld(block))?;
        // L26: the federation lets go of a deposit before the user can take it back.
        if !self.is_in_time(block) {
            let reclaim = block.checked_add(self.genesis.params.reclaim_blocks).unwrap_or(block);
            return Err(ClaimError::TooLate { reclaim, anchor }.into());
        }
        let shown = claim.verify(self.genesis, &anchored)?;
        let outpoint = shown.outpoint;
        // L27: once and never again.
        if let Some(first) = query::deposit(self, outpoint)? {
            return Err(ClaimError::Again { outpoint, claimed: first.claimed }.into());
        }
        let sequence = self.totals.deposits;
        self.totals.deposits = sequence.checked_add(1).ok_or(TxError::Overflow)?;
        let record = DepositRecord {
            outpoint,
            amount: shown.amount,
            terms: claim.terms,
            height: block,
            claimed: self.height,
            sequence,
            state: DepositState::Claimed,
        };
        let account = claim.terms.account;
        self.put(keys::deposit(&outpoint), &record);
        self.put(keys::own_script(&shown.script), &());
        self.point(keys::queued_deposit(sequence), keys::deposit(&outpoint));
        self.point(keys::deposit_of(&account, sequence), keys::deposit(&outpoint));
        self.receipts.push(Receipt::Claimed { outpoint, account, amount: shown.amount });
        Ok(())
    }

    /// L44: after a breach the peg is closed.
    fn open(&self) -> Result<(), TxError> {
        match query::breach(self)? {
            Some(breach) => Err(TxError::Breached(breach.txid)),
            None => Ok(()),
        }
    }

    /// L15 to L18: nonce, expiry, fee and balance. The account after it paid `amount` and fee.
    fn debit(&self, spending: &Spending, amount: Amount) -> Result<Account, TxError> {
        let account = query::account(self, &spending.from)?;
        // L15: one of the open nonces.
        let (next, found) = (account.nonces.next(), spending.nonce);
        let nonces = account.nonces.take(found).map_err(|error| match error {
            NonceError::Used => TxError::NonceUsed { next, found },
            NonceError::Ahead => TxError::NonceAhead { next, found },
        })?;
        // L16: not past its expiry.
        let height = self.height;
        if let Some(expiry) = spending.expiry.filter(|expiry| height > *expiry) {
            return Err(TxError::Expired { expiry, height });
        }
        // L17: the sidechain's fee.
        let (fee, min) = (spending.fee, self.genesis.params.transfer_fee_min);
        if fee < min {
            return Err(TxError::FeeTooLow { fee, min });
        }
        // L18: the account has it.
        let need = treasury::sum([amount, fee].into_iter()).ok_or(TxError::Overflow)?;
        let have = account.balance;
        let balance = have.checked_sub(need).ok_or(TxError::Insufficient { have, need })?;
        Ok(Account { balance, nonces })
    }

    /// Writes what [`Self::debit`] found, and the fee into the pot.
    fn pay(&mut self, spending: &Spending, debited: &Account) -> Result<(), TxError> {
        self.put(keys::account(&spending.from), debited);
        if spending.fee > Amount::ZERO {
            self.credit(&AccountId::FEES, spending.fee).map_err(as_tx_error)?;
        }
        Ok(())
    }
}

/// L12: P2PKH, P2SH, P2WPKH, P2WSH, and P2TR to a point of the curve.
fn is_standard(script: &ScriptBuf) -> bool {
    let taproot =
        || script.is_p2tr() && script.as_bytes().get(2..).is_some_and(|key| XOnlyPublicKey::from_slice(key).is_ok());
    script.is_p2pkh() || script.is_p2sh() || script.is_p2wpkh() || script.is_p2wsh() || taproot()
}
