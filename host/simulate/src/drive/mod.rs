//! Google Drive v3: the part of the service that a connector meets.

mod changes;
mod content;
mod error;
mod files;
mod handle;
mod list;
mod mask;
mod meta;
mod model;
mod permissions;
mod query;
mod render;
mod reply;
mod state;
mod upload;

use crate::{faults::Failure, tokens::Provider, wire::credential, world::World};
use axum::{
    Router,
    extract::FromRequestParts,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use error::DriveError;
use http::{HeaderValue, header, request::Parts};
use std::{collections::HashMap, sync::Arc};

pub use handle::{Drive, DriveChange, DriveProblem};
pub use model::{Comment, DOCUMENT, FOLDER, Grantee, Permission, Role, SPREADSHEET};
pub(crate) use state::{DriveState, NewFile, mime_of, stable_id};

const READ_SCOPES: &[&str] = &[
    "https://www.googleapis.com/auth/drive",
    "https://www.googleapis.com/auth/drive.readonly",
    "https://www.googleapis.com/auth/drive.file",
];
const METADATA_SCOPE: &str = "https://www.googleapis.com/auth/drive.metadata.readonly";
const WRITE_SCOPES: &[&str] = &["https://www.googleapis.com/auth/drive", "https://www.googleapis.com/auth/drive.file"];

pub(crate) fn router(world: Arc<World>) -> Router {
    let v3 = Router::new()
        .route("/about", get(meta::about))
        .route("/drives", get(meta::drives))
        .route("/drives/{id}", get(meta::one_drive))
        .route("/files", get(list::list).post(files::create))
        .route("/files/generateIds", get(files::generate_ids))
        .route("/files/{id}", get(files::one).patch(files::update).delete(files::delete))
        .route("/files/{id}/export", get(content::export))
        .route("/files/{id}/comments", get(meta::comments))
        .route("/files/{id}/permissions", get(permissions::list).post(permissions::create))
        .route(
            "/files/{id}/permissions/{permission}",
            get(permissions::one).patch(permissions::update).delete(permissions::delete),
        )
        .route("/changes", get(changes::list))
        .route("/changes/startPageToken", get(changes::start));
    Router::new()
        .nest("/drive/v3", v3)
        .route("/upload/drive/v3/files", post(upload::create))
        .route("/admin/directory/v1/groups", get(meta::groups))
        .route("/admin/directory/v1/groups/{group}/members", get(meta::members))
        .fallback(|| async { DriveError::new(404, "notFound", "Not Found") })
        .with_state(world)
}

/// Who asks, by their bearer token.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub email: String,
    access: crate::tokens::Access,
}

impl Caller {
    fn may(&self, scopes: &[&str]) -> Result<(), DriveError> {
        if self.access.allows(scopes) { Ok(()) } else { Err(DriveError::scope()) }
    }

    pub(crate) fn may_read_metadata(&self) -> Result<(), DriveError> {
        self.may(&[READ_SCOPES, &[METADATA_SCOPE]].concat())
    }

    pub(crate) fn may_read(&self) -> Result<(), DriveError> {
        self.may(READ_SCOPES)
    }

    pub(crate) fn may_write(&self) -> Result<(), DriveError> {
        self.may(WRITE_SCOPES)
    }
}

impl FromRequestParts<Arc<World>> for Caller {
    type Rejection = DriveError;

    async fn from_request_parts(parts: &mut Parts, world: &Arc<World>) -> Result<Self, DriveError> {
        let (_, token) = credential(&parts.headers, parts.uri.query().unwrap_or_default());
        let token = token.ok_or_else(DriveError::anonymous)?;
        let tokens = world.tokens.lock();
        let access = tokens.check(Provider::Google, &token, world.clock.now());
        let access = access.map_err(|_| DriveError::unauthenticated())?.clone();
        Ok(Self { email: access.email.clone(), access })
    }
}

/// Query parameters, the last one of a name winning.
#[derive(Debug, Default)]
pub(crate) struct Parameters(HashMap<String, String>);

impl Parameters {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// `true` and `True` alike, as Google reads them.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// A page size between 1 and the most; larger ones are coerced, others refused.
    pub(crate) fn page_size(&self, default: usize, most: usize) -> Result<usize, DriveError> {
        let Some(text) = self.get("pageSize") else { return Ok(default) };
        match text.parse::<usize>() {
            Ok(size) if size >= 1 => Ok(size.min(most)),
            _ => Err(DriveError::invalid("pageSize")),
        }
    }
}

impl FromRequestParts<Arc<World>> for Parameters {
    type Rejection = DriveError;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<World>) -> Result<Self, DriveError> {
        let query = parts.uri.query().unwrap_or_default();
        Ok(Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect()))
    }
}

pub(crate) fn failure_reply(failure: &Failure) -> Response {
    match failure {
        Failure::ServerError { status } => DriveError::backend(*status).into_response(),
        Failure::TooManyRequests { retry_after } => {
            let mut reply = DriveError::quota(429).into_response();
            if let Some(seconds) = retry_after {
                reply.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(*seconds));
            }
            reply
        }
        _ => DriveError::quota(403).into_response(),
    }
}
