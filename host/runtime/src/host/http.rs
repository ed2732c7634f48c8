//! `http`: the only way out. This file turns a guest's request into the egress's and back; what may leave is the
//! egress's to say, and what may be written the trace's.

use bytes::Bytes;
use futures::future::join_all;
use serde::{Deserialize, Serialize};

use crate::blame::Fault as _;
use crate::egress::{self, EgressError, Permit, Refusal};
use crate::engine::imports::connector::http::{self, Delivery, Error, Host, PartBody, Payload};
use crate::engine::imports::connector::types::Field;
use crate::engine::metered;
use crate::grants::Live;
use crate::invoke::Stop;

use super::error::problem;
use super::{HttpErrorOr, State, Work};

/// What a request came to: what is recorded, and what a replay answers.
pub(crate) type Answer = Result<Got, Failed>;

/// A service's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    /// Kept beside the JSON form, as bytes.
    #[serde(skip)]
    pub(crate) body: Bytes,
}

/// Why there is none; the WIT package's `error`, kept in the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)] // the cases are the WIT package's
pub enum Failed {
    Denied { code: String, message: String },
    Malformed(String),
    Throttled(u64),
    NeedsReauth(String),
    Unreachable(String),
    Interrupted(String),
    TooLarge(u64),
    SecretInResponse,
    Other { code: String, message: String },
}

impl Failed {
    pub(crate) fn denied(code: &str, message: impl Into<String>) -> Self {
        Self::Denied { code: code.into(), message: message.into() }
    }

    /// What the guest is told of an error; or why the execution ends instead.
    pub(crate) fn of(error: EgressError) -> Result<Self, Stop> {
        Ok(match error {
            EgressError::Refused(refusal) => refusal.into(),
            EgressError::Throttled { millis } => Self::Throttled(millis),
            EgressError::NeedsReauth(why) => Self::NeedsReauth(why),
            EgressError::Unreachable(why) => Self::Unreachable(why),
            EgressError::Interrupted(why) | EgressError::InDoubt(why) => Self::Interrupted(why),
            EgressError::TooLarge { limit } => Self::TooLarge(limit),
            EgressError::SecretInResponse => Self::SecretInResponse,
            EgressError::Store(error) => return Err(Stop::Store(error)),
            EgressError::Host(why) => return Err(Stop::Host(why)),
            other => Self::Other { code: other.code().into(), message: other.to_string() },
        })
    }
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Malformed(why) => Self::Malformed(why),
            other => Self::denied(other.code(), other.to_string()),
        }
    }
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Denied { code, message } => Self::Denied(problem(&code, message)),
            Failed::Malformed(why) => Self::Malformed(why),
            Failed::Throttled(millis) => Self::Throttled(millis),
            Failed::NeedsReauth(why) => Self::NeedsReauth(why),
            Failed::Unreachable(why) => Self::Unreachable(why),
            Failed::Interrupted(why) => Self::Interrupted(why),
            Failed::TooLarge(limit) => Self::TooLarge(limit),
            Failed::SecretInResponse => Self::SecretInResponse,
            Failed::Other { code, message } => Self::Other(problem(&code, message)),
        }
    }
}

impl From<egress::Response> for Got {
    fn from(response: egress::Response) -> Self {
        Self { status: response.status, headers: response.headers, body: response.body }
    }
}

impl Host for State {
    async fn send(&mut self, request: http::Request) -> Result<http::Response, HttpErrorOr> {
        self.called()?;
        let meter = self.host_time.clone();
        metered(&meter, async {
            let delivery = request.delivery;
            let request = self.request(request)?;
            let answer = match &mut self.work {
                Work::Tool(trace) => trace.send(&self.at, &self.live, request).await?,
                Work::Rehearsal(rehearsal) => Box::pin(rehearsal.send(&self.at, &self.live, request, false)).await?,
                _ => Box::pin(read(&self.services.egress, &self.at, &self.live, &self.connection, request)).await?,
            };
            self.give(answer, delivery)
        })
        .await
    }

    async fn send_all(&mut self, requests: Vec<http::Request>) -> wasmtime::Result<Vec<Result<http::Response, Error>>> {
        self.called()?;
        let meter = self.host_time.clone();
        metered(&meter, async {
            let most = self.limits.send_all;
            if requests.len() > most {
                let refused = || Error::Denied(problem("too-many", format!("send-all takes {most} requests at most")));
                // The handles that came with them are dropped with this execution.
                return Ok(requests.iter().map(|_| Err(refused())).collect());
            }
            let deliveries: Vec<Delivery> = requests.iter().map(|request| request.delivery).collect();
            let mut asked = Vec::with_capacity(requests.len());
            for request in requests {
                asked.push(self.request(request)?);
            }
            let answers = match &mut self.work {
                Work::Tool(trace) => trace.send_all(&self.at, &self.live, asked).await?,
                Work::Rehearsal(rehearsal) => rehearsal.send_all(&self.at, &self.live, asked).await?,
                _ => read_all(&self.services.egress, &self.at, &self.live, &self.connection, asked).await?,
            };
            let mut inline_left = self.limits.inline_all;
            let mut given = Vec::with_capacity(answers.len());
            for (mut answer, delivery) in answers.into_iter().zip(deliveries) {
                if let (Ok(got), Delivery::Inline) = (&answer, delivery) {
                    match inline_left.checked_sub(got.body.len()) {
                        Some(left) => inline_left = left,
                        None => answer = Err(Failed::TooLarge(self.limits.inline_all as u64)),
                    }
                }
                given.push(match self.give(answer, delivery) {
                    Ok(response) => Ok(response),
                    Err(error) => Err(error.into_typed()?),
                });
            }
            Ok(given)
        })
        .await
    }

