//! Every route, called as everybody.

use std::collections::BTreeSet;
use std::time::Duration;

use sallyport::ids::TenantId;
use sallyport_e2e::{Host, block_on};
use sallyport_simulate::Provider;
use sallyport_store::accounts::Holder;
use serde_json::{Value, json};

use super::CHIARA;

/// Gets past authorisation, whatever is then thought of the request.
const PAST: u16 = 0;

/// Who calls, in the order of the table's columns.
const CALLERS: [&str; 7] =
    ["nobody", "service key", "member", "approver", "admin", "another tenant's admin", "operator key"];

/// What is open to everybody.
const OPEN: [u16; 7] = [PAST; 7];
/// What takes a caller, of whatever role, and is the caller's own tenant's.
const SIGNED_IN: [u16; 7] = [401, 401, PAST, PAST, PAST, PAST, 401];
/// A thing of the tenant that everybody in it may see.
const SEEN: [u16; 7] = [401, 401, PAST, PAST, PAST, 404, 401];
/// A thing of the tenant that an admin changes.
const ADMINS: [u16; 7] = [401, 401, 403, 403, PAST, 404, 401];
/// What an admin does to their own tenant.
const OWN_ADMINS: [u16; 7] = [401, 401, 403, 403, PAST, PAST, 401];
/// What is the whole host's, in a host of several tenants.
const OPERATORS: [u16; 7] = [401, 401, 403, 403, 403, 403, PAST];
/// What a member asked for through the workspace's connection: an approver sees and decides it.
const APPROVERS: [u16; 7] = [401, 401, 404, PAST, PAST, 404, 401];
/// What the member alone, and an admin, is told of.
const OWN: [u16; 7] = [401, 401, PAST, 404, PAST, 404, 401];

/// What whoever asked was told, word for word: an admin may read it, and nobody else.
const RECORDINGS: [u16; 7] = [401, 401, 404, 404, PAST, 404, 401];

struct Line {
    method: &'static str,
    /// As the OpenAPI document has it.
    template: &'static str,
    path: String,
    body: Value,
    expected: [u16; 7],
}

/// What the paths name.
struct Named {
    link: String,
    workspace: String,
    own: String,
    proposal: String,
}

fn table(named: &Named) -> Vec<Line> {
    let Named { link, workspace, own, proposal } = named;
    let line = |method, template: &'static str, id: &str, body: Value, expected| Line {
        method,
        template,
        path: template.replace("{id}", id).replace("{invocation}", id).replace("{user}", "a-user"),
        body,
        expected,
    };
    let none = || Value::Null;
    let token = json!({ "subject": "x", "emails": [] });
    let grant = json!({ "capabilities": [{ "id": "boards.read", "setting": "auto" }] });
    let connect = json!({ "connector": "trello", "owner": "workspace", "token": "nobody-issued-this" });
    // About another write than the one that is held: whoever may decide is told so, and nothing is decided.
    let decision = json!({ "decision": "approve", "digest": "0".repeat(64) });
    vec![
        line("GET", "/healthz", "", none(), OPEN),
        line("GET", "/readyz", "", none(), OPEN),
        line("POST", "/v1/callers/token", "", token, [401, PAST, 401, 401, 401, 401, 401]),
        // What counts there is the issuer's token and the browser's cookie: of those, nobody here has any.
        line("POST", "/v1/callers/oidc", "", json!({ "tenant": "demo", "id_token": "none" }), [404; 7]),
        line("POST", "/v1/session", "", none(), [403; 7]),
        line("GET", "/v1/events", "", none(), [401, PAST, 403, 403, PAST, PAST, 401]),
        line("GET", "/v1/audit", "", none(), [401, PAST, 403, 403, PAST, PAST, 401]),
        line("GET", "/v1/invocations/{invocation}/recording", proposal, none(), RECORDINGS),
        line("GET", "/v1/me", "", none(), SIGNED_IN),
        line("GET", "/v1/connectors", "", none(), SIGNED_IN),
        line("POST", "/v1/connectors", "", json!("no connector"), OPERATORS),
        line("POST", "/v1/connectors/{id}/approve", "trello", json!({ "digest": "none" }), OPERATORS),
        line("GET", "/v1/connections", "", none(), SIGNED_IN),
        line("POST", "/v1/connections", "", connect, OWN_ADMINS),
        line("POST", "/v1/connections/link", "", json!({ "connector": "trello", "owner": "workspace" }), OWN_ADMINS),
        line("POST", "/v1/connections/link", "", json!({ "connection": workspace }), ADMINS),
        // Whose account it is connects it again, and nobody else.
        line("POST", "/v1/connections/link", "", json!({ "connection": own }), [401, 401, PAST, 404, 404, 404, 401]),
        line("GET", "/v1/connections/link/{id}", link, none(), OWN),
        line("GET", "/v1/connections/{id}", workspace, none(), SEEN),
        line("GET", "/v1/connections/{id}", own, none(), OWN),
        line("GET", "/v1/connections/{id}/grant", workspace, none(), SEEN),
        line("GET", "/v1/connections/{id}/grant", own, none(), OWN),
        line("PUT", "/v1/connections/{id}/grant", workspace, grant.clone(), ADMINS),
        line("PUT", "/v1/connections/{id}/grant", own, grant, OWN),
        line("GET", "/v1/connections/{id}/people", workspace, none(), ADMINS),
        line("PUT", "/v1/connections/{id}/people/{user}", workspace, json!({ "email": "a@b.example" }), ADMINS),
        line("DELETE", "/v1/connections/{id}/people/{user}", workspace, none(), ADMINS),
        line("POST", "/v1/connections/{id}/check", workspace, none(), ADMINS),
        line("POST", "/v1/connections/{id}/check", own, none(), OWN),
        line("GET", "/v1/tenant/rules", "", none(), OWN_ADMINS),
        line("PUT", "/v1/tenant/rules", "", json!({ "self_approval": false }), OWN_ADMINS),
        line("GET", "/v1/connections/{id}/sync", workspace, none(), SEEN),
        line("GET", "/v1/connections/{id}/sync", own, none(), OWN),
        line("POST", "/v1/connections/{id}/sync", workspace, none(), ADMINS),
        line("POST", "/v1/connections/{id}/sync", own, none(), OWN),
        line("POST", "/v1/search", "", json!({ "query": "roses" }), SIGNED_IN),
        line("POST", "/v1/ask", "", json!({ "request": "roses?" }), SIGNED_IN),
        line("POST", "/v1/chat", "", json!({ "messages": [{ "role": "user", "content": "roses?" }] }), SIGNED_IN),
        line("GET", "/v1/approvals", "", none(), SIGNED_IN),
        line("GET", "/v1/approvals/{invocation}", proposal, none(), APPROVERS),
        line("POST", "/v1/approvals/{invocation}/decision", proposal, decision, APPROVERS),
        line("POST", "/v1/connections/{id}/disconnect", workspace, none(), ADMINS),
        line("POST", "/v1/connections/{id}/disconnect", own, none(), OWN),
        // Last, and each as one caller who may: the connection is gone then.
        line("DELETE", "/v1/connections/{id}", own, none(), [401, 401, PAST, 404, 404, 404, 401]),
        line("DELETE", "/v1/connections/{id}", workspace, none(), ADMINS),
    ]
}

