//! `credentials`: which credentials the connection has, never what they are.

use crate::engine::imports::connector::credentials::{Facts, Host, Slot};
use crate::engine::imports::connector::types::Field;

use crate::invoke::{Facts as Told, Stop};

use super::{State, Work};

impl Host for State {
    async fn get(&mut self) -> wasmtime::Result<Facts> {
        self.called()?;
        let recorded = match &mut self.work {
            // There is no connection to ask about.
            Work::Rehearsal(rehearsal) => rehearsal.recorded_facts()?,
            _ => None,
        };
        let facts = match recorded {
            Some(facts) => facts,
            None => self.facts().await?,
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

impl State {
    async fn facts(&mut self) -> Result<Told, Stop> {
        let facts = Told {
            account: self.connection.account.clone(),
            workspace: self.connection.workspace.clone(),
            slots: self.services.slots(&self.at).await?,
            capabilities: self.live.ids().iter().map(ToString::to_string).collect(),
            settings: self.connection.settings.clone().into_iter().collect(),
        };
        Ok(match &mut self.work {
            Work::Tool(trace) => trace.fact("credentials.get", facts).await?,
            Work::Rehearsal(rehearsal) => rehearsal.facts(facts),
            Work::Plain | Work::Pull(_) => facts,
        })
    }
}
