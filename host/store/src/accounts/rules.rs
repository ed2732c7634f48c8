//! What a tenant has settled for itself.

use sallyport::audit::Note;
use sallyport::ids::TenantId;
use sallyport::ports::{Durability, StoreError, StoreResult, TenantRules};

use super::Accounts;
use crate::audit;
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
        self.put_setting(&key(tenant), &kept).await?;
        let (tenant, now) = (tenant.clone(), self.db.now());
        let note = Note::RulesSet { self_approval: rules.self_approval };
        Ok(self.db.write(Durability::Flushed, move |db| audit::note(db, Some(&tenant), now, &note)).await?)
    }
}
