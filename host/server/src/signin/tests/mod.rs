mod checks;
pub(crate) mod fake;
mod flow;
mod kept;

use sallyport::keys::MasterFile;
use sallyport_store::Store;
use tempfile::TempDir;

use super::*;
use fake::{CLIENT, Fake, SECRET};

/// A host's sign-in over a data directory, with a tenant `acme` that pins a fake issuer.
struct Given {
    folder: TempDir,
    fake: Fake,
    signin: SignIn,
}

impl Given {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fake = Fake::start().await;
        let signin = signin(&folder, issuer::LIFE).await;
        signin.pins.accounts().create_tenant(&acme(), "Acme").await.unwrap();
        signin.set_pin(&acme(), pin(&fake), &Secret::new(SECRET)).await.unwrap();
        Self { folder, fake, signin }
    }

    /// The same with another pin.
    async fn pinned(change: impl FnOnce(&mut Pin)) -> Self {
        let given = Self::new().await;
        let mut pin = pin(&given.fake);
        change(&mut pin);
        given.signin.set_pin(&acme(), pin, &Secret::new(SECRET)).await.unwrap();
        given
    }

    fn says(&self, claims: serde_json::Value) {
        self.fake.script.lock().claims = claims;
    }

    async fn begin(&self) -> Begun {
        self.signin.begin(&acme(), &callback()).await.unwrap()
    }

    async fn finish(&self, cookie: &str, query: &str) -> Result<Session, SignInError> {
        self.signin.finish(Some(cookie), answer(query), &callback()).await
    }

    /// The whole way, as the issuer's script has it.
    async fn sign_in(&self) -> Result<Session, SignInError> {
        let begun = self.begin().await;
        self.finish(&begun.cookie, &self.fake.sign_in(&begun.url)).await
    }
}

/// A host on the data directory; several are as one that was started again.
async fn signin(folder: &TempDir, life: Duration) -> SignIn {
    let store = Arc::new(Store::open(folder.path()).unwrap());
    let masters = Arc::new(MasterFile::open_or_create(&folder.path().join("master.key")).unwrap());
    let tokens = Arc::new(TokenKey::new(&store.accounts().signing_key().await.unwrap()));
    SignIn::with(store.accounts(), masters, store, tokens, Issuers::new(life, issuer::PAUSE))
}

fn acme() -> TenantId {
    TenantId::new("acme")
}

fn callback() -> Url {
    Url::parse("https://sallyport.example/signin/callback").unwrap()
}

pub(crate) fn pin(fake: &Fake) -> Pin {
    Pin {
        issuer: fake.url.clone(),
        client_id: CLIENT.into(),
        roles_claim: None,
        admin: Vec::new(),
        approver: Vec::new(),
        member: Vec::new(),
        domains: Vec::new(),
        scopes: Vec::new(),
    }
}

fn answer(query: &str) -> Answer {
    let pairs: serde_json::Map<String, serde_json::Value> =
        url::form_urlencoded::parse(query.as_bytes()).map(|(name, value)| (name.into(), value.into())).collect();
    serde_json::from_value(pairs.into()).unwrap()
}
