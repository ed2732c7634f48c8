//! Who may decide, once, and until when.

use std::time::Duration;

use serde_json::json;

use super::tools::{created, creator};
use super::{World, ann, caller};
use crate::caller::Role;
use crate::connection::Setting;
use crate::error::InvokeError;
use crate::ports::{DecisionKind, Filter, State};
use crate::tool::Outcome;

#[tokio::test]
async fn denied_or_expired_nothing_is_ever_sent() {
    let world = World::new(&creator(), Setting::Ask, created).await;
    let denied = world.held().await.invocation;
    world.runtime.decide(&ann(), &denied, DecisionKind::Deny, Some("not now".into())).await.unwrap();

    let overdue = world.held().await.invocation;
    world.clock.advance(Duration::from_secs(25 * 60 * 60));
    let late = world.runtime.decide(&ann(), &overdue, DecisionKind::Approve, None).await;
    assert!(matches!(late, Err(InvokeError::State { state, .. }) if state == "expired"));

    let swept = world.held().await.invocation;
    world.clock.advance(Duration::from_secs(25 * 60 * 60));
    assert_eq!(world.runtime.recover(&ann().tenant).await.unwrap().expired, std::slice::from_ref(&swept));

    for (id, state) in [(denied, State::Denied), (overdue, State::Expired), (swept, State::Expired)] {
        assert_eq!(world.runtime.invocation(&ann(), &id).await.unwrap().state, state);
        assert!(matches!(world.runtime.resume(&ann(), &id).await, Err(InvokeError::State { .. })));
        let again = world.runtime.decide(&ann(), &id, DecisionKind::Approve, None).await;
        assert!(matches!(again, Err(InvokeError::State { .. })));
    }
    assert!(world.reached("POST").is_empty());
}

#[tokio::test]
async fn proposers_decide_their_own_and_approvers_everybodys() {
    let world = World::new(&creator(), Setting::Ask, created).await;
    let (bob, boss) = (caller("bob", Role::Member), caller("boss", Role::Approver));
    let id = world.held().await.invocation;
    assert!(world.runtime.proposals(&bob, Filter::default()).await.unwrap().is_empty());
    for refused in [
        world.runtime.decide(&bob, &id, DecisionKind::Approve, None).await,
        world.runtime.proposal(&bob, &id).await.map(drop),
        world.runtime.resume(&bob, &id).await.map(drop),
        world.runtime.decide(&ann(), &id, DecisionKind::Expire, None).await,
    ] {
        assert!(matches!(refused, Err(InvokeError::NotFound { .. } | InvokeError::Forbidden { .. })), "{refused:?}");
    }
    let mut elsewhere = boss.clone();
    elsewhere.tenant = crate::ids::TenantId::new("other");
    let refused = world.runtime.decide(&elsewhere, &id, DecisionKind::Approve, None).await;
    assert!(matches!(refused, Err(InvokeError::NotFound { .. })));

    let proposal = world.runtime.proposal(&boss, &id).await.unwrap();
    let other = world.runtime.decide_shown(&boss, &id, Some("0000"), DecisionKind::Approve, None).await;
    assert!(matches!(other, Err(InvokeError::Void { .. })));
    let shown = Some(proposal.first_write.digest.as_str());
    world.runtime.decide_shown(&boss, &id, shown, DecisionKind::Approve, None).await.unwrap();
    let Outcome::Done(seen) = world.runtime.resume(&boss, &id).await.unwrap() else { panic!("done") };
    assert_eq!(seen.output, json!(null), "the result is its proposer's");
    assert_eq!(world.runtime.invocation(&ann(), &id).await.unwrap().output, Some(json!({ "id": "it_1" })));
    assert_eq!(world.runtime.invocation(&boss, &id).await.unwrap().output, None);
}

#[tokio::test]
async fn of_a_hundred_who_approve_and_resume_one_sends() {
    let world = World::new(&creator(), Setting::Ask, created).await;
    let id = world.held().await.invocation;
    let race = (0..100).map(|_| async {
        let decided = world.runtime.decide(&ann(), &id, DecisionKind::Approve, None).await.is_ok();
        let _ = world.runtime.resume(&ann(), &id).await;
        decided
    });
    let decided = futures::future::join_all(race).await.into_iter().filter(|decided| *decided).count();
    assert_eq!((decided, world.reached("POST").len()), (1, 1));
}
