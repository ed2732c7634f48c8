//! A recording out of a tool call's journal.

use crate::audit::Note;
use crate::authority::{Authority, Fence};
use crate::caller::{Caller, Role};
use crate::connection::Connection;
use crate::error::InvokeError;
use crate::ids::{InvocationId, SlotName, Timestamp};
use crate::invoke::{Made, Recorded, codec, plan};
use crate::ports::{BodyRef, End, Event, Record, Standing, StoreError};
use crate::runtime::Runtime;
use crate::scan::Scanner;

use super::RecordingError;
use super::form::{Asked, Call, FORMAT, Recording, Run, Told};

impl Runtime {
    /// The recording of a tool call: for whoever asked for it, or an admin. That it was read is itself in the audit chain.
    ///
    /// # Errors
    /// [`InvokeError::NotFound`] if it is not this caller's to see, [`RecordingError::Metadata`] for a sync,
    /// [`RecordingError::Forgotten`] where its content is gone.
    pub async fn recording(&self, caller: &Caller, id: &InvocationId) -> Result<Recording, RecordingError> {
        let services = self.services();
        let record = self.record_word_for_word(caller, id).await?;
        let note = Note::BodyRead { invocation: id.clone(), body: None, by: caller.subject.clone() };
        services.journal.note(Some(&caller.tenant), &note, services.clock.now()).await.map_err(InvokeError::from)?;

        let plan = plan(&record).ok_or_else(|| InvokeError::Host("the record has no plan".into()))?;
        let Standing::Tool { tool } = &plan.standing else {
            return Err(RecordingError::Metadata(format!("invocation {id}")));
        };
        let connection = services.directory.connection(&record.tenant, &record.connection).await;
        let connection = connection.map_err(|error| match error {
            StoreError::NotFound { .. } => RecordingError::Forgotten(id.to_string()),
            other => InvokeError::from(other).into(),
        })?;
        let arguments = match &plan.arguments {
            Some(of) => serde_json::from_slice(&self.content(&record, of).await?)
                .map_err(|error| RecordingError::Form(error.to_string()))?,
            None => serde_json::Value::Null,
        };
        let recorded = Recorded::of(&record);
        let mut calls = Vec::new();
        for (_, made) in recorded.calls() {
            calls.push(self.made(&record, made).await?);
        }
        let ended = match record.entries.last().map(|entry| &entry.event) {
            Some(Event::Ended(End::Succeeded { output: Some(of) })) => {
                let output: serde_json::Value = serde_json::from_slice(&self.content(&record, of).await?)
                    .map_err(|error| RecordingError::Form(error.to_string()))?;
                serde_json::json!({ "output": output })
            }
            Some(Event::Ended(End::Failed { code, message, .. })) => {
                serde_json::json!({ "failed": { "code": code, "message": message } })
            }
            // Wherever it stands: the connector's part of it ends with the last write that it made.
            _ => {
                if let Some(hold) = recorded.waits() {
                    let canonical = self.content(&record, &hold.effect.request).await?;
                    let request = Asked::of_canonical(&canonical)
                        .ok_or_else(|| RecordingError::Form("a held write cannot be read by this version".into()))?;
                    calls.push(Call::Send { request, answer: None });
                }
                serde_json::json!("held")
            }
        };
        let component = self.component(&plan.component).await?;
        let recording = Recording {
            format: FORMAT,
            connector: plan.connector.clone(),
            version: component.manifest.connector.version.to_string(),
            run: Run::Tool { tool: tool.clone(), arguments },
            seed: hex::encode(plan.seed),
            started: plan.started,
            capabilities: plan.capabilities.clone(),
            calls,
            emitted: Vec::new(),
            ended,
        };
        self.holds_no_secret(caller, &connection, &recording).await?;
        Ok(recording)
    }

