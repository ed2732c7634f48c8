//! Between the exports of a component and an author's functions.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::Failure;
use crate::account::Identity;
use crate::documents::Sink;
use crate::subscriptions::Subscription;
use crate::sync::{Job, Outcome, Presence, Stream};
use crate::tools::Output;
use crate::webhooks::Hint;

/// Implemented by [`export!`](crate::export): whose account it is.
pub trait Account {
    /// The author's function.
    fn identify() -> Result<Identity, Failure>;
}

/// Implemented by [`export!`](crate::export).
pub trait Tools {
    /// The author's tools.
    fn entries() -> &'static [Entry];
}

/// Implemented by [`export!`](crate::export) over the author's type, which may be private.
pub trait Sync {
    /// See [`sync::Sync::streams`](crate::sync::Sync::streams).
    fn streams() -> Result<Vec<Stream>, Failure>;
    /// See [`sync::Sync::pull`](crate::sync::Sync::pull).
    fn pull(job: &Job, sink: &mut Sink) -> Result<Outcome, Failure>;
    /// See [`sync::Sync::probe`](crate::sync::Sync::probe).
    fn probe(ids: &[String]) -> Result<Vec<Presence>, Failure>;
}

/// Implemented by [`export!`](crate::export).
pub trait Webhooks {
    /// See [`webhooks::Webhooks::receive`](crate::webhooks::Webhooks::receive).
    fn receive(headers: &[(String, String)], body: &[u8]) -> Result<Vec<Hint>, Failure>;
}

/// Implemented by [`export!`](crate::export).
pub trait Subscriptions {
    /// See [`subscriptions::Subscriptions::ensure`](crate::subscriptions::Subscriptions::ensure).
    fn ensure(callback: &str, known: &[Subscription]) -> Result<Vec<Subscription>, Failure>;
    /// See [`subscriptions::Subscriptions::remove`](crate::subscriptions::Subscriptions::remove).
    fn remove(known: &[Subscription]) -> Result<(), Failure>;
}

/// Implemented by [`#[tool]`](crate::tool) beside the function.
pub trait Tool {
    /// The function's name.
    const NAME: &'static str;
    /// For people.
    const TITLE: &'static str;
    /// The doc comment.
    const DESCRIPTION: &'static str;
    /// What the function takes.
    type Input: DeserializeOwned + JsonSchema;
    /// What the function gives.
    type Output: Serialize + JsonSchema;
    /// The function.
    fn call(input: Self::Input) -> Result<Self::Output, Failure>;
    /// Ids of documents to cite.
    fn documents(_: &Self::Output) -> Vec<String> {
        Vec::new()
    }
}

/// Names what a tool function gives.
#[diagnostic::on_unimplemented(
    message = "a tool function returns `Result<T, Failure>`",
    label = "not a `Result<T, Failure>`"
)]
pub trait ToolResult {
    /// `T` of `Result<T, Failure>`.
    type Output;
}

impl<T> ToolResult for Result<T, Failure> {
    type Output = T;
}

/// A tool without its types.
#[derive(Debug)]
pub struct Entry {
    name: &'static str,
    describe: fn() -> Value,
    invoke: fn(&str) -> Result<Output, Failure>,
}

impl Entry {
    /// The entry of a tool.
    pub const fn of<T: Tool>() -> Self {
        Self { name: T::NAME, describe: describe_tool::<T>, invoke: invoke_tool::<T> }
    }
}

pub(crate) fn describe<C: Tools>() -> Value {
    C::entries().iter().map(|entry| (entry.describe)()).collect()
}

pub(crate) fn invoke<C: Tools>(name: &str, arguments: &str) -> Result<Output, Failure> {
    match C::entries().iter().find(|entry| entry.name == name) {
        Some(entry) => (entry.invoke)(arguments),
        None => Err(Failure::not_found(format!("this connector has no tool {name:?}"))),
    }
}

pub(crate) fn pull<C: Sync>(job: &Job) -> Result<Outcome, Failure> {
    let mut sink = Sink::new();
    let outcome = C::pull(job, &mut sink)?;
    if sink.is_uncommitted() {
        let message = format!("the pull of stream {:?} ended with changes that no checkpoint made durable", job.stream);
        return Err(Failure::other("missing-checkpoint", message));
    }
    Ok(outcome)
}

pub(crate) fn probe<C: Sync>(ids: &[String]) -> Result<Vec<Presence>, Failure> {
    let presences = C::probe(ids)?;
    if presences.len() != ids.len() {
        let message = format!("{} answers to {} ids", presences.len(), ids.len());
        return Err(Failure::other("probe-mismatch", message));
    }
    Ok(presences)
}

fn describe_tool<T: Tool>() -> Value {
    json!({
        "name": T::NAME,
        "title": T::TITLE,
        "description": T::DESCRIPTION,
        "input": schema::<T::Input>(SchemaSettings::draft2020_12().for_deserialize()),
        "output": schema::<T::Output>(SchemaSettings::draft2020_12().for_serialize()),
    })
}

/// Inlined, so that a model reads one object; only a type that contains itself goes to `$defs`.
fn schema<T: JsonSchema>(settings: SchemaSettings) -> Value {
    let settings = settings.with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    // The Rust type's name means nothing to a reader.
    schema.remove("title");
    schema.to_value()
}

fn invoke_tool<T: Tool>(arguments: &str) -> Result<Output, Failure> {
    let mut json = serde_json::Deserializer::from_str(arguments);
    let input = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let place = match error.path().to_string().as_str() {
            "." => "the arguments".to_owned(),
            path => format!("`{path}`"),
        };
        let reason = error.inner().to_string();
        // "… at line 1 column 17" means nothing to whoever never wrote that text.
        let reason = reason.split(" at line ").next().unwrap_or_default();
        Failure::invalid_input(format!("{}: {place}: {reason}", T::NAME))
    })?;
    json.end().map_err(|error| Failure::invalid_input(format!("{}: after the arguments: {error}", T::NAME)))?;
    let output = T::call(input)?;
    let documents = T::documents(&output);
    let json = serde_json::to_value(&output)
        .map_err(|error| Failure::other("unwritable-result", format!("{}: {error}", T::NAME)))?;
    Ok(Output { json, documents })
}
