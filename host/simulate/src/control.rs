//! The control endpoint, for whoever runs a simulation in another process: state, requests, faults, tokens, changes.
//! It has a port of its own and is no part of any service.

use crate::{
    Simulation,
    drive::{Drive, DriveChange},
    faults::{Fault, Service},
    tokens::Provider,
    trello::Trello,
    world::World,
};
use axum::{
    Json, Router,
    extract::{Path, Query, State as Shared},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

pub(crate) fn router(world: Arc<World>, urls: Value) -> Router {
    Router::new()
        .route("/_control/urls", get(move || async move { Json(urls) }))
        .route("/_control/state", get(state))
        .route("/_control/state/{service}", get(state_of))
        .route("/_control/requests", get(requests).delete(forget_requests))
        .route("/_control/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/_control/tokens", post(mint))
        .route("/_control/tokens/expire", post(expire))
        .route("/_control/tokens/revoke", post(revoke))
        .route("/_control/clock", post(advance))
        .route("/_control/drive", post(change_drive))
        .route("/_control/groups", post(change_group))
        .with_state(world)
}

/// Everything that the services hold now.
pub(crate) fn whole_state(world: &Arc<World>) -> Value {
    let directory = {
        let state = world.state.lock();
        let groups: Value =
            state.directory.groups().map(|(group, members)| (group.to_owned(), json!(members))).collect();
        json!({ "domain": state.directory.domain, "people": state.directory.people().collect::<Vec<_>>(), "groups": groups })
    };
    json!({
        "directory": directory,
        "drive": Drive { world: world.clone() }.state(),
        "trello": Trello { world: world.clone() }.state(),
        "oauth": Simulation::oauth_state(world),
    })
}

async fn state(Shared(world): Shared<Arc<World>>) -> Json<Value> {
    Json(whole_state(&world))
}

async fn state_of(Shared(world): Shared<Arc<World>>, Path(service): Path<String>) -> Response {
    match whole_state(&world).get(&service) {
        Some(state) => Json(state).into_response(),
        None => problem(StatusCode::NOT_FOUND, "there is state of directory, drive, trello and oauth"),
    }
}

#[derive(Deserialize)]
struct Only {
    service: Option<Service>,
    method: Option<String>,
    subject: Option<String>,
}

async fn requests(Shared(world): Shared<Arc<World>>, Query(only): Query<Only>) -> Json<Value> {
    let all = world.log.all().into_iter().filter(|request| {
        only.service.is_none_or(|service| service == request.service)
            && only.method.as_ref().is_none_or(|method| method.eq_ignore_ascii_case(&request.method))
            && only.subject.as_ref().is_none_or(|subject| request.subject.as_ref() == Some(subject))
    });
    let connections: Value = [("drive", Service::Drive), ("trello", Service::Trello), ("oauth", Service::Oauth)]
        .into_iter()
        .map(|(name, service)| (name.to_owned(), json!(world.log.connections(service))))
        .collect();
    Json(json!({ "requests": all.collect::<Vec<_>>(), "connections": connections }))
}

async fn forget_requests(Shared(world): Shared<Arc<World>>) -> StatusCode {
    world.log.clear();
    StatusCode::NO_CONTENT
}

async fn faults(Shared(world): Shared<Arc<World>>) -> Json<Vec<Fault>> {
    Json(world.faults.list())
}

async fn add_fault(Shared(world): Shared<Arc<World>>, Json(fault): Json<Fault>) -> StatusCode {
    world.faults.add(fault);
    StatusCode::CREATED
}

async fn clear_faults(Shared(world): Shared<Arc<World>>) -> StatusCode {
    world.faults.clear();
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mint {
    provider: Provider,
    email: String,
    expires_in: Option<u64>,
}

async fn mint(Shared(world): Shared<Arc<World>>, Json(mint): Json<Mint>) -> Response {
    let lifetime = mint.expires_in.map_or(world.options.issuer(mint.provider).lifetime, Duration::from_secs);
    Json(crate::mint(&world, mint.provider, &mint.email, lifetime)).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    token: String,
}

async fn expire(Shared(world): Shared<Arc<World>>, Json(named): Json<Named>) -> Response {
    found(world.tokens.lock().expire(&named.token))
}

async fn revoke(Shared(world): Shared<Arc<World>>, Json(named): Json<Named>) -> Response {
    found(world.tokens.lock().revoke(&named.token))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: u64,
}

async fn advance(Shared(world): Shared<Arc<World>>, Json(by): Json<Advance>) -> StatusCode {
    world.clock.advance(Duration::from_secs(by.seconds));
    StatusCode::NO_CONTENT
}

async fn change_drive(Shared(world): Shared<Arc<World>>, Json(change): Json<DriveChange>) -> Response {
    match (Drive { world }).apply(change) {
        Ok(id) => Json(json!({ "id": id })).into_response(),
        Err(error) => problem(StatusCode::UNPROCESSABLE_ENTITY, &error.to_string()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GroupChange {
    group: String,
    #[serde(default)]
    add: Vec<String>,
    #[serde(default)]
    remove: Vec<String>,
}

/// Membership changes leave nothing in any change log: the real services announce none either.
async fn change_group(Shared(world): Shared<Arc<World>>, Json(change): Json<GroupChange>) -> StatusCode {
    let mut state = world.state.lock();
    let group = change.group.to_lowercase();
    state.directory.add_group(&group, change.add);
    for member in &change.remove {
        state.directory.remove_member(&group, &member.to_lowercase());
    }
    StatusCode::NO_CONTENT
}

fn found(found: bool) -> Response {
    if found {
        StatusCode::NO_CONTENT.into_response()
    } else {
        problem(StatusCode::NOT_FOUND, "no such token was issued")
    }
}

fn problem(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "error": message }))).into_response()
}
