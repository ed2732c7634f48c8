//! One pull: what it knows, and how it goes on from page to page.

use std::collections::{BTreeMap, BTreeSet};

use sallyport_sdk::http::Request;
use sallyport_sdk::prelude::*;

use super::access::{self, Readers};
use super::cursor::{Cursor, Phase, digest};
use super::{changes, crawl, groups};
use crate::api;
use crate::model::{Drive, Permission, User};

/// What cannot be placed in My Drive is put here.
pub(super) const SHARED_WITH_ME: &str = "shared-with-me";
/// Pages a pull; then the host may let others have their turn.
const PAGES: usize = 20;
/// A listing that was refused its page token is begun again so often.
const MOST_RESTARTS: u32 = 3;

/// What one pull works with. Nothing of it but the cursor outlives the pull.
pub(super) struct Pull<'a> {
    pub(super) scope: Scope,
    /// The shared drives that the account is a member of: each has a stream of its own.
    pub(super) drives: BTreeSet<String>,
    pub(super) cursor: Cursor,
    pub(super) sink: &'a mut Sink,
    /// Folders that were met, each with its readers; `None` where the account may not see it.
    pub(super) folders: BTreeMap<String, Option<Readers>>,
    pub(super) now: Timestamp,
    people: BTreeSet<String>,
    /// The change log was read to its end in this pull.
    pub(super) caught_up: bool,
}

/// Which files a stream is about.
pub(super) enum Scope {
    /// What the account owns and what was shared with it.
    Mine,
    /// A shared drive, with the ids of its members' permissions; `None` where the account may not
    /// see them.
    Drive { id: String, members: Option<BTreeSet<String>> },
}

/// Whether a listing has another page.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// There is more to do.
    On,
    /// Everything is done.
    Done,
}

impl<'a> Pull<'a> {
    pub(super) fn new(drive: Option<&str>, cursor: Cursor, sink: &'a mut Sink) -> Self {
        let scope = match drive {
            Some(id) => Scope::Drive { id: id.to_owned(), members: None },
            None => Scope::Mine,
        };
        let (drives, folders, people) = (BTreeSet::new(), BTreeMap::new(), BTreeSet::new());
        Self { scope, drives, cursor, sink, folders, now: clock::now(), people, caught_up: false }
    }

    pub(super) fn run(&mut self) -> Result<Outcome, Failure> {
        if !self.look_around()? {
            return self.lost();
        }
        for _ in 0..PAGES {
            let done = match self.cursor.phase {
                Phase::New | Phase::Lost => crawl::begin(self),
                Phase::Folders | Phase::Files => crawl::page(self),
                Phase::Changes => changes::step(self),
            };
            match done {
                Ok(Step::On) => self.checkpoint()?,
                Ok(Step::Done) => {
                    groups::refresh(self)?;
                    let whole = self.cursor.sweep && !self.cursor.incomplete;
                    self.cursor.end();
                    self.checkpoint()?;
                    return Ok(Outcome::Complete(if whole { Coverage::Whole } else { Coverage::Partial }));
                }
                Err(Refused::Token(_)) if self.cursor.restarts < MOST_RESTARTS => {
                    log::warn("a page token was refused: everything is listed again");
                    self.cursor.restarts += 1;
                    self.cursor.list_again();
                    self.checkpoint()?;
                }
                Err(Refused::Token(failure) | Refused::Failed(failure)) => return Err(failure),
            }
        }
        Ok(Outcome::More)
    }

    pub(super) fn checkpoint(&mut self) -> Result<(), Failure> {
        Ok(self.sink.checkpoint(&self.cursor)?)
    }

    /// What the stream is about, asked in every pull: drives come and go, and who is a member of one
    /// changes without any file's change. False if the shared drive is not there any more.
    fn look_around(&mut self) -> Result<bool, Failure> {
        if self.cursor.me.is_empty() {
            let me = api::me()?;
            self.cursor.me = me.email_address.clone().unwrap_or_default().to_lowercase();
            self.person(&me)?;
        }
        let drives = api::drives()?;
        self.drives = drives.iter().map(|drive| drive.id.clone()).collect();
        let Scope::Drive { id, .. } = &self.scope else { return Ok(true) };
        let Some(drive) = drives.into_iter().find(|drive| drive.id == *id) else { return Ok(false) };
        let permissions = api::permissions(&[id])?.pop().flatten();
        self.drive(&drive, permissions)?;
        Ok(true)
    }