    /// The component that an invocation ran, as it was installed.
    ///
    /// # Errors
    /// [`InvokeError::NotFound`] if it is not this caller's to see, or the file is gone.
    pub async fn component_of(&self, caller: &Caller, id: &InvocationId) -> Result<Vec<u8>, InvokeError> {
        let record = self.record_word_for_word(caller, id).await?;
        let plan = plan(&record).ok_or_else(|| InvokeError::Host("the record has no plan".into()))?;
        Ok(self.services().catalog.bytes(&plan.component).await?)
    }

    /// The record, for whoever asked for the call or an admin. Anybody else's is absent: to decide takes less than this.
    async fn record_word_for_word(&self, caller: &Caller, id: &InvocationId) -> Result<Record, InvokeError> {
        let record = self.services().journal.record(&caller.tenant, id).await?;
        if record.caller.subject != caller.subject && !caller.is(Role::Admin) {
            return Err(InvokeError::NotFound { what: format!("invocation {id}") });
        }
        Ok(record)
    }

    async fn made(&self, record: &Record, made: &Made) -> Result<Call, RecordingError> {
        let unreadable = || RecordingError::Form("a recorded call cannot be read by this version".into());
        Ok(match made {
            Made::Call { import, arguments, answer } => {
                let (asked, told) = (self.content(record, arguments).await?, self.content(record, answer).await?);
                match import.as_str() {
                    "http.send" | "http.send-all" => {
                        let request = codec::read_request(&asked).ok_or_else(unreadable)?;
                        let answer = Some(Told::from(&codec::read_answer(told).ok_or_else(unreadable)?));
                        match import.as_str() {
                            "http.send" => Call::Send { request, answer },
                            _ => Call::SendAll { request, answer },
                        }
                    }
                    "clock.now" => {
                        Call::Now { answer: serde_json::from_slice::<Timestamp>(&told).map_err(|_| unreadable())? }
                    }
                    "random.bytes" => {
                        let length = std::str::from_utf8(&asked).ok().and_then(|text| text.parse().ok());
                        Call::Random { length: length.ok_or_else(unreadable)? }
                    }
                    "credentials.get" => {
                        Call::Credentials { answer: serde_json::from_slice(&told).map_err(|_| unreadable())? }
                    }
                    _ => return Err(unreadable()),
                }
            }
            Made::Write { effect, answer, .. } => {
                let canonical = self.content(record, &effect.request).await?;
                let request = Asked::of_canonical(&canonical).ok_or_else(unreadable)?;
                let answer = match answer {
                    Some(of) => {
                        let told = codec::read_answer(self.content(record, of).await?).ok_or_else(unreadable)?;
                        Some(Told::from(&told))
                    }
                    None => None,
                };
                Call::Send { request, answer }
            }
        })
    }

    async fn content(&self, record: &Record, of: &BodyRef) -> Result<Vec<u8>, RecordingError> {
        match self.open(record, of).await {
            Err(InvokeError::NotFound { .. }) => Err(RecordingError::Forgotten(record.invocation.to_string())),
            opened => Ok(opened?),
        }
    }

    /// What a connector is told never holds a secret; what is given out is looked through again all the same.
    pub(crate) async fn holds_no_secret(
        &self,
        caller: &Caller,
        connection: &Connection,
        recording: &Recording,
    ) -> Result<(), RecordingError> {
        let at = Authority {
            caller: caller.clone(),
            connection: connection.id.clone(),
            invocation: InvocationId::fresh(),
            fence: Fence::default(),
        };
        let slots = self.services().vault.slots(&at).await.map_err(InvokeError::from)?;
        let mut secrets = Vec::new();
        for (slot, _) in slots {
            secrets.extend(self.secrets_of(&at, &slot).await?);
        }
        match Scanner::new(&secrets).finds(recording.text().as_bytes()) {
            true => Err(RecordingError::Secret),
            false => Ok(()),
        }
    }

    async fn secrets_of(&self, at: &Authority, slot: &SlotName) -> Result<Vec<crate::keys::Secret>, RecordingError> {
        self.credentials()
            .secrets_in(at, slot)
            .await
            .map_err(|error| InvokeError::Host(format!("its secrets cannot be looked for: {error}")).into())
    }
}
