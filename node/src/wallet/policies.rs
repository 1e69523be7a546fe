//! Spending from policy accounts. A draft goes from signer to signer; each checks it before he signs, and signs nothing
//! but transfers from the policy's own account: what is signed here can't move what our own account has.

use super::node::WalletNode;
use super::sidetx::allowed_fee;
use crate::api::policies::{
    DRAFT_FORMAT, DRAFT_VERSION, DraftAnswer, DraftPayment, DraftSignature, SignRequest, SpendDraft, SpendRequest,
};
use crate::api::wallet::TransferAnswer;
use crate::api::{ApiError, Code, btc};
use bitcoin::Amount;
use bitcoin::hashes::{Hash as _, sha256};
use windlass_ledger::{
    Clause, LeafWitness, MAX_MEMO_BYTES, Output, Policy, PolicyWitness, Transaction, TxBody, Witness,
};
use windlass_types::{AccountId, AccountKind, BtcHeight, ChainId, ChainNetwork, Digest};

/// A draft that was checked: of this chain, of this policy's account, a transfer, and whatever is in it holds.
struct Draft {
    policy: Policy,
    transaction: Transaction,
    id: Digest,
    signatures: Vec<DraftSignature>,
    preimages: Vec<Digest>,
}

impl Draft {
    fn read(draft: SpendDraft, chain: ChainId) -> Result<Self, ApiError> {
        let bad = |reason: String| ApiError::usage(format!("this draft is not signed: {reason}"));
        if draft.format != DRAFT_FORMAT || draft.version != DRAFT_VERSION {
            return Err(bad(format!("it is a {:?} of version {}", draft.format, draft.version)));
        }
        let policy: Policy = draft.policy.parse().map_err(|error| bad(format!("its policy: {error}")))?;
        let transaction = Transaction::decode(&draft.transaction).map_err(|error| bad(error.to_string()))?;
        if transaction.chain != chain {
            return Err(bad(format!("it is for the sidechain {}, this is {chain}", transaction.chain)));
        }
        // What this rests on: else a draft could be a transfer from the account of whoever signs it.
        if transaction.from() != Some(policy.account()) {
            return Err(bad("it does not spend from its policy's account".into()));
        }
        if !matches!(transaction.body, TxBody::Transfer { .. }) || transaction.witness != Witness::None {
            return Err(bad("it is no plain transfer".into()));
        }
        let id = transaction.id();
        let mut read = Self { policy, transaction, id, signatures: Vec::new(), preimages: Vec::new() };
        for signature in draft.signatures {
            let shown = LeafWitness::Signature(signature.signature);
            if !shown.satisfies(&Clause::Key(signature.key.0), &id) {
                return Err(bad(format!("the signature by {} does not hold", signature.key)));
            }
            read.add_signature(signature)?;
        }
        draft.preimages.into_iter().try_for_each(|preimage| read.add_preimage(preimage))?;
        Ok(read)
    }

    fn has(&self, leaf: &Clause) -> bool {
        self.policy.leaves().contains(&leaf)
    }

    fn add_signature(&mut self, signature: DraftSignature) -> Result<(), ApiError> {
        if !self.has(&Clause::Key(signature.key.0)) {
            return Err(ApiError::usage(format!("the policy does not have the key {}", signature.key)));
        }
        if self.signatures.iter().all(|one| one.key != signature.key) {
            self.signatures.push(signature);
        }
        Ok(())
    }

    fn add_preimage(&mut self, preimage: Digest) -> Result<(), ApiError> {
        let hash = sha256::Hash::hash(&preimage.0);
        if !self.has(&Clause::Sha256(*hash.as_byte_array())) {
            let hash = Digest(*hash.as_byte_array());
            return Err(ApiError::usage(format!("the policy does not ask for this preimage: its hash is {hash}")));
        }
        if !self.preimages.contains(&preimage) {
            self.preimages.push(preimage);
        }
        Ok(())
    }

    /// What there is for a leaf with the sidechain anchored at `anchor`.
    fn shown(&self, leaf: &Clause, anchor: BtcHeight) -> Option<LeafWitness> {
        match leaf {
            Clause::Key(key) => {
                let signature = self.signatures.iter().find(|one| one.key.0 == *key)?;
                Some(LeafWitness::Signature(signature.signature))
            }
            Clause::Sha256(hash) => {
                let fits = |preimage: &&Digest| sha256::Hash::hash(&preimage.0).as_byte_array() == hash;
                Some(LeafWitness::Preimage(self.preimages.iter().find(fits)?.0))
            }
            Clause::After(height) => (*height <= anchor).then_some(LeafWitness::Reached),
            Clause::Threshold { .. } => None,
        }
    }

    fn witness(&self, anchor: BtcHeight) -> Option<PolicyWitness> {
        PolicyWitness::satisfy(self.policy.clone(), |leaf| self.shown(leaf, anchor))
    }

    fn missing(&self, anchor: BtcHeight) -> Vec<String> {
        let leaves = self.policy.leaves().into_iter();
        leaves.filter(|leaf| self.shown(leaf, anchor).is_none()).map(Clause::to_string).collect()
    }

