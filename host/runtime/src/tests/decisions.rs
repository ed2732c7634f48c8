//! Who may decide, once, and until when.

use std::time::Duration;

use serde_json::json;

use super::tools::{created, creator};
use super::{World, admin, ann, boss, caller, done};
use crate::caller::Role;
use crate::connection::{Owner, Setting};
use crate::decider::NotDecider;
use crate::error::InvokeError;
use crate::ids::SubjectId;
use crate::ports::{DecisionKind, Directory as _, Filter, State, TenantRules};
use crate::tool::Outcome;

#[tokio::test]
async fn denied_or_expired_nothing_is_ever_sent() {
    let world = World::new(&creator(), Setting::Ask, created).await;
    let denied = world.held().await.invocation;
    world.runtime.decide(&ann(), &denied, DecisionKind::Deny, Some("not now".into())).await.unwrap();

    let overdue = world.held().await.invocation;
    world.clock.advance(Duration::from_secs(25 * 60 * 60));
    let late = world.runtime.decide(&boss(), &overdue, DecisionKind::Approve, None).await;
    assert!(matches!(late, Err(InvokeError::State { state, .. }) if state == "expired"));

    let swept = world.held().await.invocation;
    world.clock.advance(Duration::from_secs(25 * 60 * 60));
    assert_eq!(world.runtime.recover(&ann().tenant).await.unwrap().expired, std::slice::from_ref(&swept));

    for (id, state) in [(denied, State::Denied), (overdue, State::Expired), (swept, State::Expired)] {
        assert_eq!(world.runtime.invocation(&ann(), &id).await.unwrap().state, state);
        assert!(matches!(world.runtime.resume(&ann(), &id).await, Err(InvokeError::State { .. })));
        let again = world.runtime.decide(&boss(), &id, DecisionKind::Approve, None).await;
        assert!(matches!(again, Err(InvokeError::State { .. })));
    }
    assert!(world.reached("POST").is_empty());
}

#[tokio::test]
async fn approvers_decide_what_others_proposed_and_members_do_not_see_it() {
    let world = World::new(&creator(), Setting::Ask, created).await;
    let (bob, boss) = (caller("bob", Role::Member), boss());
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
        let decided = world.runtime.decide(&boss(), &id, DecisionKind::Approve, None).await.is_ok();
        let _ = world.runtime.resume(&ann(), &id).await;
        decided
    });
    let decided = futures::future::join_all(race).await.into_iter().filter(|decided| *decided).count();
    assert_eq!((decided, world.reached("POST").len()), (1, 1));
}

fn self_approval(world: &World, self_approval: bool) {
    world.store.put_tenant_rules(&ann().tenant, TenantRules { self_approval });
}

async fn owned_by(world: &World, owner: &str) {
    let mut connection = world.store.connection(&ann().tenant, &world.connection).await.unwrap();
    connection.owner = Owner::Person(SubjectId::new(owner));
    world.store.put_connection(&connection).await.unwrap();
}

#[tokio::test]
async fn whoever_asked_approves_only_where_the_tenant_says_so() {
    let world = World::new(&creator(), Setting::Ask, created).await;
    // The same person, also under another subject, with every role.
    let mut again = caller("ann", Role::Admin);
    again.subject = SubjectId::new("ann (by another sign-in)");
    let id = world.held().await.invocation;
    for own in [caller("ann", Role::Approver), caller("ann", Role::Admin), again] {
        let refused = world.runtime.decide(&own, &id, DecisionKind::Approve, None).await.unwrap_err();
        assert!(matches!(refused, InvokeError::NotDecider(NotDecider::Asker)), "{refused:?}");
        let said = refused.to_string();
        assert!(said.contains("other than the one who asked") && said.contains("--self-approval on"), "{said}");
        assert!(matches!(world.runtime.resume(&own, &id).await, Err(InvokeError::State { .. })), "no way around it");
    }
    assert!(world.reached("POST").is_empty());
    self_approval(&world, true);
    let refused = world.runtime.decide(&ann(), &id, DecisionKind::Approve, None).await;
    assert!(
        matches!(refused, Err(InvokeError::NotDecider(NotDecider::Role))),
        "a member approves nothing: {refused:?}"
    );
    world.runtime.decide(&caller("ann", Role::Approver), &id, DecisionKind::Approve, None).await.unwrap();
    done(world.runtime.resume(&ann(), &id).await.unwrap());
    assert_eq!(world.reached("POST").len(), 1);
}

#[tokio::test]
async fn an_approval_that_the_tenant_no_longer_allows_is_void() {
    let world = World::new(&creator(), Setting::Ask, created).await;
    self_approval(&world, true);
    let own = world.held().await.invocation;
    world.runtime.decide(&caller("ann", Role::Approver), &own, DecisionKind::Approve, None).await.unwrap();
    let others = world.held().await.invocation;
    world.approve(&others).await;
    self_approval(&world, false);
    let resumed = world.runtime.resume_as_host(&ann().tenant, &own).await;
    assert!(matches!(&resumed, Err(InvokeError::Void { what }) if what == "who may approve"), "{resumed:?}");
    let again = world.runtime.resume(&ann(), &own).await;
    assert!(matches!(again, Err(InvokeError::State { .. })), "it has ended");
    assert!(world.reached("POST").is_empty());
    done(world.runtime.resume(&ann(), &others).await.unwrap());
    assert_eq!(world.reached("POST").len(), 1, "another approver's stands");

    let moved = world.held().await.invocation;
    world.approve(&moved).await;
    owned_by(&world, "ann").await;
    let resumed = world.runtime.resume(&ann(), &moved).await;
    assert!(matches!(resumed, Err(InvokeError::Void { .. })), "it is ann's to approve now: {resumed:?}");
    assert_eq!(world.reached("POST").len(), 1);
}

#[tokio::test]
async fn what_goes_through_a_personal_account_is_its_owners_to_see_and_to_decide() {
    let world = World::new(&creator(), Setting::Ask, created).await;
    owned_by(&world, "ann").await;
    self_approval(&world, true);
    let id = world.held().await.invocation;
    for other in [boss(), admin()] {
        assert!(world.runtime.proposals(&other, Filter::default()).await.unwrap().is_empty());
        for refused in [
            world.runtime.proposal(&other, &id).await.map(drop),
            world.runtime.invocation(&other, &id).await.map(drop),
            world.runtime.decide(&other, &id, DecisionKind::Approve, None).await,
            world.runtime.decide(&other, &id, DecisionKind::Deny, None).await,
            world.runtime.resume(&other, &id).await.map(drop),
        ] {
            assert!(matches!(refused, Err(InvokeError::NotDecider(NotDecider::Personal))), "{refused:?}");
        }
    }
    self_approval(&world, false);
    assert_eq!(world.runtime.proposals(&ann(), Filter::default()).await.unwrap().len(), 1);
    world.runtime.decide(&ann(), &id, DecisionKind::Approve, None).await.unwrap();
    done(world.runtime.resume(&ann(), &id).await.unwrap());
    assert_eq!(world.reached("POST").len(), 1);
}
