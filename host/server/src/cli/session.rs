//! What commands share: the data directory, the tenant, and who is acting.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use sallyport::connection::Connection;
use sallyport::ids::{SubjectId, TenantId};
use sallyport::ports::{Directory as _, StoreError};
use sallyport::{Caller, Role};
use sallyport_index::Model;

use super::Global;
use crate::app::App;
use crate::config::Config;

/// The data directory: `--data`, else a folder of the user's.
///
/// # Errors
/// Neither is known.
pub fn data(global: &Global) -> anyhow::Result<PathBuf> {
    if let Some(data) = &global.data {
        return Ok(data.clone());
    }
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = set("XDG_DATA_HOME").or_else(|| Some(set("HOME")?.join(".local/share")));
    Ok(base.context("no data directory: name one with --data, before the command")?.join("sallyport"))
}

/// The user's cache folder.
///
/// # Errors
/// Not known.
pub fn cache() -> anyhow::Result<PathBuf> {
    Model::default_cache().context("no cache folder: set HOME or XDG_CACHE_HOME")
}

/// Opens the host and makes sure that the tenant is there.
///
/// # Errors
/// As [`App::open`].
pub async fn open(global: &Global) -> anyhow::Result<(App, TenantId)> {
    let data = data(global)?;
    let config = Config::of_program(&data)?;
    let app = App::open(&data, config, None).await?;
    let tenant = tenant(&app, &global.tenant).await?;
    Ok((app, tenant))
}

/// The tenant of this name, made if absent: the command line is the operator's.
///
/// # Errors
/// The store's.
pub async fn tenant(app: &App, name: &str) -> anyhow::Result<TenantId> {
    let id = TenantId::new(name);
    match app.accounts().tenant(&id).await {
        Ok(_) => {}
        Err(StoreError::NotFound { .. }) => {
            app.accounts().create_tenant(&id, name).await?;
        }
        Err(error) => return Err(error.into()),
    }
    Ok(id)
}

/// The operator: whoever may read the data directory may do everything in it.
#[must_use]
pub fn operator(tenant: &TenantId) -> Caller {
    Caller {
        tenant: tenant.clone(),
        subject: SubjectId::new("operator"),
        emails: Vec::new(),
        roles: vec![Role::Admin, Role::Approver, Role::Member],
    }
}

/// An e-mail address as it is kept: trimmed, in lower case.
///
/// # Errors
/// It is none.
pub fn email(text: &str) -> anyhow::Result<String> {
    let email = text.trim().to_lowercase();
    if !email.contains('@') {
        bail!("{text:?} is no e-mail address: name the person by one");
    }
    Ok(email)
}

/// The built-in user with this address; somebody else is a member who has this address and nothing more.
///
/// # Errors
/// It is no e-mail address; the store's.
pub async fn by_email(app: &App, tenant: &TenantId, email: &str) -> anyhow::Result<Caller> {
    let email = self::email(email)?;
    match app.accounts().user_by_email(tenant, &email).await {
        Ok(user) => Ok(user.caller()),
        Err(StoreError::NotFound { .. }) => Ok(Caller {
            tenant: tenant.clone(),
            subject: SubjectId::new(email.as_str()),
            emails: vec![email],
            roles: vec![Role::Member],
        }),
        Err(error) => Err(error.into()),
    }
}

/// The connection of this id or name.
///
/// # Errors
/// There is none, or there are several of that name.
pub async fn connection(app: &App, tenant: &TenantId, named: &str) -> anyhow::Result<Connection> {
    let all = app.store().connections(tenant).await?;
    let mut found: Vec<Connection> =
        all.iter().filter(|c| c.id.as_str() == named || c.name == named).cloned().collect();
    match (found.pop(), found.len()) {
        (Some(one), 0) => Ok(one),
        (Some(_), _) => bail!("several connections are named {named:?}: use an id from `sallyport connect --list`"),
        (None, _) => {
            let names: Vec<&str> = all.iter().map(|c| c.name.as_str()).collect();
            bail!(
                "no connection {named:?} in tenant {tenant}; there are: {}",
                if names.is_empty() { "none".into() } else { names.join(", ") }
            )
        }
    }
}

/// A path as it can be typed again: quoted where a shell would split it.
#[must_use]
pub fn shown(path: &std::path::Path) -> String {
    let text = path.display().to_string();
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
    if plain { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}
