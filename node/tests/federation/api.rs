//! What members really answer has the shapes that their description says; lists by pages; events from any position.

use crate::fed::DEADLINE;
use futures::StreamExt as _;
use serde_json::Value;
use windlass_node::api::member::{BlockEvent, DepositInfo};
use windlass_node::api::{API_VERSION, Page, VERSION_HEADER};

/// The member's description of its API.
pub struct Described {
    base: String,
    compiler: boon::Compiler,
    described: usize,
}

const AT: &str = "http://windlass/openapi.json";

impl Described {
    pub async fn by(base: &str) -> Self {
        let api: Value = reqwest::get(format!("{base}/v1/openapi.json")).await.unwrap().json().await.unwrap();
        let described = api["paths"].as_object().expect("paths").len();
        let mut compiler = boon::Compiler::new();
        compiler.add_resource(AT, api).expect("a document");
        Self { base: base.to_owned(), compiler, described }
    }

    /// Asks each of `calls` (the path as described, and as asked) and compares the answer with the description.
    pub async fn holds(mut self, calls: &[(&str, String)]) {
        for (path, asked) in calls {
            let response = reqwest::get(format!("{}{asked}", self.base)).await.expect("an answer");
            assert_eq!(response.headers()[VERSION_HEADER], API_VERSION, "{asked}");
            let status = response.status().as_u16();
            let answer: Value = response.json().await.expect("JSON");
            self.check(path, if status == 200 { "200" } else { "default" }, &answer);
            let strange = Value::from("strange");
            assert!(!self.fits(path, "200", &strange), "{path} describes nothing");
        }
        // The stream of events, the snapshot and the two that take transactions are asked elsewhere.
        let mut asked: Vec<_> = calls.iter().map(|(path, _)| path).collect();
        asked.sort_unstable();
        asked.dedup();
        assert_eq!(asked.len() + 4, self.described, "a path is described and not asked");
    }

    pub fn fits(&mut self, path: &str, status: &str, answer: &Value) -> bool {
        self.outcome(path, status, answer).is_ok()
    }

    fn check(&mut self, path: &str, status: &str, answer: &Value) {
        if let Err(error) = self.outcome(path, status, answer) {
            panic!("{path}: {error}\n{answer}");
        }
    }

    fn outcome(&mut self, path: &str, status: &str, answer: &Value) -> Result<(), String> {
        let path = path.replace('/', "~1").replace('{', "%7B").replace('}', "%7D");
        let place = format!("{AT}#/paths/{path}/get/responses/{status}/content/application~1json/schema");
        let mut schemas = boon::Schemas::new();
        let schema = self.compiler.compile(&place, &mut schemas).map_err(|error| format!("{error:#}"))?;
        schemas.validate(answer, schema).map_err(|error| format!("{error:#}"))
    }
}

/// The deposits of an account, one by one.
pub async fn deposits_by_pages(base: &str, address: &str) -> Vec<DepositInfo> {
    let mut all = Vec::new();
    let mut from = String::new();
    loop {
        let url = format!("{base}/v1/deposits?account={address}&limit=1{from}");
        let page: Page<DepositInfo> = reqwest::get(url).await.unwrap().json().await.unwrap();
        assert!(page.items.len() <= 1);
        all.extend(page.items);
        let Some(next) = page.next else { return all };
        from = format!("&from={next}");
    }
}

/// The first `count` events of a reader that has read up to `last`, or begins at `from`.
pub async fn events(base: &str, from: Option<u64>, last: Option<u64>, count: usize) -> Vec<(u64, BlockEvent)> {
    let from = from.map(|from| format!("?from={from}")).unwrap_or_default();
    let mut request = reqwest::Client::new().get(format!("{base}/v1/events{from}"));
    if let Some(last) = last {
        request = request.header("last-event-id", last.to_string());
    }
    let mut stream = request.send().await.expect("it answers").bytes_stream();
    let (mut text, mut events) = (String::new(), Vec::new());
    let reading = async {
        while events.len() < count {
            text.push_str(
                std::str::from_utf8(&stream.next().await.expect("it goes on").expect("bytes")).expect("text"),
            );
            while let Some((event, rest)) = text.split_once("\n\n") {
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
                if field("event:") == Some("block") {
                    let id = field("id:").and_then(|id| id.parse().ok()).expect("a position");
                    events.push((id, serde_json::from_str(field("data:").expect("data")).expect("a block")));
                }
                text = rest.to_owned();
            }
        }
    };
    tokio::time::timeout(DEADLINE, reading).await.expect("in time");
    events.truncate(count);
    events
}