    fn answer(self, network: ChainNetwork, anchor: BtcHeight) -> DraftAnswer {
        let (outputs, fee) = match &self.transaction.body {
            TxBody::Transfer { outputs, fee, .. } => (outputs.as_slice(), *fee),
            // There is none: it was checked when it was read.
            _ => (&[][..], Amount::ZERO),
        };
        let pay = |output: &Output| DraftPayment {
            address: output.to.address(network),
            asset: output.asset,
            units: output.units,
        };
        let pays = outputs.iter().map(pay).collect();
        let (complete, missing) = (self.witness(anchor).is_some(), self.missing(anchor));
        DraftAnswer {
            id: self.id,
            from: self.policy.account().address(network),
            pays,
            fee,
            complete,
            missing,
            draft: SpendDraft {
                format: DRAFT_FORMAT.into(),
                version: DRAFT_VERSION,
                policy: self.policy.to_string(),
                transaction: self.transaction.encode(),
                signatures: self.signatures,
                preimages: self.preimages,
            },
        }
    }
}

/// A policy as a user writes it: `key(…)` may hold the address of a key account.
fn policy_of(text: &str, network: ChainNetwork) -> Result<Policy, ApiError> {
    let named = |name: &str| match AccountId::from_address(name, network) {
        Ok(AccountId { kind: AccountKind::Key, bytes }) => Ok(bytes),
        Ok(_) => Err(format!("{name} is no account with a key")),
        Err(error) => Err(error.to_string()),
    };
    Policy::parse_with(text, named).map_err(|error| ApiError::usage(format!("the policy: {error}")))
}

impl WalletNode {
    /// POST `/v1/policies/drafts`
    pub(super) async fn draft_spend(&self, request: SpendRequest) -> Result<DraftAnswer, ApiError> {
        let policy = policy_of(&request.policy, self.config.network)?;
        let outputs = self.outputs(&request.to)?;
        if request.memo.len() > MAX_MEMO_BYTES {
            let message = format!("the memo has {} bytes, at most {MAX_MEMO_BYTES} are kept", request.memo.len());
            return Err(ApiError::usage(message));
        }
        let chain = self.members.refreshed().await?;
        let fee = allowed_fee(&chain, request.max_fee)?;
        let from = policy.account();
        let address = from.address(self.config.network);
        let address = address.as_str();
        let account = self.members.ask(|member| member.account(address)).await?;
        // No expiry: signers may need days. It is void once another one with its nonce is final.
        let (nonce, memo) = (account.next_nonce, request.memo.into_bytes());
        let body = TxBody::Transfer { from, nonce, outputs, fee, memo, expiry: None };
        let need = body.outflow().and_then(|outflow| outflow.get(&windlass_types::AssetId::BTC).copied());
        if need.is_none_or(|need| need > account.balance.to_sat()) {
            let message = format!("{address} has {}, this needs more with its fee", btc(account.balance));
            return Err(ApiError::insufficient(message));
        }
        let transaction = Transaction { chain: chain.id, body, witness: Witness::None };
        let id = transaction.id();
        let draft = Draft { policy, transaction, id, signatures: Vec::new(), preimages: Vec::new() };
        self.add_own(draft, request.preimages).await
    }

    /// POST `/v1/policies/signatures`
    pub(super) async fn sign_draft(&self, request: SignRequest) -> Result<DraftAnswer, ApiError> {
        let draft = Draft::read(request.draft, self.members.chain().await?.id)?;
        if !draft.has(&Clause::Key(self.seed.account_id().bytes)) && request.preimages.is_empty() {
            return Err(ApiError::usage(format!("{} has no key in this policy", self.config.name)));
        }
        self.add_own(draft, request.preimages).await
    }

    async fn add_own(&self, mut draft: Draft, preimages: Vec<Digest>) -> Result<DraftAnswer, ApiError> {
        preimages.into_iter().try_for_each(|preimage| draft.add_preimage(preimage))?;
        let key = self.seed.account_id().bytes;
        if draft.has(&Clause::Key(key))
            && let LeafWitness::Signature(signature) = LeafWitness::signature(&draft.id, &self.seed.account())
        {
            draft.add_signature(DraftSignature { key: Digest(key), signature })?;
        }
        let anchor = self.members.ask(|member| member.chain()).await?.anchor.height;
        Ok(draft.answer(self.config.network, anchor))
    }

    /// POST `/v1/policies/spends`
    pub(super) async fn submit_draft(&self, draft: SpendDraft) -> Result<TransferAnswer, ApiError> {
        let draft = Draft::read(draft, self.members.chain().await?.id)?;
        let anchor = self.members.ask(|member| member.chain()).await?.anchor.height;
        let Some(witness) = draft.witness(anchor) else {
            let missing = draft.missing(anchor).join(", ");
            let message = format!("the policy is not satisfied at Bitcoin height {anchor}; not there: {missing}");
            return Err(ApiError::new(Code::Conflict, message));
        };
        let fee = draft.transaction.body.spending().map(|spending| spending.fee).unwrap_or_default();
        let id = draft.id;
        let transaction = Transaction { witness: Witness::Policy(Box::new(witness)), ..draft.transaction };
        let height = self.final_draft(id, hex::encode(transaction.encode())).await?;
        Ok(TransferAnswer { id, height, fee })
    }

    /// Hands it in, again where a member has forgotten it, until it is final. Nothing is written down: whoever has the
    /// draft can hand it in again.
    async fn final_draft(&self, id: Digest, hex: String) -> Result<windlass_types::SideHeight, ApiError> {
        let hand_in = || async { self.members.ask(|member| member.submit(hex.clone())).await.map(drop) };
        hand_in().await?;
        self.until_final(id, hand_in).await
    }
}
