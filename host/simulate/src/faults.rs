//! Faults on request: latency, quota answers, server errors, cut and lost replies, by route and count.

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Which of the simulated services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// Google Drive v3.
    Drive,
    /// Trello's REST API.
    Trello,
    /// The authorization server of both.
    Oauth,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Failure {
    /// The request waits this many milliseconds, then goes on as usual.
    Latency {
        /// Milliseconds.
        ms: u64,
    },
    /// 429 in the provider's own shape: Drive's JSON error, Trello's `API_TOKEN_LIMIT_EXCEEDED`.
    TooManyRequests {
        /// Seconds for a `Retry-After` header; neither provider documents one, so usually absent.
        #[serde(default)]
        retry_after: Option<u64>,
    },
    /// Drive's quota answer with status 403 and reason `rateLimitExceeded`; Trello has no such answer and sends 429.
    RateLimitExceeded,
    /// A server error in the provider's shape.
    ServerError {
        /// 500 to 599.
        status: u16,
    },
    /// Any other reply, as given; the request has no effect.
    Reply {
        /// HTTP status.
        status: u16,
        /// Header names and values.
        #[serde(default)]
        headers: BTreeMap<String, String>,
        /// Body text.
        #[serde(default)]
        body: String,
    },
    /// The request is carried out; of the reply's body only so many bytes arrive, then the connection closes.
    Truncate {
        /// Bytes of body that are sent.
        keep: usize,
    },
    /// The connection closes before the request is carried out; no byte of a reply is sent.
    Reset,
    /// The request is carried out, then the connection closes without a reply: the caller cannot know.
    LoseReply,
    /// The request is never answered and not carried out; the connection stays open.
    Stall,
}

/// A failure, and the requests that it hits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Only this service; any if absent.
    #[serde(default)]
    pub service: Option<Service>,
    /// Only this method, upper case; any if absent.
    #[serde(default)]
    pub method: Option<String>,
    /// Only paths of this form, `*` standing for any run of characters; any if empty.
    #[serde(default)]
    pub path: String,
    /// So many matching requests pass before the first is hit.
    #[serde(default)]
    pub skip: u32,
    /// So many are hit, then the fault is spent; for ever if absent.
    #[serde(default)]
    pub count: Option<u32>,
    /// What happens to them.
    pub failure: Failure,
}

impl Fault {
    /// A fault that hits every request of every service, to be narrowed down.
    pub fn new(failure: Failure) -> Self {
        Self { service: None, method: None, path: String::new(), skip: 0, count: None, failure }
    }

    /// Only requests to this service.
    pub fn on(mut self, service: Service) -> Self {
        self.service = Some(service);
        self
    }

    /// Only requests with this method whose path has this form; see [`Fault::path`].
    pub fn route(mut self, method: &str, path: &str) -> Self {
        self.method = Some(method.to_uppercase());
        self.path = path.to_owned();
        self
    }

    /// Lets so many matching requests pass first.
    pub fn after(mut self, skip: u32) -> Self {
        self.skip = skip;
        self
    }

    /// Is spent after so many hits.
    pub fn times(mut self, count: u32) -> Self {
        self.count = Some(count);
        self
    }

    fn matches(&self, service: Service, method: &str, path: &str) -> bool {
        self.service.is_none_or(|only| only == service)
            && self.method.as_deref().is_none_or(|only| only.eq_ignore_ascii_case(method))
            && (self.path.is_empty() || glob(&self.path, path))
    }
}

/// The faults in force. Shared by the Rust API and `/_control/faults`.
#[derive(Debug, Default)]
pub struct Faults {
    rules: Mutex<Vec<Fault>>,
}

impl Faults {
    /// Adds a fault behind those in force.
    pub fn add(&self, fault: Fault) {
        self.rules.lock().push(fault);
    }

    /// Takes every fault back.
    pub fn clear(&self) {
        self.rules.lock().clear();
    }

    /// What is still in force, with the counts that are left.
    pub fn list(&self) -> Vec<Fault> {
        self.rules.lock().clone()
    }

    /// The failures of one request: any latencies, and at most one of the others.
    pub(crate) fn strike(&self, service: Service, method: &str, path: &str) -> Vec<Failure> {
        let mut rules = self.rules.lock();
        let mut hits = Vec::new();
        for rule in rules.iter_mut().filter(|rule| rule.matches(service, method, path)) {
            let latency = matches!(rule.failure, Failure::Latency { .. });
            if !latency && hits.iter().any(|hit| !matches!(hit, Failure::Latency { .. })) {
                continue;
            }
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            if let Some(left) = rule.count.as_mut() {
                *left = left.saturating_sub(1);
            }
            hits.push(rule.failure.clone());
        }
        rules.retain(|rule| rule.count != Some(0));
        hits
    }
}

/// `*` stands for any run of characters, slashes included.
fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_paths() {
        assert!(glob("/1/cards", "/1/cards"));
        assert!(!glob("/1/cards", "/1/cards/abc"));
        assert!(glob("/1/cards/*", "/1/cards/abc/actions"));
        assert!(glob("*/permissions", "/drive/v3/files/x/permissions"));
        assert!(!glob("/a*b*c", "/a-c-b"));
    }

    #[test]
    fn a_fault_skips_strikes_and_is_spent() {
        let faults = Faults::default();
        faults.add(Fault::new(Failure::Reset).on(Service::Trello).route("POST", "/1/cards").after(1).times(2));
        let strike = || faults.strike(Service::Trello, "POST", "/1/cards").len();
        assert_eq!([strike(), strike(), strike(), strike()], [0, 1, 1, 0]);
        assert!(faults.list().is_empty());
        assert!(faults.strike(Service::Drive, "POST", "/1/cards").is_empty());
    }
}
