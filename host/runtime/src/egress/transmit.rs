//! Sending, and what is made of the answer.

use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, RETRY_AFTER};
use sallyport_pack::route::Repeat;
use tokio::time::Instant;

use super::headers::is_for_guests;
use super::quota::used_up;
use super::redirect::MOST_HOPS;
use super::request::{Delivery, Response};
use super::{Authorised, Egress, EgressError, LONGEST_WAIT, Permit, Ready, Refusal};
use crate::answers::{Meaning, meaning};
use crate::authority::Authority;
use crate::connection::ConnectionState;
use crate::credentials::Lost;
use crate::wire::Broken;

/// How one exchange ended without an answer that can be given.
enum Failure {
    Broken(Broken),
    TooLarge(u64),
    Secret,
    Unreadable(String),
    Ours(String),
}

impl Egress {
    /// Sends, retries what may be retried, follows a read's redirects, and looks for secrets in what came back.
    ///
    /// A read is repeated on connection failures, broken answers, 429, 5xx and the provider's own quota answers, within
    /// the invocation's patience. A write is repeated only where the answer (or its lack: no byte was written) says that nothing
    /// took effect, or its route says that a repetition is harmless.
    ///
    /// # Errors
    /// [`Refusal::Unrecorded`] for a write without its own record. [`EgressError::InDoubt`] for a write whose outcome
    /// nobody knows; every other as [`EgressError`] says.
    pub async fn transmit(&self, at: &Authority, ready: Ready, permit: Permit) -> Result<Response, EgressError> {
        let permitted = match &permit {
            Permit::Read => !ready.authorised.is_write(),
            Permit::Write(record) => ready.authorised.is_write() && record.is_of(&ready),
        };
        if !permitted {
            let request = format!("{} {}", ready.authorised.method(), ready.authorised.target());
            return Err(Refusal::Unrecorded { request }.into());
        }
        let mut ready = ready;
        let mut pace = Pace { deadline: ready.deadline, attempt: 1, renewed: false, in_doubt: false };
        let mut hops = 0;
        loop {
            let outcome = self.exchange(at, &mut ready, &mut pace).await;
            let response = if pace.in_doubt { doubted(outcome) } else { outcome }?;
            let Some(hop) = self.hop(&ready.authorised, &response) else { return Ok(response) };
            hops += 1;
            if hops > MOST_HOPS {
                return Err(Refusal::Malformed("the service redirects in circles".to_owned()).into());
            }
            let hop = hop?;
            let buckets = self.buckets(at, &ready.connection, &hop).await?;
            self.draw(at, &buckets, pace.deadline).await?;
            ready = self.open(at, &ready.connection, hop, buckets, pace.deadline).await?;
            pace.attempt = 1;
        }
    }

