//! Host calls of a component, and its exports over an author's functions.

use super::bindings::sallyport::connector as wit;
use super::bindings::{account, subscriptions, sync, tools, webhooks};
use super::convert::{fields, pairs};
use crate::clock::Timestamp;
use crate::credentials::{Facts, Slot};
use crate::documents::{self, Change};
use crate::http::{self, Request, Response};
use crate::log::Severity;
use crate::{Problem, blobs, export};

#[derive(Debug)]
pub(crate) struct Blob(pub(super) wit::blobs::Blob);

impl Blob {
    pub(crate) fn size(&self) -> Option<u64> {
        self.0.size()
    }

    pub(crate) fn media_type(&self) -> Option<String> {
        self.0.media_type()
    }

    pub(crate) fn read(&self, max: u32) -> Result<Vec<u8>, Problem> {
        self.0.read(max).map_err(Problem::from)
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        self.0.handle() == other.0.handle()
    }
}

pub(crate) fn send(request: Request) -> Result<Response, http::Error> {
    Ok(wit::http::send(request.into())?.into())
}

pub(crate) fn send_all(requests: Vec<Request>) -> Vec<Result<Response, http::Error>> {
    let requests = requests.into_iter().map(Into::into).collect();
    wit::http::send_all(requests).into_iter().map(|answer| Ok(answer?.into())).collect()
}

pub(crate) fn open_blob(id: &str) -> Result<blobs::Blob, Problem> {
    Ok(blobs::Blob(Blob(wit::blobs::open(id)?)))
}

pub(crate) fn create_blob(media_type: &str, bytes: Vec<u8>) -> Result<blobs::Blob, Problem> {
    Ok(blobs::Blob(Blob(wit::blobs::create(media_type, &bytes)?)))
}

pub(crate) fn emit(changes: Vec<Change>) -> Result<(), documents::Error> {
    let changes = changes.into_iter().map(Into::into).collect();
    Ok(wit::documents::emit(changes)?)
}

pub(crate) fn checkpoint(cursor: String) -> Result<(), documents::Error> {
    Ok(wit::documents::checkpoint(&cursor)?)
}

pub(crate) fn revisions(ids: Vec<String>) -> Result<Vec<Option<String>>, documents::Error> {
    Ok(wit::documents::revisions(&ids)?)
}

pub(crate) fn facts() -> Facts {
    let facts = wit::credentials::get();
    Facts {
        account: facts.account,
        workspace: facts.workspace,
        slots: facts.slots.into_iter().map(|slot| Slot { name: slot.name, scopes: slot.scopes }).collect(),
        capabilities: facts.capabilities,
        settings: pairs(facts.settings),
    }
}

pub(crate) fn now() -> u64 {
    wit::clock::now()
}

pub(crate) fn random(length: u32) -> Vec<u8> {
    wit::random::bytes(length)
}

pub(crate) fn log(severity: Severity, message: &str, named: Vec<(String, String)>) {
    let severity = match severity {
        Severity::Debug => wit::log::Severity::Debug,
        Severity::Info => wit::log::Severity::Info,
        Severity::Warn => wit::log::Severity::Warn,
        Severity::Error => wit::log::Severity::Error,
    };
    wit::log::write(severity, message, &fields(named));
}

impl<C: export::Account> account::exports::sallyport::connector::account::Guest for C {
    fn identify() -> Result<account::exports::sallyport::connector::account::Identity, wit::types::Failure> {
        let identity = C::identify()?;
        Ok(account::exports::sallyport::connector::account::Identity {
            id: identity.id,
            name: identity.name,
            email: identity.email,
            workspace: identity.workspace,
        })
    }
}

impl<C: export::Tools> tools::exports::sallyport::connector::tools::Guest for C {
    fn invoke(
        name: String,
        arguments: String,
    ) -> Result<tools::exports::sallyport::connector::tools::Output, wit::types::Failure> {
        let output = export::invoke::<C>(&name, &arguments)?;
        Ok(tools::exports::sallyport::connector::tools::Output {
            json: output.json.to_string(),
            documents: output.documents,
        })
    }

