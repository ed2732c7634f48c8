//! What is kept of a pinned issuer.

use serde_json::Value;

use super::*;

#[tokio::test]
async fn the_client_secret_is_kept_sealed_for_its_tenant_issuer_and_client() {
    let given = Given::new().await;
    let accounts = given.signin.pins.accounts();
    let row = accounts.setting("signin/acme").await.unwrap().unwrap();
    assert!(!row.contains(SECRET));
    for entry in std::fs::read_dir(given.folder.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap_or_default();
        assert!(!bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()));
    }

    // Whoever can write the store, and nothing more, does not get the secret sent to an issuer of theirs.
    let evil = Fake::start().await;
    for (field, value) in [("issuer", evil.url.as_str()), ("client_id", "theirs")] {
        let mut changed: Value = serde_json::from_str(&row).unwrap();
        changed["pin"][field] = value.into();
        accounts.put_setting("signin/acme", &changed.to_string()).await.unwrap();
        let kept = given.signin.pins.load(&acme()).await.unwrap();
        assert!(matches!(given.signin.pins.secret(&acme(), &kept).await, Err(SignInError::Key(_))), "{field}");
    }
    let other = TenantId::new("other");
    accounts.put_setting("signin/other", &row).await.unwrap();
    let kept = given.signin.pins.load(&other).await.unwrap();
    assert!(matches!(given.signin.pins.secret(&other, &kept).await, Err(SignInError::Key(_))));
}

#[tokio::test]
async fn with_another_pin_or_none_sessions_and_sign_ins_under_way_end() {
    let given = Given::new().await;
    let cookie = given.signin.session_cookie(&given.sign_in().await.unwrap()).unwrap();
    let begun = given.begin().await;
    let query = given.fake.sign_in(&begun.url);
    assert!(given.signin.session(&cookie).await.unwrap().is_some());

    let changed = Pin { domains: vec!["acme.example".into()], ..pin(&given.fake) };
    given.signin.set_pin(&acme(), changed, &Secret::new(SECRET)).await.unwrap();
    assert!(given.signin.session(&cookie).await.unwrap().is_none());
    let error = given.finish(&begun.cookie, &query).await.unwrap_err();
    assert!(matches!(error, SignInError::Attempt(AttemptError::Changed)), "{error}");

    let cookie = given.signin.session_cookie(&given.sign_in().await.unwrap()).unwrap();
    assert!(given.signin.remove_pin(&acme()).await.unwrap());
    assert!(!given.signin.remove_pin(&acme()).await.unwrap());
    assert!(given.signin.session(&cookie).await.unwrap().is_none());
    let error = given.signin.begin(&acme(), &callback()).await.err().unwrap();
    assert!(matches!(error, SignInError::NotSetUp(_)), "{error}");
}

#[tokio::test]
async fn a_caller_token_is_no_session() {
    let given = Given::new().await;
    let session = given.sign_in().await.unwrap();
    let token = given.signin.tokens.mint(&session.who, now(), 60).unwrap();
    assert!(given.signin.session(&token).await.unwrap().is_none());
    assert!(given.signin.tokens.verify(&given.signin.session_cookie(&session).unwrap()).is_err());
}

#[tokio::test]
async fn the_same_id_at_two_issuers_is_two_people() {
    let (one, two) = (Given::new().await, Given::new().await);
    let subjects =
        [one.sign_in().await.unwrap(), two.sign_in().await.unwrap()].map(|session| session.who.caller.subject);
    assert_ne!(subjects[0], subjects[1]);
}

#[tokio::test]
async fn a_pin_that_is_not_of_its_form_is_refused_with_what_is_wrong() {
    let given = Given::new().await;
    let usual = pin(&given.fake);
    let with = |change: &dyn Fn(&mut Pin)| {
        let mut pin = usual.clone();
        change(&mut pin);
        pin.checked()
    };
    for issuer in ["issuer.example", "http://issuer.example", "https://issuer.example?x=1", "https://a@issuer.example"]
    {
        let error = with(&|pin| pin.issuer = issuer.into()).unwrap_err().to_string();
        assert!(error.contains(issuer), "{error}");
    }
    assert!(with(&|pin| pin.issuer = "https://issuer.example/realms/acme".into()).is_ok());
    assert!(with(&|pin| pin.client_id = " ".into()).unwrap_err().to_string().contains("client id"));
    assert!(with(&|pin| pin.admin = vec!["x".into()]).unwrap_err().to_string().contains("--roles-claim"));
    assert!(with(&|pin| pin.domains = vec!["acme".into()]).unwrap_err().to_string().contains("acme"));
    assert_eq!(with(&|pin| pin.domains = vec![" @Acme.Example".into()]).unwrap().domains, ["acme.example"]);

    let route = given.signin.set_pin(&TenantId::new("callback"), usual.clone(), &Secret::new(SECRET)).await;
    assert!(matches!(route, Err(SignInError::Pin(_))));
    let empty = given.signin.set_pin(&acme(), usual, &Secret::new(" ")).await;
    assert!(matches!(empty, Err(SignInError::Pin(_))));
}
