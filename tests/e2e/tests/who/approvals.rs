//! Whoever asked does not approve, unless an admin of the tenant allows it.

use reqwest::StatusCode;
use sallyport_e2e::{Answer, Host, block_on, fails, output};
use serde_json::{Value, json};

use super::{CHIARA, INES};

async fn proposed(host: &Host, card: &str) -> Value {
    let request = format!("Create a card \"{card}\" in the list \"Ideas\" of the board \"Marketing: autumn\".");
    let answered = host.post(CHIARA, "/v1/ask", &json!({ "request": request })).await.ok();
    answered["proposals"][0].clone()
}

async fn decide(host: &Host, who: &str, proposal: &Value, decision: &str) -> Answer {
    let path = format!("/v1/approvals/{}/decision", proposal["invocation"].as_str().expect("an id"));
    host.post(who, &path, &json!({ "decision": decision, "wait": true })).await
}

async fn self_approval(host: &Host, who: &str, on: bool) -> Answer {
    let body = json!({ "self_approval": on });
    host.send("PUT", "/v1/tenant/rules", Some(&host.token(who).await), Some(&body)).await
}

#[test]
fn whoever_asked_approves_over_http_only_where_an_admin_allows_it() {
    block_on(async {
        let host = Host::demo().await;
        assert_eq!(self_approval(&host, CHIARA, false).await.status, StatusCode::FORBIDDEN);
        assert_eq!(self_approval(&host, INES, false).await.ok(), json!({ "self_approval": false }));
        let proposal = proposed(&host, "Order corks").await;
        assert_eq!(proposal["decider"]["kind"], "other-approver", "{proposal:#}");
        let refused = decide(&host, CHIARA, &proposal, "approve").await;
        assert_eq!((refused.status, refused.code().as_str()), (StatusCode::FORBIDDEN, "not-decider"));
        for part in ["an approver of the tenant other than the one who asked", "tenant rules --self-approval on"] {
            assert!(refused.text.contains(part), "{}", refused.text);
        }
        assert!(host.writes().is_empty());
        assert_eq!(decide(&host, INES, &proposal, "approve").await.ok()["state"], "succeeded");
        assert_eq!(host.writes().len(), 1);

        let taken_back = proposed(&host, "Order labels").await;
        assert_eq!(decide(&host, CHIARA, &taken_back, "deny").await.ok()["state"], "denied");

        assert_eq!(self_approval(&host, INES, true).await.ok(), json!({ "self_approval": true }));
        let own = proposed(&host, "Order crates").await;
        assert_eq!(own["decider"]["kind"], "approver");
        assert_eq!(decide(&host, CHIARA, &own, "approve").await.ok()["state"], "succeeded");
        assert_eq!(host.writes().len(), 2);
    });
}

#[test]
fn the_command_line_holds_to_the_same_rule() {
    block_on(async {
        let host = Host::demo().await;
        let proposal = proposed(&host, "Order corks").await;
        let id = proposal["invocation"].as_str().expect("an id");
        let base = ["--data", host.data(), "--tenant", "demo"];
        assert_eq!(
            output(&[&base, &["tenant", "rules"][..]].concat()),
            json!({ "self_approval": true }),
            "the demo's people may"
        );
        let off = output(&[&base, &["tenant", "rules", "--self-approval", "off"][..]].concat());
        assert_eq!(off, json!({ "self_approval": false }));
        let said = fails(&[&base, &["approvals", "approve", id, "--as", CHIARA][..]].concat());
        assert!(said.contains("other than the one who asked"), "{said}");
        assert!(host.writes().is_empty());
        assert_eq!(
            output(&[&base, &["approvals", "approve", id][..]].concat())["state"],
            "succeeded",
            "the operator did not ask"
        );
        assert_eq!(host.writes().len(), 1);
    });
}
