//! `credentials`: which credentials the connection has, never what they are.

use crate::engine::imports::connector::credentials::{Facts, Host, Slot};
use crate::engine::imports::connector::types::Field;

use super::{State, Work};

impl Host for State {
    async fn get(&mut self) -> wasmtime::Result<Facts> {
        self.called()?;
        let slots = self.services.slots(&self.at).await?;
        let facts = crate::invoke::Facts {
            account: self.connection.account.clone(),
            workspace: self.connection.workspace.clone(),
            slots,
            capabilities: self.live.ids().iter().map(ToString::to_string).collect(),
            settings: self.connection.settings.clone().into_iter().collect(),
        };
        let facts = match &mut self.work {
            Work::Tool(trace) => trace.fact("credentials.get", facts).await?,
            Work::Rehearsal(rehearsal) => rehearsal.facts(facts)?,
            Work::Plain | Work::Pull(_) => facts,
        };
        Ok(Facts {
            account: facts.account,
            workspace: facts.workspace,
            slots: facts.slots.into_iter().map(|(name, scopes)| Slot { name, scopes }).collect(),
            capabilities: facts.capabilities,
            settings: facts.settings.into_iter().map(|(name, value)| Field { name, value }).collect(),
        })
    }
}
