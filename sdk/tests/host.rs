//! Connectors against the fake host: what arguments, answers and pulls turn into.

#![allow(clippy::unwrap_used)]

use sallyport_sdk::http::{self, Part};
use sallyport_sdk::prelude::*;
use sallyport_sdk::testing::{FakeHost, Reply};
use sallyport_sdk::webhooks::{Hint, Webhooks};
use serde_json::json;

export! {
    account: identify,
    tools: [count, nothing, write_twice],
    sync: Forgetful,
    webhooks: Forgetful,
}

fn identify() -> Result<Identity, Failure> {
    let facts = sallyport_sdk::credentials::facts();
    Ok(Identity::new(facts.account.clone(), facts.setting("name").unwrap_or_default()))
}

/// What to count.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Count {
    /// Words, by group.
    pub groups: Vec<Group>,
}

/// A group of words.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// The words.
    pub words: Vec<String>,
}

/// How many there were.
#[derive(Serialize, JsonSchema)]
pub struct Counted {
    /// In all.
    pub count: usize,
}

impl Counted {
    fn documents(&self) -> Vec<String> {
        vec![format!("d{}", self.count)]
    }
}

/// Counts words.
///
/// In all groups.
#[tool(title = "Count", documents = Counted::documents)]
pub fn count(input: Count) -> Result<Counted, Failure> {
    Ok(Counted { count: input.groups.iter().map(|group| group.words.len()).sum() })
}

/// Does nothing.
#[tool(title = "Nothing")]
pub fn nothing() -> Result<(), Failure> {
    Ok(())
}

/// Writes twice.
#[tool(title = "Write twice")]
pub fn write_twice() -> Result<(), Failure> {
    http::post("https://api.example.com/first").send()?.ok()?;
    http::post("https://api.example.com/second").send()?.ok()?;
    Ok(())
}

struct Forgetful;

impl sync::Sync for Forgetful {
    fn streams() -> Result<Vec<Stream>, Failure> {
        Ok(vec![Stream::new("all", "All")])
    }

    fn pull(_: &Job, sink: &mut Sink) -> Result<Outcome, Failure> {
        sink.upsert(Document::new("d1", "page", "One"))?;
        Ok(Outcome::Complete(Coverage::Whole))
    }
}

impl Webhooks for Forgetful {
    fn receive(_: &[(String, String)], body: &[u8]) -> Result<Vec<Hint>, Failure> {
        Ok(vec![Hint::Document(String::from_utf8_lossy(body).into_owned())])
    }
}

