//! What a tenant has settled for itself.

use sallyport::ids::TenantId;
use sallyport::ports::{StoreError, StoreResult, TenantRules};

use super::Accounts;
use crate::db::{json, unjson};

/// The setting that holds them.
fn key(tenant: &TenantId) -> String {
    format!("rules/{tenant}")
}

impl Accounts {
    /// The tenant's rules; the strictest where nothing was settled.
    pub async fn rules(&self, tenant: &TenantId) -> StoreResult<TenantRules> {
        let kept = self.setting(&key(tenant)).await?;
        Ok(kept.as_deref().map(unjson).transpose()?.unwrap_or_default())
    }

    /// Replaces the tenant's rules. They hold from the next decision, and for approvals whose writes are not sent yet.
    pub async fn put_rules(&self, tenant: &TenantId, rules: TenantRules) -> StoreResult<()> {
        self.tenant(tenant).await?;
        let kept = json(&rules).map_err(StoreError::from)?;
        self.put_setting(&key(tenant), &kept).await
    }
}
