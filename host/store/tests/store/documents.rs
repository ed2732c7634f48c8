//! What the agent asks: whole documents, places by name, audiences, conversations.

use std::sync::Arc;

use sallyport::connection::{Owner, Setting};
use sallyport::document::{Access, Change, Content, Document, Principal};
use sallyport::ids::{ConnectionId, ConnectorId, SubjectId, TenantId, Timestamp, ToolName};
use sallyport::tool::{OfferedTool, ToolDestination, ToolEffect};
use sallyport_agent::ports::{Audience, Conversations, Documents, Turn, TurnOutcome};
use sallyport_index::{DocumentKey, Readers};
use serde_json::json;

use crate::given::{Given, caller, container, document, email, inherits, readers, upsert};

async fn filled() -> Given {
    let given = Given::new().await;
    let mut trello = given.connection("trello", "s1", Owner::Workspace).await;
    let minutes = Document {
        container: Some("list".into()),
        content: Content::Markdown("# Minutes\n\nAll of it.".into()),
        title: " Q4 Minutes ".into(),
        ..document("minutes", "", inherits(&["list"]))
    };
    trello
        .commit(vec![
            container("secret", None, readers(&[email("boss@acme.test")])),
            container("board", Some("secret"), readers(&[email("ann@acme.test"), email("bo@acme.test")])),
            container("list", Some("board"), inherits(&["board"])),
            container("open", None, readers(&[Principal::Anyone])),
            container("unsure", None, Access::Unknown),
            Change::Upsert(Box::new(minutes)),
            upsert("salaries", "Secret.", readers(&[email("boss@acme.test")])),
        ])
        .await;
    given.settle().await;
    given
}

#[tokio::test]
async fn a_document_is_read_whole_by_who_may_and_shows_only_what_they_may_see() {
    let given = filled().await;
    let ann = caller("ann@acme.test");
    let key = given.resolved(&ann).await[0].document.key;
    let whole = given.store.read(&ann, key).await.unwrap().unwrap();
    assert_eq!(whole.content, Content::Markdown("# Minutes\n\nAll of it.".into()));
    assert_eq!(whole.info.path, ["Folder board", "Folder list"], "not the folder above, which Ann may not read");
    assert_eq!(whole.label.readers.count(), Some(2));
    assert_eq!(given.store.read(&caller("boss@acme.test"), key).await.unwrap(), None);
    assert_eq!(given.store.read(&ann, DocumentKey(4711)).await.unwrap(), None);
    let mut foreign = ann;
    foreign.tenant = TenantId::new("other");
    assert_eq!(given.store.read(&foreign, key).await.unwrap_err().code, "not-found");
}

#[tokio::test]
async fn places_are_found_by_name_and_id_as_far_as_the_caller_reads_them() {
    let given = filled().await;
    let (ann, trello) = (caller("ann@acme.test"), ConnectionId::new("trello"));
    let found = given.store.named(&ann, "  q4 MINUTES", 10).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].id.as_str(), found[0].connections.as_slice()), ("minutes", &[trello.clone()][..]));
    let found = given.store.named(&ann, "folder BOARD", 10).await.unwrap();
    assert_eq!((found[0].id.as_str(), found[0].kind.as_str(), found.len()), ("board", "folder", 1));
    assert!(found[0].path.is_empty());
    for name in ["Folder secret", "Title of salaries", "nothing"] {
        assert!(given.store.named(&ann, name, 10).await.unwrap().is_empty(), "{name}");
    }
    assert!(given.store.named(&ann, "Q4 Minutes", 0).await.unwrap().is_empty());

    assert_eq!(given.store.with_id(&ann, &trello, "list").await.unwrap().unwrap().path, ["Folder board"]);
    assert_eq!(given.store.with_id(&ann, &trello, "minutes").await.unwrap().unwrap().name, " Q4 Minutes ");
    assert_eq!(given.store.with_id(&ann, &trello, "salaries").await.unwrap(), None);
    assert_eq!(given.store.with_id(&ann, &ConnectionId::new("none"), "list").await.unwrap(), None);
    let own = given.connection("bo's", "s1-of-bo", Owner::Person(SubjectId::new("bo"))).await;
    assert_eq!(given.store.with_id(&ann, &own.at.connection, "list").await.unwrap(), None, "bo's own connection");
}

