//! Shapes of other crates' types in the API's description: those crates know nothing of it.

use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, SchemaType, Type};
use utoipa::openapi::{KnownFormat, RefOr, Schema, SchemaFormat};
use utoipa::{PartialSchema, ToSchema};

fn plain(kind: Type) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::Type(kind))
}

fn text(what: &str) -> ObjectBuilder {
    plain(Type::String).description(Some(what))
}

fn whole(what: &str) -> ObjectBuilder {
    plain(Type::Integer)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(0))
        .description(Some(what))
}

fn block_ref_object() -> ObjectBuilder {
    ObjectBuilder::new()
        .property("height", whole("Its height."))
        .required("height")
        .property("hash", text("Its hash, as Bitcoin shows it."))
        .required("hash")
        .description(Some("A Bitcoin block."))
}

/// A Bitcoin block.
pub(crate) fn block_ref() -> Schema {
    block_ref_object().into()
}

/// A Bitcoin block, or none.
pub(crate) fn block_ref_opt() -> Schema {
    OneOfBuilder::new().item(plain(Type::Null)).item(block_ref_object()).into()
}

/// [`windlass_ledger::AssetTerms`].
pub(crate) fn asset_terms() -> Schema {
    ObjectBuilder::new()
        .property("ticker", text("Capitals and digits, a letter first; not unique."))
        .required("ticker")
        .property("name", text("A name for people."))
        .required("name")
        .property("decimals", whole("How many digits stand behind the point."))
        .required("decimals")
        .property("units", whole("Units that the issuance makes."))
        .required("units")
        .property("reissuable", plain(Type::Boolean).description(Some("May the issuer make more later?")))
        .required("reissuable")
        .into()
}

/// What a block did, one by one: [`windlass_ledger::Receipt`].
pub(crate) fn receipts() -> Schema {
    ArrayBuilder::new().items(ObjectBuilder::new().description(Some("One thing that the block did."))).into()
}

/// [`windlass_light::ProofFile`].
pub(crate) struct ProofFileSchema;

impl PartialSchema for ProofFileSchema {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .property("format", text("`windlass-proof`."))
            .required("format")
            .property("version", whole("The version of the form."))
            .required("version")
            .property("chain", text("The chain."))
            .required("chain")
            .property(
                "links",
                ArrayBuilder::new().description(Some("How the members of each epoch follow from those before.")),
            )
            .required("links")
            .property("header", text("The header's canonical encoding, in hex."))
            .required("header")
            .property("certificate", text("The members' certificate, in hex; empty for the genesis block."))
            .required("certificate")
            .property("claim", ObjectBuilder::new().description(Some("The fact, by its `kind`.")))
            .required("claim")
            .into()
    }
}

impl ToSchema for ProofFileSchema {
    fn name() -> std::borrow::Cow<'static, str> {
        "ProofFile".into()
    }
}
