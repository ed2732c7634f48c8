//! What arrived on the wire: every request in order, so that a test can assert bytes and not only answers.

use crate::faults::Service;
use http::HeaderMap;
use parking_lot::Mutex;
use serde::Serialize;
use std::collections::VecDeque;

/// So many requests are kept; older ones are dropped first.
const KEPT: usize = 100_000;

/// One request as it arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Request {
    /// Position among all requests to all services, from 1.
    pub order: u64,
    /// Milliseconds since the Unix epoch, on the simulation's clock.
    pub at_ms: i64,
    /// Which service it reached.
    pub service: Service,
    /// Upper case.
    pub method: String,
    /// As sent, still percent-encoded.
    pub path: String,
    /// As sent, without the question mark; empty if there was none.
    pub query: String,
    /// Names in the order that they were sent, lower case.
    pub header_names: Vec<String>,
    /// Names and values, without `authorization` and `cookie`.
    pub headers: Vec<(String, String)>,
    /// How the request authenticated: `Bearer`, `OAuth`, `Basic`; `query` for a token in the query.
    pub scheme: Option<String>,
    /// Whose token it carried, if the token was ever issued here.
    pub subject: Option<String>,
    /// The body; bytes that are not UTF-8 are replaced.
    pub body: String,
    /// The status that was answered; absent while in progress or if the connection was closed instead.
    pub status: Option<u16>,
    /// Which fault hit it, if any.
    pub fault: Option<String>,
}

/// All requests since the start or the last [`RequestLog::clear`].
#[derive(Debug, Default)]
pub struct RequestLog {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    order: u64,
    requests: VecDeque<Request>,
    connections: [u64; 3],
}

impl RequestLog {
    /// Every request kept, oldest first.
    pub fn all(&self) -> Vec<Request> {
        self.inner.lock().requests.iter().cloned().collect()
    }

    /// The requests to one service, oldest first.
    pub fn to(&self, service: Service) -> Vec<Request> {
        self.inner.lock().requests.iter().filter(|request| request.service == service).cloned().collect()
    }

    /// The requests to one service that were not `GET` or `HEAD`: what may have had an effect.
    pub fn writes(&self, service: Service) -> Vec<Request> {
        self.to(service).into_iter().filter(|request| !matches!(request.method.as_str(), "GET" | "HEAD")).collect()
    }

    /// Connections that a service accepted, requests or not.
    pub fn connections(&self, service: Service) -> u64 {
        self.inner.lock().connections[service as usize]
    }

    /// Forgets every request and count; order goes on.
    pub fn clear(&self) {
        let mut inner = self.inner.lock();
        inner.requests.clear();
        inner.connections = [0; 3];
    }

    pub(crate) fn connected(&self, service: Service) {
        self.inner.lock().connections[service as usize] += 1;
    }

    pub(crate) fn arrived(&self, mut request: Request) -> u64 {
        let mut inner = self.inner.lock();
        inner.order += 1;
        request.order = inner.order;
        if inner.requests.len() == KEPT {
            inner.requests.pop_front();
        }
        let order = request.order;
        inner.requests.push_back(request);
        order
    }

    pub(crate) fn finished(&self, order: u64, status: Option<u16>, fault: Option<String>) {
        let mut inner = self.inner.lock();
        let found = inner.requests.binary_search_by_key(&order, |request| request.order);
        if let Some(request) = found.ok().and_then(|at| inner.requests.get_mut(at)) {
            (request.status, request.fault) = (status, fault);
        }
    }
}

/// Scheme and token of a request, wherever the provider allows it to stand.
pub(crate) fn credential(headers: &HeaderMap, query: &str) -> (Option<String>, Option<String>) {
    if let Some(value) = headers.get("authorization").and_then(|value| value.to_str().ok()) {
        let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
        let token = match scheme {
            "OAuth" => oauth_field(rest, "oauth_token"),
            _ => Some(rest.trim().to_owned()),
        };
        return (Some(scheme.to_owned()), token);
    }
    let token = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "token" || name == "access_token");
    token.map_or((None, None), |(_, token)| (Some("query".to_owned()), Some(token.into_owned())))
}

/// A field of `OAuth oauth_consumer_key="K", oauth_token="T"`.
pub(crate) fn oauth_field(fields: &str, name: &str) -> Option<String> {
    fields
        .split(',')
        .filter_map(|field| field.trim().split_once('='))
        .find_map(|(key, value)| (key.trim() == name).then(|| value.trim().trim_matches('"').to_owned()))
}