fn refused(tool: &str, arguments: &str) -> String {
    let arguments = serde_json::from_str(arguments).expect("the test's own JSON");
    match FakeHost::new().invoke::<Connector>(tool, arguments) {
        Err(Failure::InvalidInput(message)) => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn wrong_arguments_are_told_with_their_place() {
    assert_eq!(
        refused("count", r#"{ "groups": [{ "words": [] }, { "words": ["a", 5] }] }"#),
        "count: `groups[1].words[1]`: invalid type: integer `5`, expected a string"
    );
    assert_eq!(refused("count", "{}"), "count: the arguments: missing field `groups`");
    assert!(refused("count", r#"{ "groups": [], "group": 1 }"#).contains("unknown field `group`"));
    assert!(refused("nothing", r#"{ "a": 1 }"#).contains("unknown field `a`"));
    assert!(refused("count", "[]").starts_with("count: the arguments"));
}

#[test]
fn a_tool_answers_with_json_and_documents() {
    let host = FakeHost::new();
    let output = host.invoke::<Connector>("count", json!({ "groups": [{ "words": ["a", "b"] }] })).unwrap();
    assert_eq!((output.json, output.documents), (json!({ "count": 2 }), vec!["d2".to_owned()]));
    assert_eq!(host.invoke::<Connector>("nothing", json!({})).unwrap().json, json!(null));
    assert!(matches!(host.invoke::<Connector>("other", json!({})), Err(Failure::NotFound(_))));
}

#[test]
fn tools_describe_themselves() {
    let described = FakeHost::new().describe::<Connector>();
    assert_eq!(described[0]["name"], "count");
    assert_eq!(described[0]["title"], "Count");
    assert_eq!(described[0]["description"], "Counts words.\n\nIn all groups.");
    let group = &described[0]["input"]["properties"]["groups"]["items"];
    assert_eq!(group["properties"]["words"]["items"], json!({ "type": "string" }));
    assert_eq!(described[0]["output"]["required"], json!(["count"]));
    assert_eq!(described[1]["input"]["additionalProperties"], json!(false));
}

#[test]
fn changes_without_a_checkpoint_fail_the_pull_and_are_lost() {
    let host = FakeHost::new();
    let failure = host.pull::<Connector>(&Job::new("all")).unwrap_err();
    assert!(matches!(failure, Failure::Other(problem) if problem.code == "missing-checkpoint"));
    assert!(host.stored().documents.is_empty());
}

#[test]
fn later_is_said_only_while_nothing_was_changed() {
    let busy = || Reply::status(429).header("Retry-After", "3");
    let host = FakeHost::new().respond("POST", "https://api.example.com/first", busy());
    let failure = host.invoke::<Connector>("write_twice", json!({})).unwrap_err();
    assert!(matches!(failure, Failure::Later { millis: 3000, .. }), "{failure}");

    let host = FakeHost::new().respond("POST", "https://api.example.com/first", Reply::status(201)).respond(
        "POST",
        "https://api.example.com/second",
        busy(),
    );
    let failure = host.invoke::<Connector>("write_twice", json!({})).unwrap_err();
    assert!(matches!(failure, Failure::Other(problem) if problem.code == "stopped-after-a-write"));
}

#[test]
fn a_status_is_the_failure_that_it_means() {
    let outcome = |status: u16| {
        let host = FakeHost::new().respond("GET", "https://api.example.com/x", Reply::text(status, "because"));
        host.run(|| http::get("https://api.example.com/x").send().unwrap().ok().map(drop))
    };
    assert!(outcome(204).is_ok());
    assert!(matches!(outcome(401), Err(Failure::NeedsReauth(message)) if message.contains("because")));
    assert!(matches!(outcome(403), Err(Failure::Forbidden(_))));
    assert!(matches!(outcome(404), Err(Failure::NotFound(_))));
    assert!(matches!(outcome(422), Err(Failure::InvalidInput(_))));
    assert!(matches!(outcome(503), Err(Failure::Later { millis: 10_000, .. })));
    assert!(matches!(outcome(500), Err(Failure::Other(problem)) if problem.code == "http-500"));
}

#[test]
fn an_unexpected_answer_says_where_it_does_not_fit() {
    let host = FakeHost::new().respond("GET", "https://api.example.com/x", json!({ "count": "many" }));
    let failure =
        host.run(|| http::get("https://api.example.com/x").send()?.json::<std::collections::HashMap<String, u8>>());
    let Err(Failure::Other(problem)) = failure else { panic!("{failure:?}") };
    assert_eq!(problem.code, "unexpected-answer");
    assert!(problem.message.contains("expected u8") && problem.message.contains("many"), "{}", problem.message);
}

#[test]
fn requests_carry_what_was_built() {
    let host = FakeHost::new().file("f1", "text/plain", "file").respond(
        "POST",
        "https://api.example.com/{kind}",
        Reply::status(204),
    );
    host.run(|| {
        let request = http::post("https://api.example.com/form").query("a b", "c&d").query_opt("none", None::<u8>);
        request.form([("x", "1 2")]).header("Accept", "text/plain").slot("bot").send().unwrap();
        let file = blobs::open("f1").unwrap();
        let parts = vec![Part::text("about", "a file"), Part::file("file", "a.txt", file)];
        http::post("https://api.example.com/parts").multipart(parts).send().unwrap();
    });
    let sent = host.requests();
    assert_eq!(sent[0].url, "https://api.example.com/form?a+b=c%26d");
    assert_eq!(sent[0].query("a b").as_deref(), Some("c&d"));
    assert_eq!(sent[0].body, b"x=1+2");
    assert_eq!(sent[0].header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!((sent[0].header("accept"), sent[0].slot.as_deref()), (Some("text/plain"), Some("bot")));
    assert_eq!(sent[1].parts[1].body, b"file");
    assert_eq!(sent[1].parts[1].media_type.as_deref(), Some("text/plain"));
}

#[test]
fn answers_to_many_requests_come_in_order() {
    let host = FakeHost::new().respond_with("GET", "https://api.example.com/{n}", |sent| Reply::text(200, sent.path()));
    let answers = host.run(|| http::send_all((0..70).map(|n| http::get(format!("https://api.example.com/{n}")))));
    let texts: Vec<String> = answers.into_iter().map(|answer| answer.unwrap().text()).collect();
    assert_eq!(texts.len(), 70);
    assert_eq!((texts[0].as_str(), texts[33].as_str(), texts[69].as_str()), ("/0", "/33", "/69"));
}

#[test]
fn a_large_answer_is_kept_by_the_host() {
    let large = vec![b'x'; 5 * 1024 * 1024];
    let host = FakeHost::new().respond("GET", "https://api.example.com/x", Reply::bytes("text/plain", large));
    host.run(|| {
        let inline = http::get("https://api.example.com/x").send();
        assert!(matches!(inline, Err(http::Error::TooLarge(5_242_880))));
        let blob = http::get("https://api.example.com/x").to_blob().send().unwrap().into_blob().unwrap();
        assert_eq!(blob.size(), Some(5_242_880));
        assert_eq!(blob.read(10).unwrap().len(), 10);
        assert_eq!(blob.read_to_end(6 * 1024 * 1024).unwrap().len(), 5_242_870);
        assert!(blob.read(1).unwrap().is_empty());
    });
}

#[test]
fn facts_hints_and_what_nobody_told() {
    let host = FakeHost::new().account("a1").setting("name", "Ada");
    assert_eq!(host.identify::<Connector>().unwrap(), Identity::new("a1", "Ada"));
    assert_eq!(host.receive::<Connector>(&[], b"d9").unwrap(), [Hint::Document("d9".into())]);
    let failure = host.run(|| http::get("https://api.example.com/other").send()).unwrap_err();
    assert!(failure.to_string().contains("no answer to GET https://api.example.com/other"));
    let random = host.run(|| sallyport_sdk::random::bytes(4));
    assert_eq!(random, FakeHost::new().run(|| sallyport_sdk::random::bytes(4)));
}
