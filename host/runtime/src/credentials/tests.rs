use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::fixtures::{Answer, Host, Seen, Service, TOKEN, authority, connection, manifest, slot, tenant};

/// A token endpoint whose refresh tokens can be used once: `refresh-N` gives `access-N` and `refresh-N+1`.
async fn rotating() -> Service {
    let current = AtomicUsize::new(1);
    Service::new(move |seen, _| {
        let given = form(seen, "refresh_token");
        let number = current.load(Ordering::SeqCst);
        if given.as_deref() != Some(&format!("refreshing-{number}")) {
            return Answer::json(400, r#"{"error":"invalid_grant","error_description":"used before"}"#);
        }
        current.store(number + 1, Ordering::SeqCst);
        let next = number + 1;
        Answer::json(200, &format!(r#"{{"access_token":"access-{number}","refresh_token":"refreshing-{next}","expires_in":3600,"scope":"read write"}}"#))
    })
    .await
}

fn form(seen: &Seen, name: &str) -> Option<String> {
    form_urlencoded::parse(&seen.body).find(|(own, _)| own == name).map(|(_, value)| value.into_owned())
}

async fn attach(host: &Host) -> Result<Arc<Attached>, CredentialError> {
    host.credentials.attach(&authority(), &connection(), &manifest(), &slot("user")).await
}

fn value(attached: &Attached) -> &str {
    attached.value.to_str().expect("text")
}

async fn error_of(host: &Host) -> CredentialError {
    attach(host).await.err().expect("an error")
}

#[tokio::test]
async fn a_live_token_is_attached_without_asking_anybody() {
    let service = rotating().await;
    let host = Host::new(&service).await;
    let attached = attach(&host).await.expect("attached");
    assert_eq!((attached.header.as_str(), value(&attached)), ("authorization", format!("Bearer {TOKEN}").as_str()));
    assert!(attached.value.is_sensitive());
    assert_eq!(service.sockets(), 0);
    let again = attach(&host).await.expect("attached");
    assert!(Arc::ptr_eq(&attached, &again), "opened once");
}

#[tokio::test]
async fn client_fields_stand_where_the_manifest_says() {
    let service = rotating().await;
    let host = Host::new(&service).await;
    let pasted = Connection { auth: "key".into(), ..connection() };
    let attached = host.credentials.attach(&authority(), &pasted, &manifest(), &slot("user")).await.expect("attached");
    assert_eq!(value(&attached), format!("OAuth key=\"the-client-key\", token=\"{TOKEN}\""));
    let own = [("key".to_owned(), Secret::new("the-tenants-own"))].into();
    host.credentials.put_client(Some(&tenant()), "acme", own).await.expect("a client");
    let attached = host.credentials.attach(&authority(), &pasted, &manifest(), &slot("user")).await.expect("attached");
    assert!(value(&attached).contains("the-tenants-own"), "the tenant's client comes first");
    assert_eq!(host.credentials.client_owner(&tenant(), "acme").await.expect("an owner"), "tenant:ten_1");
    assert_eq!(host.credentials.client_owner(&TenantId::new("ten_2"), "acme").await.expect("an owner"), "operator");
}

#[tokio::test]
async fn sixty_four_tasks_in_two_processes_refresh_once() {
    let service = rotating().await;
    let host = Arc::new(Host::new(&service).await);
    host.clock.advance(3_600_000);
    let beside = Arc::new(host.beside(&service).await);
    let tasks = (0..64).map(|number| {
        let host = if number % 2 == 0 { host.clone() } else { beside.clone() };
        tokio::spawn(async move { attach(&host).await.map(|attached| value(&attached).to_owned()) })
    });
    for task in futures::future::join_all(tasks).await {
        assert_eq!(task.expect("no panic").expect("attached"), "Bearer access-1");
    }
    let seen = service.seen();
    assert_eq!(seen.len(), 1, "one refresh");
    assert_eq!(seen[0].line(), "POST /token");
    assert_eq!(seen[0].header("acme-version"), Some("7"), "the manifest's fixed headers go there, too");
    let sent =
        ["grant_type", "refresh_token", "client_id", "client_secret"].map(|name| form(&seen[0], name).expect(name));
    assert_eq!(sent, ["refresh_token", "refreshing-1", "the-client-id", "the-client-secret"]);

    let facts = host.credentials.slots(&authority()).await.expect("slots");
    let user = facts.iter().find(|facts| facts.name == slot("user")).expect("a slot");
    assert_eq!((user.state, user.scopes.join(" ").as_str()), (SecretState::Live, "read write"), "scopes as granted");
    assert_eq!(user.expires, Some(host.clock.now().plus(3_600_000)));
    host.clock.advance(3_600_000);
    assert_eq!(value(&attach(&host).await.expect("attached")), "Bearer access-2", "with the rotated refresh token");
}

#[tokio::test]
async fn a_refresh_is_marked_before_it_is_sent_and_committed_before_it_is_seen() {
    let ports = Arc::new(Mutex::new(None::<Arc<crate::fixtures::MemoryPorts>>));
    let looked = Arc::new(Mutex::new(Vec::new()));
    let (ports_of, looked_at) = (ports.clone(), looked.clone());
    let service = Service::new(move |_, _| {
        let row = ports_of.lock().as_ref().expect("set").row(&authority(), &slot("user"));
        looked_at.lock().push(row.state);
        Answer::json(200, r#"{"access_token":"access-1","refresh_token":"refreshing-2","expires_in":3600}"#)
    })
    .await;
    let host = Host::new(&service).await;
    *ports.lock() = Some(host.ports.clone());
    host.clock.advance(3_600_000);
    attach(&host).await.expect("attached");
    assert_eq!(*looked.lock(), [SecretState::Refreshing], "while the refresh token is on its way");
    let row = host.ports.row(&authority(), &slot("user"));
    assert_eq!((row.state, row.scopes), (SecretState::Live, vec!["read".to_owned()]), "scopes that are not said stay");
}

#[tokio::test]
async fn a_crash_in_the_window_ends_in_needs_reauth_and_not_in_a_loop() {
    let service = rotating().await;
    let host = Host::new(&service).await;
    host.clock.advance(3_600_000);
    // What a process leaves that died between the provider's rotation and its commit.
    let at = authority();
    let row = SealedSecret { state: SecretState::Refreshing, ..host.ports.row(&at, &slot("user")) };
    host.ports.replace(&at, &slot("user"), Some(row.generation), &row).await.expect("marked");
    for _ in 0..3 {
        assert!(matches!(error_of(&host).await, CredentialError::NeedsReauth(_)));
    }
    assert_eq!(service.sockets(), 0, "a token that may be spent is not sent");
    assert_eq!(host.ports.state(&at.connection), ConnectionState::NeedsReauth);

    host.store("user", "brought-by-a-person", None, None).await;
    assert_eq!(value(&attach(&host).await.expect("attached")), "Bearer brought-by-a-person");
    assert_eq!(host.ports.state(&at.connection), ConnectionState::Active);
}

#[tokio::test]
async fn what_the_token_endpoint_says_decides() {
    let refused = r#"{"error":"invalid_grant","error_description":"no refreshing-1 here"}"#;
    let table: &[(&str, Answer, SecretState, ConnectionState)] = &[
        ("needs-reauth", Answer::json(400, refused), SecretState::NeedsReauth, ConnectionState::NeedsReauth),
        (
            "token-endpoint-refused",
            Answer::json(401, r#"{"error":"invalid_client"}"#),
            SecretState::Live,
            ConnectionState::Active,
        ),
        ("token-endpoint-unreachable", Answer::json(503, "busy"), SecretState::Live, ConnectionState::Active),
        ("token-endpoint-unreachable", Answer::json(429, "{}"), SecretState::Live, ConnectionState::Active),
        // The token rotates, and nobody knows whether it did.
        ("needs-reauth", Answer::Close, SecretState::NeedsReauth, ConnectionState::NeedsReauth),
        ("needs-reauth", Answer::json(200, "{}"), SecretState::NeedsReauth, ConnectionState::NeedsReauth),
    ];
    for (code, answer, secret, state) in table {
        let service = Service::saying(answer.clone()).await;
        let host = Host::new(&service).await;
        host.clock.advance(3_600_000);
        let error = error_of(&host).await;
        assert_eq!(error.code(), *code, "{answer:?}: {error}");
        assert!(!error.to_string().contains("refreshing-1"), "descriptions are not told: {error}");
        assert_eq!(host.ports.row(&authority(), &slot("user")).state, *secret, "{answer:?}");
        assert_eq!(host.ports.state(&connection().id), *state, "{answer:?}");
        assert_eq!(service.seen().len(), 1, "{answer:?}: asked once");
    }
}

#[tokio::test]
async fn a_token_endpoint_that_cannot_be_reached_changes_nothing() {
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("bound");
    let repoint = crate::wire::Repoint::new([("acme.auth", format!("http://{nobody}"))]).expect("re-pointing");
    let host = Host::with(repoint, Arc::new(crate::wire::SystemLookup), crate::egress::EgressConfig::default()).await;
    host.clock.advance(3_600_000);
    let error = error_of(&host).await;
    assert!(matches!(error, CredentialError::Unreachable(_)) && error.retryable(), "{error}");
    assert_eq!(host.ports.row(&authority(), &slot("user")).state, SecretState::Live);
}

#[tokio::test]
async fn an_invocation_that_is_cancelled_does_not_lose_the_rotated_token() {
    let service = rotating().await;
    let host = Host::new(&service).await;
    host.clock.advance(3_600_000);
    let at = (authority(), connection(), manifest(), slot("user"));
    {
        let mut attaching = std::pin::pin!(host.credentials.attach(&at.0, &at.1, &at.2, &at.3));
        // Driven until the request has arrived, then dropped.
        while service.seen().is_empty() {
            assert!(futures::poll!(&mut attaching).is_pending() || !service.seen().is_empty());
            tokio::task::yield_now().await;
        }
    }
    while host.ports.row(&at.0, &at.3).state != SecretState::Live {
        tokio::task::yield_now().await;
    }
    assert_eq!(value(&attach(&host).await.expect("attached")), "Bearer access-1");
    assert_eq!(service.seen().len(), 1);
}

#[tokio::test]
async fn a_row_that_was_moved_is_not_used() {
    let service = rotating().await;
    let host = Host::new(&service).await;
    let at = authority();
    let bots = host.ports.row(&at, &slot("bot"));
    let own = host.ports.row(&at, &slot("user"));
    let swapped = SealedSecret { generation: own.generation, ..bots };
    host.ports.replace(&at, &slot("user"), Some(own.generation), &swapped).await.expect("swapped");
    assert_eq!(error_of(&host).await.code(), "sealed-elsewhere");
    assert_eq!(service.sockets(), 0);
}

#[tokio::test]
async fn nothing_stored_holds_a_secret_in_plain() {
    let service = rotating().await;
    let host = Host::new(&service).await;
    host.clock.advance(3_600_000);
    attach(&host).await.expect("attached");
    let facts = host.credentials.slots(&authority()).await.expect("slots");
    let all = format!("{:?} {facts:?}", host.ports.history.lock());
    for secret in [TOKEN, "access-1", "refreshing-1", "refreshing-2"] {
        assert!(!all.contains(secret), "{secret}");
        assert!(
            !all.contains(&format!("{:?}", secret.as_bytes()).trim_matches(['[', ']']).to_owned()),
            "{secret} as bytes"
        );
    }
}