    fn describe() -> String {
        export::describe::<C>().to_string()
    }
}

mod exported_sync {
    pub(super) use super::sync::exports::sallyport::connector::sync::{
        Coverage, Guest, Job, Outcome, Presence, StreamInfo,
    };
}

impl<C: export::Sync> exported_sync::Guest for C {
    fn streams() -> Result<Vec<exported_sync::StreamInfo>, wit::types::Failure> {
        let streams = C::streams()?;
        Ok(streams.into_iter().map(|stream| exported_sync::StreamInfo { id: stream.id, name: stream.name }).collect())
    }

    fn pull(job: exported_sync::Job) -> Result<exported_sync::Outcome, wit::types::Failure> {
        use crate::sync::{Coverage, Job, Outcome};
        let job = Job { stream: job.stream, cursor: job.cursor, sweep: job.sweep, hints: job.hints };
        Ok(match export::pull::<C>(&job)? {
            Outcome::Complete(Coverage::Whole) => exported_sync::Outcome::Complete(exported_sync::Coverage::Whole),
            Outcome::Complete(Coverage::Partial) => exported_sync::Outcome::Complete(exported_sync::Coverage::Partial),
            Outcome::More => exported_sync::Outcome::More,
            Outcome::Wait(millis) => exported_sync::Outcome::Wait(millis),
        })
    }

    fn probe(ids: Vec<String>) -> Result<Vec<exported_sync::Presence>, wit::types::Failure> {
        use crate::sync::Presence;
        let presences = export::probe::<C>(&ids)?;
        Ok(presences
            .into_iter()
            .map(|presence| match presence {
                Presence::Present => exported_sync::Presence::Present,
                Presence::Gone => exported_sync::Presence::Gone,
                Presence::InDoubt => exported_sync::Presence::InDoubt,
            })
            .collect())
    }
}

impl<C: export::Webhooks> webhooks::exports::sallyport::connector::webhooks::Guest for C {
    fn receive(
        headers: Vec<wit::types::Field>,
        body: Vec<u8>,
    ) -> Result<Vec<webhooks::exports::sallyport::connector::webhooks::Hint>, wit::types::Failure> {
        use crate::webhooks::Hint;
        use webhooks::exports::sallyport::connector::webhooks::Hint as Exported;
        let hints = C::receive(&pairs(headers), &body)?;
        Ok(hints
            .into_iter()
            .map(|hint| match hint {
                Hint::Everything => Exported::Everything,
                Hint::Stream(id) => Exported::Stream(id),
                Hint::Document(id) => Exported::Document(id),
                Hint::Disconnected => Exported::Disconnected,
            })
            .collect())
    }
}

type ExportedSubscription = subscriptions::exports::sallyport::connector::subscriptions::Subscription;

impl<C: export::Subscriptions> subscriptions::exports::sallyport::connector::subscriptions::Guest for C {
    fn ensure(
        callback: String,
        known: Vec<ExportedSubscription>,
    ) -> Result<Vec<ExportedSubscription>, wit::types::Failure> {
        let known: Vec<_> = known.into_iter().map(subscription_from).collect();
        let subscribed = C::ensure(&callback, &known)?;
        Ok(subscribed
            .into_iter()
            .map(|subscription| ExportedSubscription {
                id: subscription.id,
                target: subscription.target,
                expires: subscription.expires.map(Timestamp::millis),
            })
            .collect())
    }

    fn remove(known: Vec<ExportedSubscription>) -> Result<(), wit::types::Failure> {
        let known: Vec<_> = known.into_iter().map(subscription_from).collect();
        Ok(C::remove(&known)?)
    }
}

fn subscription_from(subscription: ExportedSubscription) -> crate::subscriptions::Subscription {
    crate::subscriptions::Subscription {
        id: subscription.id,
        target: subscription.target,
        expires: subscription.expires.map(Timestamp),
    }
}
