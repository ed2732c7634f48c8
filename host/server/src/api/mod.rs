//! HTTP: `/v1`, its OpenAPI document, health, the web page and signing in to it. This is the one router file.

pub mod approvals;
pub mod audit;
pub mod callers;
pub mod chat;
pub mod connections;
pub mod connectors;
pub(crate) mod cookie;
pub mod demo;
pub mod error;
pub mod events;
pub mod health;
pub mod links;
pub mod page;
pub mod people;
pub mod search;
pub mod session;
pub mod signin;
pub mod stream;
pub mod sync;
pub mod tenant;
pub mod who;

use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::{Json, Router};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use error::{ApiError, REQUEST};

/// The largest request body, in bytes: a connector file is the largest thing that comes in.
const LARGEST_BODY: usize = 64 << 20;

#[derive(OpenApi)]
#[openapi(
    info(title = "Sallyport", description = "Connectors that nobody has to trust: search, chat, tools, approvals."),
    modifiers(&Security),
    security(("caller" = []))
)]
struct Document;

struct Security;

impl utoipa::Modify for Security {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
        let bearer = |text: &str| {
            SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(text)).build())
        };
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("caller", bearer("A caller token, minted at /v1/callers/token."));
        components
            .add_security_scheme("operator", bearer("A key of the operator's (`sallyport keys create --operator`)."));
        components.add_security_scheme("service", bearer("A service key of one tenant (`sallyport keys create`)."));
    }
}

fn described() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(callers::token))
        .routes(routes!(callers::me))
        .routes(routes!(session::from_id_token))
        .routes(routes!(session::from_cookie))
        .routes(routes!(connectors::list, connectors::install))
        .routes(routes!(connectors::approve))
        .routes(routes!(connections::list, connections::create))
        .routes(routes!(links::create))
        .routes(routes!(links::status))
        .routes(routes!(connections::show, connections::remove))
        .routes(routes!(links::disconnect))
        .routes(routes!(links::check))
        .routes(routes!(connections::grant, connections::set_grant))
        .routes(routes!(people::list))
        .routes(routes!(people::tie, people::untie))
        .routes(routes!(tenant::rules, tenant::set_rules))
        .routes(routes!(events::list))
        .routes(routes!(sync::status, sync::start))
        .routes(routes!(search::search))
        .routes(routes!(chat::chat))
        .routes(routes!(chat::ask))
        .routes(routes!(approvals::list))
        .routes(routes!(approvals::show))
        .routes(routes!(approvals::decide))
        .routes(routes!(audit::chain))
        .routes(routes!(audit::recording))
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
}

/// The OpenAPI document, as `/openapi.json` gives it.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    described().split_for_parts().1
}

/// Everything that is served.
pub fn router(app: App) -> Router {
    let (routes, document) = described().split_for_parts();
    let demo = app.is_demo();
    let mut routes = routes.route("/openapi.json", axum::routing::get(move || async move { Json(document) }));
    if demo {
        routes = routes.merge(demo::router());
    }
    routes
        .merge(page::router())
        .merge(crate::consent::router())
        .merge(signin::router())
        .fallback(async || ApiError::not_found("this path"))
        .method_not_allowed_fallback(async || {
            ApiError::new(
                axum::http::StatusCode::METHOD_NOT_ALLOWED,
                "method-not-allowed",
                "this path has no such method",
            )
        })
        .with_state(app)
        .layer(axum::extract::DefaultBodyLimit::max(LARGEST_BODY))
        .layer(tower_http::catch_panic::CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| {
            axum::response::IntoResponse::into_response(internal("a handler panicked"))
        }))
        .layer(middleware::from_fn(identify))
}

/// Gives each request an id, in the answer's `x-request-id`, its error body, and the log.
async fn identify(request: Request, next: Next) -> Response {
    let id = uuid::Uuid::now_v7().simple().to_string();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let started = std::time::Instant::now();
    let mut response = REQUEST.scope(id.clone(), next.run(request)).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", value);
    }
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let duration_ms = started.elapsed().as_millis();
    tracing::info!(request_id = id, %method, path, status = response.status().as_u16(), duration_ms, "answered");
    response
}

/// This host's own failure; the words go to the log and not to the caller.
pub fn internal(error: impl std::fmt::Display) -> ApiError {
    tracing::error!(%error, "the host failed");
    ApiError::new(
        axum::http::StatusCode::INTERNAL_SERVER_ERROR,
        "host",
        "the host failed; its log says why, under the request id",
    )
}
