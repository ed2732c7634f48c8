//! What is checked in what an issuer says.

use axum::http::StatusCode;
use sallyport::Role;
use serde_json::{Value, json};

use super::fake::Signed;
use super::*;

#[tokio::test]
async fn an_id_token_that_is_not_for_this_sign_in_is_refused() {
    let given = Given::new().await;
    for (claims, expected) in [
        (json!({ "iss": "https://evil.example" }), IdTokenError::Issuer),
        (json!({ "iss": format!("{}/", given.fake.url) }), IdTokenError::Issuer),
        (json!({ "aud": "another client" }), IdTokenError::Audience),
        (json!({ "aud": [CLIENT, "another client"] }), IdTokenError::Audience),
        (json!({ "azp": "another client" }), IdTokenError::Audience),
        (json!({ "nonce": "of-another-sign-in" }), IdTokenError::Nonce),
        (json!({ "nonce": null }), IdTokenError::Nonce),
        (json!({ "exp": now() - 1 }), IdTokenError::Expired),
        (json!({ "sub": null }), IdTokenError::Form),
    ] {
        given.says(claims.clone());
        let error = given.sign_in().await.unwrap_err();
        match error {
            // What is no ID token is not one already where the answer that holds it is read.
            SignInError::Issuer { .. } if expected == IdTokenError::Form => {}
            SignInError::IdToken(found) => assert_eq!(found, expected, "{claims}"),
            other => panic!("{claims}: {other}"),
        }
        // The same holds for an application's, but for the nonce, which it has none of.
        let by_token = given.signin.by_id_token(&acme(), &given.fake.id_token(None)).await;
        match (expected, by_token) {
            (IdTokenError::Nonce, by_token) => assert!(by_token.is_ok(), "{claims}"),
            (expected, Err(SignInError::IdToken(found))) => assert_eq!(found, expected, "{claims}"),
            (_, other) => panic!("{claims}: {:?}", other.map(|(who, _)| who)),
        }
    }
    given.says(json!({}));
    assert!(given.sign_in().await.is_ok());
}

#[tokio::test]
async fn only_a_key_that_the_issuer_lists_signs() {
    let given = Given::new().await;
    for (signed, expected) in [
        (Signed::BySecret, IdTokenError::Algorithm),
        (Signed::Not, IdTokenError::Algorithm),
        (Signed::Falsely(0), IdTokenError::Signature),
        (Signed::By(1), IdTokenError::UnknownKey),
    ] {
        given.fake.script.lock().signed = signed;
        let token = given.fake.id_token(None);
        for error in [given.sign_in().await.unwrap_err(), given.signin.by_id_token(&acme(), &token).await.unwrap_err()]
        {
            assert!(matches!(&error, SignInError::IdToken(found) if *found == expected), "{error}, not {expected}");
        }
    }
    let error = given.signin.by_id_token(&acme(), "no.token.this").await.unwrap_err();
    assert!(matches!(error, SignInError::IdToken(IdTokenError::Form)), "{error}");
}

#[tokio::test]
async fn keys_that_the_issuer_changed_are_read_again_once() {
    let given = Given::new().await;
    given.sign_in().await.unwrap();
    assert_eq!(given.fake.script.lock().key_reads, 1);
    {
        let mut script = given.fake.script.lock();
        (script.signed, script.listed) = (Signed::By(1), vec![1]);
    }
    given.sign_in().await.unwrap();
    assert_eq!(given.fake.script.lock().key_reads, 2);

    // Tokens of keys that nobody has do not make the host ask over and over.
    given.fake.script.lock().signed = Signed::By(0);
    for _ in 0..5 {
        assert!(given.signin.by_id_token(&acme(), &given.fake.id_token(None)).await.is_err());
    }
    let script = given.fake.script.lock();
    assert_eq!((script.key_reads, script.discoveries), (2, 1));
}

#[tokio::test]
async fn what_an_issuer_says_of_itself_is_believed_for_a_time() {
    let given = Given::new().await;
    let at_once = signin(&given.folder, Duration::ZERO).await;
    for (signin, expected) in [(&given.signin, 1), (&given.signin, 1), (&at_once, 2), (&at_once, 3)] {
        signin.begin(&acme(), &callback()).await.unwrap();
        assert_eq!(given.fake.script.lock().discoveries, expected);
    }
}

#[tokio::test]
async fn an_address_counts_only_if_the_issuer_has_verified_it() {
    let given = Given::new().await;
    for unverified in [json!({ "email_verified": false }), json!({ "email_verified": null })] {
        given.says(unverified);
        let who = given.sign_in().await.unwrap().who;
        assert_eq!((who.caller.emails.as_slice(), who.name.as_deref()), (&[][..], Some("Ana Okafor")));
    }

    let given = Given::pinned(|pin| pin.domains = vec!["@ACME.example".into()]).await;
    assert!(given.sign_in().await.is_ok());
    for outside in [
        json!({ "email_verified": false }),
        json!({ "email": "ana@evil.example" }),
        json!({ "email": "ana@sub.acme.example" }),
        json!({ "email": "ana@evilacme.example" }),
        json!({ "email": null }),
    ] {
        given.says(outside.clone());
        let error = given.sign_in().await.unwrap_err();
        assert!(matches!(&error, SignInError::NotAllowed(NotAllowed::Domain(_))), "{outside}: {error}");
        assert!(error.to_string().contains("acme.example"), "{error}");
    }
}

