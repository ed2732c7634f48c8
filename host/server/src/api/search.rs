//! `POST /v1/search`.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::ApiError;
use crate::app::App;
use crate::auth::SignedIn;
use crate::search::{Found, Query};

/// What to search for. Whose documents are searched is the caller token's to say.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchBody {
    /// At most 8 KiB.
    query: String,
    /// Results wanted, 1 to 200; 10 unless said.
    limit: Option<usize>,
    /// At most so many passages of one document; 1 unless said.
    per_document: Option<usize>,
}

/// What was found.
#[derive(Serialize, ToSchema)]
pub struct SearchAnswer {
    /// Best first.
    results: Vec<Found>,
}

/// Searches the documents that the caller may read.
#[utoipa::path(post, path = "/v1/search", tag = "search", request_body = SearchBody,
    responses((status = 200, body = SearchAnswer), (status = 401, body = super::error::ErrorBody)))]
pub async fn search(
    State(app): State<App>,
    who: SignedIn,
    body: Result<Json<SearchBody>, JsonRejection>,
) -> Result<Json<SearchAnswer>, ApiError> {
    let Json(body) = body?;
    let query =
        Query { text: body.query, limit: body.limit.unwrap_or(10), per_document: body.per_document.unwrap_or(1) };
    Ok(Json(SearchAnswer { results: app.search(&who.caller, query).await? }))
}
