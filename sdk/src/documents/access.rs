//! Who may read.

/// Someone, or several.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Principal {
    /// By the provider's user id; [`Person`](super::Person) changes tie it to people.
    User(String),
    /// By e-mail address.
    Email(String),
    /// A group of this source, by id; its members are told by [`Membership`](super::Membership) changes.
    Group(String),
    /// Everyone with a verified address at this domain.
    Domain(String),
    /// Whom the operator gave the connection to; for services that do not tell who may read.
    ConnectionAudience,
    /// Everyone, without even a link. (What merely has a link is not readable by everyone.)
    Anyone,
}

/// What someone may do. Reading is what search is about; the others are told for people to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// May read.
    Read,
    /// May comment, too.
    Comment,
    /// May write, too.
    Write,
}

/// A principal and what it may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Who.
    pub who: Principal,
    /// What.
    pub level: Level,
}

/// The readers: these entries and the readers of every container inherited from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Acl {
    /// Who is named here.
    pub entries: Vec<Entry>,
    /// Ids of containers whose readers may read this, too.
    pub inherit: Vec<String>,
}

impl Acl {
    /// Nobody.
    pub fn new() -> Self {
        Self::default()
    }

    /// And this reader.
    pub fn reader(self, who: Principal) -> Self {
        self.entry(who, Level::Read)
    }

    /// And this principal at this level.
    pub fn entry(mut self, who: Principal, level: Level) -> Self {
        self.entries.push(Entry { who, level });
        self
    }

    /// And the readers of this container.
    pub fn inherit(mut self, container: impl Into<String>) -> Self {
        self.inherit.push(container.into());
        self
    }
}

/// Who may read a document or what a container holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Access {
    /// As told.
    Known(Acl),
    /// Not known, which makes it invisible. The default, so that what is forgotten is not shown.
    #[default]
    Unknown,
}

impl Access {
    /// Whoever may read this container.
    pub fn inherit(container: impl Into<String>) -> Self {
        Acl::new().inherit(container).into()
    }
}

impl From<Acl> for Access {
    fn from(acl: Acl) -> Self {
        Self::Known(acl)
    }
}
