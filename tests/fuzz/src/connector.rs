//! The invented service: `open` takes no secret and may be read; `api` takes one; `port` is `api`'s host at another port.

use std::sync::LazyLock;

use sallyport::ids::{SlotName, SubjectId, TenantId};
use sallyport::registry::Registry;
use sallyport::{Caller, Role};
use sallyport_pack::manifest::Manifest;

/// The secret of the slot `user`.
pub const TOKEN: &str = "user-token/0123456789+abcdef";

/// Every origin as the connector has to write it.
pub const ORIGINS: [(&str, &str); 3] = [
    ("api", "https://api.acme.example"),
    ("port", "https://api.acme.example:8443"),
    ("open", "https://open.acme.example"),
];

/// Parameters that only the host may send, of the manifest and of the provider.
pub const REFUSED: [&str; 2] = ["token", "api_key"];

const PROVIDER: &str = r#"
    [provider.acme]
    name = "Acme"
    origins = ["https://api.acme.example"]
    auth = []
    credential_parameters = ["api_key"]
"#;

/// The manifest, read once.
pub static MANIFEST: LazyLock<Manifest> =
    LazyLock::new(|| Manifest::from_toml(include_str!("connector.toml")).expect("our own manifest"));

pub fn registry() -> Registry {
    Registry::default().extended(PROVIDER).expect("our own provider")
}

/// Somebody who may do everything in the tenant.
pub fn admin() -> Caller {
    let (tenant, subject) = (TenantId::new("fuzz"), SubjectId::new("root"));
    Caller { tenant, subject, emails: vec!["root@acme.example".into()], roles: vec![Role::Admin] }
}

pub fn slot() -> SlotName {
    SlotName::new("user").expect("a slot's name")
}