#[tokio::test]
async fn roles_are_what_the_claim_says_and_nobody_is_an_admin_without() {
    use Role::{Admin, Approver, Member};
    let given = Given::new().await;
    given.says(json!({ "roles": ["admin"], "groups": "admin" }));
    assert_eq!(given.sign_in().await.unwrap().who.caller.roles, [Member], "no claim is pinned");

    let claims =
        |values: Value| [("groups", json!({ "groups": values })), ("/a/b~1c", json!({ "a": { "b/c": values } }))];
    for (values, roles) in [
        (json!(["bosses"]), vec![Admin, Member]),
        (json!("bosses"), vec![Admin, Member]),
        (json!(["staff", "leads", 7]), vec![Approver, Member]),
        (json!(["staff"]), vec![Member]),
        (json!(["bosses of another"]), vec![]),
        (json!({ "bosses": true }), vec![]),
        (Value::Null, vec![]),
    ] {
        for (claim, said) in claims(values.clone()) {
            let given = Given::pinned(|pin| {
                pin.roles_claim = Some(claim.into());
                (pin.admin, pin.approver) = (vec!["bosses".into()], vec!["leads".into()]);
                pin.member = vec!["staff".into()];
            })
            .await;
            given.says(said);
            match given.sign_in().await {
                Ok(session) => assert_eq!(session.who.caller.roles, roles, "{claim}: {values}"),
                Err(SignInError::NotAllowed(NotAllowed::NoRole)) => assert!(roles.is_empty(), "{claim}: {values}"),
                Err(other) => panic!("{claim}: {values}: {other}"),
            }
        }
    }
}

#[tokio::test]
async fn user_info_completes_an_id_token_for_the_same_person_only() {
    let thin = json!({ "name": null, "email": null, "email_verified": null });
    let full = json!({ "sub": "248289761001", "name": "Ana", "email": "ana@acme.example", "email_verified": true,
        "groups": ["bosses"] });
    let given = Given::pinned(|pin| {
        pin.roles_claim = Some("groups".into());
        pin.admin = vec!["bosses".into()];
    })
    .await;
    given.says(thin);
    given.fake.script.lock().info = full.clone();
    let who = given.sign_in().await.unwrap().who;
    assert_eq!((who.caller.is(Role::Admin), who.caller.emails), (true, vec!["ana@acme.example".to_owned()]));

    given.fake.script.lock().info["sub"] = json!("somebody else");
    let error = given.sign_in().await.unwrap_err();
    assert!(matches!(error, SignInError::Issuer { .. }), "{error}");
    given.fake.script.lock().info = full;
    given.fake.script.lock().info["email_verified"] = json!(false);
    assert!(given.sign_in().await.unwrap().who.caller.emails.is_empty());
}

#[tokio::test]
async fn an_issuer_that_cannot_be_worked_with_is_told_apart_from_one_that_does_not_answer() {
    let given = Given::new().await;
    for document in [
        json!({ "issuer": "https://evil.example" }),
        json!({ "issuer": format!("{}/", given.fake.url) }),
        json!({ "jwks_uri": null }),
    ] {
        let fresh = signin(&given.folder, issuer::LIFE).await;
        given.fake.script.lock().document = document.clone();
        let error = fresh.begin(&acme(), &callback()).await.err().unwrap();
        assert!(matches!(error, SignInError::Issuer { .. }), "{document}: {error}");
    }

    let gone = TenantId::new("gone");
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let nobody = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let pin = Pin { issuer: nobody.clone(), ..pin(&given.fake) };
    given.signin.set_pin(&gone, pin, &Secret::new(SECRET)).await.unwrap();
    let error = given.signin.begin(&gone, &callback()).await.err().unwrap();
    assert!(matches!(error, SignInError::Unreachable { .. }) && error.to_string().contains(&nobody), "{error}");
}

#[tokio::test]
async fn a_redirect_of_the_issuers_is_not_followed_and_a_strange_answer_is_not_repeated() {
    let given = Given::new().await;
    given.fake.script.lock().refusal =
        Some((StatusCode::OK, json!({ "access_token": "very-secret-token", "token_type": 7 })));
    let error = given.sign_in().await.unwrap_err();
    assert!(matches!(error, SignInError::Issuer { .. }), "{error}");
    assert!(!format!("{error} {error:?}").contains("very-secret-token"), "{error:?}");

    let elsewhere = format!("{}/jwks", given.fake.url);
    let redirects = axum::Router::new().fallback(async move || axum::response::Redirect::temporary(&elsewhere));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let issuer = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, redirects).await });
    let reads = given.fake.script.lock().key_reads;
    let error = given.signin.check(&issuer).await.unwrap_err();
    assert!(matches!(error, SignInError::Issuer { .. }), "{error}");
    assert_eq!(given.fake.script.lock().key_reads, reads);
}

#[tokio::test]
async fn an_answer_without_end_is_given_up() {
    let given = Given::new().await;
    given.fake.script.lock().document = json!({ "padding": "x".repeat(2 << 20) });
    let error = given.signin.begin(&acme(), &callback()).await.err().unwrap();
    assert!(matches!(error, SignInError::Issuer { .. }) && error.to_string().contains("larger"), "{error}");
}

#[tokio::test]
async fn an_issuer_with_tls_is_not_asked_anything_without() {
    let request = openidconnect::HttpRequest::new(Vec::new());
    let (mut parts, body) = request.into_parts();
    parts.uri = "http://issuer.example/jwks".parse().unwrap();
    let way = Issuers::new(issuer::LIFE, issuer::PAUSE).way("https://issuer.example");
    let error = way(openidconnect::HttpRequest::from_parts(parts, body)).await.unwrap_err();
    assert!(matches!(error, http::HttpError::Plain(_)), "{error}");
}
