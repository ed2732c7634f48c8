//! The runtime from the outside: real guests, a real HTTP server that records what reaches it, ports in memory.

mod admission;
mod consent;
mod constraints;
mod decisions;
mod doubts;
mod engine;
mod guest;
mod hostile;
mod interleavings;
mod machine;
mod recordings;
mod syncs;
mod tools;
mod turns;
mod writes;

use std::collections::BTreeMap;
use std::sync::Arc;

use sallyport_pack::describe;
use sallyport_pack::manifest::Manifest;
use sallyport_pack::sealed::{self, Sealed};
use serde_json::{Value, json};

use crate::admission::Word;
use crate::caller::{Caller, Role};
use crate::connection::{Constraints, Owner, Setting};
use crate::credentials::NewSecret;
use crate::engine::Limits;
use crate::error::InvokeError;
use crate::fixtures::{self, Seen, Service};
use crate::ids::{CapabilityId, ConnectionId, ConnectorId, InvocationId, SubjectId, TenantId, ToolName};
use crate::invoke::Connect;
use crate::keys::{MasterKey, Secret};
use crate::ports::{DecisionKind, Directory as _};
use crate::registry::Registry;
use crate::runtime::{Ports, Runtime};
use crate::testing::{ManualClock, MemoryStore};
use crate::tool::{Done, Outcome, Proposal, ToolCall, Tools as _, Verdict};
use crate::wire::{Repoint, WireConfig};

use guest::Guest;

/// Everything that outlives a runtime, and a runtime.
struct World {
    service: Service,
    clock: Arc<ManualClock>,
    store: Arc<MemoryStore>,
    runtime: Runtime,
    connection: ConnectionId,
}

fn caller(name: &str, role: Role) -> Caller {
    let (tenant, subject) = (TenantId::new("acme"), SubjectId::new(name));
    Caller { tenant, subject, emails: vec![format!("{name}@acme.example")], roles: vec![role] }
}

fn ann() -> Caller {
    caller("ann", Role::Member)
}

/// Approves what others ask for.
fn boss() -> Caller {
    caller("boss", Role::Approver)
}

fn admin() -> Caller {
    caller("root", Role::Admin)
}

fn cap(id: &str) -> CapabilityId {
    CapabilityId::new(id).expect("a capability id")
}

/// A runtime on a store: what a restart makes.
fn runtime(url: &str, store: &Arc<MemoryStore>, clock: &Arc<ManualClock>, limits: Limits) -> Runtime {
    let repoint = Repoint::new([("acme.api", url), ("acme.files", url)]).expect("re-pointing");
    Runtime::builder(Ports::all(Arc::clone(store)), MasterKey::from_bytes([7; 32]))
        .registry(Registry::default().extended(fixtures::PROVIDER).expect("the test's provider"))
        .wire(WireConfig { repoint, ..WireConfig::default() })
        .clock(Arc::clone(clock) as _)
        .limits(limits)
        .build()
        .expect("a runtime")
}

/// Few slots: each reserves address space, and tests make many engines.
fn limits() -> Limits {
    Limits { instances: 4, ..Limits::default() }
}

/// The component of a guest, sealed with the test's manifest at that version.
fn connector(component: &[u8], version: &str) -> Vec<u8> {
    altered(component, version, "", "")
}

/// As [`connector`], with something else in its manifest.
fn altered(component: &[u8], version: &str, from: &str, to: &str) -> Vec<u8> {
    let text = fixtures::MANIFEST.replace("version = \"0.1.0\"", &format!("version = \"{version}\""));
    assert!(text.contains(from), "{from}");
    let text = if from.is_empty() { text } else { text.replacen(from, to, 1) };
    let manifest = Manifest::from_toml(&text).expect("the test's manifest");
    let schema = json!({
        "type": "object",
        "required": ["name"],
        "additionalProperties": false,
        "properties": { "name": { "type": "string", "maxLength": 40 }, "list": { "type": "string" }, "id": { "type": "string" } },
    });
    let describe = |name: &str| json!({ "name": name, "title": name, "description": "For tests.", "input": schema, "output": { "type": "object" } });
    let tools = ["list_items", "create_item", "trash_item"].map(describe);
    seal(component, &manifest, &json!(tools))
}

