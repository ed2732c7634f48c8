//! The way to the issuer and back.

use std::collections::HashMap;

use sallyport::Role;
use serde_json::json;

use super::*;

#[tokio::test]
async fn a_person_signs_in_and_is_who_the_issuer_says() {
    let given = Given::pinned(|pin| pin.scopes = vec!["groups".into()]).await;
    let begun = given.begin().await;
    let asked: HashMap<String, String> = begun.url.query_pairs().into_owned().collect();
    assert!(begun.url.as_str().starts_with(&format!("{}/authorize?", given.fake.url)));
    assert_eq!(
        (asked["scope"].as_str(), asked["redirect_uri"].as_str()),
        ("openid email profile groups", callback().as_str())
    );

    let session = given.finish(&begun.cookie, &given.fake.sign_in(&begun.url)).await.unwrap();
    let caller = &session.who.caller;
    assert!(caller.subject.as_str().starts_with("oidc:") && caller.subject.as_str().ends_with(":248289761001"));
    assert_eq!((caller.tenant.as_str(), caller.emails.as_slice()), ("acme", &["ana@acme.example".to_owned()][..]));
    assert_eq!((caller.roles.as_slice(), session.who.name.as_deref()), (&[Role::Member][..], Some("Ana Okafor")));

    let cookie = given.signin.session_cookie(&session).unwrap();
    let (who, left) = given.signin.session(&cookie).await.unwrap().unwrap();
    assert_eq!(who, session.who);
    assert!((session::LIFE - 5..=8 * 60 * 60).contains(&left), "{left}");
    // Again: the same person.
    assert_eq!(given.sign_in().await.unwrap().who, who);
}

#[tokio::test]
async fn neither_the_cookie_nor_the_address_holds_the_proof_of_the_code() {
    let given = Given::new().await;
    let begun = given.begin().await;
    let state = begun.url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let verifier = given.signin.proofs(&state).verifier;
    assert!((43..=128).contains(&verifier.len()));
    assert!(!begun.url.as_str().contains(&verifier) && !begun.cookie.contains(&verifier));
    let other = given.begin().await;
    assert_ne!(begun.url.query(), other.url.query(), "each sign-in has its own state, nonce and challenge");
}

#[tokio::test]
async fn an_answer_counts_once_and_after_a_restart_too() {
    let given = Given::new().await;
    let begun = given.begin().await;
    let query = given.fake.sign_in(&begun.url);
    given.finish(&begun.cookie, &query).await.unwrap();
    let again = given.finish(&begun.cookie, &query).await.unwrap_err();
    assert!(matches!(again, SignInError::Attempt(AttemptError::Used)), "{again}");
    let restarted = signin(&given.folder, issuer::LIFE).await;
    let again = restarted.finish(Some(&begun.cookie), answer(&query), &callback()).await.unwrap_err();
    assert!(matches!(again, SignInError::Attempt(AttemptError::Used)), "{again}");
}

#[tokio::test]
async fn an_answer_counts_in_the_browser_that_asked_and_in_no_other() {
    let given = Given::new().await;
    let (mine, theirs) = (given.begin().await, given.begin().await);
    let query = given.fake.sign_in(&mine.url);
    let expect = async |cookie: Option<&str>, query: &str, expected: AttemptError| {
        let error = given.signin.finish(cookie, answer(query), &callback()).await.unwrap_err();
        assert!(matches!(error, SignInError::Attempt(found) if found == expected), "{error}, not {expected}");
    };
    expect(None, &query, AttemptError::Absent).await;
    expect(Some(&theirs.cookie), &query, AttemptError::Other).await;
    expect(Some("nonsense"), &query, AttemptError::Other).await;
    expect(Some(&mine.cookie), "code=code-0", AttemptError::Other).await;
    // A session is signed by the same key, and is no sign-in under way.
    let session = given.sign_in().await.unwrap();
    expect(Some(&given.signin.session_cookie(&session).unwrap()), &query, AttemptError::Other).await;
    // None of that used it up.
    assert!(given.finish(&mine.cookie, &query).await.is_ok());
}

#[tokio::test]
async fn an_answer_that_took_too_long_is_refused() {
    let given = Given::new().await;
    let begun = given.begin().await;
    let query = given.fake.sign_in(&begun.url);
    let (attempt, _) = given.signin.attempt(Some(&begun.cookie)).unwrap();
    let old = given.signin.tokens.seal(ATTEMPT, attempt, now() - PATIENCE - 1, PATIENCE).unwrap();
    let error = given.finish(&old, &query).await.unwrap_err();
    assert!(matches!(error, SignInError::Attempt(AttemptError::Expired)), "{error}");
}

#[tokio::test]
async fn an_answer_that_names_another_issuer_is_refused_before_its_code_is_sent() {
    let given = Given::new().await;
    for wrong in ["&iss=https%3A%2F%2Fevil.example", "&iss="] {
        let begun = given.begin().await;
        let query = given.fake.sign_in(&begun.url);
        let error = given.finish(&begun.cookie, &format!("{query}{wrong}")).await.unwrap_err();
        assert!(matches!(error, SignInError::Attempt(AttemptError::Issuer)), "{error}");
    }
    let begun = given.begin().await;
    let query = format!("{}&iss={}", given.fake.sign_in(&begun.url), given.fake.url);
    assert!(given.finish(&begun.cookie, &query).await.is_ok());

    // One that says that it always names itself, and does not.
    let given = Given::new().await;
    given.fake.script.lock().document = json!({ "authorization_response_iss_parameter_supported": true });
    let error = given.sign_in().await.unwrap_err();
    assert!(matches!(error, SignInError::Attempt(AttemptError::Issuer)), "{error}");
}

#[tokio::test]
async fn what_the_issuer_refuses_is_said_with_what_to_do() {
    let given = Given::new().await;
    let begun = given.begin().await;
    let state = begun.url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let query = format!("error=access_denied&error_description=Not%20today&state={state}");
    let error = given.finish(&begun.cookie, &query).await.unwrap_err();
    assert!(matches!(&error, SignInError::Denied(words) if words == "access_denied: Not today"), "{error}");

    given.signin.set_pin(&acme(), pin(&given.fake), &Secret::new("another secret")).await.unwrap();
    let error = given.sign_in().await.unwrap_err();
    assert!(matches!(error, SignInError::Client { .. }), "{error}");
    assert!(error.to_string().contains("client secret") && !error.to_string().contains("another secret"), "{error}");
}

#[tokio::test]
async fn an_application_with_an_id_token_of_the_pinned_issuer_is_known_by_it() {
    let given = Given::new().await;
    let token = given.fake.id_token(None);
    let (who, ends) = given.signin.by_id_token(&acme(), &token).await.unwrap();
    assert_eq!(who, given.sign_in().await.unwrap().who, "the same person, whichever way they come");
    assert!((now() + 290..=now() + 300).contains(&ends));

    // Another tenant has another issuer, and this one's word is none there.
    let other = TenantId::new("other");
    let theirs = Fake::start().await;
    given.signin.set_pin(&other, pin(&theirs), &Secret::new(SECRET)).await.unwrap();
    let error = given.signin.by_id_token(&other, &token).await.unwrap_err();
    assert!(matches!(error, SignInError::IdToken(IdTokenError::Issuer)), "{error}");
    let error = given.signin.by_id_token(&TenantId::new("nobody"), &token).await.unwrap_err();
    assert!(matches!(error, SignInError::NotSetUp(_)), "{error}");
}