    fn convert_error(&mut self, error: HttpErrorOr) -> wasmtime::Result<Error> {
        error.into_typed()
    }
}

/// A read outside a tool call: the gate, then the way out. A write has no permit here, whatever is live.
pub(crate) async fn read(
    egress: &egress::Egress,
    at: &crate::Authority,
    live: &Live,
    connection: &crate::connection::Connection,
    request: egress::Request,
) -> Result<Answer, Stop> {
    let authorised = match egress.authorise(live, request) {
        Ok(authorised) => authorised,
        Err(refusal) => return Ok(Err(refusal.into())),
    };
    if authorised.is_write() {
        return Ok(Err(Failed::denied("write-outside-tool", "only a tool call writes")));
    }
    read_authorised(egress, at, connection, authorised).await
}

pub(crate) async fn read_authorised(
    egress: &egress::Egress,
    at: &crate::Authority,
    connection: &crate::connection::Connection,
    authorised: egress::Authorised,
) -> Result<Answer, Stop> {
    let ready = match egress.prepare(at, connection, authorised).await {
        Ok(ready) => ready,
        Err(error) => return Failed::of(error).map(Err),
    };
    match egress.transmit(at, ready, Permit::Read).await {
        Ok(response) => Ok(Ok(response.into())),
        Err(error) => Failed::of(error).map(Err),
    }
}

/// Reads, side by side; answers in the order asked.
pub(crate) async fn read_all(
    egress: &egress::Egress,
    at: &crate::Authority,
    live: &Live,
    connection: &crate::connection::Connection,
    requests: Vec<egress::Request>,
) -> Result<Vec<Answer>, Stop> {
    let answers = join_all(requests.into_iter().map(|request| read(egress, at, live, connection, request))).await;
    answers.into_iter().collect()
}

impl State {
    /// A guest's request as the egress's: blobs become bytes.
    fn request(&mut self, request: http::Request) -> wasmtime::Result<egress::Request> {
        let body = match request.body {
            Payload::Empty => egress::Body::Empty,
            Payload::Bytes(bytes) => egress::Body::Bytes(bytes.into()),
            Payload::Blob(blob) => egress::Body::Bytes(self.take(blob)?.bytes),
            Payload::Multipart(parts) => {
                let mut multipart = Vec::with_capacity(parts.len());
                for part in parts {
                    let (body, own_type) = match part.body {
                        PartBody::Bytes(bytes) => (bytes.into(), None),
                        PartBody::Blob(blob) => {
                            let blob = self.take(blob)?;
                            (blob.bytes, blob.media_type)
                        }
                    };
                    let media_type = part.media_type.or(own_type);
                    multipart.push(egress::Part { name: part.name, filename: part.filename, media_type, body });
                }
                egress::Body::Multipart(multipart)
            }
        };
        let most = match request.delivery {
            Delivery::Inline => self.limits.inline,
            Delivery::Blob => self.limits.blob,
        };
        Ok(egress::Request {
            most: Some(most as u64),
            method: request.method,
            url: request.url,
            headers: request.headers.into_iter().map(|field| (field.name, field.value)).collect(),
            body,
            slot: request.slot,
            delivery: match request.delivery {
                Delivery::Inline => egress::Delivery::Inline,
                Delivery::Blob => egress::Delivery::Blob,
            },
        })
    }

    fn give(&mut self, answer: Answer, delivery: Delivery) -> Result<http::Response, HttpErrorOr> {
        if let Err(failed) = &answer {
            self.tell_refusal(failed);
        }
        let got = answer.map_err(|failed| HttpErrorOr::Typed(failed.into()))?;
        let most = match delivery {
            Delivery::Inline => self.limits.inline,
            Delivery::Blob => self.limits.blob,
        };
        if got.body.len() > most {
            return Err(HttpErrorOr::Typed(Error::TooLarge(most as u64)));
        }
        let body = match delivery {
            _ if got.body.is_empty() => Payload::Empty,
            Delivery::Inline => Payload::Bytes(got.body.into()),
            Delivery::Blob => {
                let media_type =
                    got.headers.iter().find(|(name, _)| name == "content-type").map(|(_, value)| value.clone());
                match self.hold(media_type, got.body) {
                    Ok(blob) => Payload::Blob(blob),
                    Err(super::ProblemOr::Typed(_)) => {
                        return Err(HttpErrorOr::Typed(Error::TooLarge(self.limits.blobs as u64)));
                    }
                    Err(super::ProblemOr::Trap(trap)) => return Err(trap.into()),
                }
            }
        };
        let headers = got.headers.into_iter().map(|(name, value)| Field { name, value }).collect();
        Ok(http::Response { status: got.status, headers, body })
    }
}
