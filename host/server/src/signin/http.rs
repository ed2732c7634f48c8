//! Requests to issuers: no redirects, no proxies of the environment, bounded in time and size.

use std::sync::OnceLock;
use std::time::Duration;

use openidconnect::{HttpRequest, HttpResponse};
use sallyport::wire::chain;

use crate::outward;

/// How long an issuer may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The largest answer, in bytes: key sets of the large issuers are some 10 KB.
const LARGEST: usize = 1 << 20;

/// Why an issuer gave no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    #[error("{0}")]
    Failed(String),
    #[error("its answer is larger than {LARGEST} bytes")]
    TooLarge,
    #[error("it names {0}, which is not https")]
    Plain(String),
}

/// The client for issuers.
#[derive(Default)]
pub(super) struct Http {
    client: OnceLock<Result<reqwest::Client, String>>,
}

impl Http {
    /// Sends a request. `plain`: whether the issuer is one on this machine, which may be without TLS.
    pub(super) async fn call(&self, plain: bool, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if request.uri().scheme_str() != Some("https") && !plain {
            return Err(HttpError::Plain(request.uri().to_string()));
        }
        let client = self
            .client
            .get_or_init(|| outward::client(TIMEOUT))
            .as_ref()
            .map_err(|error| HttpError::Failed(error.clone()))?;
        let request = reqwest::Request::try_from(request).map_err(failed)?;
        let mut response = client.execute(request).await.map_err(failed)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > LARGEST {
                return Err(HttpError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        let mut answer = HttpResponse::new(body);
        *answer.status_mut() = response.status();
        *answer.headers_mut() = std::mem::take(response.headers_mut());
        Ok(answer)
    }
}

fn failed(error: reqwest::Error) -> HttpError {
    // The address may hold a code; whoever tells this names the issuer.
    HttpError::Failed(chain(&error.without_url()))
}