    /// One request, as often as it may be sent.
    async fn exchange(&self, at: &Authority, ready: &mut Ready, pace: &mut Pace) -> Result<Response, EgressError> {
        let is_write = ready.authorised.is_write();
        let repeatable = !is_write || ready.authorised.repeat() != Repeat::Never;
        loop {
            let last = pace.attempt >= self.config.attempts;
            let sent = self.send(ready).await;
            if let Ok((_, Told { used_up: Some(millis), .. })) = &sent
                && let Some(bucket) = ready.buckets.last()
            {
                // Nobody else runs into the refusal that would come next.
                self.limiter.drained(at, bucket, *millis).await?;
            }
            let pause = match sent {
                Ok((response, Told { retry_after, used_up })) => match response.meaning {
                    Some(meaning @ (Meaning::Refresh | Meaning::Reauth)) if ready.attached.is_some() => {
                        self.renew(at, ready, meaning, pace).await?;
                        0
                    }
                    Some(Meaning::RateLimited) => {
                        let pause = retry_after.or(used_up).unwrap_or(0).max(self.pause(pace.attempt));
                        // The bucket that is shared least: others need not wait for what this connection used up.
                        if let Some(bucket) = ready.buckets.last() {
                            self.limiter.drained(at, bucket, pause).await?;
                        }
                        if last {
                            return Err(EgressError::Throttled { millis: pause });
                        }
                        pause
                    }
                    _ if is_done(&ready.authorised, response.status, pace.in_doubt) => {
                        return Ok(Response { status: 200, ..response });
                    }
                    _ if matches!(response.status, 500 | 502 | 503 | 504 | 529) && repeatable && !last => {
                        pace.in_doubt |= is_write;
                        let pause = retry_after.unwrap_or(0).max(self.pause(pace.attempt));
                        if !pace.allows(pause) {
                            return Ok(response);
                        }
                        pause
                    }
                    _ => return Ok(response),
                },
                Err(failure) => {
                    let error = match failure {
                        Failure::TooLarge(limit) => return Err(EgressError::TooLarge { limit }),
                        Failure::Secret => {
                            tracing::error!(connection = %at.connection, target = %ready.authorised.target(), "an answer held a secret");
                            let why = "an answer of the service held its secret: an operator has to look first";
                            let flagged = ConnectionState::Flagged;
                            self.directory.set_state(at.tenant(), &at.connection, flagged, Some(why)).await?;
                            return Err(EgressError::SecretInResponse);
                        }
                        Failure::Ours(why) => return Err(EgressError::Host(why)),
                        Failure::Unreadable(why) if is_write => return Err(EgressError::InDoubt(why)),
                        Failure::Unreadable(why) => return Err(EgressError::Interrupted(why)),
                        Failure::Broken(Broken::BeforeSending(why)) => {
                            let host = ready.authorised.url().host_str().unwrap_or_default();
                            EgressError::Unreachable(format!("{host}: {why}"))
                        }
                        Failure::Broken(Broken::Midway(why)) if is_write => {
                            pace.in_doubt = true;
                            EgressError::InDoubt(why)
                        }
                        Failure::Broken(Broken::Midway(why)) => EgressError::Interrupted(why),
                    };
                    let pause = self.pause(pace.attempt);
                    let harmless = repeatable || matches!(error, EgressError::Unreachable(_));
                    if last || !harmless || !pace.allows(pause) {
                        return Err(error);
                    }
                    pause
                }
            };
            pace.attempt += 1;
            if pause > 0 {
                self.wait(pause, pace.deadline).await?;
            }
            self.draw(at, &ready.buckets, pace.deadline).await?;
        }
    }

    /// Another secret in place of the one that the service refused: once for each request.
    async fn renew(
        &self,
        at: &Authority,
        ready: &mut Ready,
        meaning: Meaning,
        pace: &mut Pace,
    ) -> Result<(), EgressError> {
        let manifest = ready.authorised.live().manifest().clone();
        let (Some(slot), Some(used)) = (ready.authorised.slot().cloned(), ready.attached.clone()) else {
            return Ok(());
        };
        if meaning == Meaning::Reauth || pace.renewed {
            let lost = if pace.renewed {
                Lost::Unusable("the service refuses a token that was just refreshed")
            } else {
                Lost::TakenBack("the service says that the authorisation is gone")
            };
            return Err(self.credentials.refused(at, &ready.connection, &manifest, &slot, &used, lost).await.into());
        }
        pace.renewed = true;
        ready.attached = Some(self.credentials.renew(at, &ready.connection, &manifest, &slot, &used).await?);
        ready.others.push(used);
        Ok(())
    }