    /// Stages the drive itself, if it changed, as the container of everything in it.
    fn drive(&mut self, drive: &Drive, permissions: Option<Vec<Permission>>) -> Result<(), Failure> {
        let access = access::of_drive(self, permissions.as_deref());
        let organizers = access::organizers(permissions.as_deref(), self.now);
        let readers = permissions.as_deref().map(|all| access::reading(all, self.now));
        let shape = digest(&(&drive.name, format!("{access:?}"), format!("{organizers:?}")));
        if self.cursor.phase == Phase::New || shape != self.cursor.shape {
            for permission in permissions.iter().flatten() {
                self.grantee(permission)?;
            }
            self.sink.upsert_container(Container::new(&drive.id, "drive", &drive.name).access(access))?;
            let group = access::organizers_of(&drive.id);
            self.sink.members(sallyport_sdk::documents::Membership::exactly(group, organizers))?;
            self.cursor.shape = shape;
        }
        self.scope = Scope::Drive { id: drive.id.clone(), members: readers };
        Ok(())
    }

    /// The drive's container goes, and with it what everything in the drive inherits: nobody finds
    /// that from this checkpoint on, and a sweep deletes it.
    fn lost(&mut self) -> Result<Outcome, Failure> {
        if let Scope::Drive { id, .. } = &self.scope {
            self.sink.delete_container(id)?;
            self.sink.delete_group(access::organizers_of(id))?;
        }
        let coverage = if self.cursor.sweep { Coverage::Whole } else { Coverage::Partial };
        self.cursor = Cursor { phase: Phase::Lost, ..Cursor::default() };
        self.checkpoint()?;
        Ok(Outcome::Complete(coverage))
    }

    /// A request that is for this stream's files only.
    pub(super) fn scoped(&self, request: Request) -> Request {
        let request = request.query("supportsAllDrives", true).query("includeItemsFromAllDrives", true);
        match &self.scope {
            Scope::Mine => request,
            Scope::Drive { id, .. } => request.query("driveId", id),
        }
    }

    /// Stages somebody's name and address, once a pull.
    pub(super) fn person(&mut self, user: &User) -> Result<(), Failure> {
        if user.permission_id.is_empty() || !self.people.insert(user.permission_id.clone()) {
            return Ok(());
        }
        let person = Person::new(user.permission_id.clone());
        Ok(self.sink.person(person.email(user.email_address.clone()).name(user.display_name.clone()))?)
    }

    /// Stages whom a permission names.
    pub(super) fn grantee(&mut self, permission: &Permission) -> Result<(), Failure> {
        if permission.deleted || permission.email_address.is_none() {
            return Ok(());
        }
        match permission.kind.as_str() {
            "user" => self.person(&User {
                permission_id: permission.id.clone(),
                email_address: permission.email_address.clone(),
                display_name: permission.display_name.clone(),
            }),
            "group" if access::reads(permission, self.now) => {
                if let Some(group) = &permission.email_address {
                    self.cursor.groups.entry(group.to_lowercase()).or_default();
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// Why a page could not be read.
pub(super) enum Refused {
    /// Its token is no good any more.
    Token(Failure),
    /// Anything else.
    Failed(Failure),
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// A page of a listing; if it was asked for by a token, the token may be what is wrong.
pub(super) fn page<T: serde::de::DeserializeOwned>(
    token: Option<&String>,
    request: impl Fn() -> Request,
) -> Result<T, Refused> {
    api::listing(|| request().query_opt("pageToken", token)).map_err(|failure| match failure {
        failure if token.is_some() && api::is_refused_token(&failure) => Refused::Token(failure),
        failure => Refused::Failed(failure),
    })
}
