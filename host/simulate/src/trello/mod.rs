//! Trello's REST API: the part of the service that a connector meets.

mod boards;
mod card_update;
mod cards;
mod error;
mod handle;
mod lists;
mod members;
mod model;
mod params;
mod rates;
mod render;
mod search;
mod snapshot;
mod state;

use crate::{
    faults::Failure,
    tokens::{Access, Provider},
    wire::{credential, oauth_field},
    world::{State, World},
};
use axum::{
    Router,
    extract::FromRequestParts,
    middleware,
    response::{IntoResponse, Response},
    routing::{delete, get, post, put},
};
use error::TrelloError;
use http::{HeaderValue, Method, header, request::Parts};
use params::is_object_id;
use std::sync::Arc;

pub use handle::Trello;
pub use model::{MemberType, Visibility};
pub(crate) use rates::Rates;
pub(crate) use state::{NewBoard, Place, TrelloState};

pub(crate) fn router(world: Arc<World>) -> Router {
    let api = Router::new()
        .route("/members/{id}", get(members::one))
        .route("/members/{id}/boards", get(boards::of_member))
        .route("/members/{id}/organizations", get(members::organizations))
        .route("/organizations/{id}", get(members::organization))
        .route("/organizations/{id}/boards", get(boards::of_organization))
        .route("/organizations/{id}/members", get(members::of_organization))
        .route("/organizations/{id}/memberships", get(members::organization_memberships))
        .route("/boards", post(boards::create))
        .route("/boards/{id}", get(boards::one).put(boards::update).delete(boards::delete))
        .route("/boards/{id}/actions", get(boards::actions))
        .route("/boards/{id}/cards", get(cards::of_board))
        .route("/boards/{id}/cards/{which}", get(cards::of_board_by))
        .route("/boards/{id}/labels", get(boards::labels))
        .route("/boards/{id}/lists", get(lists::of_board).post(lists::create_on))
        .route("/boards/{id}/members", get(boards::members))
        .route("/boards/{id}/members/{member}", put(boards::put_member).delete(boards::remove_member))
        .route("/boards/{id}/memberships", get(boards::memberships))
        .route("/lists", post(lists::create))
        .route("/lists/{id}", get(lists::one).put(lists::update))
        .route("/lists/{id}/cards", get(cards::of_list))
        .route("/cards", post(cards::create))
        .route("/cards/{id}", get(cards::one).put(card_update::update).delete(cards::delete))
        .route("/cards/{id}/actions", get(cards::actions))
        .route("/cards/{id}/actions/comments", post(cards::comment))
        .route("/cards/{id}/idMembers", post(cards::add_member))
        .route("/cards/{id}/idLabels", post(cards::add_label))
        .route("/cards/{id}/{field}", put(card_update::update_field))
        .route("/actions/{id}", get(cards::one_action))
        .route("/search", get(search::search))
        .route("/tokens/{token}", delete(members::revoke_token));
    Router::new()
        .nest("/1", api)
        .fallback(|| async { TrelloError::NotFound })
        .layer(middleware::from_fn_with_state(world.clone(), rates::measure))
        .with_state(world)
}

/// Who asks, by their token and the application's key.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub email: String,
    /// The member's id.
    pub member: String,
}

impl FromRequestParts<Arc<World>> for Caller {
    type Rejection = TrelloError;

    async fn from_request_parts(parts: &mut Parts, world: &Arc<World>) -> Result<Self, TrelloError> {
        let access = authenticate(parts, world)?;
        let write = !matches!(parts.method, Method::GET | Method::HEAD);
        if !access.allows(scopes(parts.uri.path(), write)) {
            return Err(TrelloError::BOARD);
        }
        let now = world.clock.now();
        let mut state = world.state.lock();
        let State { directory, trello, .. } = &mut *state;
        let member = trello.member_of(&access.email, &directory.name_of(&access.email), now);
        Ok(Self { email: access.email, member })
    }
}

/// `Bearer T`, `OAuth oauth_consumer_key="K", oauth_token="T"`, or `?key=K&token=T`. Only the first needs no key.
fn authenticate(parts: &Parts, world: &World) -> Result<Access, TrelloError> {
    let query = parts.uri.query().unwrap_or_default();
    let (scheme, token) = credential(&parts.headers, query);
    let header = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let key = match scheme.as_deref() {
        Some("Bearer") => Some(world.options.trello_key.clone()),
        Some("OAuth") => oauth_field(header.trim_start_matches("OAuth"), "oauth_consumer_key"),
        _ => form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "key").map(|(_, key)| key.into_owned()),
    };
    if key.as_deref() != Some(&world.options.trello_key) {
        return Err(TrelloError::InvalidKey);
    }
    let token = token.ok_or(TrelloError::InvalidToken)?;
    let tokens = world.tokens.lock();
    tokens.check(Provider::Trello, &token, world.clock.now()).cloned().map_err(|_| TrelloError::InvalidToken)
}

/// Any of these OAuth 2 scopes is enough for a path.
fn scopes(path: &str, write: bool) -> &'static [&'static str] {
    match (path.split('/').nth(2).unwrap_or_default(), write) {
        ("members", false) => &["read:member:trello", "read:board:trello"],
        ("organizations", false) => &["read:organization:trello"],
        (_, false) => &["read:board:trello"],
        (_, true) => &["write:board:trello"],
    }
}

/// The board, if it is there and the caller may see it.
pub(crate) fn see_board<'a>(
    state: &'a TrelloState,
    caller: &Caller,
    key: &str,
) -> Result<&'a model::Board, TrelloError> {
    let board = state.board(key).ok_or_else(|| missing(key))?;
    if state.may_see(board, &caller.member) { Ok(board) } else { Err(TrelloError::BOARD) }
}

/// The board, if the caller may change it.
pub(crate) fn change_board<'a>(
    state: &'a TrelloState,
    caller: &Caller,
    key: &str,
) -> Result<&'a model::Board, TrelloError> {
    let board = see_board(state, caller, key)?;
    if state.may_change(board, &caller.member) { Ok(board) } else { Err(TrelloError::BOARD) }
}

/// An id that cannot be one is told apart from one that names nothing.
pub(crate) fn missing(key: &str) -> TrelloError {
    if is_object_id(key) || key.len() == 8 { TrelloError::NotFound } else { TrelloError::InvalidId }
}

pub(crate) fn failure_reply(world: &World, failure: &Failure) -> Response {
    let mut reply = match failure {
        Failure::ServerError { status } => TrelloError::Broken(*status),
        _ => TrelloError::TOKEN_LIMIT,
    }
    .into_response();
    if let Failure::TooManyRequests { retry_after: Some(seconds) } = failure {
        reply.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(*seconds));
    }
    rates::decorate(&mut reply, 0, 0, world);
    reply
}
