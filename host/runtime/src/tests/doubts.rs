//! Writes of which nobody knows whether they took effect, and what a person says of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::tools::creator;
use super::{World, ann, boss, caller, done};
use crate::audit::Note;
use crate::caller::Role;
use crate::connection::Setting;
use crate::error::InvokeError;
use crate::fixtures::Answer;
use crate::ids::InvocationId;
use crate::ports::{SettlementKind, State};
use crate::tool::{Outcome, Verdict};

/// A service that closes the connection after a POST, until it is told not to.
struct Losing {
    world: World,
    answers: Arc<AtomicBool>,
}

async fn losing(setting: Setting) -> Losing {
    let answers = Arc::new(AtomicBool::new(false));
    let answering = Arc::clone(&answers);
    let world = World::new(&creator(), setting, move |seen, _| match seen.line().split(' ').next() {
        Some("POST") if !answering.load(Ordering::SeqCst) => Answer::Close,
        Some("POST") => Answer::json(201, r#"{"id":"it_1"}"#),
        _ => Answer::json(200, "[]"),
    })
    .await;
    Losing { world, answers }
}

impl Losing {
    /// A write that was sent and never answered.
    async fn doubtful(&self) -> InvocationId {
        let id = self.world.held().await.invocation;
        assert!(matches!(self.world.approved(&id).await, Err(InvokeError::Unknown { .. })));
        id
    }

    async fn settle(&self, id: &InvocationId, kind: SettlementKind) -> Result<(), InvokeError> {
        self.world.runtime.settle(&boss(), id, kind, Some("looked".into())).await
    }
}

#[tokio::test]
async fn what_is_known_stands_in_front_of_whoever_decides() {
    let losing = losing(Setting::Ask).await;
    let id = losing.doubtful().await;
    let view = losing.world.runtime.invocation(&boss(), &id).await.unwrap();
    let doubt = view.doubt.expect("the write");
    assert_eq!((view.state, doubt.request.method.as_str()), (State::Unknown, "POST"));
    assert_eq!(doubt.request.body.as_bytes(), losing.world.reached("POST")[0].text().as_bytes());
    assert!(doubt.sent.0 > 0);
}

#[tokio::test]
async fn one_word_lets_one_more_be_sent_and_the_call_goes_on() {
    let losing = losing(Setting::Ask).await;
    let id = losing.doubtful().await;
    losing.settle(&id, SettlementKind::Repeat).await.unwrap();
    // Lost again: one word was for one send.
    assert!(matches!(losing.world.runtime.resume(&ann(), &id).await, Err(InvokeError::Unknown { .. })));
    assert!(matches!(losing.world.runtime.resume(&ann(), &id).await, Err(InvokeError::State { .. })));
    assert_eq!(losing.world.reached("POST").len(), 2);

    losing.answers.store(true, Ordering::SeqCst);
    losing.settle(&id, SettlementKind::Repeat).await.unwrap();
    let result = done(losing.world.runtime.resume(&ann(), &id).await.unwrap());
    assert_eq!(result.writes.len(), 1);
    let posts = losing.world.reached("POST");
    assert_eq!(posts.len(), 3);
    assert!(posts.iter().all(|post| post.text() == posts[0].text()), "the very same bytes");
    assert!(matches!(losing.settle(&id, SettlementKind::Repeat).await, Err(InvokeError::State { .. })));
}

#[tokio::test]
async fn a_write_that_took_effect_is_not_sent_again_and_the_call_ends() {
    let losing = losing(Setting::Ask).await;
    let id = losing.doubtful().await;
    losing.settle(&id, SettlementKind::TookEffect).await.unwrap();
    let view = losing.world.runtime.invocation(&ann(), &id).await.unwrap();
    assert_eq!(view.state, State::Failed);
    assert!(view.error.is_some_and(|error| error.contains("boss")), "it says who said so");
    assert!(matches!(losing.world.runtime.resume(&ann(), &id).await, Err(InvokeError::State { .. })));
    let recovered = losing.world.runtime.recover(&ann().tenant).await.unwrap();
    assert_eq!(recovered, crate::invoke::Recovered::default());
    assert_eq!(losing.world.reached("POST").len(), 1);
}

#[tokio::test]
async fn only_whoever_may_approve_lets_it_be_sent_again_and_refusals_are_on_record() {
    let losing = losing(Setting::Ask).await;
    let id = losing.doubtful().await;
    let asker = losing.world.runtime.settle(&ann(), &id, SettlementKind::Repeat, None).await;
    assert!(matches!(asker, Err(InvokeError::NotDecider(_))), "{asker:?}");
    let stranger = caller("bob", Role::Member);
    let refused = losing.world.runtime.settle(&stranger, &id, SettlementKind::TookEffect, None).await;
    assert!(matches!(refused, Err(InvokeError::NotFound { .. })));
    let refusals = losing.world.store.notes().into_iter().filter(|note| matches!(note, Note::Refused { .. })).count();
    assert_eq!(refusals, 1);
    // That nothing more is sent, whoever asked may say.
    losing.world.runtime.settle(&ann(), &id, SettlementKind::TookEffect, None).await.unwrap();
}

#[tokio::test]
async fn a_write_that_nobody_was_asked_about_is_settled_too() {
    let losing = losing(Setting::Auto).await;
    let outcome = losing.world.call("create_item", json!({ "name": "Q4" }), Verdict::Allow).await;
    assert!(matches!(outcome, Err(InvokeError::Unknown { .. })));
    let filter = crate::ports::Filter { states: vec![State::Unknown], ..Default::default() };
    let listed = crate::ports::Journal::list(&*losing.world.store, &ann().tenant, &filter).await.unwrap();
    let id = listed[0].invocation.clone();
    losing.answers.store(true, Ordering::SeqCst);
    losing.settle(&id, SettlementKind::Repeat).await.unwrap();
    assert!(matches!(losing.world.runtime.resume(&ann(), &id).await, Ok(Outcome::Done(_))));
    assert_eq!(losing.world.reached("POST").len(), 2);
}