    /// Sends once and reads the whole answer. With it, what the service says about when to come back.
    async fn send(&self, ready: &Ready) -> Result<(Response, Told), Failure> {
        let authorised = &ready.authorised;
        let manifest = authorised.live().manifest();
        let client = self.wire.client(&ready.target).map_err(Failure::Ours)?;
        let mut request = client.request(authorised.http_method().clone(), ready.target.url.clone());
        for (name, value) in authorised.headers() {
            request = request.header(name.clone(), value.clone());
        }
        if manifest.origins.get(authorised.origin()).is_some_and(|origin| origin.credentials) {
            for (name, value) in &manifest.http.fixed {
                request = request.header(name.as_str(), value);
            }
        }
        if let Some(header) = authorised.repeat_key().and_then(|key| key.header.as_ref()) {
            // The same for every sending of this write, and for no other.
            request = request.header(header.as_str(), hex::encode(&authorised.fingerprint()[..16]));
        }
        if let Some(attached) = &ready.attached {
            request = request.header(attached.header.clone(), attached.value.clone());
        }
        let has_body = !authorised.body().is_empty() || !matches!(authorised.method(), "GET" | "HEAD" | "DELETE");
        if has_body {
            request = request.body(authorised.body().clone());
        }
        let broken = |error: reqwest::Error| Failure::Broken(error.into());
        let midway = |error: reqwest::Error| match Broken::from(error) {
            Broken::BeforeSending(why) | Broken::Midway(why) => Failure::Broken(Broken::Midway(why)),
        };
        let mut response = request.send().await.map_err(broken)?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let mut values = headers.iter().flat_map(|(name, value)| [name.as_str().as_bytes(), value.as_bytes()]);
        if values.any(|bytes| ready.finds_secret(bytes)) {
            return Err(Failure::Secret);
        }
        // What the client decoded it has taken out of the headers: what is left nobody could look into.
        if let Some(encoding) = headers.get(CONTENT_ENCODING).filter(|encoding| *encoding != "identity") {
            return Err(Failure::Unreadable(format!(
                "the answer is encoded as {encoding:?}, which the host does not read"
            )));
        }
        let limit = match authorised.delivery() {
            Delivery::Inline => self.config.inline_limit,
            Delivery::Blob => self.config.blob_limit,
        };
        // What the guest may not have is not read to its end.
        let limit = authorised.most().map_or(limit, |most| most.min(limit));
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(midway)? {
            if body.len() as u64 + chunk.len() as u64 > limit {
                return Err(Failure::TooLarge(limit));
            }
            body.extend_from_slice(&chunk);
        }
        let body: Bytes = body.freeze();
        if ready.finds_secret(&body) {
            return Err(Failure::Secret);
        }
        let retry_after =
            headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()).and_then(|text| self.retry_after(text));
        let used_up = used_up(&headers, self.clock.now().0).map(|millis| millis.min(LONGEST_WAIT));
        let meaning = meaning(manifest, authorised.origin(), status, &body);
        let headers = headers
            .iter()
            .filter(|(name, _)| is_for_guests(name))
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        Ok((Response { status, headers, body, meaning, after_doubt: false }, Told { retry_after, used_up }))
    }

    /// Seconds or a date, in milliseconds from now; at most an hour, whatever it says.
    fn retry_after(&self, text: &str) -> Option<u64> {
        let text = text.trim();
        let millis = match text.parse::<f64>() {
            Ok(seconds) if seconds >= 0.0 => (seconds * 1000.0).min(LONGEST_WAIT as f64) as u64,
            Ok(_) => return None,
            Err(_) => {
                let date = httpdate::parse_http_date(text).ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
                u64::try_from(date.as_millis()).ok()?.saturating_sub(self.clock.now().0)
            }
        };
        Some(millis.min(LONGEST_WAIT))
    }

    /// The pause after an attempt: doubled each time, half of it at random.
    fn pause(&self, attempt: u32) -> u64 {
        let whole = self.config.pause.as_millis() as f64 * f64::from(1_u32 << attempt.saturating_sub(1).min(10));
        (whole * (0.5 + rand::random::<f64>() / 2.0)) as u64
    }
}

/// What a service says about when to come back, in milliseconds from now.
struct Told {
    /// `Retry-After`.
    retry_after: Option<u64>,
    /// A quota's last request was used, and this is when there are more.
    used_up: Option<u64>,
}

/// What is left of one request's patience, over all its attempts and hops.
struct Pace {
    deadline: Instant,
    attempt: u32,
    renewed: bool,
    /// An earlier sending of this (repeatable) write may have taken effect.
    in_doubt: bool,
}

impl Pace {
    fn allows(&self, millis: u64) -> bool {
        Instant::now().checked_add(std::time::Duration::from_millis(millis)).is_some_and(|until| until <= self.deadline)
    }
}

/// Whether an answer to a repeated write says that an earlier sending took effect.
fn is_done(authorised: &Authorised, status: u16, in_doubt: bool) -> bool {
    in_doubt && authorised.repeat_key().is_some_and(|key| key.done.contains(&status))
}

/// What a repeated write came to, when an earlier sending of it may have taken effect: no refusal undoes that.
fn doubted(outcome: Result<Response, EgressError>) -> Result<Response, EgressError> {
    match outcome {
        Ok(response) => Ok(Response { after_doubt: true, ..response }),
        Err(error @ (EgressError::InDoubt(_) | EgressError::TooLarge { .. } | EgressError::SecretInResponse)) => {
            Err(error)
        }
        Err(error) => Err(EgressError::InDoubt(format!("it was sent, and then {error}"))),
    }
}
