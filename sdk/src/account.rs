//! Whose account a connection is.

/// The account behind a connection, as the provider names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The provider's id of the account.
    pub id: String,
    /// A name for people.
    pub name: String,
    /// The account's own e-mail address, where the provider tells it.
    pub email: Option<String>,
    /// The provider's id of the workspace, where accounts belong to one.
    pub workspace: Option<String>,
}

impl Identity {
    /// An account with an id and a name.
    pub fn new(id: impl Into<String>, name: impl Into<String>) -> Self {
        Self { id: id.into(), name: name.into(), email: None, workspace: None }
    }

    /// With its own e-mail address.
    pub fn email(mut self, email: impl Into<String>) -> Self {
        self.email = Some(email.into());
        self
    }

    /// With its workspace.
    pub fn workspace(mut self, workspace: impl Into<String>) -> Self {
        self.workspace = Some(workspace.into());
        self
    }
}
