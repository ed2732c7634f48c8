//! The client that is registered at a provider: the tenant's own, else the operator's.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use super::{CredentialError, Credentials, Inner, long_enough};
use crate::ids::TenantId;
use crate::keys::{Place, Secret};
use crate::ports::SealedSecret;

/// The field that is no secret.
pub(super) const PUBLIC: &str = "client_id";

/// A client's fields, as `client_id`, `client_secret`, `key`.
#[derive(Default)]
pub(super) struct Fields(BTreeMap<String, Secret>);

impl Fields {
    pub(super) fn get(&self, name: &str) -> Option<&Secret> {
        self.0.get(name)
    }

    /// A field that is needed.
    pub(super) fn need(&self, provider: &str, field: &str) -> Result<&Secret, CredentialError> {
        let missing = || CredentialError::Client { provider: provider.to_owned(), field: field.to_owned() };
        self.get(field).ok_or_else(missing)
    }
}

/// Whose a client is: buckets that are `per` client are shared by whoever uses it.
pub(super) type ClientOwner = Option<TenantId>;

impl Credentials {
    /// Registers a client's fields (`client_id`, `client_secret`, `key`, …) at a provider: for one tenant, or for all
    /// that have none of their own.
    ///
    /// # Errors
    /// The vault's and the keyring's.
    pub async fn put_client(
        &self,
        tenant: Option<&TenantId>,
        provider: &str,
        fields: BTreeMap<String, Secret>,
    ) -> Result<(), CredentialError> {
        for (name, value) in fields.iter().filter(|(name, _)| *name != PUBLIC) {
            long_enough(value, || format!("the client's {name} at {provider}"))?;
        }
        let plain: BTreeMap<&str, &str> = fields.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
        let bytes = Zeroizing::new(serde_json::to_vec(&plain).expect("strings are JSON"));
        let sealed = self.inner.keyring.seal_secret(Place::Client(tenant, provider), &bytes).await?;
        self.inner.vault.put_client(tenant, provider, &sealed).await?;
        // Its fields stand in what is ready.
        self.inner.seen.lock().clear();
        Ok(())
    }

    /// Whose client this tenant uses at a provider: a name that is equal for all who share it.
    pub(crate) async fn client_owner(&self, tenant: &TenantId, provider: &str) -> Result<String, CredentialError> {
        Ok(match self.inner.client_row(tenant, provider).await? {
            Some((None, _)) => "operator".to_owned(),
            // Without a registered client, what was pasted came from a client of the tenant's.
            Some((Some(_), _)) | None => format!("tenant:{tenant}"),
        })
    }
}

impl Inner {
    /// The sealed client that counts for a tenant.
    pub(super) async fn client_row(
        &self,
        tenant: &TenantId,
        provider: &str,
    ) -> Result<Option<(ClientOwner, SealedSecret)>, CredentialError> {
        if let Some(own) = self.vault.client(Some(tenant), provider).await? {
            return Ok(Some((Some(tenant.clone()), own)));
        }
        Ok(self.vault.client(None, provider).await?.map(|shared| (None, shared)))
    }

    pub(super) async fn open_client(
        &self,
        owner: ClientOwner,
        provider: &str,
        sealed: &SealedSecret,
    ) -> Result<Fields, CredentialError> {
        let plain = self.keyring.open_secret(Place::Client(owner.as_ref(), provider), sealed).await?;
        let fields: BTreeMap<String, String> = serde_json::from_slice(&plain).map_err(|_| {
            CredentialError::Manifest(format!("the client registered at {provider} has a form of its own"))
        })?;
        Ok(Fields(fields.into_iter().map(|(name, value)| (name, Secret::new(value))).collect()))
    }

    /// The fields of the client that counts for a tenant; none at all where nothing is registered.
    pub(super) async fn client(&self, tenant: &TenantId, provider: &str) -> Result<Fields, CredentialError> {
        match self.client_row(tenant, provider).await? {
            Some((owner, sealed)) => self.open_client(owner, provider, &sealed).await,
            None => Ok(Fields::default()),
        }
    }
}