pub(crate) fn tool(destination: ToolDestination) -> OfferedTool {
    OfferedTool {
        connection: ConnectionId::new("trello"),
        connection_name: "Trello".into(),
        connector: ConnectorId::new("trello").unwrap(),
        tool: ToolName::new("create_card").unwrap(),
        title: String::new(),
        description: String::new(),
        input: Arc::new(json!({})),
        output: None,
        effect: ToolEffect::Write,
        setting: Setting::Auto,
        destination,
        control: Vec::new(),
    }
}

#[tokio::test]
async fn an_audience_is_known_where_the_caller_sees_the_destination() {
    let given = filled().await;
    let ann = caller("ann@acme.test");
    let audience = async |destination: ToolDestination, id: &str| {
        given.store.audience(&ann, &tool(destination), &json!({ "to": id })).await.unwrap()
    };
    let to = || ToolDestination::Container("/to".into());
    let people =
        |names: &[&str]| Readers { people: names.iter().map(ToString::to_string).collect(), ..Readers::default() };
    let both = people(&["ann@acme.test", "bo@acme.test"]);
    assert_eq!(audience(to(), "list").await, Audience::Known { name: "Folder list".into(), readers: both.clone() });
    let anyone = Readers { anyone: true, ..Readers::default() };
    assert_eq!(audience(to(), "open").await, Audience::Known { name: "Folder open".into(), readers: anyone });
    for hidden in ["secret", "unsure", "none"] {
        assert_eq!(audience(to(), hidden).await, Audience::Unknown, "{hidden}");
    }
    let document = ToolDestination::Document("/to".into());
    assert_eq!(audience(document, "minutes").await, Audience::Known { name: " Q4 Minutes ".into(), readers: both });
    assert_eq!(audience(ToolDestination::Document("/to".into()), "salaries").await, Audience::Unknown);
    let Audience::Known { readers, .. } = audience(ToolDestination::New("owner".into()), "").await else {
        panic!("something new has its maker's audience");
    };
    assert_eq!(readers, people(&["s1/account of trello"]));
    assert_eq!(audience(ToolDestination::New("workspace".into()), "").await, Audience::Unknown);
    assert_eq!(audience(ToolDestination::Undeclared, "list").await, Audience::Unknown);
}

fn turn(conversation: &str, request: &str) -> Turn {
    Turn {
        conversation: conversation.into(),
        at: Timestamp(1),
        request: request.into(),
        cited: Vec::new(),
        proposed: None,
        outcome: TurnOutcome::Answered { text: "Yes.".into() },
        planner: "embedded".into(),
    }
}

#[tokio::test]
async fn a_conversation_belongs_to_who_began_it() {
    let given = Given::new().await;
    let (ann, bo) = (caller("ann@acme.test"), caller("bo@acme.test"));
    for n in 0..5 {
        given.store.record(&ann, &turn("c", &format!("question {n}"))).await.unwrap();
    }
    given.store.record(&bo, &turn("of bo", "mine")).await.unwrap();
    assert_eq!(given.store.record(&bo, &turn("c", "intruding")).await.unwrap_err().code, "not-found");
    let last = given.another().turns(&ann, "c", 2).await.unwrap();
    assert_eq!(last, [turn("c", "question 3"), turn("c", "question 4")]);
    assert!(given.store.turns(&bo, "c", 10).await.unwrap().is_empty());
    assert!(given.store.record(&ann, &turn(&"x".repeat(65), "too long a name")).await.is_err());
}
