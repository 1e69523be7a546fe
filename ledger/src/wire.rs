//! How Bitcoin's types stand in the ledger's canonical encoding (borsh), and in JSON.
//!
//! Amounts are 8 bytes, little endian, and an encoding above 21 million BTC is refused, so no
//! decoded amount can bring a sum of a few thousand of them near the end of `u64`.

/// Satoshis: u64, little endian, at most 21 million BTC.
pub mod amount {
    use bitcoin::Amount;
    use borsh::io::{Error, ErrorKind, Read, Result, Write};

    /// Writes the 8 bytes.
    pub fn write<W: Write>(amount: &Amount, writer: &mut W) -> Result<()> {
        borsh::BorshSerialize::serialize(&amount.to_sat(), writer)
    }

    /// Reads the 8 bytes.
    pub fn read<R: Read>(reader: &mut R) -> Result<Amount> {
        let sat = <u64 as borsh::BorshDeserialize>::deserialize_reader(reader)?;
        let amount = Amount::from_sat(sat);
        if amount > Amount::MAX_MONEY {
            return Err(Error::new(ErrorKind::InvalidData, format!("{sat} sat is more than there will ever be")));
        }
        Ok(amount)
    }
}

/// A transfer's output: account (33), asset (0 for bitcoin, or 1 and 32 bytes), units (u64).
mod output {
    use crate::transaction::Output;
    use bitcoin::Amount;
    use borsh::io::{Error, ErrorKind, Read, Result, Write};
    use borsh::{BorshDeserialize, BorshSerialize};
    use windlass_types::{AccountId, AssetId};

    impl BorshSerialize for Output {
        fn serialize<W: Write>(&self, writer: &mut W) -> Result<()> {
            self.to.serialize(writer)?;
            let asset = (!self.asset.is_btc()).then_some(self.asset);
            asset.serialize(writer)?;
            self.units.serialize(writer)
        }
    }

    impl BorshDeserialize for Output {
        fn deserialize_reader<R: Read>(reader: &mut R) -> Result<Self> {
            let to = AccountId::deserialize_reader(reader)?;
            let invalid = |reason: String| Error::new(ErrorKind::InvalidData, reason);
            let asset = match Option::<AssetId>::deserialize_reader(reader)? {
                Some(asset) if asset.is_btc() => return Err(invalid("bitcoin is written as 0".into())),
                asset => asset.unwrap_or(AssetId::BTC),
            };
            let units = u64::deserialize_reader(reader)?;
            if asset.is_btc() && units > Amount::MAX_MONEY.to_sat() {
                return Err(invalid(format!("{units} sat is more than there will ever be")));
            }
            Ok(Self { to, asset, units })
        }
    }
}

/// A Bitcoin transaction id: its 32 bytes in internal order (not reversed).
pub mod txid {
    use bitcoin::{Txid, hashes::Hash as _};
    use borsh::io::{Read, Result, Write};

    /// Writes the 32 bytes.
    pub fn write<W: Write>(txid: &Txid, writer: &mut W) -> Result<()> {
        writer.write_all(&txid.to_byte_array())
    }

    /// Reads the 32 bytes.
    pub fn read<R: Read>(reader: &mut R) -> Result<Txid> {
        let bytes = <[u8; 32] as borsh::BorshDeserialize>::deserialize_reader(reader)?;
        Ok(Txid::from_byte_array(bytes))
    }
}

/// An output of a Bitcoin transaction: txid, then u32 little endian.
pub mod outpoint {
    use bitcoin::OutPoint;
    use borsh::io::{Read, Result, Write};

    /// Writes the 36 bytes.
    pub fn write<W: Write>(outpoint: &OutPoint, writer: &mut W) -> Result<()> {
        super::txid::write(&outpoint.txid, writer)?;
        borsh::BorshSerialize::serialize(&outpoint.vout, writer)
    }

    /// Reads the 36 bytes.
    pub fn read<R: Read>(reader: &mut R) -> Result<OutPoint> {
        let txid = super::txid::read(reader)?;
        let vout = <u32 as borsh::BorshDeserialize>::deserialize_reader(reader)?;
        Ok(OutPoint { txid, vout })
    }
}

/// A Bitcoin script: length (u32 little endian), then the bytes.
pub mod script {
    use bitcoin::ScriptBuf;
    use borsh::io::{Read, Result, Write};

    /// Writes length and bytes.
    pub fn write<W: Write>(script: &ScriptBuf, writer: &mut W) -> Result<()> {
        borsh::BorshSerialize::serialize(script.as_bytes(), writer)
    }

    /// Reads length and bytes.
    pub fn read<R: Read>(reader: &mut R) -> Result<ScriptBuf> {
        Ok(ScriptBuf::from_bytes(<Vec<u8> as borsh::BorshDeserialize>::deserialize_reader(reader)?))
    }
}

/// An account in JSON: its 33 bytes in hex.
pub mod account_hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};
    use windlass_types::AccountId;

    /// Writes hex.
    ///
    /// # Errors
    /// As the serializer's.
    pub fn serialize<S: Serializer>(account: &AccountId, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&hex::encode(account.to_bytes()))
    }

    /// Reads hex.
    ///
    /// # Errors
    /// Not hex, not 33 bytes, or an unknown kind.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<AccountId, D::Error> {
        let bytes = hex::decode(String::deserialize(d)?).map_err(D::Error::custom)?;
        borsh::from_slice(&bytes).map_err(D::Error::custom)
    }
}
