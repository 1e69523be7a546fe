use super::*;
use axum::{Json, Router, middleware, routing::post};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::Notify;

/// Counts its calls; `{"fail": 402}` fails so, `{"wait": true}` waits.
#[derive(Default)]
struct Till {
    paid: AtomicU64,
    entered: Notify,
    go: Notify,
}

async fn pay(till: Arc<Till>, request: Value) -> Response {
    if let Some(status) = request["fail"].as_u64() {
        let code = if status == 400 { Code::Usage } else { Code::InsufficientFunds };
        till.paid.fetch_add(1, Ordering::SeqCst);
        return ApiError::new(code, "no").into_response();
    }
    if request["wait"] == true {
        till.entered.notify_one();
        till.go.notified().await;
    }
    Json(json!({"paid": till.paid.fetch_add(1, Ordering::SeqCst) + 1})).into_response()
}

struct Server {
    base: String,
    till: Arc<Till>,
}

impl Server {
    async fn over(store: &Arc<Store>) -> Self {
        let till = Arc::new(Till::default());
        let once = Arc::new(Once::open(Arc::clone(store)).expect("readable"));
        let handler = {
            let till = Arc::clone(&till);
            move |Json(request): Json<Value>| pay(till, request)
        };
        let router = Router::new()
            .route("/pay", post(handler.clone()))
            .route("/burn", post(handler))
            .layer(middleware::from_fn_with_state(once, layer));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { base, till }
    }

    async fn post(&self, path: &str, key: Option<&str>, body: &Value) -> (u16, bool, Value) {
        let mut request = reqwest::Client::new().post(format!("{}{path}", self.base)).json(body);
        if let Some(key) = key {
            request = request.header(KEY, key);
        }
        let response = request.send().await.expect("an answer");
        let replayed = response.headers().contains_key(REPLAYED);
        (response.status().as_u16(), replayed, response.json().await.expect("JSON"))
    }

    fn paid(&self) -> u64 {
        self.till.paid.load(Ordering::SeqCst)
    }
}

fn store() -> (tempfile::TempDir, Arc<Store>) {
    let dir = tempfile::tempdir().expect("a folder");
    let store = Store::open_log(dir.path().join("store")).expect("a store");
    (dir, store)
}

#[tokio::test]
async fn a_request_with_a_key_is_done_once_also_after_a_restart() {
    let (_dir, store) = store();
    let server = Server::over(&store).await;
    let body = json!({"amount": 1});
    assert_eq!(server.post("/pay", Some("a"), &body).await, (200, false, json!({"paid": 1})));
    assert_eq!(server.post("/pay", Some("a"), &body).await, (200, true, json!({"paid": 1})));
    // A failure is an answer as well: something may have been done.
    assert_eq!(server.post("/pay", Some("poor"), &json!({"fail": 402})).await.0, 402);
    assert!(server.post("/pay", Some("poor"), &json!({"fail": 402})).await.1);
    assert_eq!(server.paid(), 2);
    let again = Server::over(&store).await;
    assert_eq!(again.post("/pay", Some("a"), &body).await, (200, true, json!({"paid": 1})));
    assert_eq!(again.paid(), 0);
    // Without a key, and with another one, it is another request.
    assert_eq!(again.post("/pay", None, &body).await, (200, false, json!({"paid": 1})));
    assert_eq!(again.post("/pay", Some("b"), &body).await, (200, false, json!({"paid": 2})));
}

#[tokio::test]
async fn a_key_is_for_one_request_and_mistakes_may_be_mended() {
    let (_dir, store) = store();
    let server = Server::over(&store).await;
    assert_eq!(server.post("/pay", Some("a"), &json!({"amount": 1})).await.0, 200);
    for (path, body) in [("/pay", json!({"amount": 2})), ("/burn", json!({"amount": 1}))] {
        let (status, _, error) = server.post(path, Some("a"), &body).await;
        assert_eq!((status, error["code"].as_str()), (409, Some("conflict")), "{path} {body}");
    }
    assert_eq!(server.paid(), 1);
    assert_eq!(server.post("/pay", Some("typo"), &json!({"fail": 400})).await.0, 400);
    assert_eq!(server.post("/pay", Some("typo"), &json!({"amount": 1})).await.0, 200);
    for key in ["", &"x".repeat(65), "a b"] {
        assert_eq!(server.post("/pay", Some(key), &json!({})).await.0, 400, "{key:?}");
    }
}

#[tokio::test]
async fn what_is_under_way_is_not_begun_again_and_ends_without_its_client() {
    let (_dir, store) = store();
    let server = Server::over(&store).await;
    let body = json!({"wait": true});
    let url = format!("{}/pay", server.base);
    let first = tokio::spawn(reqwest::Client::new().post(url).json(&body).header(KEY, "slow").send());
    server.till.entered.notified().await;
    assert_eq!(server.post("/pay", Some("slow"), &body).await.0, 409);
    // Another process finds what this one was at when it stopped.
    let (status, _, error) = Server::over(&store).await.post("/pay", Some("slow"), &body).await;
    assert!(status == 409 && error["message"].as_str().is_some_and(|text| text.contains("stopped")), "{error}");
    first.abort();
    server.till.go.notify_one();
    let answered = async {
        loop {
            let answer = server.post("/pay", Some("slow"), &body).await;
            if answer.0 == 200 {
                return answer;
            }
            tokio::task::yield_now().await;
        }
    };
    let answer = tokio::time::timeout(std::time::Duration::from_secs(30), answered).await.expect("in time");
    assert_eq!((answer, server.paid()), ((200, true, json!({"paid": 1})), 1));
}

#[test]
fn the_oldest_keys_go_first() {
    let (_dir, store) = store();
    let once = Once::open(Arc::clone(&store)).expect("readable");
    let said = || Some(Said { status: 200, body: "1".into() });
    assert!(matches!(once.begin("running", "hash"), Ok(Plan::Do)));
    for number in 0..KEYS_MAX {
        assert!(matches!(once.begin(&number.to_string(), "hash"), Ok(Plan::Do)));
        once.end(&number.to_string(), said()).expect("kept");
    }
    let again = Once::open(store).expect("readable");
    assert_eq!(again.lock().known.len(), KEYS_MAX);
    assert!(again.lock().known.contains_key("running"), "what is under way stays");
    assert!(!again.lock().known.contains_key("0"));
    assert!(matches!(again.begin("1", "hash"), Ok(Plan::Say(_))));
}
