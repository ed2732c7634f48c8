//! Listening, and what stands between a connection and a service's router: the request log and the faults.

use crate::{
    faults::{Failure, Service},
    wire::{Request as Logged, credential},
    world::World,
};
use axum::{Router, body::Body, response::Response};
use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpListener, task::JoinSet};
use tower::ServiceExt;

/// Bodies above this are refused with 413: no real upload of a test is larger.
const LARGEST_BODY: usize = 64 << 20;

/// The connection closes without (the rest of) a reply.
#[derive(Debug, thiserror::Error)]
#[error("the connection was closed by an injected fault")]
struct Closed;

/// Serves one service until the returned set is dropped.
pub(crate) fn spawn(
    tasks: &mut JoinSet<()>,
    listener: TcpListener,
    service: Service,
    router: Router,
    world: Arc<World>,
) {
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let stream = tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    // Out of descriptors, most likely: let the connections that are open finish first.
                    Err(_) => { tokio::time::sleep(Duration::from_millis(20)).await; continue }
                },
                Some(_) = connections.join_next() => continue,
            };
            world.log.connected(service);
            let _ = stream.set_nodelay(true);
            let (router, world) = (router.clone(), world.clone());
            connections.spawn(async move {
                let answer = service_fn(move |request| answer(world.clone(), service, router.clone(), request));
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
            });
        }
    });
}

/// Serves the control router, which is no part of any service: neither logged nor faulted.
pub(crate) fn spawn_control(tasks: &mut JoinSet<()>, listener: TcpListener, router: Router) {
    tasks.spawn(async move {
        let _ = axum::serve(listener, router).await;
    });
}

pub(crate) async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

async fn answer(
    world: Arc<World>,
    service: Service,
    router: Router,
    request: Request<Incoming>,
) -> Result<Response, Closed> {
    let (head, body) = request.into_parts();
    let body = match http_body_util::Limited::new(body, LARGEST_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return Ok(plain(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large")),
    };
    let order = world.log.arrived(logged(&world, service, &head, &body));
    let failures = world.faults.strike(service, head.method.as_str(), head.uri.path());
    let fault = failures.iter().map(|failure| format!("{failure:?}")).reduce(|all, next| format!("{all}, {next}"));

    let reply = struck(&world, service, router, Request::from_parts(head, Body::from(body)), failures).await;
    world.log.finished(order, reply.as_ref().ok().map(|reply| reply.status().as_u16()), fault);
    reply
}

async fn struck(
    world: &World,
    service: Service,
    router: Router,
    request: Request<Body>,
    failures: Vec<Failure>,
) -> Result<Response, Closed> {
    let mut rest = None;
    for failure in failures {
        match failure {
            Failure::Latency { ms } => tokio::time::sleep(Duration::from_millis(ms)).await,
            other => rest = Some(other),
        }
    }
    match rest {
        None | Some(Failure::Latency { .. }) => Ok(carry_out(router, request).await),
        Some(Failure::Truncate { keep }) => truncate(carry_out(router, request).await, keep).await,
        Some(Failure::LoseReply) => {
            carry_out(router, request).await;
            Err(Closed)
        }
        Some(Failure::Reset) => Err(Closed),
        Some(Failure::Stall) => std::future::pending().await,
        Some(Failure::Reply { status, headers, body }) => {
            let mut reply = plain(StatusCode::from_u16(status).unwrap_or(StatusCode::IM_A_TEAPOT), &body);
            for (name, value) in headers {
                if let (Ok(name), Ok(value)) = (http::HeaderName::try_from(name), http::HeaderValue::try_from(value)) {
                    reply.headers_mut().insert(name, value);
                }
            }
            Ok(reply)
        }
        Some(failure) => Ok(match service {
            Service::Drive => crate::drive::failure_reply(&failure),
            Service::Trello => crate::trello::failure_reply(world, &failure),
            Service::Oauth => crate::oauth::failure_reply(&failure),
        }),
    }
}

async fn carry_out(router: Router, request: Request<Body>) -> Response {
    router.oneshot(request).await.unwrap_or_else(|never: Infallible| match never {})
}

/// Announces the whole length and sends less, as a connection that breaks does.
async fn truncate(reply: Response, keep: usize) -> Result<Response, Closed> {
    let (mut head, body) = reply.into_parts();
    let whole = body.collect().await.map_err(|_| Closed)?.to_bytes();
    if keep >= whole.len() {
        return Ok(Response::from_parts(head, Body::from(whole)));
    }
    head.headers.insert(header::CONTENT_LENGTH, whole.len().into());
    // The pause between the two items lets the first part leave before the connection is torn down.
    let first = stream::once(async move { Ok::<Bytes, Closed>(whole.slice(..keep)) });
    let then = stream::once(async {
        tokio::time::sleep(Duration::from_millis(5)).await;
        Err(Closed)
    });
    Ok(Response::from_parts(head, Body::from_stream(first.chain(then))))
}

fn logged(world: &World, service: Service, head: &http::request::Parts, body: &Bytes) -> Logged {
    let query = head.uri.query().unwrap_or_default();
    let (scheme, token) = credential(&head.headers, query);
    let subject = token.and_then(|token| world.tokens.lock().owner(&token).map(str::to_owned));
    let shown = |name: &http::HeaderName| *name != header::AUTHORIZATION && *name != header::COOKIE;
    let headers = head.headers.iter().filter(|(name, _)| shown(name));
    Logged {
        order: 0,
        at_ms: crate::clock::unix_ms(world.clock.now()),
        service,
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: query.to_owned(),
        header_names: head.headers.keys().map(|name| name.as_str().to_owned()).collect(),
        headers: headers
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into()))
            .collect(),
        scheme,
        subject,
        body: String::from_utf8_lossy(body).into_owned(),
        status: None,
        fault: None,
    }
}

pub(crate) fn plain(status: StatusCode, text: &str) -> Response {
    let mut reply = Response::new(Body::from(text.to_owned()));
    *reply.status_mut() = status;
    let kind = http::HeaderValue::from_static("text/plain; charset=utf-8");
    reply.headers_mut().insert(header::CONTENT_TYPE, kind);
    reply
}
