//! Names that a manifest gives to things. Each is its own type, checked once, where it is read.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// The longest name, in bytes: they become keys in stores and parts of messages.
const MAX_LENGTH: usize = 64;

/// A name that does not have the form that its kind asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is no {kind}: write {form}{}", suggestion(.found, .separators))]
pub struct BadName {
    /// Which kind of name.
    pub kind: &'static str,
    /// What was found.
    pub found: String,
    /// What it has to look like.
    pub form: &'static str,
    separators: &'static [char],
}

/// What the author may have meant, if the kind's form is one step away.
fn suggestion(value: &str, separators: &[char]) -> String {
    let Some(&separator) = separators.first() else { return String::new() };
    let mut guess = String::new();
    for c in value.chars() {
        if c.is_ascii_uppercase() && !guess.is_empty() && !guess.ends_with(separators) {
            guess.push(separator);
        }
        match c {
            c if c.is_ascii_alphanumeric() => guess.push(c.to_ascii_lowercase()),
            c if separators.contains(&c) => guess.push(c),
            _ => guess.push(separator),
        }
    }
    if well_formed(&guess, separators) { format!(", e.g. {guess:?}") } else { String::new() }
}

/// Words of lower-case letters and digits, joined by single separators; the first begins with a letter.
fn well_formed(value: &str, separators: &[char]) -> bool {
    value.len() <= MAX_LENGTH
        && value.starts_with(|c: char| c.is_ascii_lowercase())
        && value
            .split(|c| separators.contains(&c))
            .all(|word| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()))
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $form:ident, $separators:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks the form and takes the name.
            ///
            /// # Errors
            /// [`BadName`] says which form this kind of name has.
            pub fn new(text: impl AsRef<str>) -> Result<Self, BadName> {
                let text = text.as_ref();
                if well_formed(text, $separators) {
                    Ok(Self(text.into()))
                } else {
                    Err(BadName { kind: $kind, found: text.into(), form: $form, separators: $separators })
                }
            }

            /// The name as it stands in the manifest.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = BadName;

            fn from_str(value: &str) -> Result<Self, BadName> {
                Self::new(value)
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadName;

            fn try_from(value: String) -> Result<Self, BadName> {
                Self::new(value)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0.as_ref().into()
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                *self.0 == *other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                *self.0 == **other
            }
        }
    };
}

const KEBAB: &str = "lower-case words joined by \"-\", at most 64 characters";
const WORDS: &str = "lower-case words joined by \"_\" or \"-\", at most 64 characters";
const DOTTED: &str = "lower-case words joined by \".\", \"-\" or \"_\", at most 64 characters";

id!(
    /// A connector, as `google-drive`. With its publisher's key it is the connector's identity.
    ConnectorId, "connector id", KEBAB, &['-']
);
id!(
    /// An entry of the host's provider registry, as `google`.
    ProviderId, "provider id", KEBAB, &['-']
);
id!(
    /// A capability within a connector, as `files.read`.
    CapabilityId, "capability id", DOTTED, &['.', '-', '_']
);
id!(
    /// The place in a connection where a secret lives, as `bot`.
    SlotName, "slot name", WORDS, &['-', '_']
);
id!(
    /// The name that routes use for an origin, as `api` in `{api}`.
    OriginName, "origin name", WORDS, &['-', '_']
);
id!(
    /// An operation that an agent can call, as `create_card`.
    ToolName, "tool name", WORDS, &['_', '-']
);
id!(
    /// One of the ways in which a connector can be authorised, as `service-account`.
    AuthId, "auth id", KEBAB, &['-']
);
id!(
    /// A field of the client that an operator registers at the provider, as `client_secret`.
    ClientField, "client field", WORDS, &['_', '-']
);
id!(
    /// A choice that is made when connecting and shown to the guest, as `app_kind`.
    SettingKey, "setting key", WORDS, &['_', '-']
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_the_form_of_their_kind() {
        for good in ["slack", "google-drive", "a1", "s3-files"] {
            assert_eq!(ConnectorId::new(good).expect(good).as_str(), good);
        }
        for bad in ["", "-a", "a-", "a--b", "A", "1a", "a_b", "a.b", "a b", "ä", &"a".repeat(65)] {
            assert!(ConnectorId::new(bad).is_err(), "{bad:?}");
        }
        assert!(CapabilityId::new("files.read-all").is_ok());
        assert!(CapabilityId::new("files..read").is_err());
        assert!(ToolName::new("create_card").is_ok());
        assert!(serde_json::from_str::<ToolName>("\"Create\"").is_err());
    }

    #[test]
    fn an_error_offers_the_name_that_was_meant() {
        let error = ToolName::new("createCard").expect_err("camel case").to_string();
        assert!(error.contains("e.g. \"create_card\""), "{error}");
        let error = ConnectorId::new("Google Drive").expect_err("a title").to_string();
        assert!(error.contains("e.g. \"google-drive\""), "{error}");
    }
}
