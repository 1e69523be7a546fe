//! Both sides of a connection say which version of the API they speak: one of another version is refused by name,
//! and never half understood.

use crate::api::{API_VERSION, ApiError, Code, VERSION_HEADER};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use std::time::Duration;

/// A layer for servers: refuses a client that says another version, and tells all which one this is.
pub async fn serve_one_version(request: Request, next: Next) -> Response {
    let mut response = match said(request.headers()) {
        // Who says none is a person with curl, or a program that reads the API's description.
        None => next.run(request).await,
        Some(version) if version == API_VERSION => next.run(request).await,
        Some(version) => {
            let message = format!("this side speaks version {API_VERSION} of Windlass's API, the client {version}");
            ApiError::new(Code::Version, message).hint("see which Windlass it is", "windlass --version").into_response()
        }
    };
    response.headers_mut().insert(VERSION_HEADER, HeaderValue::from_static(API_VERSION));
    response
}

/// What a client says with each request.
pub fn headers() -> HeaderMap {
    HeaderMap::from_iter([(axum::http::HeaderName::from_static(VERSION_HEADER), HeaderValue::from_static(API_VERSION))])
}

/// What asks a server at `base` of ours, in so much time to connect: no proxy, and every request says the version. A base with
/// `https://` is believed with a certificate that this machine's roots vouch for.
pub fn client(base: &str, connect: Duration) -> reqwest::Client {
    let builder = || reqwest::Client::builder().connect_timeout(connect).no_proxy().default_headers(headers());
    // Reading the system's roots takes its time, and fails where there are none: not for who needs none.
    let trusting = if base.starts_with("https://") { builder().build().ok() } else { None };
    trusting.unwrap_or_else(|| {
        builder().tls_certs_only([]).build().expect("a client that trusts nobody needs nothing of the system")
    })
}

/// What a client looks at before it reads an answer from `base`.
///
/// # Errors
/// The server speaks another version, or is no Windlass.
pub fn check(base: &str, headers: &HeaderMap) -> Result<(), ApiError> {
    match said(headers) {
        Some(version) if version == API_VERSION => Ok(()),
        Some(version) => Err(ApiError::new(
            Code::Version,
            format!("{base} speaks version {version} of Windlass's API, this program {API_VERSION}"),
        )
        .hint("see which Windlass this is", "windlass --version")),
        None => Err(ApiError::new(Code::Version, format!("{base} does not speak Windlass's API, or an older version"))
            .hint("see which Windlass this is", "windlass --version")),
    }
}

fn said(headers: &HeaderMap) -> Option<String> {
    headers.get(VERSION_HEADER).map(|value| String::from_utf8_lossy(value.as_bytes()).chars().take(32).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{Http, MemberClient};
    use axum::{Json, Router, middleware, routing::get};

    async fn serve(router: Router) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}")
    }

    fn hello() -> Router {
        Router::new().route("/v1/hello", get(|| async { Json(7) }))
    }

    #[tokio::test]
    async fn one_version_is_served_and_others_are_refused_by_name() {
        let base = serve(hello().layer(middleware::from_fn(serve_one_version))).await;
        assert_eq!(Http::new(&base).get::<u8>("/hello", Duration::ZERO).await, Ok(7));
        let plain = reqwest::get(format!("{base}/v1/hello")).await.expect("it answers");
        assert_eq!(
            (plain.status().as_u16(), &plain.headers()[VERSION_HEADER]),
            (200, &API_VERSION.parse().expect("text"))
        );
        let request = reqwest::Client::new().get(format!("{base}/v1/hello")).header(VERSION_HEADER, "1");
        let refused = request.send().await.expect("it answers");
        assert_eq!(refused.status().as_u16(), 426);
        let error: ApiError = refused.json().await.expect("an error");
        assert!(error.code == Code::Version && error.message.contains("the client 1"), "{error:?}");
    }

    #[tokio::test]
    async fn a_client_reads_no_answer_of_another_version() {
        let base = serve(hello()).await;
        let error = Http::new(&base).get::<u8>("/hello", Duration::ZERO).await.expect_err("it says no version");
        assert!(error.code == Code::Version && error.message.contains(&base), "{error:?}");
        let newer = |mut response: Response| async {
            response.headers_mut().insert(VERSION_HEADER, HeaderValue::from_static("99"));
            response
        };
        let base = serve(hello().layer(middleware::map_response(newer))).await;
        let error = MemberClient::new(&base).chain().await.expect_err("it is of another version");
        assert!(error.code == Code::Version && error.message.contains("version 99"), "{error:?}");
    }
}
