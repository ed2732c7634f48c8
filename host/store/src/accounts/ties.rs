//! Whose a provider's users are, in an admin's word: for providers that tell no addresses of others (Trello).

use rusqlite::{Connection, OptionalExtension, params};
use sallyport::ids::{ConnectionId, SubjectId, TenantId};
use sallyport::ports::{Durability, StoreResult};

use super::Accounts;
use crate::access::{Known, person};
use crate::db::{Fail, Outcome};

/// A user of a provider, as a connection's source has told of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderUser {
    /// The provider's id.
    pub user: String,
    /// The name that the source gives, where it gives one.
    pub name: Option<String>,
    /// Whose they are: the admin's word, else the source's.
    pub email: Option<String>,
    /// Whether that is an admin's word.
    pub tied: bool,
}

impl Accounts {
    /// The users that a connection's source has told of, and those that an admin has tied, by id.
    pub async fn provider_users(&self, tenant: &TenantId, connection: &ConnectionId) -> StoreResult<Vec<ProviderUser>> {
        let (tenant, connection) = (tenant.clone(), connection.clone());
        let read = self.db.read(move |db| {
            let source = source(db, &tenant, &connection)?;
            let sql = "SELECT user, max(name) FROM (
                SELECT user, name FROM people WHERE source = ?1 UNION ALL SELECT user, NULL FROM ties WHERE source = ?1
                ) GROUP BY user ORDER BY user";
            let mut sql = db.prepare_cached(sql)?;
            let mut tied = db.prepare_cached("SELECT 1 FROM ties WHERE source = ? AND user = ?")?;
            let rows = sql.query_map([source], |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))?;
            rows.map(|row| {
                let (user, name) = row?;
                let email = match person(db, source, &user)? {
                    Known::Email(email) => Some(email),
                    Known::Closed | Known::Nothing => None,
                };
                let tied = tied.exists(params![source, user])?;
                Ok(ProviderUser { user, name, email, tied })
            })
            .collect()
        });
        Ok(read.await?)
    }

    /// Ties a provider's user to the person with this address, for every connection of the same source. It counts from
    /// the next query on, before whatever the source says of the user.
    pub async fn tie(
        &self,
        tenant: &TenantId,
        connection: &ConnectionId,
        user: &str,
        email: &str,
        by: &SubjectId,
    ) -> StoreResult<()> {
        let (tenant, connection, by) = (tenant.clone(), connection.clone(), by.clone());
        let (user, email, at) = (user.to_owned(), email.trim().to_lowercase(), self.db.now());
        let write = self.db.write(Durability::Flushed, move |db| {
            let source = source(db, &tenant, &connection)?;
            let sql = "INSERT INTO ties (source, user, email, by, at) VALUES (?1, ?2, ?3, ?4, ?5)
                ON CONFLICT DO UPDATE SET email = ?3, by = ?4, at = ?5";
            db.execute(sql, params![source, user, email, by.as_str(), at.0])?;
            Ok(())
        });
        Ok(write.await?)
    }

    /// Takes such a word back. Not found where there is none.
    pub async fn untie(&self, tenant: &TenantId, connection: &ConnectionId, user: &str) -> StoreResult<()> {
        let (tenant, connection, user) = (tenant.clone(), connection.clone(), user.to_owned());
        let write = self.db.write(Durability::Flushed, move |db| {
            let source = source(db, &tenant, &connection)?;
            match db.execute("DELETE FROM ties WHERE source = ? AND user = ?", params![source, user])? {
                0 => Err(Fail::not_found(format!("a tie of the user {user}"))),
                _ => Ok(()),
            }
        });
        Ok(write.await?)
    }
}

fn source(db: &Connection, tenant: &TenantId, connection: &ConnectionId) -> Outcome<i64> {
    let sql = "SELECT c.source FROM connections c JOIN tenants t ON t.key = c.tenant WHERE t.id = ? AND c.id = ?";
    let row = [tenant.as_str(), connection.as_str()];
    let found = db.prepare_cached(sql)?.query_row(row, |row| row.get(0)).optional()?;
    found.ok_or_else(|| Fail::not_found(format!("connection {connection}")))
}
