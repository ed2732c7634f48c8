//! Labels: who may read a piece of text, all of them, whoever asks.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension, params};
use sallyport_index::{Label, Readers};

use super::audience::{Live, Named};
use super::people::{Column, Known, members, person};
use crate::db::{Outcome, unjson};
use crate::sink::kind;

/// Expands access lists to people; remembers them, since a query's documents share most. Readers are those who find a
/// text here, so that a grant's ceiling cuts them, unless asked for those at the service.
pub(crate) struct Labels<'a> {
    db: &'a Connection,
    tenant: i64,
    live: &'a HashMap<i64, Live>,
    lists: HashMap<i64, Readers>,
    at_service: bool,
}

impl<'a> Labels<'a> {
    pub(crate) fn new(db: &'a Connection, tenant: i64, live: &'a HashMap<i64, Live>) -> Self {
        Self { db, tenant, live, lists: HashMap::new(), at_service: false }
    }

    /// Readers as the source tells them: who sees what is written there, whatever a grant says of what is found here.
    pub(crate) fn at_service(db: &'a Connection, tenant: i64, live: &'a HashMap<i64, Live>) -> Self {
        Self { at_service: true, ..Self::new(db, tenant, live) }
    }

    /// A document's label: the readers that any live connection attests. It is trusted if an admin trusts every one.
    pub(crate) fn of_document(&mut self, document: i64) -> Outcome<Label> {
        let sql = "SELECT connection, acl FROM attestations WHERE document = ?";
        let mut sql = self.db.prepare_cached(sql)?;
        let rows = sql.query_map([document], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let attested: Vec<(i64, Option<i64>)> = rows.collect::<Result<_, _>>()?;
        let live = self.live;
        let attested = attested.into_iter().filter_map(|(connection, acl)| Some((live.get(&connection)?, acl)));
        let attested: Vec<(&Live, Option<i64>)> = attested.collect();
        let mut label = Label { readers: Readers::default(), trusted: !attested.is_empty() };
        for (connection, acl) in attested {
            label.trusted &= connection.trusted;
            if let Some(acl) = acl {
                add(&mut label.readers, self.of_list(connection, acl)?);
            }
        }
        Ok(label)
    }

    /// The readers of one access list of the connection.
    pub(crate) fn of_list(&mut self, connection: &Live, acl: i64) -> Outcome<&Readers> {
        if !self.lists.contains_key(&acl) {
            let readers = self.expand(connection, acl)?;
            self.lists.insert(acl, readers);
        }
        Ok(&self.lists[&acl])
    }

    /// The account that the connection acts as, by the name that its person has among readers.
    pub(crate) fn account(&self, connection: &Live) -> Outcome<Option<String>> {
        match connection.owner {
            Some(_) => self.owner(connection),
            None => self.user(connection, &connection.account),
        }
    }

    fn expand(&self, connection: &Live, acl: i64) -> Outcome<Readers> {
        let mut readers = Readers::default();
        let (mut lists, mut groups) = (HashSet::from([acl]), HashSet::new());
        let mut open = vec![acl];
        while let Some(acl) = open.pop() {
            let mut named: Vec<(Column, bool)> = self.entries(acl)?.into_iter().map(|entry| (entry, true)).collect();
            while let Some(((kind, id), direct)) = named.pop() {
                match kind {
                    kind::GROUP if groups.insert(id.clone()) => {
                        let members = members(self.db, connection.source, &id)?;
                        named.extend(members.into_iter().map(|member| (member, false)));
                    }
                    kind::USER => readers.people.extend(self.user(connection, &id)?),
                    kind::EMAIL => readers.people.extend([id]),
                    kind::DOMAIN => readers.domains.extend([id]),
                    kind::AUDIENCE if direct => self.add_named(&mut readers, connection, connection.audience())?,
                    kind::ANYONE if direct => readers.anyone = true,
                    _ => {}
                }
            }
            open.extend(self.inherited(connection, acl)?.into_iter().filter(|acl| lists.insert(*acl)));
        }
        match connection.ceiling() {
            Some(ceiling) if !self.at_service => self.cut(readers, connection, ceiling),
            _ => Ok(readers),
        }
    }

    /// Those of the readers who are within the ceiling, as far as addresses tell.
    fn cut(&self, readers: Readers, connection: &Live, ceiling: Vec<Named>) -> Outcome<Readers> {
        let mut most = Readers::default();
        self.add_named(&mut most, connection, ceiling)?;
        if readers.anyone {
            return Ok(most);
        }
        let host = |person: &str| person.rsplit_once('@').map(|(_, host)| host.to_owned());
        let within = |domains: &Readers, person: &str| host(person).is_some_and(|host| domains.domains.contains(&host));
        let mut left = Readers::default();
        left.domains.extend(readers.domains.intersection(&most.domains).cloned());
        let named = readers.people.iter().filter(|person| most.people.contains(*person) || within(&most, person));
        left.people.extend(named.cloned());
        left.people.extend(most.people.iter().filter(|person| within(&readers, person)).cloned());
        Ok(left)
    }

    fn entries(&self, acl: i64) -> Outcome<Vec<Column>> {
        let mut sql = self.db.prepare_cached("SELECT kind, id FROM acl_entries WHERE acl = ?")?;
        let rows = sql.query_map([acl], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn inherited(&self, connection: &Live, acl: i64) -> Outcome<Vec<i64>> {
        let sql = "SELECT c.acl FROM acl_inherits i JOIN containers c ON c.connection = ?1 AND c.id = i.container
            WHERE i.acl = ?2 AND c.acl IS NOT NULL";
        let mut sql = self.db.prepare_cached(sql)?;
        let rows = sql.query_map(params![connection.key, acl], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn user(&self, connection: &Live, user: &str) -> Outcome<Option<String>> {
        Ok(match person(self.db, connection.source, user)? {
            Known::Email(email) => Some(email),
            Known::Closed => None,
            Known::Nothing => Some(format!("{}/{user}", connection.source_id)),
        })
    }

    fn add_named(&self, readers: &mut Readers, connection: &Live, named: Vec<Named>) -> Outcome<()> {
        for named in named {
            match named {
                Named::Domain(domain) => readers.domains.extend([domain]),
                Named::Email(email) => readers.people.extend([email]),
                Named::Owner => readers.people.extend(self.owner(connection)?),
            }
        }
        Ok(())
    }

    /// The owner by their own address where the host knows them, else as the account at the provider.
    fn owner(&self, connection: &Live) -> Outcome<Option<String>> {
        let sql = "SELECT u.emails FROM users u JOIN tenants t ON t.id = u.tenant WHERE t.key = ? AND u.subject = ?";
        let emails: Option<String> = self
            .db
            .prepare_cached(sql)?
            .query_row(params![self.tenant, connection.owner], |row| row.get(0))
            .optional()?;
        let emails: Vec<String> = emails.as_deref().map(unjson).transpose()?.unwrap_or_default();
        match emails.into_iter().next() {
            Some(email) => Ok(Some(email)),
            None => self.user(connection, &connection.account),
        }
    }
}

fn add(readers: &mut Readers, more: &Readers) {
    readers.anyone |= more.anyone;
    readers.domains.extend(more.domains.iter().cloned());
    readers.people.extend(more.people.iter().cloned());
}
