//! `/v1/approvals`: what waits for a decision, and deciding it.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use sallyport::ids::InvocationId;
use sallyport::ports::{DecisionKind, Filter, SettlementKind, State as Standing};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::error::ApiError;
use crate::app::App;
use crate::auth::SignedIn;

/// Proposals, newest first.
#[derive(Serialize, ToSchema)]
pub struct Approvals {
    /// Each with its state, its exact first write, its envelope and its sources.
    #[schema(value_type = Vec<Object>)]
    approvals: Vec<Value>,
}

/// A decision.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DecisionBody {
    /// `approve` or `deny` of what is held; `repeat` (it is not there: send it once more) or `took-effect` (it is there: end
    /// the call) of a write of which nobody knows whether it took effect.
    decision: String,
    /// `first_write.digest` or `doubt.request.digest` of what was shown: if it is another write by now, nothing is decided.
    digest: Option<String>,
    /// A remark, for the record.
    note: Option<String>,
    /// Answer when the approved invocation has run (or reached its next question), instead of at once.
    #[serde(default)]
    wait: bool,
}

/// Every state: the list shows what was decided, too.
const ALL: [Standing; 9] = [
    Standing::Held,
    Standing::Approved,
    Standing::Running,
    Standing::Succeeded,
    Standing::Failed,
    Standing::Denied,
    Standing::Expired,
    Standing::Diverged,
    Standing::Unknown,
];

async fn shown(app: &App, who: &SignedIn, id: &InvocationId) -> Result<Value, ApiError> {
    let view = app.runtime().invocation(&who.caller, id).await?;
    // A write that nobody was asked about is shown as well where somebody has to say what became of it.
    let mut value = match (&view.proposal, &view.doubt) {
        (Some(proposal), _) => serde_json::to_value(proposal).map_err(super::internal)?,
        (None, Some(doubt)) => json!({ "invocation": view.invocation, "by": doubt.by, "decider": doubt.decider }),
        (None, None) => return Err(ApiError::not_found(format!("proposal {id}"))),
    };
    value["doubt"] = json!(view.doubt);
    value["diverged"] = json!(view.diverged);
    value["state"] = json!(view.state);
    value["writes"] = json!(view.writes);
    value["output"] = view.output.unwrap_or(Value::Null);
    value["error"] = view.error.map_or(Value::Null, |message| json!({ "message": message }));
    Ok(value)
}

/// Lists proposals: the caller's own; for an approver or admin also the tenant's, but for what goes through other people's
/// own accounts. `decider` says who decides.
#[utoipa::path(get, path = "/v1/approvals", tag = "approvals",
    responses((status = 200, body = Approvals), (status = 401, body = super::error::ErrorBody)))]
pub async fn list(State(app): State<App>, who: SignedIn) -> Result<Json<Approvals>, ApiError> {
    let filter = Filter { states: ALL.to_vec(), subject: None, limit: 50 };
    let mut approvals = Vec::new();
    for proposal in app.runtime().proposals(&who.caller, filter).await? {
        approvals.push(shown(&app, &who, &proposal.invocation).await?);
    }
    for id in app.runtime().doubts(&who.caller).await? {
        approvals.push(shown(&app, &who, &id).await?);
    }
    Ok(Json(Approvals { approvals }))
}

/// One proposal and what became of it.
#[utoipa::path(get, path = "/v1/approvals/{invocation}", tag = "approvals", params(("invocation" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = super::error::ErrorBody)))]
pub async fn show(
    State(app): State<App>,
    who: SignedIn,
    Path(invocation): Path<String>,
) -> Result<Json<Value>, ApiError> {
    Ok(Json(shown(&app, &who, &InvocationId::new(invocation)).await?))
}

/// Approves or denies. Of several who decide, one succeeds; the others get `wrong-state`.
///
/// What goes through a personal account is its owner's to decide. What goes through the workspace's is an approver's or an
/// admin's; whoever asked may deny it, and approve it only where the tenant's rules have `self_approval`. Everybody else
/// gets `not-decider`.
#[utoipa::path(post, path = "/v1/approvals/{invocation}/decision", tag = "approvals", request_body = DecisionBody,
    params(("invocation" = String, Path)),
    responses((status = 200, body = Object), (status = 403, body = super::error::ErrorBody),
        (status = 404, body = super::error::ErrorBody), (status = 409, body = super::error::ErrorBody)))]
pub async fn decide(
    State(app): State<App>,
    who: SignedIn,
    Path(invocation): Path<String>,
    body: Result<Json<DecisionBody>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let Json(body) = body?;
    let id = InvocationId::new(invocation);
    let runtime = app.runtime();
    let decision = body.decision.as_str();
    match decision {
        "approve" | "deny" => {
            let kind = if decision == "approve" { DecisionKind::Approve } else { DecisionKind::Deny };
            runtime.decide_shown(&who.caller, &id, body.digest.as_deref(), kind, body.note).await?;
        }
        "repeat" | "took-effect" => {
            let kind = if decision == "repeat" { SettlementKind::Repeat } else { SettlementKind::TookEffect };
            runtime.settle_shown(&who.caller, &id, body.digest.as_deref(), kind, body.note).await?;
        }
        other => {
            let words = "use approve or deny; of a write in doubt, repeat or took-effect";
            return Err(ApiError::invalid(format!("`decision` is {other:?}: {words}")));
        }
    }
    if matches!(decision, "approve" | "repeat") {
        // Not tied to the request: a browser that goes away must not stop an approved action half way.
        let (runtime, tenant, approved) = (app.runtime().clone(), who.caller.tenant.clone(), id.clone());
        let run = tokio::spawn(async move {
            if let Err(error) = runtime.resume_as_host(&tenant, &approved).await {
                tracing::warn!(invocation = %approved, %error, "an approved invocation did not succeed");
            }
        });
        if body.wait {
            run.await.map_err(super::internal)?;
        }
    }
    Ok(Json(shown(&app, &who, &id).await?))
}