fn seal(component: &[u8], manifest: &Manifest, tools: &Value) -> Vec<u8> {
    let tools = describe::read(&tools.to_string(), manifest).expect("descriptions");
    let sealed = Sealed { manifest: manifest.clone(), tools, packer: "test".into() };
    sealed::seal(component, &sealed).expect("sealed")
}

impl World {
    /// The guest installed and connected; everything granted, writes with `writes`.
    async fn new(
        guest: &Guest,
        writes: Setting,
        answer: impl Fn(&Seen, usize) -> fixtures::Answer + Send + Sync + 'static,
    ) -> Self {
        Self::of(limits(), &guest.component(), writes, answer).await
    }

    /// The same of any component, within limits.
    async fn of(
        limits: Limits,
        component: &[u8],
        writes: Setting,
        answer: impl Fn(&Seen, usize) -> fixtures::Answer + Send + Sync + 'static,
    ) -> Self {
        let service = Service::new(answer).await;
        let clock = Arc::new(ManualClock::default());
        let store = Arc::new(MemoryStore::new(Arc::clone(&clock) as _));
        let runtime = runtime(&service.url(), &store, &clock, limits);
        runtime.install(&admin(), connector(component, "0.1.0"), Word::UNSIGNED).await.expect("installed");
        let secret = NewSecret {
            access: Secret::new(fixtures::TOKEN),
            refresh: None,
            expires_in: None,
            scopes: vec!["all".into()],
        };
        let connect = Connect {
            connector: ConnectorId::new("acme").expect("an id"),
            auth: Some("oauth".into()),
            owner: Owner::Workspace,
            name: Some("Acme".into()),
            secrets: BTreeMap::from([(fixtures::slot("user"), secret)]),
            capabilities: Some(BTreeMap::from([
                (cap("items.read"), Setting::Auto),
                (cap("items.write"), writes),
                (cap("items.trash"), writes),
            ])),
            constraints: Constraints::default(),
            settings: BTreeMap::new(),
            audience: Vec::new(),
        };
        let connection = runtime.connect(&admin(), connect).await.expect("connected").id;
        Self { service, clock, store, runtime, connection }
    }

    /// Another process on the same store, with limits of its own.
    fn runtime_within(&self, limits: Limits) -> Runtime {
        runtime(&self.service.url(), &self.store, &self.clock, limits)
    }

    /// The process ends and another begins, on the same store.
    fn restart(&mut self) {
        self.runtime = runtime(&self.service.url(), &self.store, &self.clock, limits());
    }

    async fn call(&self, tool: &str, arguments: Value, verdict: Verdict) -> Result<Outcome, InvokeError> {
        let call = ToolCall {
            connection: self.connection.clone(),
            tool: ToolName::new(tool).expect("a tool's name"),
            arguments,
            verdict,
            context: Some(json!({ "request": "please" })),
        };
        self.runtime.call(&ann(), call).await
    }

    /// Calls `create_item` and is held.
    async fn held(&self) -> Proposal {
        match self.call("create_item", json!({ "name": "Q4" }), Verdict::Allow).await.expect("an outcome") {
            Outcome::Held(proposal) => *proposal,
            Outcome::Done(done) => panic!("not held: {done:?}"),
        }
    }

    async fn approve(&self, id: &InvocationId) {
        self.runtime.decide(&boss(), id, DecisionKind::Approve, None).await.expect("approved");
    }

    /// Approves and resumes.
    async fn approved(&self, id: &InvocationId) -> Result<Outcome, InvokeError> {
        self.approve(id).await;
        self.runtime.resume(&ann(), id).await
    }

    /// Requests of a method that reached the service.
    fn reached(&self, method: &str) -> Vec<Seen> {
        self.service.seen().into_iter().filter(|seen| seen.line().starts_with(method)).collect()
    }

    async fn grant(&self, change: impl FnOnce(&mut crate::connection::Grant)) {
        let tenant = ann().tenant;
        let mut grant = self.store.grant(&tenant, &self.connection).await.expect("a store").expect("a grant");
        change(&mut grant);
        self.store.put_grant(&grant).await.expect("put");
    }
}

fn done(outcome: Outcome) -> Done {
    match outcome {
        Outcome::Done(done) => done,
        Outcome::Held(proposal) => panic!("held: {:?}", proposal.reasons),
    }
}