async fn minted(host: &Host, key: &str, subject: &str, role: &str) -> String {
    let body = json!({ "subject": subject, "emails": [format!("{subject}@larkfield.example")], "roles": [role] });
    let minted = host.send("POST", "/v1/callers/token", Some(key), Some(&body)).await.ok();
    minted["token"].as_str().expect("a token").to_owned()
}

#[test]
fn every_route_is_for_those_whom_the_table_names() {
    block_on(async {
        let host = Host::demo().await;
        let accounts = host.app.accounts();
        let other = TenantId::new("other");
        accounts.create_tenant(&other, "Other").await.expect("a tenant");
        let foreign = accounts.create_key(Holder::Service(other), "tests").await.expect("a key");
        let operator = accounts.create_key(Holder::Operator, "tests").await.expect("a key");
        let member = minted(&host, host.key(), "mel", "member").await;
        let tokens = [
            None,
            Some(host.key().to_owned()),
            Some(member.clone()),
            Some(minted(&host, host.key(), "ada", "approver").await),
            Some(minted(&host, host.key(), "root", "admin").await),
            Some(minted(&host, foreign.reveal(), "root", "admin").await),
            Some(operator.reveal().to_owned()),
        ];

        let account = host.simulation.token_for(Provider::Trello, "hugo@larkfield.example", Duration::from_secs(3600));
        let body = json!({
            "connector": "trello", "auth": "oauth", "owner": "me", "name": "Mel's", "token": account.access_token,
        });
        let own = host.send("POST", "/v1/connections", Some(&member), Some(&body)).await.ok();
        let ask = json!({ "connector": "trello", "owner": "me" });
        let link = host.send("POST", "/v1/connections/link", Some(&member), Some(&ask)).await.ok();
        let all = host.get(CHIARA, "/v1/connections").await.ok();
        let workspace = all["connections"].as_array().expect("all").iter().find(|one| one["connector"] == "trello");
        let request = "Create a card \"Roses\" in the list \"Ideas\" of the board \"Marketing: autumn\".";
        let asked = host.post(CHIARA, "/v1/ask", &json!({ "request": request })).await.ok();
        let id = |value: &Value| value.as_str().expect("an id").to_owned();
        let named = Named {
            link: id(&link["id"]),
            workspace: id(&workspace.expect("Trello")["id"]),
            own: id(&own["id"]),
            proposal: id(&asked["proposals"][0]["invocation"]),
        };

        let table = table(&named);
        let mut wrong = Vec::new();
        for line in &table {
            for (caller, (token, expected)) in CALLERS.iter().zip(tokens.iter().zip(line.expected)) {
                let body = (!line.body.is_null()).then_some(&line.body);
                let answer = host.send(line.method, &line.path, token.as_deref(), body).await;
                let status = answer.status.as_u16();
                let refused = if [401, 403, 404].contains(&status) { status } else { PAST };
                if refused != expected {
                    wrong.push(format!("{} {} as {caller}: {status} {}", line.method, line.path, answer.text));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));

        let document = host.send("GET", "/openapi.json", None, None).await.ok();
        let described: BTreeSet<(String, String)> = document["paths"]
            .as_object()
            .expect("paths")
            .iter()
            .flat_map(|(path, item)| {
                let methods = item.as_object().expect("operations").keys();
                methods.map(|method| (method.to_uppercase(), path.clone())).collect::<Vec<_>>()
            })
            .collect();
        let judged: BTreeSet<(String, String)> =
            table.iter().map(|line| (line.method.to_owned(), line.template.to_owned())).collect();
        assert_eq!(described, judged, "a route has a line in the table, and a line a route");
    });
}
