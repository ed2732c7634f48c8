//! Trello's limits: 100 requests per token and 300 per key in ten seconds, told in headers of every reply.

use super::error::TrelloError;
use crate::{clock::unix_ms, wire::credential, world::World};
use axum::{
    extract::{Request, State as Shared},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue};
use std::{collections::HashMap, sync::Arc};

const INTERVAL_MS: i64 = 10_000;
const PER_TOKEN: u32 = 100;
const PER_KEY: u32 = 300;
const PER_MEMBER: u32 = 375;

/// Requests in the present interval, per token; the empty name counts for the key.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    windows: HashMap<String, (i64, u32)>,
}

impl Rates {
    /// Counts a request; how many are left in the interval, `None` if it was one too many.
    fn count(&mut self, name: &str, most: u32, now_ms: i64) -> Option<u32> {
        let window = self.windows.entry(name.to_owned()).or_insert((now_ms, 0));
        if now_ms - window.0 >= INTERVAL_MS {
            *window = (now_ms, 0);
        }
        window.1 = window.1.saturating_add(1);
        most.checked_sub(window.1)
    }
}

pub(crate) async fn measure(Shared(world): Shared<Arc<World>>, request: Request, next: Next) -> Response {
    let (_, token) = credential(request.headers(), request.uri().query().unwrap_or_default());
    let now = unix_ms(world.clock.now());
    let (token_left, key_left) = {
        let mut rates = world.rates.lock();
        (rates.count(&token.unwrap_or_else(|| "none".to_owned()), PER_TOKEN, now), rates.count("", PER_KEY, now))
    };
    let mut reply = match (token_left, key_left) {
        (_, None) if world.options.enforce_rates => TrelloError::KEY_LIMIT.into_response(),
        (None, _) if world.options.enforce_rates => TrelloError::TOKEN_LIMIT.into_response(),
        _ => next.run(request).await,
    };
    decorate(&mut reply, token_left.unwrap_or(0), key_left.unwrap_or(0), &world);
    reply
}

/// The headers that recordings of every reply have, errors included.
pub(crate) fn decorate(reply: &mut Response, token_left: u32, key_left: u32, world: &World) {
    let member_left = PER_MEMBER.saturating_sub(PER_TOKEN - token_left.min(PER_TOKEN));
    let rates = [("token", PER_TOKEN, token_left), ("key", PER_KEY, key_left)]
        .map(|(of, max, left)| (format!("api-{of}"), max, left));
    for (of, max, left) in rates.into_iter().chain([("member".to_owned(), PER_MEMBER, member_left)]) {
        put(reply, &format!("x-rate-limit-{of}-interval-ms"), &INTERVAL_MS.to_string());
        put(reply, &format!("x-rate-limit-{of}-max"), &max.to_string());
        put(reply, &format!("x-rate-limit-{of}-remaining"), &left.to_string());
    }
    put(reply, "x-server-time", &unix_ms(world.clock.now()).to_string());
    put(reply, "x-trello-environment", "Production");
    put(reply, "x-trello-version", "1.111614.0");
    put(reply, "x-content-type-options", "nosniff");
    put(reply, "access-control-allow-origin", "*");
    put(reply, "cache-control", "max-age=0, must-revalidate, no-cache, no-store");
}

fn put(reply: &mut Response, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_str(value)) {
        reply.headers_mut().insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_ends_after_its_interval() {
        let mut rates = Rates::default();
        assert_eq!(rates.count("t", 2, 0), Some(1));
        assert_eq!(rates.count("t", 2, 9_999), Some(0));
        assert_eq!(rates.count("t", 2, 9_999), None);
        assert_eq!(rates.count("t", 2, 10_000), Some(1));
    }
}
