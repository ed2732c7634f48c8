//! Search, as every front of this host answers it.

use sallyport::Caller;
use sallyport_index::{Hit, Index, SearchRequest, TenantId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::HostError;

/// What to look for.
#[derive(Clone, Debug)]
pub struct Query {
    /// At most 8 KiB.
    pub text: String,
    /// Results wanted, at most 200.
    pub limit: usize,
    /// At most so many passages of one document.
    pub per_document: usize,
}

/// A passage that was found.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Found {
    /// The document's id at its source.
    pub document: String,
    /// Where it stands: names of what holds it and its own, joined by `/`, below the source's root.
    pub path: String,
    /// The document's title.
    pub title: String,
    /// Where a person can open it.
    pub url: Option<String>,
    /// Comparable within one answer only.
    pub score: f32,
    /// The passage, as it stands in the document.
    pub text: String,
    /// Headings above it, outermost first.
    pub heading: Vec<String>,
}

/// A caller, as the index knows one.
#[must_use]
pub fn reader(caller: &Caller) -> sallyport_index::Caller {
    sallyport_index::Caller {
        tenant: TenantId::new(&caller.tenant),
        subject: caller.subject.to_string(),
        emails: caller.emails.clone(),
    }
}

/// Searches the documents that the caller may read.
///
/// # Errors
/// The query is too long, or the store or the model failed.
pub async fn search(index: &Index, caller: &Caller, query: Query) -> Result<Vec<Found>, HostError> {
    let request = SearchRequest {
        limit: query.limit.clamp(1, 200),
        per_document: query.per_document.max(1),
        ..SearchRequest::new(reader(caller), query.text)
    };
    Ok(index.search(&request).await?.results.into_iter().map(found).collect())
}

fn found(hit: Hit) -> Found {
    let document = hit.chunk.document;
    // The outermost container is the drive or the workspace itself, which is no folder of the path.
    let path = document.path.iter().skip(1).chain([&document.title]).map(String::as_str).collect::<Vec<_>>().join("/");
    Found {
        document: document.id,
        path,
        title: document.title,
        url: document.url,
        score: hit.score,
        text: hit.chunk.text,
        heading: hit.chunk.heading,
    }
}
