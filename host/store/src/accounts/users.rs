//! Built-in users: people that the host itself knows, where no OIDC provider does.

use rusqlite::{Connection, OptionalExtension, Row, params};
use sallyport::audit::Note;
use sallyport::caller::{Caller, Role};
use sallyport::ids::{SubjectId, TenantId};
use sallyport::ports::{Durability, StoreResult};

use super::Accounts;
use crate::audit;
use crate::db::{Fail, Outcome, json, unjson};

/// A person whom the operator entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Their tenant.
    pub tenant: TenantId,
    /// Their id within it.
    pub subject: SubjectId,
    /// Their name.
    pub name: String,
    /// Addresses that the operator vouches for; kept in lower case.
    pub emails: Vec<String>,
    /// What they may do.
    pub roles: Vec<Role>,
}

impl User {
    /// The caller that this person is.
    #[must_use]
    pub fn caller(&self) -> Caller {
        let Self { tenant, subject, emails, roles, .. } = self.clone();
        Caller { tenant, subject, emails, roles }
    }
}

impl Accounts {
    /// Adds a user, or replaces the one of the same subject. An address belongs to one user of a tenant: a conflict
    /// otherwise.
    pub async fn put_user(&self, user: &User) -> StoreResult<()> {
        let (mut user, now) = (user.clone(), self.db.now());
        user.emails.iter_mut().for_each(|email| *email = email.trim().to_lowercase());
        let write = self.db.write(Durability::Flushed, move |db| {
            if !db
                .prepare_cached("SELECT 1 FROM tenants WHERE id = ? AND removed IS NULL")?
                .exists([user.tenant.as_str()])?
            {
                return Err(Fail::not_found(format!("tenant {}", user.tenant)));
            }
            for email in &user.emails {
                let other = with_email(db, &user.tenant, email)?.filter(|other| other.subject != user.subject);
                if let Some(other) = other {
                    return Err(Fail::conflict(format!("the address {email}"), format!("user {}'s", other.subject)));
                }
            }
            let sql = "INSERT INTO users (tenant, subject, name, emails, roles) VALUES (?1, ?2, ?3, ?4, ?5)
                ON CONFLICT DO UPDATE SET name = ?3, emails = ?4, roles = ?5";
            let (tenant, subject) = (user.tenant.as_str(), user.subject.as_str());
            db.execute(sql, params![tenant, subject, user.name, json(&user.emails)?, json(&user.roles)?])?;
            let User { tenant, subject, roles, .. } = user;
            audit::note(db, Some(&tenant), now, &Note::PersonKept { subject, roles })
        });
        Ok(write.await?)
    }

    /// One user.
    pub async fn user(&self, tenant: &TenantId, subject: &SubjectId) -> StoreResult<User> {
        let (tenant, subject) = (tenant.clone(), subject.clone());
        let read = self.db.look(move |db| {
            let sql = format!("{SELECT} WHERE tenant = ? AND subject = ?");
            let row = [tenant.as_str(), subject.as_str()];
            let found = db.prepare_cached(&sql)?.query_row(row, columns).optional()?;
            found.ok_or_else(|| Fail::not_found(format!("user {subject}"))).and_then(|row| user(&tenant, row))
        });
        Ok(read.await?)
    }

    /// The user who has this address.
    pub async fn user_by_email(&self, tenant: &TenantId, email: &str) -> StoreResult<User> {
        let (tenant, email) = (tenant.clone(), email.trim().to_lowercase());
        let read = self.db.look(move |db| {
            with_email(db, &tenant, &email)?.ok_or_else(|| Fail::not_found(format!("a user with the address {email}")))
        });
        Ok(read.await?)
    }

    /// The tenant's users, by subject.
    pub async fn users(&self, tenant: &TenantId) -> StoreResult<Vec<User>> {
        let tenant = tenant.clone();
        let read = self.db.read(move |db| {
            let mut sql = db.prepare_cached(&format!("{SELECT} WHERE tenant = ? ORDER BY subject"))?;
            sql.query_map([tenant.as_str()], columns)?.map(|row| user(&tenant, row?)).collect()
        });
        Ok(read.await?)
    }

    /// Removes a user. What they did and their connections stay.
    pub async fn remove_user(&self, tenant: &TenantId, subject: &SubjectId) -> StoreResult<()> {
        let (tenant, subject) = (tenant.clone(), subject.clone());
        let write = self.db.write(Durability::Flushed, move |db| {
            let sql = "DELETE FROM users WHERE tenant = ? AND subject = ?";
            match db.execute(sql, [tenant.as_str(), subject.as_str()])? {
                0 => Err(Fail::not_found(format!("user {subject}"))),
                _ => Ok(()),
            }
        });
        Ok(write.await?)
    }
}

const SELECT: &str = "SELECT subject, name, emails, roles FROM users";

type Columns = (String, String, String, String);

fn columns(row: &Row<'_>) -> rusqlite::Result<Columns> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
}

fn user(tenant: &TenantId, (subject, name, emails, roles): Columns) -> Outcome<User> {
    let (emails, roles) = (unjson(&emails)?, unjson(&roles)?);
    Ok(User { tenant: tenant.clone(), subject: SubjectId::new(subject), name, emails, roles })
}

fn with_email(db: &Connection, tenant: &TenantId, email: &str) -> Outcome<Option<User>> {
    let sql = format!("{SELECT} WHERE tenant = ? AND EXISTS (SELECT 1 FROM json_each(emails) WHERE value = ?)");
    let found = db.prepare_cached(&sql)?.query_row([tenant.as_str(), email], columns).optional()?;
    found.map(|row| user(tenant, row)).transpose()
}
