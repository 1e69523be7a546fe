//! The API's description, made from the routes' own code: OpenAPI 3.1.

use super::{Service, assets, chain, events, federation, pegs, preimages, promises, proofs, snapshot, transactions};
use crate::api::{API_VERSION, ApiError, PREFIX};
use axum::routing::get;
use axum::{Json, Router};
use utoipa::OpenApi as _;
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, ResponseBuilder, ResponsesBuilder};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What stands at its head.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Windlass sidechain",
        description = "What members and followers answer. Amounts are whole satoshis in fields named `*_sat`, heights are \
                   plain numbers, hashes and encodings are hex. Each answer says the API's version in the header \
                   `windlass-api`; a request that says another one is refused with 426.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    components(schemas(ApiError))
)]
struct Head;

/// Where the description is.
const PATH: &str = "/v1/openapi.json";

fn described() -> (Router<Service>, OpenApi) {
    let routes = OpenApiRouter::new()
        .routes(routes!(chain::tip))
        .routes(routes!(chain::genesis))
        .routes(routes!(chain::blocks))
        .routes(routes!(chain::block))
        .routes(routes!(chain::bitcoin))
        .routes(routes!(snapshot::snapshot))
        .routes(routes!(events::events))
        .routes(routes!(transactions::submit))
        .routes(routes!(transactions::submit_batch))
        .routes(routes!(transactions::status))
        .routes(routes!(pegs::account))
        .routes(routes!(assets::balances))
        .routes(routes!(assets::list))
        .routes(routes!(assets::asset))
        .routes(routes!(pegs::deposits))
        .routes(routes!(pegs::deposit))
        .routes(routes!(pegs::peg_outs))
        .routes(routes!(pegs::peg_out))
        .routes(routes!(preimages::preimage))
        .routes(routes!(promises::address))
        .routes(routes!(promises::mint))
        .routes(routes!(promises::peg_out))
        .routes(routes!(proofs::account))
        .routes(routes!(proofs::units))
        .routes(routes!(proofs::transaction))
        .routes(routes!(proofs::params))
        .routes(routes!(proofs::epochs))
        .routes(routes!(proofs::lock))
        .routes(routes!(federation::params))
        .routes(routes!(federation::show));
    let (router, mut api) = OpenApiRouter::with_openapi(Head::openapi()).nest(PREFIX, routes).split_for_parts();
    api.info.version = API_VERSION.to_owned();
    add_errors(&mut api);
    (router, api)
}

/// Each path may answer with an error, always of the same shape.
fn add_errors(api: &mut OpenApi) {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("ApiError"))).build();
    let error = ResponseBuilder::new()
        .description("An error: 400 usage, 402 not enough funds, 404, 409, 426 version, 500, 503 not running, 504.")
        .content("application/json", content)
        .build();
    for path in api.paths.paths.values_mut() {
        for operation in [&mut path.get, &mut path.post].into_iter().flatten() {
            let mut all = std::mem::take(&mut operation.responses);
            for response in all.responses.values_mut() {
                if let RefOr::T(response) = response {
                    response.description = "The answer.".into();
                }
            }
            operation.responses =
                ResponsesBuilder::new().responses_from_iter(all.responses).response("default", error.clone()).build();
        }
    }
}

/// All routes, and the description among them.
pub(super) fn router() -> Router<Service> {
    let (router, api) = described();
    router.route(PATH, get(move || std::future::ready(Json(api.clone()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `docs/api/sidechain.json` is what the code says. WINDLASS_GOLDEN=write writes it.
    #[test]
    fn the_description_in_the_docs_is_this_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/api/sidechain.json");
        let said = described().1.to_pretty_json().expect("JSON") + "\n";
        if std::env::var_os("WINDLASS_GOLDEN").is_some_and(|value| value == "write") {
            std::fs::write(path, &said).expect("written");
        }
        let known = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            said == known,
            "the API has changed: see the difference after WINDLASS_GOLDEN=write cargo test openapi"
        );
    }

    #[test]
    fn each_path_says_how_it_fails() {
        let api = described().1;
        assert!(api.paths.paths.len() >= 20);
        for (path, item) in &api.paths.paths {
            for operation in [&item.get, &item.post].into_iter().flatten() {
                assert!(operation.responses.responses.contains_key("default"), "{path}");
                assert!(operation.summary.is_some() || operation.description.is_some(), "{path}");
            }
        }
    }
}
