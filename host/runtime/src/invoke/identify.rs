//! `account.identify`: whose account a connection is, and whether it works.

use std::sync::Arc;

use crate::authority::{Authority, Fence};
use crate::caller::Caller;
use crate::engine::Loaded;
use crate::error::InvokeError;
use crate::host::{Bound, State, Work};
use crate::ids::{ConnectionId, InvocationId};
use crate::ports::Standing;
use crate::runtime::Runtime;

use super::Stop;
use super::execute::{Call, Executed, Pace, Returned, execute, failure};
use super::prepare::Bench;

/// An account at a provider.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Identity {
    /// The provider's id of the account.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// Its address, where the provider says it.
    pub email: Option<String>,
    /// The workspace that it belongs to, where the provider has such.
    pub workspace: Option<String>,
}

impl Runtime {
    /// Asks the provider whose account a connection is: whether it works.
    ///
    /// # Errors
    /// [`InvokeError::NotFound`] for a connection that is not this caller's, else what the connector says.
    pub async fn identify(&self, caller: &Caller, connection: &ConnectionId) -> Result<Identity, InvokeError> {
        let bench = self.bench_for(caller, connection).await?;
        self.identify_on(caller, &bench).await
    }

    pub(crate) async fn identify_on(&self, caller: &Caller, bench: &Bench) -> Result<Identity, InvokeError> {
        let at = Authority {
            caller: caller.clone(),
            connection: bench.connection.id.clone(),
            invocation: InvocationId::fresh(),
            fence: Fence::default(),
        };
        let executed = self.run_plain(bench, &Standing::Identify, at, Call::Identify).await?;
        match executed.result? {
            Returned::Identity(Ok(found)) => {
                Ok(Identity { id: found.id, name: found.name, email: found.email, workspace: found.workspace })
            }
            Returned::Identity(Err(given)) => Err(failure(given)),
            _ => Err(InvokeError::Host("another export answered".into())),
        }
    }

    /// Runs an export in a fresh store, with whatever it is part of.
    pub(crate) async fn run_bound(
        &self,
        component: &Arc<Loaded>,
        bound: Bound,
        work: Work,
        ran: Call,
    ) -> (Result<Returned, Stop>, Work) {
        let pace = if matches!(ran, Call::Pull(_)) { Pace::Pull } else { Pace::Short };
        let limits = Arc::clone(&bound.limits);
        let state = State::new(bound, pace.budget(&limits), work);
        let executed = execute(self.engine(), component, state, pace, ran).await;
        (executed.result, executed.work)
    }

    /// Runs an export that only reads, stages nothing and is not recorded call by call.
    pub(super) async fn run_plain(
        &self,
        bench: &Bench,
        standing: &Standing,
        at: Authority,
        call: Call,
    ) -> Result<Executed<Returned>, InvokeError> {
        let live = bench.live(standing, self.services().clock.now())?;
        let limits = self.limits(&bench.connection);
        let bound = Bound {
            services: Arc::clone(self.services()),
            limits: Arc::clone(&limits),
            at,
            live,
            connection: Arc::clone(&bench.connection),
            seed: rand::random(),
        };
        let state = State::new(bound, Pace::Short.budget(&limits), Work::Plain);
        Ok(execute(self.engine(), &bench.component, state, Pace::Short, call).await)
    }
}
